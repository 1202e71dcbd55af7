/* Changes: collected during a turn of the loop, handed to the ledger in one chain at its end, finished by mail. */
#include "api/change_gate.h"
#include "api/failure_table.h"
#include "api/inside.h"

#define WAIT_MS 5

struct change {
    struct api_change c; /* first */
    size_t change_cap, record_cap, authored_cap;
    bool *mine; /* for each authored record: the gate is ours */
};

static struct change *of(struct api_change *c)
{
    return (struct change *)(void *)c;
}

/* --- building */

RESULT api_change_new(struct http_request *req, struct api_change **ret)
{
    struct change *x = arena_alloc(req->arena, sizeof *x);

    if (!x)
        return ERR_NO_MEMORY;
    x->c.req = req;
    x->c.txn.arena = req->arena;
    x->c.txn.random = &api_of(req)->inside->nonces.random;
    *ret = &x->c;
    return OK;
}

/* Room for one more item in an array of the arena; the old one stays behind there. */
static void *grown(struct arena *arena, void *items, size_t count, size_t *cap, size_t size)
{
    void *more;

    if (count < *cap)
        return items;
    more = arena_alloc(arena, (*cap ? *cap * 2 : 4) * size);
    if (!more)
        return NULL;
    if (count)
        memcpy(more, items, count * size);
    *cap = *cap ? *cap * 2 : 4;
    return more;
}

RESULT api_change_put(struct api_change *c, const struct txn_change *change)
{
    struct txn *t = &c->txn;
    struct txn_change *items = grown(t->arena, t->changes, t->change_count, &of(c)->change_cap, sizeof *items);

    if (!items)
        return ERR_NO_MEMORY;
    t->changes = items;
    items[t->change_count++] = *change;
    return OK;
}

RESULT api_change_record(struct api_change *c, uint16_t type, enum outcome outcome, const struct record_object *what,
                         struct view reason)
{
    struct txn *t = &c->txn;
    struct record *items = grown(t->arena, t->records, t->record_count, &of(c)->record_cap, sizeof *items);

    if (!items)
        return ERR_NO_MEMORY;
    t->records = items;
    items[t->record_count] = (struct record){.type = type, .outcome = (uint8_t)outcome, .what = *what};
    api_request_context(c->req, reason, &items[t->record_count].who);
    t->record_count++;
    return OK;
}

RESULT api_change_authored(struct api_change *c, struct view authored_bytes)
{
    struct txn *t = &c->txn;
    struct view kept;
    struct authored_record *items = grown(t->arena, t->authored, t->authored_count, &of(c)->authored_cap,
                                          sizeof *items);

    if (!items)
        return ERR_NO_MEMORY;
    t->authored = items;
    TRY(arena_copy(t->arena, authored_bytes, &kept)); /* the message it came in is gone soon */
    TRY(entity_decode(&authored_record_entity, kept, t->arena, &items[t->authored_count]));
    t->authored_count++;
    return OK;
}

/* --- how it ended */

enum err change_noted(struct api_shared *s, enum err result)
{
    struct api_health *h = &s->health;
    int was;

    if (result == ERR_CONFLICT || result == ERR_TOO_LONG || result == ERR_OUT_OF_RANGE)
        return result;
    was = atomic_load(&h->log);
    if (was >= API_LOG_MISMATCH)
        return result;
    if (result == OK) {
        if (was != API_LOG_GOOD)
            atomic_store(&h->log, API_LOG_GOOD);
        return OK;
    }
    atomic_fetch_add(&h->commit_failures, 1);
    atomic_store(&h->log, result == ERR_NO_SPACE ? API_LOG_FULL : API_LOG_UNWRITABLE);
    return result == ERR_NO_SPACE ? failure_answer(FAILURE_DISK_FULL, CLASS_CHANGE)
                                  : failure_answer(FAILURE_LOG_UNWRITABLE, CLASS_CHANGE);
}

enum http_outcome api_change_failed(struct api_change *c)
{
    struct problem why = {.code = c->txn.result};

    if (why.code == ERR_LOG_BEHIND || why.code == ERR_BUSY)
        api_retry_after(c->req, 1);
    return http_answer_problem(c->req, &why);
}

static enum http_outcome by_default(struct api_change *c)
{
    return c->txn.result == OK ? http_answer_empty(c->req, 204) : api_change_failed(c);
}

static void finish(struct api_thread *t, struct api_change *c)
{
    struct http_request *req = c->req;

    t->inside->under_way--;
    if ((c->then ? c->then(c) : by_default(c)) == HTTP_ANSWER)
        http_request_finish(req);
}

static void settle(struct api_thread *t, struct change *x, enum err result)
{
    struct txn *txn = &x->c.txn;

    for (size_t i = 0; i < txn->authored_count; i++) {
        struct leaf leaf;
        if (!x->mine[i] || leaf_decode(txn->authored[i].leaf, &leaf) != OK)
            continue;
        if (result == OK)
            gate_logged(t->shared->gate, leaf.author, leaf.sequence);
        else
            orphan_of(t, &txn->authored[i], txn, result != ERR_CONFLICT);
    }
}

static void on_done(void *context, struct txn *txn)
{
    struct change *x = context;
    struct api_thread *t = api_of(x->c.req);

    settle(t, x, txn->result);
    txn->result = change_noted(t->shared, txn->result);
    finish(t, &x->c);
}

/* --- submitting */

static void drop_change(struct txn *t, const struct txn_change *which)
{
    size_t at = (size_t)(which - t->changes);

    memmove(&t->changes[at], &t->changes[at + 1], (t->change_count - at - 1) * sizeof *t->changes);
    t->change_count--;
}

/* Somebody else logs this record, together with the changes that it speaks of: so neither is ours any more. */
static void strip(struct change *x, size_t i, const struct leaf *leaf)
{
    struct txn *t = &x->c.txn;
    const struct txn_change *said;

    while ((said = orphan_change_of(t, leaf)))
        drop_change(t, said);
    t->authored[i] = t->authored[--t->authored_count];
}

static RESULT claim(struct api_thread *t, struct change *x, bool *ret_wait)
{
    struct txn *txn = &x->c.txn;

    *ret_wait = false;
    x->mine = arena_alloc(txn->arena, txn->authored_count + 1);
    if (!x->mine)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < txn->authored_count;) {
        struct leaf leaf;
        enum gate_answer a;
        TRY(leaf_decode(txn->authored[i].leaf, &leaf));
        a = gate_claim(t->shared->gate, leaf.author, leaf.sequence);
        if (a == GATE_TAKEN)
            *ret_wait = true;
        if (a == GATE_LOGGED)
            strip(x, i, &leaf);
        else
            x->mine[i++] = a == GATE_YOURS;
    }
    return OK;
}

/* What was claimed in vain is given back, for the next try. */
static void unclaim(struct api_thread *t, struct change *x)
{
    for (size_t i = 0; x->mine && i < x->c.txn.authored_count; i++) {
        struct leaf leaf;
        if (x->mine[i] && leaf_decode(x->c.txn.authored[i].leaf, &leaf) == OK)
            gate_left(t->shared->gate, leaf.author, leaf.sequence);
    }
    x->mine = NULL;
}

static RESULT wait_for_others(struct api_thread *t, struct change *x)
{
    struct api_wait *w = arena_alloc(x->c.txn.arena, sizeof *w);

    if (!w)
        return ERR_NO_MEMORY;
    *w = (struct api_wait){.next = t->inside->waits, .change = &x->c};
    t->inside->waits = w;
    loop_timer_arm(t->inside->wait_timer, WAIT_MS);
    return OK;
}

void change_collect(struct api_thread *t, struct txn *txn)
{
    struct api_inside *in = t->inside;

    txn->mail.next = NULL;
    if (in->last)
        in->last->mail.next = &txn->mail;
    else
        in->first = txn;
    in->last = txn;
    in->count++;
}

/* HTTP_LATER is owed when this returns OK; ret_done: nothing is left to be done, and all is durable. */
static RESULT submit(struct api_thread *t, struct change *x, bool *ret_done)
{
    struct txn *txn = &x->c.txn;
    bool wait;
    enum err e;

    *ret_done = false;
    TRY(claim(t, x, &wait));
    if (wait) {
        unclaim(t, x);
        return wait_for_others(t, x);
    }
    *ret_done = txn->authored_count == 0 && txn->record_count == 0 && txn->change_count == 0;
    if (*ret_done)
        return OK;
    txn->done = on_done;
    txn->context = x;
    e = t->shared->ledger ? ledger_prepare(t->shared->ledger, txn) : ERR_SEALED;
    if (e != OK) {
        settle(t, x, e);
        return e;
    }
    change_collect(t, txn);
    return OK;
}

enum http_outcome api_change_submit(struct api_change *c)
{
    struct api_thread *t = api_of(c->req);
    bool done, empty = c->txn.authored_count + c->txn.record_count + c->txn.change_count == 0;
    enum err e;

    if (empty)
        return http_answer_error(c->req, ERR_INTERNAL); /* a change without its record is a mistake of ours */
    e = submit(t, of(c), &done);
    if (e == OK && !done) {
        t->inside->under_way++;
        return HTTP_LATER;
    }
    c->txn.result = e;
    return c->then ? c->then(c) : by_default(c);
}

enum http_outcome api_change_run(struct http_request *req, void *context,
                                 RESULT (*fill)(void *context, struct api_change *c),
                                 enum http_outcome (*then)(struct api_change *c))
{
    struct api_change *c = NULL;
    enum err e = api_change_new(req, &c);

    if (e == OK)
        e = fill(context, c);
    if (e != OK)
        return http_answer_error(req, e);
    c->then = then;
    c->context = context;
    return api_change_submit(c);
}

void change_retry_waits(void *thread)
{
    struct api_thread *t = thread;
    struct api_wait *w = t->inside->waits;

    t->inside->waits = NULL;
    for (struct api_wait *next; w; w = next) {
        struct api_change *c = w->change;
        bool done;
        next = w->next;
        c->txn.result = submit(t, of(c), &done);
        if (c->txn.result != OK || done)
            finish(t, c);
    }
}

void change_hand_over(struct api_thread *t)
{
    struct api_inside *in = t->inside;
    struct txn *first = in->first;
    size_t count = in->count;

    if (!first)
        return;
    in->first = in->last = NULL;
    in->count = 0;
    if (ledger_submit(t->shared->ledger, first, count, t->mailbox) == OK)
        return;
    for (struct mail *m = &first->mail, *next; m; m = next) {
        struct txn *txn = (struct txn *)(void *)((uint8_t *)m - offsetof(struct txn, mail));
        next = m->next;
        txn->result = ERR_LOG_BEHIND;
        txn->done(txn->context, txn);
    }
}

/* --- refusals */

struct refusal {
    enum err code;
    const char *detail;
};

static enum http_outcome refused(struct api_change *c)
{
    const struct refusal *r = c->context;
    struct problem why;

    if (c->txn.result != OK)
        return api_change_failed(c);
    (void)!problem_set(&why, r->code, "", "%s", r->detail ? r->detail : "");
    return http_answer_problem(c->req, &why);
}

enum http_outcome api_refuse(struct http_request *req, uint16_t type, const struct record_object *what, enum err code,
                             const char *detail)
{
    struct record_object object = *what;
    struct refusal *r = arena_alloc(req->arena, sizeof *r);
    struct api_change *c = NULL;

    if (!r || api_change_new(req, &c) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    *r = (struct refusal){.code = code};
    if (detail)
        r->detail = arena_str(req->arena, view_str(detail)); /* the caller's may be gone by then */
    if (object.error.len == 0)
        object.error = view_str(err_code(code));
    c->then = refused;
    c->context = r;
    if (api_change_record(c, type, OUTCOME_REFUSED, &object, (struct view){0}) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return api_change_submit(c);
}
