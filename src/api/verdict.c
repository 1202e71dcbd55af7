/* One verdict for a request that a proxy asks about (SPEC GRD-1), in a fixed order: may this proxy ask, what is asked
 * about, is its network let in, who asks, may he, how often, does it look like an attack. Every stage can refuse, and
 * what none allows is refused. */
#include "api/verdict.h"
#include "api/allowed.h"
#include "api/behind.h"
#include "api/cookie.h"
#include "api/inside.h"
#include "api/inspect.h"
#include "api/people.h"
#include "api/proxied.h"
#include "api/routes.h"
#include "api/tries.h"

#include "base/rcu.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/guard/guard.h"

#include <stdio.h>

#define PATH_SHOWN 400 /* bytes */

struct asking {
    struct http_request *req;
    struct proxied proxied;
    struct api_entry entry;
    const struct config_guard_endpoint *row; /* NULL: none names the request, and no_rule says why */
    enum err no_rule;
    struct inspected inspected;
    struct view resource; /* "endpoint:POST /api/v1/execute" */
    struct {
        struct view user, groups, name, email;
    } remote;
};

static enum permission permission_of(const struct asking *a)
{
    return a->row ? (enum permission)a->row->permission : PERMISSION_NONE;
}

static void set_header(struct http_request *req, const char *name, struct view value)
{
    (void)!http_answer_text(req, name, value);
}

/* --- what goes on to the application: always all four, so that none of the client's own gets through */

static RESULT set_remote(struct asking *a)
{
    const struct {
        const char *name;
        struct view value;
    } headers[] = {{"Remote-User", a->remote.user},
                   {"Remote-Groups", a->remote.groups},
                   {"Remote-Name", a->remote.name},
                   {"Remote-Email", a->remote.email}};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        TRY(http_answer_text(a->req, headers[i].name, headers[i].value));
    return OK;
}

/* Roles that he has in full: of one that his owner lost, or that nothing is left of, the application hears nothing. */
static bool has_whole(const struct asking *a, const struct text_list *roles, size_t i)
{
    const struct standing *s = &a->entry.caller.standing;
    const struct text_list one = {&roles->items[i], 1};
    struct roles *all = identity_roles(api_of(a->req)->shared->identity);
    struct rights has = standing_rights(s), given = s->own; /* of a single one that is known already */
    bool there = roles->count == 1 ? !s->role_unknown : rights_of(all, &one, 0, &given) == OK;
    return there && (given.permissions.bits & ~has.permissions.bits) == 0;
}

static RESULT put_groups(struct asking *a, const struct text_list *roles)
{
    uint8_t text[4096] __attribute__((uninitialized));
    struct writer w = writer_fixed(text, sizeof text);
    rcu_enter(); /* one section for all */
    for (size_t i = 0; i < roles->count; i++) {
        if (!has_whole(a, roles, i))
            continue;
        writer_str(&w, w.len ? "," : "");
        writer_view(&w, roles->items[i]);
    }
    rcu_leave();
    TRY(writer_done(&w));
    return arena_copy(a->req->arena, writer_view_of(&w), &a->remote.groups);
}

/* A key that is gone in this moment has no name; the next request is refused. */
static RESULT describe_key(struct asking *a)
{
    const struct api_caller *c = &a->entry.caller;
    const struct api_key *key = a->entry.key;
    struct api_key_found f;
    a->remote.user = c->actor;
    if (!key && api_keys_find(api_of(a->req)->shared->api_keys, c->key_id, a->req->arena, &f) != OK)
        return ERR_KEY_DISABLED;
    key = key ? key : &f.key;
    a->remote.name = key->name;
    return put_groups(a, &key->roles);
}

static RESULT describe_user(struct asking *a, struct view name)
{
    struct user_found f;
    if (identity_user(api_of(a->req)->shared->identity, name, a->req->arena, &f) != OK)
        return ERR_UNAUTHENTICATED;
    a->remote.user = f.user.name;
    a->remote.name = f.user.name;
    a->remote.email = f.user.email;
    return put_groups(a, &f.user.roles);
}

static RESULT describe(struct asking *a)
{
    static const char user[] = "user:";
    const struct api_caller *c = &a->entry.caller;
    if (c->key_id.len)
        return describe_key(a);
    return describe_user(a, VIEW(c->actor.ptr + sizeof user - 1, c->actor.len - (sizeof user - 1)));
}

/* --- how often */

static bool within_limits(struct asking *a)
{
    const struct api_shared *s = api_of(a->req)->shared;
    struct often_ask ask = {
        .actor = a->entry.caller.actor, .row = a->row, .now_ns = s->clock->mono_ms(s->clock) * 1000000};
    uint8_t policy_text[1024] __attribute__((uninitialized)), state_text[1024] __attribute__((uninitialized));
    struct writer policy = writer_fixed(policy_text, sizeof policy_text);
    struct writer state = writer_fixed(state_text, sizeof state_text);
    uint64_t retry = 0;
    memcpy(ask.from.b, a->req->peer.address, sizeof ask.from.b);
    bool good = often_take(guard_often(s->guard), &ask, &policy, &state, &retry);
    api_rate_limits(a->req, &policy, &state);
    if (!good)
        api_retry_after(a->req, (unsigned)retry);
    return good;
}

/* --- refusing */

static enum http_outcome refuse_stranger(struct asking *a, const struct problem *why)
{
    struct http_request *req = a->req;
    set_header(req, "X-Holdfast-Verdict", view_str(err_code(why->code)));
    if (err_http(why->code) == 401)
        set_header(req, "WWW-Authenticate", VIEW_STR("Bearer realm=\"holdfast\""));
    anonymous_count(api_of(req), req, why->code);
    return http_answer_problem(req, why);
}

static enum http_outcome refuse_code(struct asking *a, enum err code)
{
    const struct problem why = {.code = code};
    return refuse_stranger(a, &why);
}

/* What is refused costs as much as what is allowed, or nothing would slow down who tries. A limit of his key was told.
 */
static bool within_limits_of(struct asking *a, enum err refusal)
{
    return err_http(refusal) == 429 || within_limits(a);
}

/* Durable before the answer; but a loop that does not stop fills no log. */
static enum http_outcome refuse_known(struct asking *a, uint16_t event, enum err code, const char *detail)
{
    if (!within_limits_of(a, code))
        return refuse_code(a, ERR_TOO_MANY_REQUESTS);
    struct record_object what = {.resource = a->resource, .detail = view_str(detail)};
    set_header(a->req, "X-Holdfast-Verdict", view_str(err_code(code)));
    return api_refuse(a->req, event, &what, code, detail);
}

/* --- who */

/* Named an identity and did not prove it: a stranger, who can't fill the log. */
static enum http_outcome refuse_entry(struct asking *a)
{
    const struct api_entry *e = &a->entry;
    struct http_request *req = a->req;
    struct record_object what = {.resource = e->named, .detail = e->detail, .error = view_str(err_code(e->error))};
    if (e->proven && !e->quiet)
        return refuse_known(a, e->event ? e->event : EVENT_PERMISSION_DENIED, e->error, NULL);
    bool wrong = automatic_reason(e->error) == NETWORKS_CREDENTIALS; /* which has limits of its own */
    if (wrong && !tries_failed(req))
        return refuse_code(a, ERR_TOO_MANY_ATTEMPTS);
    if (!wrong && !within_limits_of(a, e->error))
        return refuse_code(a, ERR_TOO_MANY_REQUESTS);
    if (e->named.len && anonymous_budget(api_of(req)))
        behind_refusal(req, e->event, &what);
    return refuse_code(a, e->error);
}

/* A browser sends its cookie along with what pages of other ports and subdomains ask for, too; a WebSocket begins so.
 */
static bool is_foreign(const struct http_request *req)
{
    struct view unused;
    return http_header(req, "Cookie", &unused) && http_header(req, "Origin", &unused) && !cookie_is_own(req);
}

/* OK with entry.caller known. Passwords are not taken from a proxy: their proof takes a tenth of a second. */
static RESULT find_who(struct asking *a)
{
    auth_find(a->req, &a->entry);
    a->req->caller = &a->entry;
    if (a->entry.error == OK && (a->entry.basic || a->entry.caller.actor.len == 0))
        a->entry.error = ERR_UNAUTHENTICATED;
    if (a->entry.error == OK && a->entry.caller.way == WAY_SESSION && is_foreign(a->req))
        a->entry.error = ERR_CROSS_SITE;
    return a->entry.error;
}

/* --- may he */

static enum decide_use use_of(const struct asking *a)
{
    bool reads = a->req->method == HTTP_GET || a->req->method == HTTP_HEAD;
    enum decide_use use = decide_use_of(permission_of(a));
    if (use == USE_EXECUTE)
        return use;
    return reads ? USE_READ : USE_WRITE;
}

static enum http_outcome let_through(struct http_request *req, void *asking)
{
    enum err e = set_remote(asking);
    if (e != OK)
        return http_answer_error(req, e);
    set_header(req, "X-Holdfast-Verdict", VIEW_STR("allowed"));
    return http_answer_empty(req, 200);
}

/* Behind the answer only while records are known to get into the log. */
static bool may_be_behind(const struct asking *a)
{
    const struct api_shared *s = api_of(a->req)->shared;
    return s->config->guard.record == CONFIG_GUARD_BEHIND && atomic_load(&s->health.log) == API_LOG_GOOD;
}

static enum http_outcome allow(struct asking *a)
{
    const struct allowed_ask ask = {
        .req = a->req,
        .what = {.resource = a->resource, .detail = view_str(permission_name(permission_of(a)))},
        .behind = may_be_behind(a),
        .then = let_through,
        .context = a,
    };
    return permission_of(a) == PERMISSION_PUBLIC ? let_through(a->req, a) : allowed_record(&ask);
}

/* --- does it look like an attack */

/* Of strangers within their budget; of somebody who is known each finding once in a while, so that a bot which trips
 * over a rule all the time fills no log. */
static bool is_worth_a_record(struct asking *a)
{
    struct api_thread *t = api_of(a->req);
    AUTO_WRITER w = writer_new(8192);
    if (permission_of(a) == PERMISSION_PUBLIC)
        return anonymous_budget(t);
    writer_view(&w, a->entry.caller.actor);
    writer_view(&w, a->inspected.detail);
    return writer_done(&w) == OK && anonymous_first(t, writer_view_of(&w), ERR_ATTACK_PATTERN, a->req->wall_ms);
}

/* What hit a rule and goes on all the same; and what strangers are refused, who are added up beside it. Nothing depends
 * on this record. */
static void note_hits(struct asking *a)
{
    struct record_object what = {.resource = a->resource, .detail = a->inspected.detail};
    if (!is_worth_a_record(a))
        return;
    if (a->inspected.refusal == OK) {
        behind_note(a->req, EVENT_ATTACK_PATTERN, &what);
        return;
    }
    what.error = view_str(err_code(a->inspected.refusal));
    behind_refusal(a->req, EVENT_ATTACK_PATTERN, &what);
}

static enum http_outcome refuse_pattern(struct asking *a)
{
    const struct record_object what = {.resource = a->resource, .detail = a->inspected.detail};
    const char *code = err_code(a->inspected.refusal);
    if (permission_of(a) == PERMISSION_PUBLIC)
        return refuse_code(a, a->inspected.refusal);
    set_header(a->req, "X-Holdfast-Verdict", view_str(code));
    return api_refuse(a->req, EVENT_ATTACK_PATTERN, &what, a->inspected.refusal, NULL);
}

static enum http_outcome inspect(struct asking *a)
{
    const struct inspect_ask ask = {.target = a->proxied.target, .path = a->proxied.path};
    enum err e = inspect_request(a->req, &ask, &a->inspected);
    if (e != OK) {
        proxied_failed(a->req, e);
        return http_answer_error(a->req, e);
    }
    if (a->inspected.detail.len && (a->inspected.refusal == OK || permission_of(a) == PERMISSION_PUBLIC))
        note_hits(a);
    return a->inspected.refusal == OK ? allow(a) : refuse_pattern(a);
}

/* What a limit refuses is added up with what strangers are refused: a loop that does not stop fills no log. */
static enum http_outcome admit(struct asking *a)
{
    return within_limits(a) ? inspect(a) : refuse_code(a, ERR_TOO_MANY_REQUESTS);
}

static enum http_outcome judge_known(struct asking *a)
{
    const struct decide_what what = {.permission = permission_of(a), .use = use_of(a)};
    if (a->no_rule != OK)
        return refuse_known(a, EVENT_PERMISSION_DENIED, a->no_rule, NULL);
    if (a->entry.caller.must_enrol)
        return refuse_known(a, EVENT_PERMISSION_DENIED, ERR_SECOND_FACTOR_REQUIRED, NULL);
    enum decide_rule rule = decide_may(&a->entry.caller.standing, &what);
    if (rule != RULE_GRANTED)
        return refuse_known(a, EVENT_PERMISSION_DENIED, ERR_FORBIDDEN, decide_words(rule));
    enum err e = describe(a);
    return e == OK ? admit(a) : refuse_code(a, e);
}

/* --- the stages */

/* A path of any length has its place in the record: of a long one its beginning, and its hash. */
static void put_path(struct view path, struct writer *w)
{
    uint8_t hash[SHA256_SIZE];
    size_t n = path.len > PATH_SHOWN ? PATH_SHOWN : path.len;
    while (n < path.len && (path.ptr[n] & 0xc0) == 0x80)
        n--;
    writer_view(w, VIEW(path.ptr, n));
    if (n == path.len)
        return;
    sha256(path, hash);
    writer_str(w, "… sha256:");
    hex_put(w, VIEW_OF(hash));
}

static RESULT name_resource(struct asking *a)
{
    uint8_t text[PATH_SHOWN + 160] __attribute__((uninitialized));
    struct writer w = writer_fixed(text, sizeof text);
    writer_str(&w, "endpoint:");
    writer_view(&w, a->proxied.method);
    writer_str(&w, " ");
    put_path(a->proxied.path, &w);
    TRY(writer_done(&w));
    return arena_copy(a->req->arena, writer_view_of(&w), &a->resource);
}

static enum http_outcome judge(struct asking *a)
{
    const struct guard *guard = api_of(a->req)->shared->guard;
    struct address from;
    if (name_resource(a) != OK)
        return http_answer_error(a->req, ERR_NO_MEMORY);
    proxied_stand_for(a->req, &a->proxied);
    memcpy(from.b, a->req->peer.address, sizeof from.b);
    enum err e = guard_admits(guard, &from, a->req->wall_ms);
    if (e != OK)
        return refuse_code(a, e);
    a->no_rule = endpoints_find(guard_endpoints(guard), a->proxied.method, a->proxied.path, &a->row);
    if (a->no_rule == OK && permission_of(a) == PERMISSION_PUBLIC)
        return admit(a);
    return find_who(a) == OK ? judge_known(a) : refuse_entry(a);
}

enum http_outcome verdict_give(struct http_request *req)
{
    const struct guard *guard = api_of(req)->shared->guard;
    struct asking *a = arena_alloc(req->arena, sizeof *a);
    struct network_source from = {.is_unix = req->peer.is_unix, .uid = (uint32_t)req->peer.uid};
    struct problem why = {0};
    if (!a)
        return http_answer_error(req, ERR_NO_MEMORY);
    *a = (struct asking){.req = req};
    memcpy(from.address, req->peer.address, sizeof from.address);
    if (!guard_is_proxy(guard, &from))
        return refuse_code(a, ERR_NOT_A_PROXY);
    enum err e = proxied_read(req, guard, &a->proxied, &why);
    if (a->proxied.few_statuses)
        http_answer_few_statuses(req);
    if (e == ERR_PATH_AMBIGUOUS) /* the client's doing, and no other of these is */
        req->peer = a->proxied.peer;
    return e == OK ? judge(a) : refuse_stranger(a, &why);
}

#define VERDICT(method_, name_, ...)                                                                                   \
    ROUTE(method_, "/api/v1/guard/verdict", PERMISSION_PUBLIC, verdict_give, .name = (name_),                          \
          .summary = "May this request go on? For a proxy, which says in headers what it is about", .tag = "guard",    \
          .event = EVENT_REQUEST_ALLOWED, .durability = DURABLE_BEHIND, __VA_ARGS__)

/* By POST the request's body may come along, and is looked at. */
static const struct route routes[] = {
    VERDICT(HTTP_GET, "guard-verdict", .flags = ROUTE_ANY_QUERY | ROUTE_FOREIGN_QUERY),
    VERDICT(HTTP_POST, "guard-verdict-post", .flags = ROUTE_ANY_QUERY | ROUTE_FOREIGN_QUERY | ROUTE_ANY_BODY,
            .body_limit = CONFIG_PATTERNS_BODY_MAX),
};
const struct route_table verdict_routes = {routes, ARRAY_LEN(routes)};
