/* What is over leaves the store: sessions and grants, also those of people who never sign in again, and requests for
 * approval, and what was said of networks.
 * Thread 0, a look a minute, at networks a small one each second; what can't be committed now is found again at a later
 * look. */
#include "api/inside.h"
#include "api/networks_over.h"
#include "domain/approvals/requests.h"

#define MINUTE_MS (60ull * 1000)
#define SECOND_MS 900ull /* sweep_look comes each second */
#define ARENA_MAX (1u << 20)
#define AT_ONCE   16 /* requests in one transaction */

struct job {
    struct sweep *sweep;
    const struct kind *kind;
    struct txn txn;
    uint64_t next_ms; /* wall clock */
    bool under_way;
};

/* Finds what is over: changes and records of the transaction, in its arena; none: ERR_NOT_FOUND. */
struct kind {
    enum err (*fill)(struct job *j, uint64_t now_ms);
    size_t most;                    /* so many changes: there may be more */
    uint64_t rest_ms;               /* between looks */
    void (*applied)(struct job *j); /* NULL: no table in memory */
};

static RESULT fill_sessions(struct job *j, uint64_t now_ms);
static RESULT fill_grants(struct job *j, uint64_t now_ms);
static RESULT fill_revocations(struct job *j, uint64_t now_ms);
static RESULT fill_requests(struct job *j, uint64_t now_ms);
static RESULT fill_networks(struct job *j, uint64_t now_ms);
static void networks_applied(struct job *j);
static void sessions_applied(struct job *j);
static void tokens_are_applied(struct job *j);
static const struct kind kinds[] = {
    {fill_sessions, IDENTITY_ENDED_MAX, MINUTE_MS, sessions_applied},
    {fill_grants, TOKENS_ENDED_MAX, MINUTE_MS, tokens_are_applied},
    {fill_revocations, TOKENS_ENDED_MAX, MINUTE_MS, tokens_are_applied},
    {fill_requests, AT_ONCE, MINUTE_MS, NULL},
    {fill_networks, NETWORKS_OVER_MAX, SECOND_MS, networks_applied},
};

struct sweep {
    struct api_thread *first;
    struct job jobs[ARRAY_LEN(kinds)];
    struct networks_over networks;
};

static struct record *new_record(struct job *j, uint16_t type)
{
    struct txn *t = &j->txn;
    struct record *r = &t->records[t->record_count];

    *r = (struct record){
        .type = type, .outcome = OUTCOME_DONE, .who = {.actor = VIEW_STR("front"), .source = VIEW_STR("front")}};
    t->record_count++;
    return r;
}

/* --- sessions */

/* One record of how many went. */
static RESULT record_over(struct job *j, uint16_t event, const char *what)
{
    AUTO_WRITER detail = writer_new(64);
    struct txn *t = &j->txn;
    struct record *r;

    if (t->change_count == 0)
        return ERR_NOT_FOUND;
    t->records = arena_alloc(t->arena, sizeof *t->records);
    if (!t->records)
        return ERR_NO_MEMORY;
    r = new_record(j, event);
    r->what.resource = view_str(what);
    writer_printf(&detail, "over: %zu", t->change_count);
    TRY(writer_done(&detail));
    return arena_copy(t->arena, writer_view_of(&detail), &r->what.detail);
}

static RESULT fill_sessions(struct job *j, uint64_t now_ms)
{
    struct txn *t = &j->txn;

    TRY(identity_end_over(j->sweep->first->shared->identity, now_ms, t->arena, &t->changes, &t->change_count));
    return record_over(j, EVENT_SESSION_ENDED, "sessions");
}

/* Only memory can be missing: the session stays in the table then, where it is refused as it was. */
static void sessions_applied(struct job *j)
{
    for (size_t i = 0; i < j->txn.change_count; i++)
        (void)!identity_applied(j->sweep->first->shared->identity, &j->txn.changes[i]);
}

/* --- grants, and revocations of what has ended by itself */

static RESULT fill_grants(struct job *j, uint64_t now_ms)
{
    struct api_shared *s = j->sweep->first->shared;
    struct txn *t = &j->txn;

    TRY(tokens_end_over(s->tokens, atomic_load(&s->keys), now_ms, t->arena, &t->changes, &t->change_count));
    return record_over(j, EVENT_TOKEN_GRANTS_OVER, "grants");
}

/* Here, and not along with the next revocation: of all that come at once each would take the same one out, and all but
 * one of them would have to try again. */
static RESULT fill_revocations(struct job *j, uint64_t now_ms)
{
    struct txn *t = &j->txn;

    TRY(tokens_sweep(j->sweep->first->shared->tokens, now_ms, t->arena, &t->changes, &t->change_count));
    return record_over(j, EVENT_TOKEN_GRANTS_OVER, "revocations");
}

/* As with sessions. */
static void tokens_are_applied(struct job *j)
{
    for (size_t i = 0; i < j->txn.change_count; i++)
        (void)!tokens_applied(j->sweep->first->shared->tokens, &j->txn.changes[i]);
}

/* --- requests for approval */

struct expired {
    struct job *job;
    const struct row_keys *keys;
    uint64_t now_ms;
};

static RESULT add_expired(void *context, const struct request_found *found)
{
    const struct expired *x = context;
    struct txn *t = &x->job->txn;
    struct record *r;

    if (!request_over(&found->request, x->now_ms) || t->change_count == AT_ONCE)
        return OK;
    TRY(request_remove(x->keys, found, t->arena, &t->changes[t->change_count]));
    r = new_record(x->job, EVENT_APPROVAL_EXPIRED);
    t->change_count++;
    TRY(request_resource(&found->request, t->arena, &r->what.resource));
    return request_detail(&found->request, t->arena, &r->what.detail);
}

static RESULT fill_requests(struct job *j, uint64_t now_ms)
{
    struct api_thread *first = j->sweep->first;
    struct expired x = {.job = j, .keys = atomic_load(&first->shared->keys), .now_ms = now_ms};
    struct txn *t = &j->txn;

    t->changes = arena_alloc(t->arena, AT_ONCE * sizeof *t->changes);
    t->records = arena_alloc(t->arena, AT_ONCE * sizeof *t->records);
    if (!t->changes || !t->records)
        return ERR_NO_MEMORY;
    TRY(request_each(first->reader, x.keys, add_expired, &x));
    return t->change_count ? OK : ERR_NOT_FOUND;
}

/* --- networks */

static RESULT fill_networks(struct job *j, uint64_t now_ms)
{
    (void)now_ms; /* a clock that jumped ahead is not believed */
    TRY(networks_over_fill(&j->sweep->networks, j->sweep->first, &j->txn));
    return record_over(j, EVENT_NETWORK_FREED, "networks");
}

static void networks_applied(struct job *j)
{
    networks_over_applied(&j->sweep->networks, j->sweep->first);
}

/* --- all of them */

static void on_done(void *context, struct txn *t)
{
    struct job *j = context;
    bool full = t->change_count == j->kind->most;

    j->under_way = false;
    if (t->result == OK && j->kind->applied)
        j->kind->applied(j);
    if (t->result == ERR_CONFLICT || (t->result == OK && full))
        j->next_ms = 0; /* somebody was faster with one of them, or there is more */
    arena_free(t->arena);
    t->arena = NULL;
}

static RESULT submit(struct job *j, uint64_t now_ms)
{
    struct api_thread *first = j->sweep->first;
    struct txn *t = &j->txn;

    *t = (struct txn){.done = on_done, .context = j};
    TRY(arena_new(16384, ARENA_MAX, &t->arena));
    TRY(j->kind->fill(j, now_ms));
    TRY(ledger_prepare(first->shared->ledger, t));
    return ledger_submit(first->shared->ledger, t, 1, first->mailbox);
}

/* A clock that was set back must not stop the looks. */
static bool is_due(struct job *j, uint64_t now_ms)
{
    if (now_ms < j->next_ms && j->next_ms - now_ms <= j->kind->rest_ms)
        return false;
    j->next_ms = now_ms + j->kind->rest_ms;
    return true;
}

static void look(struct job *j, uint64_t now_ms)
{
    if (j->under_way || !is_due(j, now_ms))
        return;
    j->under_way = submit(j, now_ms) == OK;
    if (j->under_way)
        return;
    arena_free(j->txn.arena);
    j->txn.arena = NULL;
}

static struct sweep *sweep_new(struct api_thread *t)
{
    struct sweep *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->first = t;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        s->jobs[i].sweep = s;
        s->jobs[i].kind = &kinds[i];
    }
    return s;
}

void sweep_look(struct api_thread *t)
{
    struct api_shared *shared = t->shared;

    if (t != shared->first || !shared->ledger || atomic_load(&shared->state) != API_SERVING ||
        atomic_load(&shared->health.log) != API_LOG_GOOD)
        return;
    if (!t->inside->sweep)
        t->inside->sweep = sweep_new(t);
    for (size_t i = 0; t->inside->sweep && i < ARRAY_LEN(kinds); i++)
        look(&t->inside->sweep->jobs[i], shared->clock->wall_ms(shared->clock));
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        arena_free(s->jobs[i].txn.arena);
    free(s);
}
