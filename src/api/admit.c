/* The way of every request: is Holdfast able to answer it, who asks, may he; then its handler. */
#include "api/basic.h"
#include "api/behind.h"
#include "api/failure_table.h"
#include "api/inside.h"
#include "api/proxied.h"
#include "api/second.h"
#include "api/strikes.h"
#include "api/tries.h"
#include "api/watch.h"

#include <string.h>

/* --- what is missing now */

static enum failure failure_of(const struct api_shared *s)
{
    const struct api_health *h = &s->health;

    if (atomic_load(&h->log) >= API_LOG_MISMATCH)
        return FAILURE_LOG_MISMATCH;
    switch (atomic_load(&h->keeper)) {
    case API_KEEPER_UNINITIALISED:
        return FAILURE_NOT_INITIALISED;
    case API_KEEPER_SEALED:
        return FAILURE_SEALED;
    case API_KEEPER_DEAD:
        return FAILURE_KEEPER_DEAD;
    default:
        return FAILURE_NONE;
    }
}

/* Answers what can't be served in this state. */
static bool unable(struct http_request *req)
{
    const struct api_shared *s = api_of(req)->shared;
    int state = atomic_load(&s->state);
    struct problem why = {.code = ERR_UNAVAILABLE};
    enum err e;

    if (state == API_SERVING || (req->route->flags & ROUTE_WHEN_SEALED))
        return false;
    e = failure_answer(failure_of(s), failure_class_of(req->route));
    if (e != OK)
        why.code = e;
    else
        (void)!problem_set(&why, ERR_UNAVAILABLE, "", "%s",
                           state == API_STOPPING ? "Holdfast is stopping." : "Holdfast is starting.");
    api_retry_after(req, state == API_STARTING ? 1 : 5);
    proxied_failed(req, why.code);
    (void)http_answer_problem(req, &why);
    return true;
}

/* --- refusals */

static enum http_outcome answer_stranger(struct http_request *req, enum err e)
{
    struct problem why = {.code = e};

    if (e == ERR_BAD_REQUEST)
        (void)!problem_set(&why, e, "Authorization",
                           "show one credential, once: Authorization, X-API-Key, or the session cookie");
    if (err_http(e) == 401)
        (void)!http_answer_header(req, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
    return http_answer_problem(req, &why);
}

static const struct {
    enum err error;
    uint16_t event;
} events[] = {
    {ERR_KEY_EXPIRED, EVENT_API_KEY_EXPIRED},     {ERR_KEY_DISABLED, EVENT_API_KEY_INVALID},
    {ERR_BAD_CREDENTIALS, EVENT_API_KEY_INVALID}, {ERR_FORBIDDEN, EVENT_PERMISSION_DENIED},
    {ERR_CROSS_SITE, EVENT_PERMISSION_DENIED},    {ERR_KEY_LOCKED, EVENT_PERMISSION_DENIED},
};

static uint16_t event_of(enum err e)
{
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (events[i].error == e)
            return events[i].event;
    return EVENT_AUTHENTICATION_FAILED;
}

static RESULT object_of(struct http_request *req, struct view resource, struct view detail, struct record_object *ret)
{
    AUTO_WRITER w = writer_new(512);

    if (resource.len == 0) {
        writer_str(&w, "route:");
        writer_str(&w, req->route->name);
        TRY(writer_done(&w));
        TRY(arena_copy(req->arena, writer_view_of(&w), &resource));
    }
    *ret = (struct record_object){.resource = resource, .detail = detail};
    return OK;
}

/* Somebody named an identity and could not prove it, or it may not be used like this. He may be a stranger, or hold
 * what was revoked, so he can't fill the log; what goes beyond the budget is added up with the others. */
static enum http_outcome refuse_known(struct http_request *req, const struct api_entry *entry)
{
    struct record_object what;

    if (entry->quiet || (!entry->proven && !anonymous_budget(api_of(req)))) {
        if (entry->event == 0) /* a limit that is used up was told once, and is not counted */
            anonymous_count(api_of(req), req, entry->error);
        return answer_stranger(req, entry->error);
    }
    if (object_of(req, entry->known, view_str(req->route->name), &what) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (err_http(entry->error) == 401)
        (void)!http_answer_header(req, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
    return api_refuse(req, entry->event ? entry->event : event_of(entry->error), &what, entry->error, NULL);
}

/* What a key is for (KEY-2). */
static bool executes(const struct route *r)
{
    return r->permission == PERMISSION_MEV_EXECUTE || r->permission == PERMISSION_ORDERS_PLACE ||
           r->permission == PERMISSION_POSITIONS_MANAGE || failure_class_of(r) == CLASS_SIGN;
}

static enum decide_use use_of(const struct http_request *req)
{
    bool reads = req->method == HTTP_GET || req->method == HTTP_HEAD || req->method == HTTP_LIST;

    if (executes(req->route))
        return USE_EXECUTE;
    if (!reads)
        return USE_WRITE;
    return req->route->permission == PERMISSION_AUTHENTICATED ? USE_ASK_ITSELF : USE_READ;
}

static enum http_outcome refuse_usage(struct http_request *req, const struct api_entry *entry)
{
    struct record_object what;

    if (object_of(req, entry->known, view_str(req->route->name), &what) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return api_refuse(req, EVENT_PERMISSION_DENIED, &what, ERR_FORBIDDEN, NULL);
}

static enum http_outcome refuse_permission(struct http_request *req)
{
    struct record_object what;

    if (object_of(req, (struct view){0}, view_str(permission_name(req->route->permission)), &what) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return api_refuse(req, EVENT_PERMISSION_DENIED, &what, ERR_FORBIDDEN, NULL);
}

static enum http_outcome refuse_way(struct http_request *req)
{
    struct record_object what;

    if (object_of(req, (struct view){0}, VIEW_STR("way in"), &what) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return api_refuse(req, EVENT_PERMISSION_DENIED, &what, ERR_FORBIDDEN,
                      "this address does not take this kind of credential");
}

/* Who knows an id, or guesses one, is a stranger. The answer does not wait for his record, which would tell by its time
 * whether there is such a key; and it costs the same for each. */
static void record_stranger(struct http_request *req, struct api_entry *entry)
{
    struct record_object what = {
        .resource = entry->named, .detail = entry->detail, .error = view_str(err_code(entry->error))};

    entry->recorded = entry->named.len && anonymous_budget(api_of(req));
    if (entry->recorded)
        behind_refusal(req, entry->event, &what);
}

/* --- the two steps */

static bool is_public(const struct http_request *req)
{
    return req->route->permission == PERMISSION_PUBLIC;
}

/* Who asks, into req->caller; HTTP_CONTINUE unless a stranger was answered. Those who are known wait for their record,
 * which takes a turn. */
static enum http_outcome identify(struct http_request *req)
{
    struct api_entry *entry = arena_alloc(req->arena, sizeof *entry);

    if (!entry)
        return http_answer_error(req, ERR_NO_MEMORY);
    auth_find(req, entry);
    req->caller = entry;
    if (entry->error == OK && entry->caller.actor.len == 0 && !entry->basic)
        return answer_stranger(req, ERR_UNAUTHENTICATED);
    if (entry->error == OK || entry->known.len)
        return HTTP_CONTINUE;
    record_stranger(req, entry);
    return answer_stranger(req, entry->error);
}

/* Starting takes a moment, and whoever comes in it is not sent away. */
static bool may_wait(const struct http_request *req)
{
    return admit_is_starting(api_of(req)) && !(req->route->flags & ROUTE_WHEN_SEALED);
}

enum http_outcome api_head(struct http_request *req)
{
    if (!req->route || may_wait(req))
        return HTTP_CONTINUE; /* 404 or 405; or judged later */
    if (unable(req))
        return HTTP_ANSWER;
    if (is_public(req) || atomic_load(&api_of(req)->shared->state) != API_SERVING)
        return HTTP_CONTINUE;
    return identify(req); /* nobody's bodies are not read */
}

enum http_outcome admit_judge(struct http_request *req)
{
    const struct api_entry *entry = req->caller;
    const struct route *r = req->route;

    if (entry->error != OK)
        return refuse_known(req, entry);
    if (r->ways && !(r->ways & (unsigned)entry->caller.way))
        return refuse_way(req);
    const struct decide_what what = {.permission = (enum permission)r->permission, .use = use_of(req)};
    enum decide_rule rule = decide_may(&entry->caller.standing, &what);
    if (rule == RULE_NOT_GRANTED && r->permission == PERMISSION_SECRETS_ACCESS &&
        entry->caller.emergency.level != ACCESS_NONE)
        rule = RULE_GRANTED;
    if (rule == RULE_USAGE)
        return refuse_usage(req, entry);
    if (rule != RULE_GRANTED)
        return refuse_permission(req);
    if (entry->caller.must_enrol && !(r->flags & ROUTE_ENROLS))
        return second_missing(req);
    return (r->flags & ROUTE_STEP_UP) && !second_fresh(req) ? second_demand(req) : r->handler(req);
}

/* A body may take its time, and who sends it may lose a right meanwhile: then he is looked up again, with it there. */
static bool is_stale(const struct http_request *req)
{
    const struct api_entry *entry = req->caller;

    return !entry || entry->seen != atomic_load(&api_of(req)->shared->applied);
}

enum http_outcome admit_now(struct http_request *req)
{
    bool serving = atomic_load(&api_of(req)->shared->state) == API_SERVING;

    if (unable(req)) /* the state may have changed while the body came in */
        return HTTP_ANSWER;
    if (!serving) /* a route for all states, which looks at the state itself */
        return req->route->handler(req);
    if (is_public(req))
        return tries_admit(req, (enum attempts_kind)req->route->rate) ? req->route->handler(req) : HTTP_ANSWER;
    if (is_stale(req) && identify(req) != HTTP_CONTINUE)
        return HTTP_ANSWER;
    if (!((const struct api_entry *)req->caller)->basic)
        return admit_judge(req);
    return tries_admit(req, ATTEMPTS_PROOF) ? basic_prove(req) : HTTP_ANSWER;
}

enum http_outcome api_admit(struct http_request *req)
{
    return may_wait(req) && admit_wait(req) ? HTTP_LATER : admit_now(req);
}

/* Strangers' refusals: everything that was refused before anybody was known. Public routes record their own, and so
 * does the proof of a password. */
void api_ended(void *context, const struct http_request *req, const struct http_ended *how)
{
    if (!req)
        return;
    const struct api_entry *entry = req->caller;
    bool known = entry && (entry->known.len || entry->recorded || (entry->basic && entry->error == OK));

    tries_ended(context, req, how);
    strikes_saw(context, req, how);
    watch_saw(context, req, how);
    if (known || (req->route && is_public(req)) || how->status < 400 || how->status >= 500)
        return;
    anonymous_count(context, req, how->code);
}
