/* For the desk's own APIs: is this key good, whose is it, and may it (KEY-6)? */
#include "api/keys.h"
#include "api/routes.h"

struct asking {
    struct http_request *req;
    struct key_verify q;
    struct api_key_found found;
    struct key_verdict verdict;
    uint16_t event;
};

static const struct {
    enum err error;
    const char *reason;
    uint16_t event;
} verdicts[] = {
    {OK, "VALID", EVENT_API_KEY_AUTHENTICATED},
    {ERR_KEY_EXPIRED, "EXPIRED", EVENT_API_KEY_EXPIRED},
    {ERR_KEY_DISABLED, "DISABLED", EVENT_API_KEY_INVALID},
    {ERR_FORBIDDEN, "INSUFFICIENT_PERMISSIONS", EVENT_PERMISSION_DENIED},
};

static void decide(struct asking *a, enum err e)
{
    a->verdict.reason = VIEW_STR("NOT_FOUND"); /* malformed, unknown and wrong look the same */
    a->event = EVENT_API_KEY_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        if (verdicts[i].error != e)
            continue;
        a->verdict.reason = view_str(verdicts[i].reason);
        a->event = verdicts[i].event;
    }
    a->verdict.valid = e == OK;
}

static RESULT judge(struct asking *a, const struct api_key_parts *parts)
{
    struct api_shared *s = api_of(a->req)->shared;
    struct arena *arena = a->req->arena;
    struct rights now;
    enum permission wanted;
    TRY(api_keys_verify(s->api_keys, people_keys(a->req), parts, people_now(a->req), arena, &a->found));
    TRY(key_rights(s->identity, &a->found.key, &now));
    TRY(people_permissions(now.permissions, arena, &a->verdict.permissions));
    if (a->q.permission.len &&
        (permission_find(a->q.permission, &wanted) != OK || !permission_has(now.permissions, wanted)))
        return ERR_FORBIDDEN;
    return OK;
}

static void describe(struct asking *a)
{
    const struct api_key *k = &a->found.key;
    a->verdict.id = k->id;
    a->verdict.name = k->name;
    a->verdict.owner = k->owner;
    a->verdict.environment = view_str(key_environment_name(k->environment));
    a->verdict.usage = view_str(key_usage_name(k->usage));
    a->verdict.roles = k->roles;
    a->verdict.expires = k->expires_ms;
    a->verdict.grace = a->found.by_old;
}

static enum http_outcome recorded(struct api_change *c)
{
    struct asking *a = c->context;
    if (c->txn.result != OK)
        return api_change_failed(c);
    return http_answer_entity(a->req, 200, &key_verdict_entity, &a->verdict);
}

static RESULT record(struct asking *a, const struct api_key_parts *parts, enum err e, struct api_change **ret)
{
    struct record_object what = {.resource = VIEW_STR("key"), .detail = a->verdict.reason};
    if (e != OK)
        what.error = view_str(err_code(e));
    if (parts->id[0])
        TRY(people_named(a->req->arena, "key:", view_str(parts->id), &what.resource));
    TRY(api_change_new(a->req, ret));
    return api_change_record(*ret, a->event, e == OK ? OUTCOME_DONE : OUTCOME_REFUSED, &what, (struct view){0});
}

static enum http_outcome verify_post(struct http_request *req)
{
    struct asking *a = arena_alloc(req->arena, sizeof *a);
    struct api_key_parts parts = {0};
    struct api_change *c = NULL;
    struct problem why;
    if (!a)
        return http_answer_error(req, ERR_NO_MEMORY);
    a->req = req;
    if (http_request_entity(req, &a->q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = api_key_parse(a->q.key, &parts);
    if (e == OK)
        e = judge(a, &parts);
    decide(a, e);
    /* Only who has the right secret is told about the key. */
    if (e == OK || e == ERR_FORBIDDEN)
        describe(a);
    e = record(a, &parts, e, &c);
    if (e != OK)
        return http_answer_error(req, e);
    c->then = recorded;
    c->context = a;
    return api_change_submit(c);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/keys/verify", PERMISSION_MEV_API, verify_post, .name = "key-verify",
          .summary = "Is this API key valid, whose is it, and what may it do", .tag = "keys",
          .ways = WAY_SESSION | WAY_API_KEY | WAY_PEER | WAY_TOKEN, .event = EVENT_API_KEY_AUTHENTICATED,
          .request = &key_verify_entity, .response = &key_verdict_entity, .body_limit = 1024),
};
const struct route_table keys_verify_routes = {routes, ARRAY_LEN(routes)};
