/* One's own password and profile. Guessing the old one counts like guessing at a log-in, so that a stolen session does
 * not help. */
#include "api/inside.h"
#include "api/login.h"
#include "api/routes.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"

struct password_change {
    struct view old_password, new_password;
};
static const struct field change_fields[] = {
    FIELD(1, struct password_change, old_password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "The one in force."),
    FIELD(2, struct password_change, new_password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "As the rules for passwords say."),
};
static const struct entity change_entity = ENTITY("PasswordChange", 0x0705, 1, struct password_change, change_fields);

/* --- storing */

static RESULT fill(struct login *l, struct api_change *c)
{
    struct user_found after = l->user;
    const struct record_object what = {.resource = l->actor, .detail = VIEW_STR("own password")};
    struct txn_change put;
    user_unlock(&after.user);
    TRY(user_set_password(&after.user, view_str(l->fresh.hash), people_rules(l->req)->history, people_now(l->req),
                          l->req->arena));
    TRY(identity_put_user(people_keys(l->req), &after.user, &l->user, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    TRY(people_end_other_sessions(l->req, l->name, c));
    TRY(tokens_end(c, REVOKED_SUBJECT, l->actor));
    return api_change_record(c, EVENT_USER_CHANGED, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome stored(struct api_change *c)
{
    struct login *l = c->context;
    if (c->txn.result == ERR_CONFLICT && l->tries++ < PEOPLE_TRIES)
        return login_judge(l); /* the user was changed meanwhile, his password perhaps */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return http_answer_empty(l->req, 204);
}

static enum http_outcome store(struct login *l)
{
    struct api_change *c = NULL;
    enum err e = api_change_new(l->req, &c);
    if (e == OK)
        e = fill(l, c);
    if (e == ERR_NOT_FOUND) /* this session was ended while the password was looked at */
        e = ERR_UNAUTHENTICATED;
    if (e != OK)
        return http_answer_error(l->req, e);
    c->then = stored;
    c->context = l;
    return api_change_submit(c);
}

static enum http_outcome hash_new(struct login *l)
{
    return login_hash_fresh(l, "/new_password", store);
}

/* --- the request */

static RESULT check(const struct http_request *req, const struct password_change *q, struct view name,
                    struct problem *why)
{
    struct problem found;
    if (view_eq(q->old_password, q->new_password))
        return problem_set(why, ERR_WEAK_PASSWORD, "/new_password", "%s", "It is the old one.");
    enum err e = password_acceptable(q->new_password, name, people_rules(req), &found);
    return e == OK ? OK : problem_set(why, e, "/new_password", "%s", found.detail);
}

static enum http_outcome password_post(struct http_request *req)
{
    struct view name = people_caller_name(req);
    struct login *l = arena_alloc(req->arena, sizeof *l);
    struct password_change q = {0};
    struct problem why;
    if (!l)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK || check(req, &q, name, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = login_fill(l, req, name, q.old_password);
    if (e != OK)
        return http_answer_error(req, e);
    l->fresh.password = q.new_password;
    l->proven = hash_new;
    return login_verify(l);
}

/* --- one's own profile: what it leaves out, nobody changes of himself */

struct profile {
    struct view name, email;
    struct text_list roles, environments;
    uint64_t created, last_login, password_changed;
};
static const struct field profile_fields[] = {
    FIELD(1, struct profile, name, TEXT, USER_NAME_MAX, .flags = FIELD_PRINT_ZERO),
    FIELD(2, struct profile, email, TEXT, USER_EMAIL_MAX, .flags = FIELD_PRINT_ZERO),
    FIELD(3, struct profile, roles, TEXTS, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(4, struct profile, environments, TEXTS, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(5, struct profile, created, TIME, 0),
    FIELD(6, struct profile, last_login, TIME, 0),
    FIELD(7, struct profile, password_changed, TIME, 0),
};
static const struct entity profile_entity = ENTITY("OwnProfile", 0x0707, 1, struct profile, profile_fields);

struct profile_change {
    struct view email;
};
static const struct field profile_change_fields[] = {
    FIELD(1, struct profile_change, email, TEXT, USER_EMAIL_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = text_printable, .rule = "printable text"),
};
static const struct entity profile_change_entity = ENTITY("OwnProfileChange", 0x0708, 1, struct profile_change,
                                                          profile_change_fields);

struct own { /* a change of one's own row */
    struct http_request *req;
    struct profile_change change;
    struct user_found before;
    unsigned tries;
};

static enum http_outcome answer_profile(struct http_request *req, const struct user *u)
{
    struct profile p = {.name = u->name,
                        .email = u->email,
                        .roles = u->roles,
                        .created = u->created_ms,
                        .last_login = u->last_login_ms,
                        .password_changed = u->password_changed_ms};
    enum err e = people_environments_put(u->environments, req->arena, &p.environments);
    return e == OK ? http_answer_entity(req, 200, &profile_entity, &p) : http_answer_error(req, e);
}

static RESULT myself(struct http_request *req, struct user_found *ret)
{
    return identity_user(api_of(req)->shared->identity, people_caller_name(req), req->arena, ret);
}

static enum http_outcome profile_get(struct http_request *req)
{
    struct user_found f;
    enum err e = myself(req, &f);
    return e == OK ? answer_profile(req, &f.user) : http_answer_error(req, e);
}

static enum http_outcome commit_profile(struct own *o);

static enum http_outcome profile_stored(struct api_change *c)
{
    struct own *o = c->context;
    if (c->txn.result == ERR_CONFLICT && o->tries++ < PEOPLE_TRIES)
        return commit_profile(o);
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    o->before.user.email = o->change.email;
    return answer_profile(o->req, &o->before.user);
}

static RESULT fill_profile(void *context, struct api_change *c)
{
    struct own *o = context;
    const struct record_object what = {.resource = api_caller_of(o->req)->actor, .detail = VIEW_STR("own e-mail")};
    struct txn_change put;
    TRY(myself(o->req, &o->before));
    struct user after = o->before.user;
    after.email = o->change.email;
    TRY(identity_put_user(people_keys(o->req), &after, &o->before, o->req->arena, &put));
    TRY(api_change_put(c, &put));
    return api_change_record(c, EVENT_USER_CHANGED, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit_profile(struct own *o)
{
    return api_change_run(o->req, o, fill_profile, profile_stored);
}

static enum http_outcome profile_patch(struct http_request *req)
{
    struct own *o = arena_alloc(req->arena, sizeof *o);
    struct problem why;
    if (!o)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &o->change, &why) != OK)
        return http_answer_problem(req, &why);
    o->req = req;
    return commit_profile(o);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/me", PERMISSION_AUTHENTICATED, profile_get, .name = "profile",
          .summary = "One's own profile", .tag = "session", .ways = WAY_SESSION, .durability = DURABLE_NONE,
          .response = &profile_entity),
    ROUTE(HTTP_PATCH, "/api/v1/me", PERMISSION_AUTHENTICATED, profile_patch, .name = "profile-change",
          .summary = "Change one's own e-mail address", .tag = "session", .ways = WAY_SESSION,
          .event = EVENT_USER_CHANGED, .request = &profile_change_entity, .response = &profile_entity,
          .body_limit = 4096),
    ROUTE(HTTP_POST, "/api/v1/me/password", PERMISSION_AUTHENTICATED, password_post, .name = "password",
          .summary = "Change one's own password; all other sessions and all tokens end", .tag = "session",
          .ways = WAY_SESSION, .event = EVENT_USER_CHANGED, .request = &change_entity, .body_limit = 8192),
};
const struct route_table me_routes = {routes, ARRAY_LEN(routes)};
