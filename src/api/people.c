#include "api/people.h"

#include "base/text.h"

#include <stdio.h>

const char *const people_environments[] = {"development", "staging", "production", "none", NULL};

#define ENVIRONMENTS 3

RESULT people_environments_get(const struct text_list *names, uint8_t *ret)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < names->count; i++)
        for (unsigned e = 0; e < ENVIRONMENTS; e++)
            if (view_is(names->items[i], people_environments[e]))
                bits |= (uint8_t)(1u << e);
    for (size_t i = 0; i < names->count; i++)
        if (view_is(names->items[i], "none") && names->count > 1)
            return ERR_BAD_VALUE;
    *ret = bits;
    return OK;
}

RESULT people_environments_put(uint8_t bits, struct arena *arena, struct text_list *ret)
{
    struct text_list l = {.items = arena_alloc(arena, ENVIRONMENTS * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    for (unsigned e = 0; e < ENVIRONMENTS; e++)
        if (bits & (1u << e))
            l.items[l.count++] = view_str(people_environments[e]);
    *ret = l;
    return OK;
}

RESULT people_permissions(struct permission_set set, struct arena *arena, struct text_list *ret)
{
    struct text_list l = {.items = arena_alloc(arena, PERMISSION_COUNT * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    for (unsigned p = PERMISSION_AUTHENTICATED + 1; p < PERMISSION_COUNT; p++)
        if (permission_has(set, (enum permission)p))
            l.items[l.count++] = view_str(permission_name((enum permission)p));
    *ret = l;
    return OK;
}

RESULT people_roles_known(const struct http_request *req, const struct text_list *roles, struct problem *why)
{
    size_t i = roles_unknown(identity_roles(api_of(req)->shared->identity), roles);
    char where[32];
    if (i == roles->count)
        return OK;
    (void)snprintf(where, sizeof where, "/roles/%zu", i);
    return problem_set(why, ERR_BAD_VALUE, where, "%s", "There is no such role; GET /api/v1/roles lists them.");
}

RESULT people_named(struct arena *arena, const char *prefix, struct view text, struct view *ret)
{
    AUTO_WRITER w = writer_new(512);
    writer_str(&w, prefix);
    writer_view(&w, text);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

void people_applied(const struct api_change *c)
{
    struct api_shared *s = api_of(c->req)->shared;
    /* Only memory can be missing, and then the tables let go of the row: refused until the next start, never allowed.
     */
    for (size_t i = 0; i < c->txn.change_count; i++) {
        (void)!identity_applied(s->identity, &c->txn.changes[i]);
        (void)!api_keys_applied(s->api_keys, &c->txn.changes[i]);
        (void)!tokens_applied(s->tokens, &c->txn.changes[i]);
    }
    atomic_fetch_add(&s->applied, 1);
}

RESULT people_record_as(struct api_change *c, uint16_t type, enum outcome outcome, struct view actor,
                        const struct record_object *what)
{
    TRY(api_change_record(c, type, outcome, what, (struct view){0}));
    c->txn.records[c->txn.record_count - 1].who.actor = actor;
    return OK;
}

enum http_outcome people_refuse(struct http_request *req, const char *prefix, struct view what, const char *detail)
{
    struct record_object object = {.detail = view_str(req->route->name)};
    if (people_named(req->arena, prefix, what, &object.resource) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return api_refuse(req, EVENT_PERMISSION_DENIED, &object, ERR_FORBIDDEN, detail);
}

enum http_outcome people_problem(struct http_request *req, enum err code, const char *where, const char *detail)
{
    struct problem why;
    (void)!problem_set(&why, code, where, "%s", detail);
    return http_answer_problem(req, &why);
}

enum http_outcome people_not_hashed(struct http_request *req, const struct password_task *task, const char *where)
{
    return task->result == ERR_WEAK_PASSWORD && task->why.detail[0]
               ? people_problem(req, ERR_WEAK_PASSWORD, where, task->why.detail)
               : http_answer_error(req, task->result);
}

struct view people_caller_name(const struct http_request *req)
{
    const struct api_caller *c = api_caller_of(req);
    if (!view_starts(c->actor, "user:"))
        return (struct view){0};
    return VIEW(c->actor.ptr + 5, c->actor.len - 5);
}

RESULT people_end_other_sessions(struct http_request *req, struct view user, struct api_change *c)
{
    struct identity *identity = api_of(req)->shared->identity;
    struct txn_change mine, *ends = NULL;
    uint8_t hash[32];
    size_t count = 0;
    TRY(hex_get(api_caller_of(req)->session_id, hash, sizeof hash));
    TRY(identity_remove_session(identity, people_keys(req), hash, req->arena, &mine));
    TRY(identity_end_sessions(identity, user, people_now(req), 0, req->arena, &ends, &count));
    for (size_t i = 0; i < count; i++)
        if (!view_eq(ends[i].key, mine.key))
            TRY(api_change_put(c, &ends[i]));
    return OK;
}
