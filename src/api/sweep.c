/* Sessions that are over leave the store, also those of people who never sign in again. Thread 0, a look a minute; what
 * can't be committed now is found again at a later look. */
#include "api/inside.h"

#include <stdio.h>

#define LOOK_MS   (60ull * 1000)
#define ARENA_MAX (1u << 20)

struct sweep {
    struct api_thread *first;
    struct txn txn;
    struct record record;
    char detail[48];
    uint64_t next_ms; /* wall clock */
    bool under_way;
};

static void on_done(void *context, struct txn *t)
{
    struct sweep *s = context;
    bool full = t->change_count == IDENTITY_ENDED_MAX;

    s->under_way = false;
    /* Only memory can be missing: the session stays in the table then, where it is refused as it was. */
    for (size_t i = 0; t->result == OK && i < t->change_count; i++)
        (void)!identity_applied(s->first->shared->identity, &t->changes[i]);
    if (t->result == ERR_CONFLICT || (t->result == OK && full))
        s->next_ms = 0; /* somebody signed out meanwhile, or there is more */
    arena_free(t->arena);
    t->arena = NULL;
}

static RESULT fill(struct sweep *s, uint64_t now_ms)
{
    struct txn *t = &s->txn;

    *t = (struct txn){.done = on_done, .context = s};
    TRY(arena_new(16384, ARENA_MAX, &t->arena));
    TRY(identity_end_over(s->first->shared->identity, now_ms, t->arena, &t->changes, &t->change_count));
    if (t->change_count == 0)
        return ERR_NOT_FOUND;
    (void)snprintf(s->detail, sizeof s->detail, "over: %zu", t->change_count);
    s->record = (struct record){.type = EVENT_SESSION_ENDED,
                                .outcome = OUTCOME_DONE,
                                .who = {.actor = VIEW_STR("front"), .source = VIEW_STR("front")},
                                .what = {.resource = VIEW_STR("sessions"), .detail = view_str(s->detail)}};
    t->records = &s->record;
    t->record_count = 1;
    TRY(ledger_prepare(s->first->shared->ledger, t));
    return ledger_submit(s->first->shared->ledger, t, 1, s->first->mailbox);
}

/* A clock that was set back must not stop the looks. */
static bool is_due(struct sweep *s, uint64_t now_ms)
{
    if (now_ms < s->next_ms && s->next_ms - now_ms <= LOOK_MS)
        return false;
    s->next_ms = now_ms + LOOK_MS;
    return true;
}

void sweep_look(struct api_thread *t)
{
    struct api_shared *shared = t->shared;
    struct sweep *s = t->inside->sweep;
    uint64_t now_ms = shared->clock->wall_ms(shared->clock);

    if (t != shared->first || !shared->ledger || atomic_load(&shared->state) != API_SERVING ||
        atomic_load(&shared->health.log) != API_LOG_GOOD)
        return;
    if (!s) {
        s = t->inside->sweep = calloc(1, sizeof *s);
        if (!s)
            return;
        s->first = t;
    }
    if (s->under_way || !is_due(s, now_ms))
        return;
    s->under_way = fill(s, now_ms) == OK;
    if (s->under_way)
        return;
    arena_free(s->txn.arena);
    s->txn.arena = NULL;
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    arena_free(s->txn.arena);
    free(s);
}
