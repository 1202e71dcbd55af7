/* Records that keeper and signer authored and that no answer brought: on behalf of the operator, before a crash, or for
 * a request that was given up. The keeper lists them; they are logged like any others. */
#include "api/change_gate.h"
#include "api/change_orphan.h"
#include "front/front.h"

#include "base/log.h"

#define CALL_MS  10000
#define GRACE_MS 1500 /* for an answer on its way to another thread */
#define SEEN_MAX 256

struct seen {
    uint8_t author;
    uint64_t sequence, first_ms;
};

/* One walk through the list. */
struct walk {
    struct front *front;
    bool all;
    void (*done)(struct front *f, enum err e, size_t taken);
    struct keeper_pending_from from;
    size_t taken, left;
};

static struct seen seen[SEEN_MAX]; /* thread 0's */
static bool walking;

static void end(struct walk *w, enum err e)
{
    struct walk last = *w;

    free(w);
    walking = false;
    if (last.left > 0)
        atomic_store(&last.front->shared.health.look_for_lost, true); /* looked at again in a while */
    if (last.done)
        last.done(last.front, e, last.taken);
}

/* Seen before, long enough ago that no answer can still be bringing it. */
static bool ripe(const struct front *f, uint8_t author, uint64_t sequence)
{
    const struct clock *clock = f->shared.clock;
    uint64_t now = clock->mono_ms(clock);
    struct seen *s = &seen[(sequence * 2 + (author == AUTHOR_SIGNER)) % SEEN_MAX];

    if (s->author == author && s->sequence == sequence)
        return now - s->first_ms >= GRACE_MS;
    if (s->author == 0 || now - s->first_ms > 4 * GRACE_MS)
        *s = (struct seen){author, sequence, now};
    return false;
}

static RESULT take(struct walk *w, const struct keeper_pending_record *r, struct arena *arena)
{
    struct front *f = w->front;
    struct authored_record record;
    struct request_context who;
    struct leaf leaf;

    TRY(entity_decode(&authored_record_entity, r->authored, arena, &record));
    TRY(leaf_decode(record.leaf, &leaf));
    TRY(entity_decode(&request_context_entity, record.who, arena, &who));
    w->from = (struct keeper_pending_from){.author = leaf.author == AUTHOR_SIGNER ? 2 : 1, .sequence = leaf.sequence};
    if (gate_look(f->shared.gate, leaf.author, leaf.sequence) != GATE_YOURS)
        return OK;
    if (!w->all && !view_is(who.actor, "operator") && !ripe(f, leaf.author, leaf.sequence)) {
        w->left++;
        return OK;
    }
    w->taken++;
    return orphan_pending(&f->threads[0].api, r);
}

static RESULT ask(struct walk *w);

static void on_list(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct walk *w = context;
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_pending list = {0};
    enum err e = error;

    (void)why;
    if (e == OK)
        e = arena_new(65536, 4u << 20, &arena);
    if (e == OK)
        e = entity_decode(&keeper_pending_entity, entity, arena, &list);
    for (size_t i = 0; i < list.records.count && e == OK; i++)
        e = take(w, (struct keeper_pending_record *)list.records.items + i, arena);
    if (e == OK && list.records.count > 0)
        e = ask(w);
    else
        goto ended;
    if (e == OK)
        return;
ended:
    end(w, e);
}

static RESULT ask(struct walk *w)
{
    struct caller *keeper = front_keeper(w->front);

    if (!keeper)
        return ERR_UNAVAILABLE;
    return caller_call(keeper, KEEPER_PENDING, &keeper_pending_from_entity, &w->from, CALL_MS, on_list, w);
}

void pending_ask(struct front *f, bool all, void (*done)(struct front *f, enum err e, size_t taken))
{
    struct walk *w;
    enum err e = OK;

    if (walking) {
        atomic_store(&f->shared.health.look_for_lost, true);
        if (done)
            done(f, ERR_BUSY, 0);
        return;
    }
    w = calloc(1, sizeof *w);
    if (!w) {
        if (done)
            done(f, ERR_NO_MEMORY, 0);
        return;
    }
    walking = true;
    *w = (struct walk){.front = f, .all = all, .done = done};
    e = ask(w);
    if (e != OK)
        end(w, e);
}
