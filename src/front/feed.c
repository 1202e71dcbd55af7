/* Feeds the keeper every durable leaf in order, so that it can sign the log, and fetches its checkpoints. Leaves come
 * from the ledger's commits as they happen; what was missed (before the start, or for lack of memory) is read back from
 * the store. One message is under way at a time, with everything that has gathered meanwhile. */
#include "front/front.h"

#include "base/log.h"
#include "ledger/note.h"

#define MESSAGE_MAX     (100u * 1024)
#define TILE            256
#define LOOK_MS         1000 /* between looks at what is due */
#define LATE_MS         2000 /* a checkpoint that waits so long may miss a record that nobody brought */
#define CALL_MS         30000
#define RESYNC_MS       500
#define FIRST_RESYNC_MS 10
#define FAILURES_MAX    5
#define QUEUE_LEAVES    200000 /* kept for a keeper that is away; the rest is read back later */

/* One commit's leaves, each u16-counted. */
struct batch {
    struct mail mail;
    struct feed *feed;
    struct batch *next;
    uint64_t first; /* of those that are not sent yet */
    size_t count;
    uint8_t state[32];
    struct view left; /* their bytes */
    uint8_t bytes[];
};

struct feed {
    struct front *front;
    bool on; /* the keeper takes leaves */
    bool under_way;
    uint64_t next;   /* the leaf to be sent next */
    uint64_t stored; /* leaves below it that are not queued are read back; of later ones the commit tells in a moment */
    uint64_t sending; /* leaves in the message under way */
    struct batch *first, **end;
    size_t queued; /* leaves */
    uint8_t state[32];
    bool has_state;
    unsigned failures;
    bool asking; /* for a checkpoint */
    uint64_t asked_ms;
    bool asked; /* at all */
    struct loop_timer *resync;
    uint8_t message[MESSAGE_MAX]; /* being put together; leaves are no secret */
};

static void pump(struct feed *d);

/* --- the queue */

static void drop_first(struct feed *d)
{
    struct batch *q = d->first;

    d->first = q->next;
    if (!d->first)
        d->end = &d->first;
    d->queued -= q->count;
    free(q);
}

static void deliver(struct mail *m)
{
    struct batch *q = (struct batch *)(void *)((uint8_t *)m - offsetof(struct batch, mail));
    struct feed *d = q->feed;

    memcpy(d->state, q->state, sizeof d->state);
    d->has_state = true;
    q->next = NULL;
    *d->end = q;
    d->end = &q->next;
    d->queued += q->count;
    while (d->queued > QUEUE_LEAVES)
        drop_first(d);
    pump(d);
}

/* Runs in the ledger's thread. Without memory nothing is queued, and the gap is read back. */
static void on_commit(void *context, const struct ledger_batch *b)
{
    struct feed *d = context;
    size_t len = 0;
    struct batch *q;
    struct writer w;

    for (size_t i = 0; i < b->count; i++)
        len += 2 + b->leaves[i].len;
    q = malloc(sizeof *q + len);
    if (!q)
        return;
    *q = (struct batch){.mail.deliver = deliver, .feed = d, .first = b->first_index, .count = b->count};
    memcpy(q->state, b->state, sizeof q->state);
    w = writer_fixed(q->bytes, len);
    for (size_t i = 0; i < b->count; i++) {
        writer_u16(&w, (uint16_t)b->leaves[i].len);
        writer_view(&w, b->leaves[i]);
    }
    q->left = VIEW(q->bytes, len);
    mailbox_post(d->front->threads[0].api.mailbox, &q->mail, &q->mail);
}

/* --- putting a message together */

/* Moves whole leaves from *left to w while they fit; returns how many. */
static size_t move_leaves(struct view *left, size_t skip, size_t most, struct writer *w)
{
    struct reader r = reader_new(*left);
    struct view leaf;
    uint16_t len;
    size_t moved = 0;

    while (moved < most && reader_u16(&r, &len) == OK && reader_bytes(&r, len, &leaf) == OK) {
        if (skip > 0) {
            skip--;
        } else {
            if (w->len + 2 + len > MESSAGE_MAX)
                break;
            writer_u16(w, len);
            writer_view(w, leaf);
            moved++;
        }
        *left = VIEW(r.ptr, r.left);
    }
    return moved;
}

/* What the keeper has already is not sent again; what was only half known is cut. */
static void trim(struct feed *d)
{
    while (d->first && d->first->first + d->first->count <= d->next)
        drop_first(d);
}

static size_t from_queue(struct feed *d, struct writer *w)
{
    size_t sent = 0;

    while (d->first && d->first->first <= d->next + sent) {
        struct batch *q = d->first;
        size_t skip = (size_t)(d->next + sent - q->first), n = move_leaves(&q->left, skip, q->count - skip, w);
        if (n == 0)
            break;
        q->first += skip + n;
        q->count -= skip + n;
        d->queued -= skip + n;
        sent += n;
        if (q->count > 0)
            break;
        drop_first(d);
    }
    return sent;
}

static size_t from_store(struct feed *d, uint64_t end, struct writer *w)
{
    struct store *reader = d->front->threads[0].api.reader;
    size_t skip = d->next % TILE, most;
    uint64_t tile = d->next / TILE, last = (tile + 1) * TILE;
    AUTO_WRITER entries = writer_new((size_t)TILE * (LEAF_MAX + 2));
    struct view left;

    last = last < end ? last : end;
    most = (size_t)(last - d->next);
    if (query_tile_entries(reader, tile, (uint16_t)(last - tile * TILE), &entries) != OK)
        return 0;
    left = writer_view_of(&entries);
    return move_leaves(&left, skip, most, w);
}

/* --- sending */

static void on_resync(void *context)
{
    struct feed *d = context;

    life_hello(d->front);
}

static void on_taken(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct feed *d = context;

    (void)entity;
    d->under_way = false;
    if (error == OK) {
        d->failures = 0;
        d->next += d->sending;
        atomic_store(&d->front->shared.health.keeper_size, d->next);
        pump(d);
        return;
    }
    d->on = false;
    if (error == ERR_UNAVAILABLE || error == ERR_SEALED || d->front->stop_by_ms)
        return; /* the next hello goes on */
    /* Once is no news: a leaf of the signer's can be here before the keeper has read what the signer told it. */
    if (d->failures > 0)
        log_warn("the keeper did not take %llu leaves from %llu on: %s", (unsigned long long)d->sending,
                 (unsigned long long)d->next, why->detail);
    if (++d->failures > FAILURES_MAX && error == ERR_LOG_MISMATCH)
        life_refuse(d->front, REFUSE_MISMATCH, "the keeper refuses a leaf: it is not what its author wrote");
    else
        loop_timer_arm(d->resync,
                       d->failures > 1 ? RESYNC_MS : FIRST_RESYNC_MS); /* where it stands now, only it can tell */
}

static bool send_leaves(struct feed *d, struct view leaves)
{
    struct keeper_log_append q = {.first = d->next, .leaves = leaves};
    struct caller *keeper = front_keeper(d->front);

    memcpy(q.state, d->state, sizeof q.state);
    return keeper && caller_call(keeper, KEEPER_LOG_APPEND, &keeper_log_append_entity, &q, CALL_MS, on_taken, d) == OK;
}

static void pump(struct feed *d)
{
    struct writer w = writer_fixed(d->message, sizeof d->message);
    uint64_t size;

    if (!d->on || d->under_way)
        return;
    trim(d);
    size = d->first ? d->first->first : d->stored;
    d->sending = 0;
    if (size > d->next)
        d->sending = from_store(d, size, &w);
    else
        d->sending = from_queue(d, &w);
    if (d->sending == 0)
        return;
    d->under_way = send_leaves(d, writer_view_of(&w));
}

/* --- checkpoints */

static void on_note(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct feed *d = context;
    struct api_shared *s = &d->front->shared;
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_note note;
    struct checkpoint c;

    d->asking = false;
    d->asked = false; /* what fails is tried again without waiting */
    if (error != OK) {
        if (error != ERR_UNAVAILABLE && error != ERR_SEALED && error != ERR_BUSY)
            log_warn("no checkpoint: %s", why->detail);
        return;
    }
    if (arena_new(4096, 65536, &arena) != OK || entity_decode(&keeper_note_entity, entity, arena, &note) != OK ||
        note_open(note.note, s->checkpoint_key, &c) != OK) {
        log_error("the keeper's checkpoint does not open");
        return;
    }
    if (ledger_put_checkpoint(s->ledger, note.note) != OK)
        return;
    d->asked = true;
    atomic_store(&s->health.checkpoint_size, c.size);
}

static void ask_checkpoint(struct feed *d, uint64_t now)
{
    struct api_health *h = &d->front->shared.health;
    struct keeper_checkpoint q = {.size = atomic_load(&h->keeper_size)};
    struct caller *keeper = front_keeper(d->front);

    if (d->asked && now - d->asked_ms + LOOK_MS / 2 < d->front->config.checkpoint_seconds * 1000ull)
        return;
    if (!keeper || !d->on || !d->has_state || q.size <= atomic_load(&h->checkpoint_size))
        return;
    d->asking = caller_call(keeper, KEEPER_CHECKPOINT, &keeper_checkpoint_entity, &q, CALL_MS, on_note, d) == OK;
    d->asked_ms = now;
    d->asked = d->asking;
}

static void look_for_missed(struct feed *d)
{
    d->stored = ledger_size(d->front->shared.ledger);
    pump(d);
}

static void on_second(void *context)
{
    struct feed *d = context;
    struct api_shared *s = &d->front->shared;
    const struct clock *clock = loop_clock(front_loop(d->front));
    uint64_t now = clock->mono_ms(clock);

    if (!d->asking)
        ask_checkpoint(d, now);
    else if (now - d->asked_ms > LATE_MS)
        atomic_store(&s->health.look_for_lost, true);
    /* A commit whose leaves could not be queued is found here. */
    if (s->ledger)
        look_for_missed(d);
}

/* --- for the others */

RESULT feed_new(struct front *f)
{
    struct feed *d = calloc(1, sizeof *d);

    if (!d)
        return ERR_NO_MEMORY;
    f->feed = d;
    d->front = f;
    d->end = &d->first;
    TRY(loop_timer_new(front_loop(f), on_resync, d, &d->resync));
    return loop_every(front_loop(f), LOOK_MS, on_second, d);
}

void feed_free(struct feed *d)
{
    if (!d)
        return;
    while (d->first)
        drop_first(d);
    free(d); /* its timers go with the loop */
}

RESULT feed_subscribe(struct front *f)
{
    return ledger_subscribe(f->shared.ledger, on_commit, f->feed);
}

void feed_from(struct front *f, uint64_t size)
{
    struct feed *d = f->feed;

    d->on = true;
    d->next = size;
    atomic_store(&f->shared.health.keeper_size, size);
    look_for_missed(d);
}

void feed_pause(struct front *f)
{
    f->feed->on = false;
    loop_timer_disarm(f->feed->resync);
}

bool feed_caught_up(const struct front *f)
{
    const struct feed *d = f->feed;

    return d->on && !d->under_way && d->has_state && d->next == ledger_size(f->shared.ledger);
}
