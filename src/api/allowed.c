#include "api/allowed.h"

#include "api/inside.h"
#include "api/proxied.h"

#include "base/json.h"

#include <stdlib.h>

#define OPEN_MAX  32 /* records that requests are added to at the same time */
#define ARENA_MAX (1u << 20)
#define AGAIN_MS  500 /* after the log could not be written */

/* What else is in the detail is short. */
_Static_assert(ALLOWED_TOGETHER *ID_TEXT_SIZE < 4096 - 128, "the ids fit into a record's detail");

/* A request that waits for its record. */
struct waiter {
    struct waiter *next;
    struct allowed_ask ask;
};

/* One record in the making. */
struct group {
    struct group *next; /* of those that are tried again */
    struct allowed *of;
    struct arena *kept; /* of the record's texts */
    struct txn txn;
    struct record record;
    uint64_t hash;
    bool behind;
    unsigned count;
    char ids[ALLOWED_TOGETHER * (ID_TEXT_SIZE)]; /* with a space behind each */
    struct waiter *first, **last;
};

struct allowed {
    struct api_thread *thread;
    struct sip_seed seed;
    struct group *open[OPEN_MAX];
    size_t open_count;
    size_t in_flight; /* handed over, and their requests wait */
    bool armed, due;  /* the timer of those that may be behind runs; their time has come */
    struct loop_timer *due_timer, *again_timer;
    struct group *again; /* their requests were answered, and the log did not take them yet */
};

/* --- the end of a record */

static void drop(struct group *g)
{
    g->of->thread->inside->under_way--;
    arena_free(g->txn.arena);
    arena_free(g->kept);
    free(g);
}

static enum http_outcome answer(const struct waiter *w, enum err result)
{
    struct problem why = {.code = result};

    if (result == OK)
        return w->ask.then(w->ask.req, w->ask.context);
    if (result == ERR_LOG_BEHIND || result == ERR_BUSY)
        api_retry_after(w->ask.req, 1);
    proxied_failed(w->ask.req, result);
    return http_answer_problem(w->ask.req, &why);
}

static void answer_all(struct group *g, enum err result)
{
    for (struct waiter *w = g->first, *next; w; w = next) {
        next = w->next; /* it is the request's */
        if (answer(w, result) == HTTP_ANSWER)
            http_request_finish(w->ask.req);
    }
}

static void ended(struct group *g, enum err result)
{
    struct allowed *a = g->of;

    if (result != OK && g->behind) {
        g->next = a->again;
        a->again = g;
        loop_timer_arm(a->again_timer, AGAIN_MS);
        return;
    }
    answer_all(g, result);
    drop(g);
}

static void on_done(void *context, struct txn *t)
{
    struct group *g = context;

    g->of->in_flight -= !g->behind;
    ended(g, change_noted(g->of->thread->shared, t->result));
}

/* --- closing it */

/* One alone looks like any other record; of several the detail names each, and the record's own id is the first one's.
 */
static RESULT describe(struct group *g, struct arena *arena, struct record *ret)
{
    AUTO_WRITER w = writer_new(4096);

    *ret = g->record;
    if (g->count == 1)
        return OK;
    json_open(&w, '{');
    json_text(&w, "permission", g->record.what.detail);
    json_u64(&w, "count", g->count);
    json_text(&w, "requests", VIEW(g->ids, g->count * ID_TEXT_SIZE - 1));
    json_close(&w, '}');
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), &ret->what.detail);
}

static RESULT prepare(struct group *g)
{
    struct api_thread *t = g->of->thread;
    struct record *record = NULL;

    arena_free(g->txn.arena);
    g->txn = (struct txn){.random = &t->inside->nonces.random, .done = on_done, .context = g, .record_count = 1};
    TRY(arena_new(8192, ARENA_MAX, &g->txn.arena));
    record = arena_alloc(g->txn.arena, sizeof *record);
    if (!record)
        return ERR_NO_MEMORY;
    TRY(describe(g, g->txn.arena, record));
    g->txn.records = record;
    return t->shared->ledger ? ledger_prepare(t->shared->ledger, &g->txn) : ERR_SEALED;
}

static void hand_in(struct group *g)
{
    enum err e = prepare(g);

    if (e != OK) {
        ended(g, e);
        return;
    }
    g->of->in_flight += !g->behind;
    change_collect(g->of->thread, &g->txn);
}

static void close_at(struct allowed *a, size_t i)
{
    struct group *g = a->open[i];

    a->open[i] = a->open[--a->open_count];
    hand_in(g);
}

/* What comes while a commit is under way would have to wait for its end anyway: so it is collected until then. */
void allowed_turn(struct allowed *a)
{
    bool idle = a->in_flight == 0;

    for (size_t i = a->open_count; i-- > 0;)
        if (a->open[i]->behind ? a->due : idle)
            close_at(a, i);
    a->due = false;
}

static void on_due(void *context)
{
    struct allowed *a = context;

    a->armed = false;
    a->due = true; /* and the turn ends */
}

static void on_again(void *context)
{
    struct allowed *a = context;
    struct group *g = a->again;

    a->again = NULL;
    for (struct group *next; g; g = next) {
        next = g->next;
        hand_in(g);
    }
}

/* --- one more request */

struct key {
    struct request_context who;
    const struct allowed_ask *ask;
    uint64_t hash;
};

/* Of what differs most; the rest is compared. */
static uint64_t hash_of(const struct allowed *a, const struct key *k)
{
    return sip_hash(&a->seed, k->who.actor) ^ sip_hash(&a->seed, k->ask->what.resource);
}

static bool is_of(const struct group *g, const struct key *k)
{
    const struct record *r = &g->record;

    return g->hash == k->hash && g->count < ALLOWED_TOGETHER && g->behind == k->ask->behind &&
           view_eq(r->what.resource, k->ask->what.resource) && view_eq(r->who.actor, k->who.actor) &&
           view_eq(r->who.source, k->who.source) && view_eq(r->who.user_agent, k->who.user_agent) &&
           view_eq(r->who.reason, k->who.reason) && view_eq(r->what.detail, k->ask->what.detail);
}

static RESULT keep(struct group *g, const struct key *k)
{
    const struct record_object *what = &k->ask->what;
    struct record *r = &g->record;
    const struct {
        struct view from, *to;
    } texts[] = {
        {k->who.actor, &r->who.actor},           {k->who.source, &r->who.source},
        {k->who.user_agent, &r->who.user_agent}, {k->who.reason, &r->who.reason},
        {k->who.request_id, &r->who.request_id}, {what->resource, &r->what.resource},
        {what->detail, &r->what.detail},
    };

    *r = (struct record){.type = EVENT_REQUEST_ALLOWED, .outcome = OUTCOME_DONE};
    TRY(arena_new(2048, ARENA_MAX, &g->kept));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        TRY(arena_copy(g->kept, texts[i].from, texts[i].to));
    return OK;
}

static RESULT open_group(struct allowed *a, const struct key *k, struct group **ret)
{
    struct group *g = calloc(1, sizeof *g);

    if (!g)
        return ERR_NO_MEMORY;
    *g = (struct group){.of = a, .hash = k->hash, .behind = k->ask->behind};
    g->last = &g->first;
    enum err e = keep(g, k);
    if (e != OK) {
        arena_free(g->kept);
        free(g);
        return e;
    }
    if (a->open_count == OPEN_MAX)
        close_at(a, 0);
    if (g->behind && !a->armed)
        loop_timer_arm(a->due_timer, ALLOWED_BEHIND_MS);
    a->armed |= g->behind;
    a->open[a->open_count++] = g;
    a->thread->inside->under_way++;
    *ret = g;
    return OK;
}

static RESULT find(struct allowed *a, const struct key *k, struct group **ret)
{
    for (size_t i = 0; i < a->open_count; i++)
        if (is_of(a->open[i], k)) {
            *ret = a->open[i];
            return OK;
        }
    return open_group(a, k, ret);
}

static void add(struct allowed *a, struct group *g, const struct http_request *req)
{
    char *at = g->ids + (size_t)g->count * ID_TEXT_SIZE;

    memcpy(at, req->id, ID_TEXT_SIZE - 1);
    at[ID_TEXT_SIZE - 1] = ' ';
    if (++g->count < ALLOWED_TOGETHER || g->behind)
        return; /* what may be behind waits, full or not: one commit for many costs the disk least */
    for (size_t i = 0; i < a->open_count; i++)
        if (a->open[i] == g) {
            close_at(a, i);
            return;
        }
}

static RESULT enter(struct allowed *a, const struct allowed_ask *ask)
{
    struct key k = {.ask = ask};
    struct waiter *w = NULL;
    struct group *g = NULL;

    if (ask->behind && a->again)
        return ERR_LOG_BEHIND;
    if (!ask->behind && !(w = arena_alloc(ask->req->arena, sizeof *w)))
        return ERR_NO_MEMORY;
    api_request_context(ask->req, (struct view){0}, &k.who);
    k.hash = hash_of(a, &k);
    TRY(find(a, &k, &g));
    if (w) {
        w->ask = *ask;
        *g->last = w;
        g->last = &w->next;
    }
    add(a, g, ask->req);
    return OK;
}

enum http_outcome allowed_record(const struct allowed_ask *ask)
{
    const struct waiter self = {.ask = *ask};
    enum err e = enter(api_of(ask->req)->inside->allowed, ask);

    return e == OK && !ask->behind ? HTTP_LATER : answer(&self, e);
}

/* --- a thread's */

RESULT allowed_new(struct api_thread *t, struct allowed **ret)
{
    struct allowed *a = calloc(1, sizeof *a);

    if (!a)
        return ERR_NO_MEMORY;
    *ret = a;
    a->thread = t;
    TRY(t->shared->random->fill(t->shared->random, &a->seed, sizeof a->seed));
    TRY(loop_timer_new(t->loop, on_due, a, &a->due_timer));
    return loop_timer_new(t->loop, on_again, a, &a->again_timer);
}

static void forget(struct group *g)
{
    if (g)
        drop(g);
}

void allowed_free(struct allowed *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->open_count; i++)
        forget(a->open[i]);
    for (struct group *g = a->again, *next; g; g = next) {
        next = g->next;
        forget(g);
    }
    loop_timer_free(a->due_timer);
    loop_timer_free(a->again_timer);
    free(a);
}
