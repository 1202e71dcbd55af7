/* The OpenID AuthZEN Authorization API 1.0: the question of explain.c as programs from elsewhere ask it. A subject is a
 * user or a key, an action's name is a permission, a resource of type secret or credential is looked at as well.
 * Members that it does not know are passed over, as the specification wants. */
#include "api/explain.h"

#include "api/routes.h"
#include "base/json.h"

#define BODY_LIMIT      ((size_t)256 * 1024)
#define EVALUATIONS_MAX 256
#define NAMED_MAX       256 /* bytes of an identity in the record of a refusal */

struct question {
    struct view subject_type, subject_id, action, level, resource_type, resource_id;
};

struct verdict {
    bool allowed;
    struct view code, role, words;
    struct text_list not_judged;
    unsigned status;     /* 0, or why it could not be judged */
    struct view refused; /* of whom nothing is said to who asks */
};

/* --- reading */

static struct view text_of(const json_t *object, const char *name)
{
    const json_t *t = json_object_get(object, name);
    return json_is_string(t) ? VIEW(json_string_value(t), json_string_length(t)) : (struct view){0};
}

static RESULT has_text(const json_t *object, const char *of, const char *name, struct view *ret, struct problem *why)
{
    char where[48];
    *ret = text_of(object, name);
    if (ret->len)
        return OK;
    (void)snprintf(where, sizeof where, "/%s/%s", of, name);
    return problem_set(why, json_object_get(object, name) ? ERR_WRONG_TYPE : ERR_MISSING_FIELD, where, "%s",
                       "A text that is not empty belongs here.");
}

/* The member of the evaluation, else the one that stands for all. */
static RESULT member(const json_t *own, const json_t *all, const char *name, const json_t **ret, struct problem *why)
{
    char where[48];
    const json_t *m = json_object_get(own, name);
    *ret = m ? m : json_object_get(all, name);
    if (json_is_object(*ret))
        return OK;
    (void)snprintf(where, sizeof where, "/%s", name);
    return problem_set(why, *ret ? ERR_WRONG_TYPE : ERR_MISSING_FIELD, where, "%s", "An object belongs here.");
}

/* What may be left out must be an object if it is there. */
static RESULT optional_object(const json_t *of, const char *name, const json_t **ret, struct problem *why)
{
    *ret = json_object_get(of, name);
    return !*ret || json_is_object(*ret) ? OK : problem_set(why, ERR_WRONG_TYPE, name, "%s", "An object belongs here.");
}

static RESULT read_question(const json_t *own, const json_t *all, struct question *ret, struct problem *why)
{
    const json_t *subject, *action, *resource, *properties;
    struct question q = {0};
    if (!json_is_object(own))
        return problem_set(why, ERR_WRONG_TYPE, "", "%s", "An object belongs here.");
    TRY(member(own, all, "subject", &subject, why));
    TRY(member(own, all, "action", &action, why));
    TRY(member(own, all, "resource", &resource, why));
    TRY(optional_object(own, "context", &properties, why));
    TRY(optional_object(all, "context", &properties, why));
    TRY(optional_object(subject, "properties", &properties, why));
    TRY(optional_object(resource, "properties", &properties, why));
    TRY(optional_object(action, "properties", &properties, why));
    TRY(has_text(subject, "subject", "type", &q.subject_type, why));
    TRY(has_text(subject, "subject", "id", &q.subject_id, why));
    TRY(has_text(action, "action", "name", &q.action, why));
    TRY(has_text(resource, "resource", "type", &q.resource_type, why));
    TRY(has_text(resource, "resource", "id", &q.resource_id, why));
    q.level = properties ? text_of(properties, "level") : (struct view){0};
    *ret = q;
    return OK;
}

/* --- judging */

static RESULT named(struct arena *arena, struct view type, struct view id, struct view *ret)
{
    AUTO_WRITER w = writer_new(8192);
    writer_view(&w, type);
    writer_str(&w, ":");
    writer_view(&w, id);
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static RESULT judge(struct http_request *req, const struct question *q, struct verdict *ret, struct problem *why)
{
    struct explain_asked asked = {.permission = q->action, .level = q->level};
    struct explanation x = {0};
    struct explain_subject who = {0};
    struct decide_what what = {0};
    struct view identity = {0};
    TRY(named(req->arena, q->subject_type, q->subject_id, &identity));
    TRY(named(req->arena, q->resource_type, q->resource_id, &asked.resource));
    if (!explain_may_ask(req, identity)) {
        ret->refused = identity.len > NAMED_MAX ? VIEW_STR("a long name") : identity;
        return problem_set(why, ERR_FORBIDDEN, "/subject", "%s", EXPLAIN_REFUSAL);
    }
    enum err e = explain_subject(req, identity, &who);
    if (e == ERR_BAD_VALUE) /* another kind of subject: nobody here */
        who = (struct explain_subject){.standing.broken = RULE_NOBODY};
    else
        TRY(e);
    if (!role_permission_valid(q->action)) {
        *ret = (struct verdict){.code = VIEW_STR("no-such-permission"),
                                .words = VIEW_STR("there is no such permission")};
        return OK;
    }
    TRY(explain_what(req, &asked, &what, why));
    TRY(explain(req, &who, &what, NULL, &x));
    *ret = (struct verdict){
        .allowed = x.allowed, .code = x.rule, .role = x.role, .words = x.words, .not_judged = x.not_judged};
    return OK;
}

static RESULT evaluate(struct http_request *req, const json_t *own, const json_t *all, struct verdict *ret,
                       struct problem *why)
{
    struct question q = {0};
    *why = (struct problem){0};
    enum err e = read_question(own, all, &q, why);
    if (e == OK)
        e = judge(req, &q, ret, why);
    if (e != OK && why->code == OK)
        why->code = e;
    return e;
}

static void put_not_judged(struct writer *w, const struct text_list *l)
{
    if (l->count == 0)
        return;
    json_name(w, "not_judged");
    json_open(w, '[');
    for (size_t i = 0; i < l->count; i++) {
        json_item(w);
        json_put_text(w, l->items[i]);
    }
    json_close(w, ']');
}

static void put_verdict(struct writer *w, const struct verdict *v)
{
    json_open(w, '{');
    json_bool(w, "decision", v->allowed);
    json_name(w, "context");
    json_open(w, '{');
    if (v->status) {
        json_name(w, "error");
        json_open(w, '{');
        json_u64(w, "status", v->status);
        json_text(w, "message", v->words);
        json_close(w, '}');
    } else {
        json_text(w, "code", v->code);
        json_text(w, "reason", v->words);
    }
    if (v->role.len)
        json_text(w, "role", v->role);
    put_not_judged(w, &v->not_judged);
    json_close(w, '}');
    json_close(w, '}');
}

static enum http_outcome answer_one(struct http_request *req, const json_t *body)
{
    struct verdict v = {0};
    struct problem why;
    enum err e = evaluate(req, body, body, &v, &why);
    if (e == ERR_FORBIDDEN)
        return people_refuse(req, "", v.refused, EXPLAIN_REFUSAL);
    if (e != OK)
        return http_answer_problem(req, &why);
    put_verdict(http_body(req), &v);
    return http_answer_json(req, 200);
}

/* --- many at once */

static const struct semantic {
    const char *name;
    bool stops_at_deny, stops_at_permit;
} semantics[] = {
    {"execute_all", false, false},
    {"deny_on_first_deny", true, false},
    {"permit_on_first_permit", false, true},
};

static RESULT semantic_of(const json_t *body, const struct semantic **ret, struct problem *why)
{
    const json_t *options;
    TRY(optional_object(body, "options", &options, why));
    const json_t *name = options ? json_object_get(options, "evaluations_semantic") : NULL;
    *ret = &semantics[0];
    for (size_t i = 0; name && i < ARRAY_LEN(semantics); i++)
        if (view_is(text_of(options, "evaluations_semantic"), semantics[i].name)) {
            *ret = &semantics[i];
            return OK;
        }
    return name ? problem_set(why, ERR_BAD_VALUE, "/options/evaluations_semantic", "%s",
                              "execute_all, deny_on_first_deny or permit_on_first_permit.")
                : OK;
}

/* One that can't be judged is denied, and says why; the others go on. */
static void put_next(struct http_request *req, const json_t *own, const json_t *all, struct verdict *ret)
{
    struct verdict v = {0};
    struct problem why;
    if (evaluate(req, own, all, &v, &why) != OK) {
        v = (struct verdict){.status = (unsigned)err_http(why.code), .refused = v.refused};
        v.words = view_str(why.detail[0] ? why.detail : err_sentence(why.code));
    }
    json_item(http_body(req));
    put_verdict(http_body(req), &v);
    *ret = v;
}

static enum http_outcome answer_recorded(struct api_change *c)
{
    return c->txn.result == OK ? http_answer_json(c->req, 200) : api_change_failed(c);
}

/* The first one that was refused stands for all of this request. */
static enum http_outcome record_refused(struct http_request *req, struct view refused)
{
    struct record_object what = {.detail = view_str(req->route->name), .error = view_str(err_code(ERR_FORBIDDEN))};
    struct api_change *c = NULL;
    enum err e = api_change_new(req, &c);
    if (e == OK)
        e = people_named(req->arena, "", refused, &what.resource);
    if (e == OK)
        e = api_change_record(c, EVENT_PERMISSION_DENIED, OUTCOME_REFUSED, &what, (struct view){0});
    if (e != OK)
        return http_answer_error(req, e);
    c->then = answer_recorded;
    return api_change_submit(c);
}

static enum http_outcome answer_all(struct http_request *req, const json_t *body, const json_t *list)
{
    const struct semantic *s;
    struct verdict v;
    struct view refused = {0};
    struct problem why = {0};
    if (json_array_size(list) > EVALUATIONS_MAX)
        return people_problem(req, ERR_OUT_OF_RANGE, "/evaluations", "At most 256 evaluations at once.");
    if (semantic_of(body, &s, &why) != OK)
        return http_answer_problem(req, &why);
    struct writer *w = http_body(req);
    json_open(w, '{');
    json_name(w, "evaluations");
    json_open(w, '[');
    for (size_t i = 0; i < json_array_size(list); i++) {
        put_next(req, json_array_get(list, i), body, &v);
        refused = refused.len ? refused : v.refused;
        if (v.allowed ? s->stops_at_permit : s->stops_at_deny)
            break;
    }
    json_close(w, ']');
    json_close(w, '}');
    return refused.len ? record_refused(req, refused) : http_answer_json(req, 200);
}

/* --- the routes */

static bool is_json(const struct http_request *req)
{
    struct view type = {0};
    static const char json[] = "application/json";
    if (!http_header(req, "Content-Type", &type) || type.len < sizeof json - 1)
        return false;
    return strncasecmp((const char *)type.ptr, json, sizeof json - 1) == 0 &&
           (type.len == sizeof json - 1 || type.ptr[sizeof json - 1] == ';' || type.ptr[sizeof json - 1] == ' ');
}

static enum http_outcome with_body(struct http_request *req, bool many)
{
    __attribute__((cleanup(json_decref_auto))) json_t *body = NULL;
    struct problem why = {0};
    if (!is_json(req))
        return http_answer_error(req, ERR_UNSUPPORTED_MEDIA_TYPE);
    if (json_read(req->body, &body, &why) != OK)
        return http_answer_problem(req, &why);
    if (!json_is_object(body))
        return people_problem(req, ERR_WRONG_TYPE, "", "An object belongs here.");
    const json_t *list = many ? json_object_get(body, "evaluations") : NULL;
    if (list && !json_is_array(list))
        return people_problem(req, ERR_WRONG_TYPE, "/evaluations", "An array belongs here.");
    return json_array_size(list) ? answer_all(req, body, list) : answer_one(req, body);
}

static enum http_outcome evaluation_post(struct http_request *req)
{
    return with_body(req, false);
}

static enum http_outcome evaluations_post(struct http_request *req)
{
    return with_body(req, true);
}

static void put_url(struct writer *w, const char *name, struct view host, const char *path)
{
    AUTO_WRITER url = writer_new(1024);
    writer_str(&url, "https://");
    writer_view(&url, host);
    writer_str(&url, path);
    json_text(w, name, writer_view_of(&url));
}

/* At the name by which the client came here: that is what it compares with. */
static enum http_outcome configuration_get(struct http_request *req)
{
    struct view host = {0};
    struct writer *w = http_body(req);
    if (!http_header(req, "Host", &host) || host.len == 0 || host.len > 256)
        return http_answer_error(req, ERR_BAD_REQUEST);
    json_open(w, '{');
    put_url(w, "policy_decision_point", host, "");
    put_url(w, "access_evaluation_endpoint", host, "/access/v1/evaluation");
    put_url(w, "access_evaluations_endpoint", host, "/access/v1/evaluations");
    json_close(w, '}');
    return http_answer_json(req, 200);
}

#define FLAGS (ROUTE_ANY_BODY | ROUTE_ECHO_ID)

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/access/v1/evaluation", PERMISSION_MEV_API, evaluation_post, .name = "access-evaluation",
          .summary = "AuthZEN: may this subject do this action on this resource", .tag = "roles", .ways = WAYS_ALL,
          .flags = FLAGS, .durability = DURABLE_NONE, .media = "application/json", .body_limit = BODY_LIMIT),
    ROUTE(HTTP_POST, "/access/v1/evaluations", PERMISSION_MEV_API, evaluations_post, .name = "access-evaluations",
          .summary = "AuthZEN: up to 256 of these questions at once", .tag = "roles", .ways = WAYS_ALL, .flags = FLAGS,
          .durability = DURABLE_NONE, .media = "application/json", .body_limit = BODY_LIMIT),
    ROUTE(HTTP_GET, "/.well-known/authzen-configuration", PERMISSION_PUBLIC, configuration_get,
          .name = "authzen-configuration", .summary = "AuthZEN: where evaluations are asked for", .tag = "roles",
          .flags = ROUTE_WHEN_SEALED | ROUTE_ECHO_ID, .durability = DURABLE_NONE, .media = "application/json"),
};
const struct route_table authzen_routes = {routes, ARRAY_LEN(routes)};
