/* For the desk's own APIs: is this key good, whose is it, and may it (KEY-6)? What the key's rules can't be judged by,
 * since it was not said, they refuse. A verification counts as one of the key's requests. */
#include "api/keys.h"
#include "api/routes.h"

enum verdict {
    VALID,
    NOT_FOUND, /* malformed, unknown and wrong look the same */
    DISABLED,
    EXPIRED,
    FORBIDDEN,
    INSUFFICIENT_PERMISSIONS,
    USAGE_EXCEEDED,
    RATE_LIMITED,
};

static const struct {
    const char *reason;
    enum err error;
    uint16_t event; /* 0: as the limit says */
} verdicts[] = {
    [VALID] = {"VALID", OK, EVENT_API_KEY_AUTHENTICATED},
    [NOT_FOUND] = {"NOT_FOUND", ERR_BAD_CREDENTIALS, EVENT_API_KEY_INVALID},
    [DISABLED] = {"DISABLED", ERR_KEY_DISABLED, EVENT_API_KEY_INVALID},
    [EXPIRED] = {"EXPIRED", ERR_KEY_EXPIRED, EVENT_API_KEY_EXPIRED},
    [FORBIDDEN] = {"FORBIDDEN", ERR_FORBIDDEN, EVENT_PERMISSION_DENIED},
    [INSUFFICIENT_PERMISSIONS] = {"INSUFFICIENT_PERMISSIONS", ERR_FORBIDDEN, EVENT_PERMISSION_DENIED},
    [USAGE_EXCEEDED] = {"USAGE_EXCEEDED", ERR_USAGE_EXCEEDED, 0},
    [RATE_LIMITED] = {"RATE_LIMITED", ERR_RATE_LIMITED, 0},
};

struct asking {
    struct http_request *req;
    struct key_verify q;
    struct api_key_parts parts;
    struct api_key_shown shown;
    struct network_source from;
    struct api_key_found found;
    struct limits_state limits;
    enum verdict verdict;
    struct key_verdict answer;
};

/* --- the verdict */

/* The source is what who asks says of it, so failures are counted apart for each of those who say something. */
static RESULT find(struct asking *a, enum verdict *ret)
{
    struct api_shared *s = api_of(a->req)->shared;
    bool said = a->q.source.len && network_source_parse(a->q.source, &a->from) == OK;
    a->shown = (struct api_key_shown){.text = a->q.key,
                                      .parts = &a->parts,
                                      .from = said ? &a->from : NULL,
                                      .via = api_caller_of(a->req)->actor,
                                      .now_ms = people_now(a->req)};
    enum err e = api_keys_verify(s->api_keys, people_keys(a->req), &a->shown, a->req->arena, &a->found);
    if (e == ERR_KEY_MALFORMED)
        e = ERR_BAD_CREDENTIALS;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        if (verdicts[i].error != e)
            continue;
        *ret = (enum verdict)i;
        return OK;
    }
    return e;
}

static bool rules_allow(const struct asking *a)
{
    return api_key_allows(&a->found.key, a->shown.from, a->q.method, a->q.path);
}

static bool lacks_permission(const struct asking *a, const struct rights *now)
{
    enum permission wanted;
    return a->q.permission.len &&
           (permission_find(a->q.permission, &wanted) != OK || !permission_has(now->permissions, wanted));
}

static enum verdict spend(struct asking *a)
{
    struct api_keys *keys = api_of(a->req)->shared->api_keys;
    enum err e = api_keys_spend(keys, a->found.key.id, people_now(a->req), &a->limits, NULL);
    if (e == OK) {
        char from[USAGE_FROM_MAX + 1] = "";
        if (a->q.source.len <= USAGE_FROM_MAX && a->q.source.len)
            memcpy(from, a->q.source.ptr, a->q.source.len);
        usages_count(api_of(a->req)->shared->usages, a->found.key.id, people_now(a->req), from, a->req->route->name);
        return VALID;
    }
    return e == ERR_RATE_LIMITED ? RATE_LIMITED : e == ERR_USAGE_EXCEEDED ? USAGE_EXCEEDED : NOT_FOUND;
}

static RESULT judge(struct asking *a)
{
    struct rights now;
    TRY(find(a, &a->verdict));
    if (a->verdict != VALID)
        return OK;
    enum err e = key_rights(api_of(a->req)->shared->identity, &a->found.key, &now);
    if (e != OK && e != ERR_KEY_DISABLED)
        return e;
    if (e == OK)
        TRY(people_permissions(now.permissions, a->req->arena, &a->answer.permissions));
    if (e != OK)
        a->verdict = DISABLED;
    else if (api_key_locked(&a->found.key, people_now(a->req)) || !rules_allow(a))
        a->verdict = FORBIDDEN;
    else
        a->verdict = lacks_permission(a, &now) ? INSUFFICIENT_PERMISSIONS : spend(a);
    return OK;
}

/* --- the answer */

static void describe(struct asking *a)
{
    const struct api_key *k = &a->found.key;
    struct key_verdict *v = &a->answer;
    v->valid = a->verdict == VALID;
    v->reason = view_str(verdicts[a->verdict].reason);
    /* Only who has the right secret of a key that works is told about it. */
    if (a->verdict == NOT_FOUND || a->verdict == DISABLED || a->verdict == EXPIRED)
        return;
    v->id = k->id;
    v->name = k->name;
    v->owner = k->owner;
    v->environment = view_str(key_environment_name(k->environment));
    v->usage = view_str(key_usage_name(k->usage));
    v->roles = k->roles;
    v->expires = k->expires_ms;
    v->grace = a->found.by_old;
    v->left_hour = a->limits.left_hour;
    v->left_day = a->limits.left_day;
    v->retry_after = a->limits.wait_seconds;
}

static enum http_outcome recorded(struct api_change *c)
{
    struct asking *a = c->context;
    if (c->txn.result != OK)
        return api_change_failed(c);
    return http_answer_entity(a->req, 200, &key_verdict_entity, &a->answer);
}

static RESULT record(struct asking *a, struct api_change **ret)
{
    enum err e = verdicts[a->verdict].error;
    uint16_t event = verdicts[a->verdict].event ? verdicts[a->verdict].event : key_limit_event(&a->limits);
    struct record_object what = {.resource = VIEW_STR("key"), .detail = a->answer.reason};
    if (e != OK)
        what.error = view_str(err_code(e));
    if (a->shown.why == API_KEY_SUSPENDED_NOW)
        event = EVENT_API_KEY_SUSPENDED;
    if (a->parts.id[0])
        TRY(people_named(a->req->arena, "key:", view_str(a->parts.id), &what.resource));
    TRY(api_change_new(a->req, ret));
    return api_change_record(*ret, event, e == OK ? OUTCOME_DONE : OUTCOME_REFUSED, &what, (struct view){0});
}

static enum http_outcome verify_post(struct http_request *req)
{
    struct asking *a = arena_alloc(req->arena, sizeof *a);
    struct api_change *c = NULL;
    struct problem why;
    if (!a)
        return http_answer_error(req, ERR_NO_MEMORY);
    *a = (struct asking){.req = req};
    if (http_request_entity(req, &a->q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = judge(a);
    if (e == OK) {
        describe(a);
        e = record(a, &c);
    }
    if (e != OK)
        return http_answer_error(req, e);
    c->then = recorded;
    c->context = a;
    return api_change_submit(c);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/keys/verify", PERMISSION_MEV_API, verify_post, .name = "key-verify",
          .summary = "Is this API key valid, whose is it, and what may it do", .tag = "keys", .ways = WAYS_ALL,
          .event = EVENT_API_KEY_AUTHENTICATED, .request = &key_verify_entity, .response = &key_verdict_entity,
          .body_limit = 4096),
};
const struct route_table keys_verify_routes = {routes, ARRAY_LEN(routes)};
