/* One question, one answer: what an identity may do and which rule says so, and who may do something. */
#include "api/explain.h"

#include "api/credentials.h"
#include "api/inside.h"
#include "api/keys.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"
#include "domain/secrets/secrets.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     500

static const struct field explanation_fields[] = {
    FIELD(1, struct explanation, identity, TEXT, 0, .doc = "user:NAME or key:ID."),
    FIELD(2, struct explanation, allowed, BOOL, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(3, struct explanation, rule, TEXT, 64, .doc = "The stable code of the rule that decides."),
    FIELD(4, struct explanation, role, TEXT, ROLE_NAME_MAX, .doc = "The role that says so, if one does."),
    FIELD(5, struct explanation, words, TEXT, 256, .doc = "The same as a sentence."),
    FIELD(6, struct explanation, not_judged, TEXTS, 3,
          .doc =
              "source, endpoint: the key has rules for it, and the question did not say it. second_factor: without one "
              "in his session the user may nothing."),
};
const struct entity explanation_entity = ENTITY("Explanation", 0x0780, 1, struct explanation, explanation_fields);

struct query {
    struct view identity, permission, resource, level, after;
    struct explain_request said;
    uint32_t limit;
};

static bool source_valid(struct view v)
{
    struct network_source s;
    return network_source_parse(v, &s) == OK;
}

#define ASKED_FIELDS                                                                                                   \
    FIELD(2, struct query, permission, TEXT, 32, .flags = FIELD_REQUIRED, .min = 1, .check = role_permission_valid,    \
          .rule = "a permission such as market:read"),                                                                 \
        FIELD(3, struct query, resource, TEXT, 1024, .doc = "secret:PATH or credential:PATH."),                        \
        FIELD(4, struct query, level, TEXT, 16, .names = access_level_names, .doc = "Of a secret; read if left out.")
#define REQUEST_FIELDS                                                                                                 \
    FIELD_AS(6, struct query, said.source, "source", TEXT, 64, .check = source_valid,                                  \
             .rule = "an address, or unix:UID", .doc = "Where a request comes from: for the rules of keys."),          \
        FIELD_AS(7, struct query, said.endpoint, "endpoint", TEXT, RULES_TEXT_MAX, .check = rules_endpoint_valid,      \
                 .rule = "a method, a space and a path", .doc = "What it is for, such as GET /api/v1/secrets.")

static const struct field explain_fields[] = {
    FIELD(1, struct query, identity, TEXT, 128, .doc = "user:NAME or key:ID; who asks, if left out."),
    ASKED_FIELDS,
    REQUEST_FIELDS,
};
static const struct entity explain_entity = ENTITY("ExplainQuery", 0x0781, 1, struct query, explain_fields);
static const struct field who_fields[] = {
    FIELD(1, struct query, after, TEXT, 128, .doc = "next of the page before."),
    ASKED_FIELDS,
    FIELD(5, struct query, limit, U32, PAGE_MAX, .doc = "Look at so many identities; 100 if left out."),
    REQUEST_FIELDS,
};
static const struct entity who_entity = ENTITY("WhoCanQuery", 0x0782, 1, struct query, who_fields);

struct page {
    struct entity_list identities;
    struct view next;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, identities, LIST, PAGE_MAX, .flags = FIELD_PRINT_ZERO, .nested = &explanation_entity),
    FIELD(2, struct page, next, TEXT, 128, .doc = "Send it as after to look at the next; missing at the end."),
};
static const struct entity page_entity = ENTITY("WhoCanPage", 0x0783, 1, struct page, page_fields);

/* --- who */

static bool cut(struct view text, const char *prefix, struct view *ret)
{
    size_t n = strlen(prefix);
    if (!view_starts(text, prefix))
        return false;
    *ret = VIEW(text.ptr + n, text.len - n);
    return true;
}

static void stand_user(struct http_request *req, const struct user *u, struct explain_subject *ret)
{
    *ret = (struct explain_subject){0};
    standing_of_user(identity_roles(api_of(req)->shared->identity), u, &ret->standing);
    if (!u)
        return;
    ret->roles = u->roles;
    ret->asks_for_second = auth_asks_for_second(req, u);
}

static void stand_key(struct http_request *req, const struct api_key *k, struct explain_subject *ret)
{
    struct api_shared *s = api_of(req)->shared;
    *ret = (struct explain_subject){.roles = k->roles, .is_key = true, .key = *k};
    standing_of_key(s->identity, k, people_now(req), &ret->standing);
    if (ret->standing.broken == RULE_GRANTED && api_keys_used_up(s->api_keys, k->id, people_now(req)))
        ret->standing.broken = RULE_KEY_USED_UP;
}

RESULT explain_subject(struct http_request *req, struct view identity, struct explain_subject *ret)
{
    struct api_shared *s = api_of(req)->shared;
    struct view name;
    struct user_found user;
    struct api_key_found key = {0};
    enum err e = ERR_BAD_VALUE;
    if (cut(identity, "user:", &name))
        e = identity_user(s->identity, name, req->arena, &user);
    else if (cut(identity, "key:", &name))
        e = api_keys_find(s->api_keys, name, req->arena, &key);
    if (e == OK && view_starts(identity, "key:"))
        stand_key(req, &key.key, ret);
    else if (e == OK || e == ERR_NOT_FOUND)
        stand_user(req, e == OK ? &user.user : NULL, ret);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* --- what: 0 is the environment of what is not there, or not for who asks */

static RESULT secret_environment(struct http_request *req, struct view path, uint8_t *ret)
{
    const struct api_thread *t = api_of(req);
    struct secret_found f;
    enum err e = secret_get(t->reader, people_keys(req), path, req->arena, &f);
    *ret = 0;
    if (e == OK && secret_may_list(api_secret_access(req), f.meta.environment))
        *ret = f.meta.environment;
    return e == ERR_NOT_FOUND || e == ERR_BAD_VALUE ? OK : e;
}

static RESULT credential_environment(struct http_request *req, struct view path, uint8_t *ret)
{
    const struct api_thread *t = api_of(req);
    struct credential_rights mine = {0};
    struct credential_descriptor d = {0};
    struct credential_row row;
    enum err e = credential_row_get(t->reader, people_keys(req), path, req->arena, &row);
    *ret = 0;
    if (e == ERR_NOT_FOUND || e == ERR_BAD_VALUE)
        return OK;
    TRY(e);
    TRY(credentials_rights(req, &mine));
    TRY(entity_decode(&credential_descriptor_entity, row.descriptor, req->arena, &d));
    if (credentials_visible(&mine, path, d.environment))
        *ret = d.environment;
    return OK;
}

static RESULT level_of(struct view name, enum access_level *ret)
{
    *ret = ACCESS_READ;
    for (unsigned i = ACCESS_READ; name.len && access_level_names[i]; i++)
        if (view_is(name, access_level_names[i])) {
            *ret = (enum access_level)i;
            return OK;
        }
    return name.len ? ERR_BAD_VALUE : OK;
}

RESULT explain_what(struct http_request *req, const struct explain_asked *asked, struct decide_what *ret,
                    struct problem *why)
{
    struct decide_what w = {0};
    enum err e = OK;
    if (permission_find(asked->permission, &w.permission) != OK)
        return problem_set(why, ERR_BAD_VALUE, "permission", "%s", "There is no such permission; see docs/roles.md.");
    if (level_of(asked->level, &w.level) != OK)
        return problem_set(why, ERR_BAD_VALUE, "level", "%s", "A level is read, write, admin or emergency.");
    w.use = decide_use_of(w.permission);
    if (cut(asked->resource, "secret:", &w.path)) {
        w.kind = KIND_SECRET;
        w.use = w.level > ACCESS_READ ? USE_WRITE : USE_READ;
        e = secret_environment(req, w.path, &w.environment);
    } else if (cut(asked->resource, "credential:", &w.path)) {
        w.kind = KIND_CREDENTIAL;
        w.use = USE_EXECUTE;
        e = credential_environment(req, w.path, &w.environment);
    }
    if (e != OK)
        return problem_set(why, e, "resource", "%s", "");
    *ret = w;
    return OK;
}

/* --- the answer */

static RESULT sentence(const struct explanation *x, enum decide_rule r, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(512);
    if (x->role.len)
        writer_printf(&w, "role %.*s: ", (int)x->role.len, (const char *)x->role.ptr);
    writer_str(&w, decide_words(r));
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* What is not said is not judged, and the answer says so: *ret_open, with room for two. */
static enum decide_rule rules_of(const struct api_key *k, const struct explain_request *said,
                                 struct text_list *ret_open)
{
    struct network_source from;
    struct view endpoint = said->endpoint;
    bool networks = k->allowed_networks.count + k->blocked_networks.count > 0;
    bool endpoints = k->allowed_endpoints.count + k->blocked_endpoints.count > 0;
    bool known = said->source.len && network_source_parse(said->source, &from) == OK;
    const uint8_t *space = endpoint.len ? memchr(endpoint.ptr, ' ', endpoint.len) : NULL;
    if (networks && known && !rules_allow_source(&k->allowed_networks, &k->blocked_networks, &from))
        return RULE_KEY_NETWORK;
    if (networks && !known)
        ret_open->items[ret_open->count++] = VIEW_STR("source");
    if (endpoints && !space)
        ret_open->items[ret_open->count++] = VIEW_STR("endpoint");
    if (!endpoints || !space)
        return RULE_GRANTED;
    size_t n = (size_t)(space - endpoint.ptr);
    bool allowed = rules_allow_endpoint(&k->allowed_endpoints, &k->blocked_endpoints, VIEW(endpoint.ptr, n),
                                        VIEW(space + 1, endpoint.len - n - 1));
    return allowed ? RULE_GRANTED : RULE_KEY_ENDPOINT;
}

/* Where a grant is missing, as take_emergency() of auth.c has it; a denial stays. */
static RESULT in_emergency(struct http_request *req, const struct explain_subject *who, const struct decide_what *what,
                           enum decide_rule *rule)
{
    const struct sessions_emergency of = {
        .user = who->sessions_of, .now_ms = people_now(req), .latest_ms = people_now(req) + EMERGENCY_MOST_S * 1000ull};
    bool missing = *rule == RULE_NOT_GRANTED || *rule == RULE_SECRET_LEVEL || *rule == RULE_SECRET_ENVIRONMENT;
    bool is = false;
    if (!missing || who->sessions_of.len == 0 || what->kind != KIND_SECRET || what->environment == 0 ||
        what->permission != PERMISSION_SECRETS_ACCESS ||
        !permission_has(who->standing.own.permissions, PERMISSION_EMERGENCY_OVERRIDE))
        return OK;
    TRY(identity_in_emergency(api_of(req)->shared->identity, &of, req->arena, &is));
    if (is)
        *rule = RULE_EMERGENCY;
    return OK;
}

RESULT explain(struct http_request *req, const struct explain_subject *who, const struct decide_what *what,
               const struct explain_request *said, struct explanation *ret)
{
    static const struct explain_request nothing;
    struct roles *roles = identity_roles(api_of(req)->shared->identity);
    struct text_list open = {.items = arena_alloc(req->arena, 3 * sizeof *open.items)};
    if (!open.items)
        return ERR_NO_MEMORY;
    enum decide_rule r = decide_may(&who->standing, what);
    if (r == RULE_GRANTED && who->is_key)
        r = rules_of(&who->key, said ? said : &nothing, &open);
    if (r == RULE_GRANTED && who->asks_for_second)
        open.items[open.count++] = VIEW_STR("second_factor");
    struct explanation x = {.identity = ret->identity, .not_judged = open};
    r = decide_why(roles, &who->roles, what->permission, r, &x.role);
    TRY(in_emergency(req, who, what, &r));
    x.allowed = r == RULE_GRANTED || r == RULE_EMERGENCY;
    x.rule = view_str(decide_code(r));
    TRY(sentence(&x, r, req->arena, &x.words));
    *ret = x;
    return OK;
}

/* --- GET /api/v1/explain */

bool explain_may_ask(struct http_request *req, struct view identity)
{
    const struct api_caller *c = api_caller_of(req);
    struct view me = people_caller_name(req), id;
    struct api_key_found key;
    if (permission_has(c->permissions, EXPLAIN_OTHERS) || view_eq(identity, c->actor))
        return true;
    if (!cut(identity, "key:", &id))
        return false;
    if (view_eq(id, c->key_id))
        return true;
    return me.len && api_keys_find(api_of(req)->shared->api_keys, id, req->arena, &key) == OK &&
           view_eq(key.key.owner, me);
}

static enum http_outcome explain_get(struct http_request *req)
{
    struct query q = {0};
    struct explain_subject who = {0};
    struct decide_what what = {0};
    struct explanation x = {0};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    const struct explain_asked asked = {q.permission, q.resource, q.level};
    const struct api_caller *c = api_caller_of(req);
    if (q.identity.len == 0 && c->key_id.len && people_named(req->arena, "key:", c->key_id, &q.identity) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    x.identity = q.identity.len ? q.identity : c->actor;
    if (!explain_may_ask(req, x.identity))
        return people_refuse(req, "", x.identity, EXPLAIN_REFUSAL);
    enum err e = explain_subject(req, x.identity, &who);
    if (e == ERR_BAD_VALUE)
        return people_problem(req, e, "identity", "An identity is user:NAME or key:ID.");
    if (e != OK)
        return http_answer_error(req, e);
    (void)cut(x.identity, "user:", &who.sessions_of);
    if (explain_what(req, &asked, &what, &why) != OK)
        return http_answer_problem(req, &why);
    e = explain(req, &who, &what, &q.said, &x);
    return e == OK ? http_answer_entity(req, 200, &explanation_entity, &x) : http_answer_error(req, e);
}

/* --- GET /api/v1/who-can: one page of users, then of keys, and who of them may */

struct looking {
    struct http_request *req;
    struct decide_what what;
    struct explain_request said;
    struct page page;
    size_t limit;
};

static RESULT note(struct looking *l, const char *prefix, struct view name, const struct explain_subject *who)
{
    struct explanation x = {0};
    struct explanation *out = l->page.identities.items;
    TRY(explain(l->req, who, &l->what, &l->said, &x));
    if (!x.allowed)
        return OK;
    TRY(people_named(l->req->arena, prefix, name, &x.identity));
    out[l->page.identities.count++] = x;
    return OK;
}

static RESULT look_at_users(struct looking *l, struct view after)
{
    const struct users_range range = {.after = after, .limit = l->limit};
    struct explain_subject who = {0};
    struct entity_list found;
    TRY(identity_users_page(api_of(l->req)->shared->identity, &range, l->req->arena, &found));
    const struct user *u = found.items;
    for (size_t i = 0; i < found.count; i++) {
        stand_user(l->req, &u[i], &who);
        who.sessions_of = u[i].name;
        TRY(note(l, "user:", u[i].name, &who));
    }
    if (found.count < l->limit)
        l->page.next = VIEW_STR("key:");
    else
        TRY(people_named(l->req->arena, "user:", u[found.count - 1].name, &l->page.next));
    return OK;
}

static RESULT look_at_keys(struct looking *l, struct view after)
{
    const struct api_keys_range range = {.after = after, .limit = l->limit};
    struct explain_subject who = {0};
    struct entity_list found;
    TRY(api_keys_page(api_of(l->req)->shared->api_keys, &range, l->req->arena, &found));
    const struct api_key *k = found.items;
    for (size_t i = 0; i < found.count; i++) {
        stand_key(l->req, &k[i], &who);
        TRY(note(l, "key:", k[i].id, &who));
    }
    if (found.count == l->limit)
        TRY(people_named(l->req->arena, "key:", k[found.count - 1].id, &l->page.next));
    return OK;
}

static RESULT look(struct looking *l, struct view after)
{
    struct view name = {0};
    l->page.identities.items = arena_alloc(l->req->arena, (l->limit + 1) * sizeof(struct explanation));
    if (!l->page.identities.items)
        return ERR_NO_MEMORY;
    if (cut(after, "key:", &name))
        return look_at_keys(l, name);
    if (after.len && !cut(after, "user:", &name))
        return ERR_BAD_VALUE;
    return look_at_users(l, name);
}

static enum http_outcome who_can_get(struct http_request *req)
{
    struct query q = {0};
    struct looking l = {.req = req};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    const struct explain_asked asked = {q.permission, q.resource, q.level};
    if (explain_what(req, &asked, &l.what, &why) != OK)
        return http_answer_problem(req, &why);
    l.said = q.said;
    l.limit = q.limit ? q.limit : PAGE_DEFAULT;
    enum err e = look(&l, q.after);
    if (e == ERR_BAD_VALUE)
        return people_problem(req, e, "after", "Send what next of the page before said.");
    return e == OK ? http_answer_entity(req, 200, &page_entity, &l.page) : http_answer_error(req, e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/explain", PERMISSION_AUTHENTICATED, explain_get, .name = "explain",
          .summary = "May this identity do this, and which rule says so", .tag = "roles", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &explain_entity, .response = &explanation_entity),
    ROUTE(HTTP_GET, "/api/v1/who-can", PERMISSION_USERS_MANAGE, who_can_get, .name = "who-can",
          .summary = "Which users and API keys may do this, and why", .tag = "roles", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &who_entity, .response = &page_entity),
};
const struct route_table explain_routes = {routes, ARRAY_LEN(routes)};
