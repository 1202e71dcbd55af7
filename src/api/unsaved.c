#include "api/unsaved.h"

#include "api/blocks.h"
#include "api/inside.h"
#include "api/people.h"

#define AT_ONCE_BURST 64   /* records that wait for no others to share them; beyond it … */
#define AT_ONCE_MS    1000 /* … one more in so long a time */
#define SAVED_MAX     128  /* in one transaction */
#define ARENA_MAX     (1u << 20)
#define DETAIL_MAX    4096
#define ALSO_MAX      1024

struct item {
    struct kept block;
    uint64_t version;                           /* of the row that it takes the place of; 0: there is none */
    uint8_t commitment[32], new_commitment[32]; /* of that row, and, once submitted, of its own */
    bool withdrawn;
};

struct unsaved {
    struct api_shared *shared;
    void (*room)(void *context);
    void *context;
    pthread_mutex_t lock; /* of the items: thread 0 alone adds and removes */
    struct item items[UNSAVED_MAX];
    size_t count;
    size_t taken;      /* the first ones, which the transaction under way is of; 0: none is */
    bool submitted;    /* and the ledger has it */
    uint64_t spent_ms; /* when the whole burst is there again; monotonic */
    bool armed, due;
    struct loop_timer *timer; /* goes with the loop */
    struct txn txn;
    size_t order[SAVED_MAX]; /* of its items: those of its changes, then those that get no row */
};

/* --- the items */

static struct item *find(struct unsaved *u, const struct prefix *network)
{
    for (size_t i = 0; i < u->count; i++)
        if (memcmp(&u->items[i].block.rule.network, network, sizeof *network) == 0)
            return &u->items[i];
    return NULL;
}

size_t unsaved_room(const struct unsaved *u)
{
    return UNSAVED_MAX - u->count;
}

bool unsaved_has(const struct unsaved *u, const struct prefix *network)
{
    for (size_t i = 0; i < u->count; i++)
        if (memcmp(&u->items[i].block.rule.network, network, sizeof *network) == 0)
            return true;
    return false;
}

/* What the store says holds again: without memory, with the next start. */
static void follow_store(struct unsaved *u, const struct item *i)
{
    AUTO(arena_free) struct arena *arena = NULL;
    if (arena_new(4096, ARENA_MAX, &arena) == OK)
        (void)!blocks_refresh(u->shared->first, &i->block.rule.network, arena);
}

RESULT unsaved_add(struct unsaved *u, const struct kept *block, const struct kept *before)
{
    struct item i = {.block = *block, .version = before->version};
    if (u->count == UNSAVED_MAX)
        return ERR_LIMIT_REACHED;
    memcpy(i.commitment, before->commitment, sizeof i.commitment);
    enum err e = blocks_begin(u->shared, block);
    if (e != OK) {
        follow_store(u, &i);
        return e;
    }
    pthread_mutex_lock(&u->lock);
    u->items[u->count++] = i;
    pthread_mutex_unlock(&u->lock);
    u->shared->first->inside->under_way += u->count == 1; /* so that the end of this process waits for it */
    return OK;
}

static RESULT withdraw(struct unsaved *u, struct item *i, struct kept *ret)
{
    if (!i || i->withdrawn)
        return ERR_NOT_FOUND;
    if (i < u->items + u->taken && !u->submitted)
        return ERR_BUSY;
    *ret = i->block;
    ret->version = 0;
    if (i >= u->items + u->taken) {
        i->withdrawn = true;
        return OK;
    }
    ret->version = i->version + 1;
    memcpy(ret->commitment, i->new_commitment, sizeof ret->commitment);
    return OK;
}

RESULT unsaved_withdraw(struct unsaved *u, const struct prefix *network, struct kept *ret)
{
    pthread_mutex_lock(&u->lock);
    enum err e = withdraw(u, find(u, network), ret);
    pthread_mutex_unlock(&u->lock);
    return e;
}

static void take(struct unsaved *u, size_t count)
{
    pthread_mutex_lock(&u->lock);
    u->taken = count;
    pthread_mutex_unlock(&u->lock);
}

static void remove_taken(struct unsaved *u)
{
    pthread_mutex_lock(&u->lock);
    u->count -= u->taken;
    memmove(u->items, u->items + u->taken, u->count * sizeof u->items[0]);
    u->taken = 0;
    u->submitted = false;
    pthread_mutex_unlock(&u->lock);
    u->shared->first->inside->under_way -= u->count == 0;
}

/* --- rows and record */

static RESULT put_row(struct unsaved *u, const struct item *i)
{
    struct kept before = {.version = i->version};
    struct txn *t = &u->txn;
    memcpy(before.commitment, i->commitment, sizeof before.commitment);
    TRY(kept_put(atomic_load(&u->shared->keys), &i->block, &before, t->arena, &t->changes[t->change_count]));
    t->change_count++;
    return OK;
}

static void describe(const struct item *i, bool alone, struct writer *detail)
{
    char text[PREFIX_TEXT_SIZE], until[TIME_TEXT_SIZE];
    prefix_format(&i->block.rule.network, text);
    time_format(i->block.rule.ends_ms, until);
    writer_str(detail, detail->len ? "; " : "automatic: ");
    if (!alone)
        writer_printf(detail, "%s: ", text);
    writer_printf(detail, "%s, until %s", networks_reasons[i->block.reason], until);
    if (i->block.times > 1)
        writer_printf(detail, ", %u times in a row", (unsigned)i->block.times);
    if (i->withdrawn)
        writer_str(detail, ", taken back at once");
}

/* Its changes are of the first of these things, in their order (ledger/record.h). */
static RESULT put_record(struct unsaved *u, const size_t *order, size_t count)
{
    AUTO_WRITER detail = writer_new(DETAIL_MAX), also = writer_new(ALSO_MAX);
    struct arena *arena = u->txn.arena;
    struct record *r = &u->txn.records[u->txn.record_count++];
    char text[PREFIX_TEXT_SIZE];
    *r = (struct record){.type = EVENT_ADDRESS_BLOCKED,
                         .outcome = OUTCOME_DONE,
                         .who = {.actor = VIEW_STR("front"), .source = VIEW_STR("front")}};
    prefix_format(&u->items[order[0]].block.rule.network, text);
    TRY(people_named(arena, "network:", view_str(text), &r->what.resource));
    for (size_t i = 0; i < count; i++)
        describe(&u->items[order[i]], count == 1, &detail);
    for (size_t i = 1; i < count; i++) {
        prefix_format(&u->items[order[i]].block.rule.network, text);
        writer_printf(&also, "%snetwork:%s", i > 1 ? " " : "", text);
    }
    TRY(writer_done(&detail));
    TRY(writer_done(&also));
    TRY(arena_copy(arena, writer_view_of(&also), &r->what.also));
    return arena_copy(arena, writer_view_of(&detail), &r->what.detail);
}

/* So that each leaf but the last has as many changes as it can have, and they are of its record's things. */
static void put_in_order(struct unsaved *u)
{
    size_t n = 0;
    for (int withdrawn = 0; withdrawn < 2; withdrawn++)
        for (size_t i = 0; i < u->taken; i++)
            if (u->items[i].withdrawn == withdrawn)
                u->order[n++] = i;
}

/* --- the transaction */

static void on_done(void *context, struct txn *t);

static RESULT fill(struct unsaved *u)
{
    struct txn *t = &u->txn;
    arena_free(t->arena);
    *t = (struct txn){.done = on_done, .context = u};
    TRY(arena_new(16384, ARENA_MAX, &t->arena));
    t->changes = arena_alloc(t->arena, u->taken * sizeof *t->changes);
    t->records = arena_alloc(t->arena, (u->taken / UNSAVED_TOGETHER + 1) * sizeof *t->records);
    if (!t->changes || !t->records)
        return ERR_NO_MEMORY;
    put_in_order(u);
    for (size_t i = 0; i < u->taken && !u->items[u->order[i]].withdrawn; i++)
        TRY(put_row(u, &u->items[u->order[i]]));
    for (size_t i = 0; i < u->taken; i += UNSAVED_TOGETHER)
        TRY(put_record(u, &u->order[i], u->taken - i < UNSAVED_TOGETHER ? u->taken - i : UNSAVED_TOGETHER));
    return OK;
}

static void note_commitments(struct unsaved *u)
{
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < u->txn.change_count; i++)
        memcpy(u->items[u->order[i]].new_commitment, u->txn.changes[i].commitment, sizeof u->items[0].new_commitment);
    pthread_mutex_unlock(&u->lock);
}

static void set_submitted(struct unsaved *u, bool submitted)
{
    pthread_mutex_lock(&u->lock);
    u->submitted = submitted;
    pthread_mutex_unlock(&u->lock);
}

static RESULT submit(struct unsaved *u)
{
    struct api_thread *first = u->shared->first;
    if (!u->shared->ledger)
        return ERR_SEALED;
    TRY(fill(u));
    TRY(ledger_prepare(u->shared->ledger, &u->txn));
    note_commitments(u);
    TRY(ledger_submit(u->shared->ledger, &u->txn, 1, first->mailbox));
    set_submitted(u, true);
    return OK;
}

static void give_up(struct unsaved *u)
{
    for (size_t i = 0; i < u->taken; i++)
        follow_store(u, &u->items[i]);
    remove_taken(u);
}

/* Somebody said something else of this network meanwhile, and that counts. */
static void give_way(struct unsaved *u, size_t change)
{
    struct item *i = &u->items[u->order[change]];
    pthread_mutex_lock(&u->lock);
    i->withdrawn = true;
    pthread_mutex_unlock(&u->lock);
    follow_store(u, i);
}

static void on_done(void *context, struct txn *t)
{
    struct unsaved *u = context;
    (void)change_noted(u->shared, t->result);
    set_submitted(u, false);
    if (t->result == OK) {
        remove_taken(u);
    } else if (t->result == ERR_CONFLICT && t->conflict < t->change_count) {
        give_way(u, t->conflict);
        if (submit(u) == OK)
            return;
        give_up(u);
    } else {
        give_up(u);
    }
    unsaved_save(u);
    u->room(u->context);
}

/* --- when */

static bool may_begin(struct unsaved *u)
{
    uint64_t now = u->shared->clock->mono_ms(u->shared->clock);
    if (u->spent_ms < now)
        u->spent_ms = now;
    if (u->spent_ms + AT_ONCE_MS > now + (uint64_t)AT_ONCE_BURST * AT_ONCE_MS)
        return false;
    u->spent_ms += AT_ONCE_MS;
    return true;
}

static void on_due(void *context)
{
    struct unsaved *u = context;
    u->armed = false;
    u->due = true;
    unsaved_save(u);
}

/* Without a timer it is now. */
static bool waits(struct unsaved *u)
{
    if (!u->timer && loop_timer_new(u->shared->first->loop, on_due, u, &u->timer) != OK)
        return false;
    if (!u->armed)
        loop_timer_arm(u->timer, UNSAVED_MS);
    u->armed = true;
    return true;
}

/* So many of the first ones; records that have room left wait for others. */
static size_t ready(struct unsaved *u)
{
    size_t n = u->count < SAVED_MAX ? u->count : SAVED_MAX, rest = n % UNSAVED_TOGETHER;
    return rest == 0 || u->due || may_begin(u) || !waits(u) ? n : n - rest;
}

void unsaved_save(struct unsaved *u)
{
    while (u->taken == 0 && u->count) {
        size_t n = ready(u);
        if (n == 0)
            return;
        u->due = false;
        take(u, n);
        if (submit(u) != OK)
            give_up(u);
    }
}

/* --- its life */

RESULT unsaved_new(struct api_shared *s, void (*room)(void *context), void *context, struct unsaved **ret)
{
    struct unsaved *u = calloc(1, sizeof *u);
    if (!u)
        return ERR_NO_MEMORY;
    u->shared = s;
    u->room = room;
    u->context = context;
    pthread_mutex_init(&u->lock, NULL);
    *ret = u;
    return OK;
}

void unsaved_free(struct unsaved *u)
{
    if (!u)
        return;
    arena_free(u->txn.arena);
    pthread_mutex_destroy(&u->lock);
    free(u);
}
