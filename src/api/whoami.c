/* Who am I, and what may I do: for whoever has been let in, whichever way. */
#include "api/people.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"

struct whoami {
    struct view actor, way, name, key_id, secret_level;
    struct text_list roles, permissions, environments;
    uint64_t created, expires;
    bool second_factor_missing;
};
static const struct field whoami_fields[] = {
    FIELD(1, struct whoami, actor, TEXT, 96, .flags = FIELD_PRINT_ZERO, .doc = "As the record calls the caller."),
    FIELD(2, struct whoami, way, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "session, api-key, unix-user, token, basic or certificate."),
    FIELD(3, struct whoami, name, TEXT, API_KEY_NAME_MAX, .flags = FIELD_PRINT_ZERO, .doc = "Of the user or the key."),
    FIELD(4, struct whoami, key_id, TEXT, API_KEY_ID_LEN),
    FIELD(5, struct whoami, roles, TEXTS, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(6, struct whoami, permissions, TEXTS, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "All that the roles grant together, less what any of them denies."),
    FIELD(7, struct whoami, secret_level, TEXT, 16, .flags = FIELD_PRINT_ZERO,
          .doc = "none, read, write, admin or emergency."),
    FIELD(8, struct whoami, environments, TEXTS, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Whose secrets the caller may touch."),
    FIELD(9, struct whoami, created, TIME, 0),
    FIELD(10, struct whoami, expires, TIME, 0),
    FIELD(11, struct whoami, second_factor_missing, BOOL, 0,
          .doc = "The roles ask for one, and nothing but setting it up is open."),
};
static const struct entity whoami_entity = ENTITY("WhoAmI", 0x0703, 1, struct whoami, whoami_fields);

static const char *const levels[] = {"none", "read", "write", "admin", "emergency"};

static struct view way_of(const struct api_caller *c)
{
    static const struct {
        enum way_in way;
        const char *name;
    } names[] = {{WAY_SESSION, "session"}, {WAY_API_KEY, "api-key"}, {WAY_PEER, "unix-user"},
                 {WAY_TOKEN, "token"},     {WAY_BASIC, "basic"},     {WAY_CERTIFICATE, "certificate"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].way == c->way)
            return view_str(names[i].name);
    return (struct view){0};
}

static RESULT of_session(struct http_request *req, struct whoami *w)
{
    struct session s;
    struct user u;
    uint8_t hash[32];
    TRY(hex_get(api_caller_of(req)->session_id, hash, sizeof hash));
    TRY(identity_session(api_of(req)->shared->identity, hash, people_now(req), req->arena, &s, &u));
    w->way = way_of(api_caller_of(req));
    w->name = u.name;
    w->roles = u.roles;
    w->created = s.created_ms;
    w->expires = s.expires_ms;
    return OK;
}

static RESULT of_key(struct http_request *req, struct whoami *w)
{
    const struct api_caller *caller = api_caller_of(req);
    struct api_key_found f;
    TRY(api_keys_find(api_of(req)->shared->api_keys, caller->key_id, req->arena, &f));
    w->way = way_of(caller);
    w->name = f.key.name;
    w->key_id = f.key.id;
    w->roles = f.key.roles;
    w->created = f.key.created_ms;
    w->expires = f.key.expires_ms;
    return OK;
}

/* A user without a session: what says when it ends, if anything, is the token. */
static RESULT of_user(struct http_request *req, struct whoami *w)
{
    const struct token_accepted *t = api_caller_of(req)->token;
    struct user_found f;
    TRY(identity_user(api_of(req)->shared->identity, people_caller_name(req), req->arena, &f));
    w->way = way_of(api_caller_of(req));
    w->name = f.user.name;
    w->roles = f.user.roles;
    w->created = t ? t->issued_ms : 0;
    w->expires = t ? t->expires_ms : 0;
    return OK;
}

static enum http_outcome session_get(struct http_request *req)
{
    const struct api_caller *caller = api_caller_of(req);
    struct whoami w = {.actor = caller->actor, .second_factor_missing = caller->must_enrol};
    enum err e = caller->way == WAY_SESSION ? of_session(req, &w)
                 : caller->key_id.len       ? of_key(req, &w)
                                            : of_user(req, &w);
    if (e == OK)
        e = people_permissions(caller->permissions, req->arena, &w.permissions);
    if (e == OK)
        e = people_environments_put(caller->access.environments, req->arena, &w.environments);
    if (e != OK)
        return http_answer_error(req, e);
    w.secret_level = view_str(levels[caller->access.level < ARRAY_LEN(levels) ? caller->access.level : 0]);
    return http_answer_entity(req, 200, &whoami_entity, &w);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/session", PERMISSION_AUTHENTICATED, session_get, .name = "session", .flags = ROUTE_ENROLS,
          .summary = "Who am I, and what may I do", .tag = "session", .ways = WAYS_ALL, .durability = DURABLE_NONE,
          .response = &whoami_entity),
};
const struct route_table whoami_routes = {routes, ARRAY_LEN(routes)};
