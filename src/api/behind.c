#include "api/behind.h"

#include "api/inside.h"
#include "api/people.h"

#define ARENA_MAX (1u << 20)

struct behind {
    struct mail mail;
    struct api_thread *thread;
    struct arena *kept; /* of the record's texts */
    struct txn txn;
    struct record record;
    struct view name; /* of the user whose lock is stored; empty for a mere record */
    unsigned tries;
};

static void drop(struct behind *b)
{
    b->thread->inside->under_way--;
    arena_free(b->txn.arena);
    arena_free(b->kept);
    free(b);
}

/* --- in a later turn */

static void run(struct behind *b);

static void on_done(void *context, struct txn *t)
{
    struct behind *b = context;
    struct api_shared *s = b->thread->shared;

    for (size_t i = 0; t->result == OK && i < t->change_count; i++)
        (void)!identity_applied(s->identity, &t->changes[i]); /* without memory the table lets go of him */
    if (t->result == ERR_CONFLICT && b->tries++ < PEOPLE_TRIES) {
        run(b);
        return;
    }
    (void)change_noted(s, t->result);
    drop(b);
}

/* ERR_NOT_FOUND: he was unlocked or removed meanwhile. */
static RESULT put_lock(struct behind *b)
{
    struct api_shared *s = b->thread->shared;
    struct user_found f;
    struct txn_change *put = arena_alloc(b->txn.arena, sizeof *put);

    if (!put)
        return ERR_NO_MEMORY;
    TRY(identity_user(s->identity, b->name, b->txn.arena, &f));
    if (f.user.state != USER_LOCKED)
        return ERR_NOT_FOUND;
    TRY(identity_put_user(atomic_load(&s->keys), &f.user, &f, b->txn.arena, put));
    b->txn.changes = put;
    b->txn.change_count = 1;
    return OK;
}

static RESULT fill(struct behind *b)
{
    struct ledger *l = b->thread->shared->ledger;

    arena_free(b->txn.arena);
    b->txn = (struct txn){.done = on_done, .context = b, .records = &b->record, .record_count = 1};
    TRY(l ? OK : ERR_SEALED);
    TRY(arena_new(8192, ARENA_MAX, &b->txn.arena));
    if (b->name.len)
        TRY(put_lock(b));
    TRY(ledger_prepare(l, &b->txn));
    return ledger_submit(l, &b->txn, 1, b->thread->mailbox);
}

static void run(struct behind *b)
{
    if (fill(b) != OK)
        drop(b);
}

static void deliver(struct mail *m)
{
    run((struct behind *)(void *)m); /* its first member */
}

/* --- now */

static RESULT keep(struct behind *b, const struct http_request *req, const struct record_object *what)
{
    struct request_context who;
    struct record *r = &b->record;
    const struct {
        struct view from, *to;
    } texts[] = {
        {what->resource, &r->what.resource},
        {what->detail, &r->what.detail},
        {what->error, &r->what.error},
        {r->who.actor, &r->who.actor},
        {b->name, &b->name},
    };

    api_request_context(req, (struct view){0}, &who);
    TRY(arena_copy(b->kept, who.source, &r->who.source));
    TRY(arena_copy(b->kept, who.user_agent, &r->who.user_agent));
    TRY(arena_copy(b->kept, who.request_id, &r->who.request_id));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        TRY(arena_copy(b->kept, texts[i].from, texts[i].to));
    return OK;
}

static RESULT make(struct http_request *req, struct view name, const struct record *record, struct behind **ret)
{
    struct behind *b = calloc(1, sizeof *b);
    enum err e = ERR_NO_MEMORY;

    if (!b)
        return e;
    *b = (struct behind){.mail.deliver = deliver, .thread = api_of(req), .record = *record, .name = name};
    b->thread->inside->under_way++;
    if (arena_new(2048, ARENA_MAX, &b->kept) == OK)
        e = keep(b, req, &record->what);
    if (e == OK)
        *ret = b;
    else
        drop(b);
    return e;
}

static void begin(struct http_request *req, struct view name, const struct record *record)
{
    struct behind *b;

    if (make(req, name, record, &b) == OK)
        mailbox_post(b->thread->mailbox, &b->mail, &b->mail);
}

void behind_lock(struct http_request *req, struct view name)
{
    struct record r = {.type = EVENT_ACCOUNT_LOCKED, .outcome = OUTCOME_DONE, .what.detail = VIEW_STR("password")};

    if (people_named(req->arena, "user:", name, &r.who.actor) != OK)
        return;
    r.what.resource = r.who.actor;
    begin(req, name, &r);
}

void behind_refusal(struct http_request *req, uint16_t type, const struct record_object *what)
{
    const struct record r = {.type = type, .outcome = OUTCOME_REFUSED, .what = *what};

    begin(req, (struct view){0}, &r);
}

void behind_note(struct http_request *req, uint16_t type, const struct record_object *what)
{
    const struct record r = {
        .type = type, .outcome = OUTCOME_DONE, .what = *what, .who.actor = api_caller_of(req)->actor};

    begin(req, (struct view){0}, &r);
}
