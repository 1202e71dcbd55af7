#include "api/strikes.h"

#include "api/blocks.h"
#include "api/inside.h"
#include "api/people.h"

#include <pthread.h>

#define NS_OF_MS    1000000
#define AT_ONCE     16   /* blocks in one transaction */
#define NAMED_BURST 64   /* records that name one network each; beyond it … */
#define NAMED_MS    1000 /* … one more in so long a time */
#define ARENA_MAX   (1u << 20)
#define SIGNED_MAX  256
#define SIGNED_MS   60000 /* so long sessions that are over may count */
#define DETAIL_MAX  200

struct strike {
    struct prefix network;
    uint8_t reason; /* enum networks_reason */
};

/* Where those are signed in who may lift blocks. */
struct signed_in {
    struct address at[SIGNED_MAX];
    size_t count;
    bool full;         /* there are more: nobody is blocked */
    uint64_t known_ms; /* when that was looked up; monotonic; 0: never */
    uint64_t seen;     /* api_shared.applied at that time */
};

struct strikes {
    struct mail wake; /* first; posted while anything waits */
    struct api_shared *shared;
    pthread_mutex_t lock;
    struct strike waiting[STRIKES_WAITING];
    size_t waiting_count;
    bool posted;
    /* thread 0's */
    struct strike batch[AT_ONCE];
    struct kept blocks[AT_ONCE]; /* those of them that the transaction makes */
    size_t batch_count, block_count;
    unsigned tries;
    bool under_way;
    struct txn txn;
    uint64_t named_ms; /* when the whole budget of records is there again; monotonic */
    struct signed_in signed_in;
};

static void begin(struct strikes *x);

static uint64_t mono_ms(const struct api_shared *s)
{
    return s->clock->mono_ms(s->clock);
}

static uint64_t mono_ns(const struct api_shared *s)
{
    return mono_ms(s) * NS_OF_MS;
}

static uint64_t wall_ms(const struct api_shared *s)
{
    return s->clock->wall_ms(s->clock);
}

/* --- what waits, from any thread */

static bool waits(const struct strikes *x, const struct prefix *network)
{
    for (size_t i = 0; i < x->waiting_count; i++)
        if (memcmp(&x->waiting[i].network, network, sizeof *network) == 0)
            return true;
    return false;
}

static void add(struct strikes *x, const struct prefix *network, enum networks_reason reason)
{
    bool post = false;
    pthread_mutex_lock(&x->lock);
    if (x->waiting_count < STRIKES_WAITING && !waits(x, network)) {
        x->waiting[x->waiting_count++] = (struct strike){*network, (uint8_t)reason};
        post = !x->posted;
        x->posted = true;
    }
    pthread_mutex_unlock(&x->lock);
    if (post)
        mailbox_post(x->shared->first->mailbox, &x->wake, &x->wake);
}

static void deliver(struct mail *m)
{
    struct strikes *x = (struct strikes *)(void *)m;
    pthread_mutex_lock(&x->lock);
    x->posted = false;
    pthread_mutex_unlock(&x->lock);
    begin(x);
}

void strikes_saw(struct api_thread *t, const struct http_request *req, const struct http_ended *how)
{
    struct guard *g = t->shared->guard;
    struct address from;
    enum networks_reason reason = how->code == OK ? NETWORKS_NO_REASON : automatic_reason(how->code);
    if (reason == NETWORKS_NO_REASON || req->peer.is_unix || !automatic_is_on(guard_automatic(g)))
        return;
    memcpy(from.b, req->peer.address, sizeof from.b);
    const struct prefix client = rates_client(&from);
    if (!guard_trusts(g, &from) && automatic_count(guard_automatic(g), &client, reason, mono_ns(t->shared)))
        add(t->shared->strikes, &client, reason);
}

/* --- who is never blocked */

static void note_source(void *context, struct view source)
{
    struct signed_in *in = context;
    struct address a;
    if (address_parse(source, &a) != OK)
        return; /* over a Unix socket */
    for (size_t i = 0; i < in->count; i++)
        if (address_eq(&in->at[i], &a))
            return;
    if (in->count < SIGNED_MAX)
        in->at[in->count++] = a;
    else
        in->full = true;
}

static RESULT look_who_is_signed_in(const struct api_shared *s, struct signed_in *in)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    uint64_t now = mono_ms(s), seen = atomic_load(&s->applied);
    if (in->known_ms && in->seen == seen && now - in->known_ms < SIGNED_MS)
        return OK;
    TRY(arena_new(4096, ARENA_MAX, &scratch));
    *in = (struct signed_in){.known_ms = now, .seen = seen};
    identity_session_sources(s->identity, PERMISSION_EMERGENCY_OVERRIDE, wall_ms(s), scratch, note_source, in);
    return OK;
}

static bool is_signed_in_at(const struct signed_in *in, const struct prefix *network)
{
    for (size_t i = 0; i < in->count; i++)
        if (prefix_holds(network, &in->at[i]))
            return true;
    return in->full;
}

/* NULL: it may be blocked. */
static const char *never(const struct api_shared *s, struct signed_in *in, const struct prefix *network)
{
    struct networks_rule rule;
    if (guard_trusts_in(s->guard, network))
        return "it is trusted (guard.trusted, guard.proxies)";
    networks_look_up(guard_networks(s->guard), &network->base, wall_ms(s), &rule);
    if (rule.action == NETWORKS_ALLOW)
        return "its network is let in by name";
    if (look_who_is_signed_in(s, in) != OK || is_signed_in_at(in, network))
        return "somebody who may lift blocks is signed in from there";
    return NULL;
}

/* --- a batch of them, in thread 0 */

static RESULT put_change(struct strikes *x, const struct strike *s)
{
    struct api_shared *shared = x->shared;
    const struct row_keys *keys = atomic_load(&shared->keys);
    uint64_t now = wall_ms(x->shared);
    struct kept before = {0};
    enum err e = kept_get(shared->first->reader, keys, &s->network, x->txn.arena, &before);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && (before.rule.ends_ms == 0 || before.rule.ends_ms > now))
        return ERR_EXISTS; /* somebody has said something of it */
    const struct kept made = automatic_block(guard_automatic(shared->guard), &s->network,
                                             (enum networks_reason)s->reason, &before, now);
    TRY(kept_put(keys, &made, &before, x->txn.arena, &x->txn.changes[x->txn.change_count]));
    x->txn.change_count++;
    x->blocks[x->block_count++] = made;
    return OK;
}

/* Whoever may not be blocked begins anew, so that he is not asked about with each of his refusals. */
static RESULT look_at(struct strikes *x, const struct strike *s)
{
    if (never(x->shared, &x->signed_in, &s->network)) {
        automatic_forget(guard_automatic(x->shared->guard), &s->network, mono_ns(x->shared));
        return OK;
    }
    enum err e = put_change(x, s);
    return e == ERR_EXISTS || e == ERR_TAMPERED ? OK : e;
}

/* --- records */

static bool may_name(struct strikes *x)
{
    uint64_t now = mono_ms(x->shared);
    if (x->named_ms < now)
        x->named_ms = now;
    if (x->named_ms + NAMED_MS > now + (uint64_t)NAMED_BURST * NAMED_MS)
        return false;
    x->named_ms += NAMED_MS;
    return true;
}

static struct record *new_record(struct strikes *x)
{
    struct record *r = &x->txn.records[x->txn.record_count++];
    *r = (struct record){.type = EVENT_ADDRESS_BLOCKED,
                         .outcome = OUTCOME_DONE,
                         .who = {.actor = VIEW_STR("front"), .source = VIEW_STR("front")}};
    return r;
}

static RESULT put_record(struct strikes *x, const struct kept *k)
{
    AUTO_WRITER detail = writer_new(DETAIL_MAX);
    char text[PREFIX_TEXT_SIZE], until[TIME_TEXT_SIZE];
    struct record *r = new_record(x);
    prefix_format(&k->rule.network, text);
    time_format(k->rule.ends_ms, until);
    writer_printf(&detail, "automatic: %s, until %s", networks_reasons[k->reason], until);
    if (k->times > 1)
        writer_printf(&detail, ", %u times in a row", (unsigned)k->times);
    TRY(writer_done(&detail));
    TRY(people_named(x->txn.arena, "network:", view_str(text), &r->what.resource));
    return arena_copy(x->txn.arena, writer_view_of(&detail), &r->what.detail);
}

/* Those that go beyond the budget, in one. */
static RESULT put_sum(struct strikes *x, const struct kept *blocks, size_t count)
{
    AUTO_WRITER detail = writer_new(DETAIL_MAX);
    unsigned of[NETWORKS_REASONS] = {0};
    struct record *r = new_record(x);
    for (size_t i = 0; i < count; i++)
        of[blocks[i].reason]++;
    writer_printf(&detail, "automatic: %zu more", count);
    for (size_t i = NETWORKS_CREDENTIALS; i < NETWORKS_REASONS; i++)
        if (of[i])
            writer_printf(&detail, ", %s %u", networks_reasons[i], of[i]);
    TRY(writer_done(&detail));
    r->what.resource = VIEW_STR("networks");
    return arena_copy(x->txn.arena, writer_view_of(&detail), &r->what.detail);
}

static RESULT put_records(struct strikes *x)
{
    size_t named = 0;
    while (named < x->block_count && may_name(x))
        TRY(put_record(x, &x->blocks[named++]));
    return named < x->block_count ? put_sum(x, &x->blocks[named], x->block_count - named) : OK;
}

/* --- the transaction */

/* A network of which many hosts are blocked is blocked as a whole. */
static void count_host(struct strikes *x, const struct kept *k)
{
    struct automatic *a = guard_automatic(x->shared->guard);
    struct prefix network;
    if (k->reason != NETWORKS_HOSTS && automatic_network_of(a, &k->rule.network, &network) &&
        automatic_count_host(a, &network, mono_ns(x->shared)))
        add(x, &network, NETWORKS_HOSTS);
}

static void in_force(struct strikes *x)
{
    for (size_t i = 0; i < x->block_count; i++) {
        const struct kept *k = &x->blocks[i];
        (void)!blocks_refresh(x->shared->first, &k->rule.network, x->txn.arena); /* else with the next start */
        automatic_forget(guard_automatic(x->shared->guard), &k->rule.network, mono_ns(x->shared));
        count_host(x, k);
    }
}

static void on_done(void *context, struct txn *t)
{
    struct strikes *x = context;
    bool again = t->result == ERR_CONFLICT && x->tries++ < PEOPLE_TRIES;
    x->under_way = false;
    x->shared->first->inside->under_way--;
    if (t->result == OK)
        in_force(x);
    (void)change_noted(x->shared, t->result);
    if (!again)
        x->batch_count = 0; /* what was not written comes again with the next refusal */
    begin(x);
}

static RESULT fill(struct strikes *x)
{
    struct txn *t = &x->txn;
    arena_free(t->arena);
    *t = (struct txn){.done = on_done, .context = x};
    x->block_count = 0;
    TRY(arena_new(16384, ARENA_MAX, &t->arena));
    t->changes = arena_alloc(t->arena, AT_ONCE * sizeof *t->changes);
    t->records = arena_alloc(t->arena, (AT_ONCE + 1) * sizeof *t->records);
    if (!t->changes || !t->records)
        return ERR_NO_MEMORY;
    bool room = networks_count(guard_networks(x->shared->guard)).automatic + AT_ONCE <= STRIKES_BLOCKS;
    for (size_t i = 0; room && i < x->batch_count; i++)
        TRY(look_at(x, &x->batch[i]));
    return put_records(x);
}

static RESULT submit(struct strikes *x)
{
    struct api_thread *first = x->shared->first;
    TRY(fill(x));
    if (x->block_count == 0)
        return ERR_NOT_FOUND;
    TRY(ledger_prepare(x->shared->ledger, &x->txn));
    return ledger_submit(x->shared->ledger, &x->txn, 1, first->mailbox);
}

/* The first ones that wait. */
static void take(struct strikes *x)
{
    pthread_mutex_lock(&x->lock);
    size_t n = x->waiting_count < AT_ONCE ? x->waiting_count : AT_ONCE;
    memcpy(x->batch, x->waiting, n * sizeof x->batch[0]);
    memmove(x->waiting, x->waiting + n, (x->waiting_count - n) * sizeof x->waiting[0]);
    x->waiting_count -= n;
    pthread_mutex_unlock(&x->lock);
    x->batch_count = n;
    x->tries = 0;
}

static bool is_able(const struct strikes *x)
{
    const struct api_shared *s = x->shared;
    return s->ledger && atomic_load(&s->state) == API_SERVING && atomic_load(&s->health.log) == API_LOG_GOOD;
}

static void begin(struct strikes *x)
{
    while (!x->under_way) {
        if (x->batch_count == 0)
            take(x);
        if (x->batch_count == 0)
            return;
        x->under_way = is_able(x) && submit(x) == OK;
        if (x->under_way)
            x->shared->first->inside->under_way++;
        else
            x->batch_count = 0;
    }
}

/* --- its life */

RESULT strikes_new(struct api_shared *s, struct strikes **ret)
{
    struct strikes *x = calloc(1, sizeof *x);
    if (!x)
        return ERR_NO_MEMORY;
    x->wake.deliver = deliver;
    x->shared = s;
    pthread_mutex_init(&x->lock, NULL);
    *ret = x;
    return OK;
}

void strikes_free(struct strikes *x)
{
    if (!x)
        return;
    arena_free(x->txn.arena);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* --- for people */

RESULT strikes_explain(struct api_thread *t, const struct address *a, struct arena *arena, struct view *ret)
{
    static const char *const what[NETWORKS_REASONS] = {[NETWORKS_CREDENTIALS] = "wrong credentials",
                                                       [NETWORKS_ATTACKS] = "requests that look like an attack",
                                                       [NETWORKS_LIMITS] = "requests beyond a limit"};
    struct automatic *automatic = guard_automatic(t->shared->guard);
    const struct prefix client = rates_client(a);
    AUTO_WRITER w = writer_new(512);
    struct signed_in in = {0};
    const char *why = automatic_is_on(automatic) ? never(t->shared, &in, &client) : "guard.automatic.mode is off";
    writer_str(&w, why ? "never: " : "blocked after more than");
    writer_str(&w, why ? why : "");
    for (size_t i = NETWORKS_CREDENTIALS; !why && i < NETWORKS_HOSTS; i++)
        writer_printf(&w, "%s %u %s",
                      i == NETWORKS_CREDENTIALS ? ""
                      : i + 1 == NETWORKS_HOSTS ? " or"
                                                : ",",
                      (unsigned)automatic_left(automatic, &client, (enum networks_reason)i, mono_ns(t->shared)),
                      what[i]);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}
