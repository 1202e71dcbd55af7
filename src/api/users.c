/* Users: listed, created and changed by whoever may users:manage. Nobody changes his own rights, and nobody but who
 * holds system:config hands out what he does not hold himself. */
#include "api/factors.h"
#include "api/inside.h"
#include "api/keys.h"
#include "api/login.h"
#include "api/routes.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"
#include "crypto/bcrypt.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000
#define HOUR_MS      (3600ull * 1000)

/* --- what goes in and out */

struct answer {
    struct view id, name, email;
    struct text_list roles, environments;
    struct view state;
    uint64_t created, last_login, locked_until, password_changed;
    uint32_t failed_attempts;
    struct view invite;
    uint64_t invited_until;
};
static const struct field answer_fields[] = {
    FIELD(1, struct answer, id, TEXT, 32),
    FIELD(2, struct answer, name, TEXT, USER_NAME_MAX),
    FIELD(3, struct answer, email, TEXT, USER_EMAIL_MAX),
    FIELD(4, struct answer, roles, TEXTS, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(5, struct answer, environments, TEXTS, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Where he may touch secrets and sign."),
    FIELD(6, struct answer, state, TEXT, 16, .doc = "active, locked or disabled."),
    FIELD(7, struct answer, created, TIME, 0),
    FIELD(8, struct answer, last_login, TIME, 0),
    FIELD(9, struct answer, locked_until, TIME, 0),
    FIELD(10, struct answer, password_changed, TIME, 0),
    FIELD(11, struct answer, failed_attempts, U32, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(12, struct answer, invite, TEXT, 64, .doc = "One-time token that sets his password; shown once."),
    FIELD(13, struct answer, invited_until, TIME, 0, .doc = "Until when an open invitation can be used."),
};
static const struct entity answer_entity = ENTITY("UserView", 0x0710, 1, struct answer, answer_fields);

struct page {
    struct entity_list users;
    struct view next;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, users, LIST, PAGE_MAX, .flags = FIELD_PRINT_ZERO, .nested = &answer_entity),
    FIELD(2, struct page, next, TEXT, USER_NAME_MAX, .doc = "Send it as after for the next page; missing at the end."),
};
static const struct entity page_entity = ENTITY("UserPage", 0x0711, 1, struct page, page_fields);

struct query {
    struct view after;
    uint32_t limit;
    struct view search;
};
static const struct field query_fields[] = {
    FIELD(1, struct query, after, TEXT, USER_NAME_MAX, .doc = "Names behind this one."),
    FIELD(2, struct query, limit, U32, PAGE_MAX, .doc = "At most so many; 100 if left out."),
    FIELD(3, struct query, search, TEXT, USER_EMAIL_MAX, .doc = "Those whose name or e-mail address begins so."),
};
static const struct entity query_entity = ENTITY("UserQuery", 0x0712, 1, struct query, query_fields);

struct change {
    struct view name, email, password, state, password_hash;
    bool invite;
    struct text_list roles, environments;
};

#define CHANGE_FIELDS                                                                                                  \
    FIELD(2, struct change, email, TEXT, USER_EMAIL_MAX, .check = text_printable, .rule = "printable text"),           \
        FIELD(3, struct change, roles, TEXTS, USER_ROLES_MAX, .check = role_name_valid, .rule = ROLE_NAME_RULE,        \
              .doc = "Built-in or defined; in a change they replace those of before."),                                \
        FIELD(                                                                                                         \
            4, struct change, environments, TEXTS, 3, .names = people_environments,                                    \
            .doc = "development, staging, production: where he may touch secrets and sign; none alone for nowhere."),  \
        FIELD(5, struct change, password, TEXT, 1024, .flags = FIELD_WRITE_ONLY,                                       \
              .doc = "As the rules for passwords say.")

#define INVITE_FIELD                                                                                                   \
    FIELD(7, struct change, invite, BOOL, 0,                                                                           \
          .doc = "The answer has a one-time token with which he sets his password himself.")

static const struct field create_fields[] = {
    FIELD(1, struct change, name, TEXT, USER_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = user_name_valid,
          .rule = USER_NAME_RULE),
    CHANGE_FIELDS,
    INVITE_FIELD,
    FIELD(8, struct change, password_hash, TEXT, BCRYPT_HASH_LEN, .flags = FIELD_WRITE_ONLY, .check = bcrypt_hash_valid,
          .rule = "a bcrypt hash ($2a$, $2b$, $2y$) of cost 4 to 14",
          .doc = "In place of a password: its hash from another system. His first log-in replaces it."),
};
static const struct entity create_entity = ENTITY("UserCreate", 0x0713, 1, struct change, create_fields);

static const char *const settable[] = {"active", "disabled", NULL};
static const struct field patch_fields[] = {
    CHANGE_FIELDS,
    FIELD(6, struct change, state, TEXT, 16, .names = settable,
          .doc = "active also ends a lock; disabled ends all sessions and stops the user's API keys."),
    INVITE_FIELD,
};
static const struct entity patch_entity = ENTITY("UserChange", 0x0714, 1, struct change, patch_fields);

/* --- answering */

static RESULT fill_answer(const struct user *u, uint64_t now, struct arena *arena, struct answer *ret)
{
    static const char *const states[] = {"none", "active", "locked", "disabled"};
    struct id id;
    char text[ID_TEXT_SIZE];
    memcpy(id.b, u->id, sizeof id.b);
    id_format(&id, text);
    bool open = u->state == USER_LOCKED && user_may_login(u, now); /* the lock has ended */
    *ret = (struct answer){.name = u->name,
                           .email = u->email,
                           .roles = u->roles,
                           .state = view_str(states[open                        ? USER_ACTIVE
                                                    : u->state <= USER_DISABLED ? u->state
                                                                                : 0]),
                           .created = u->created_ms,
                           .last_login = u->last_login_ms,
                           .locked_until = open ? 0 : u->locked_until_ms,
                           .password_changed = u->password_changed_ms,
                           .failed_attempts = open ? 0 : u->failed_attempts,
                           .invited_until = now < u->invited_until_ms ? u->invited_until_ms : 0};
    TRY(arena_copy(arena, view_str(text), &ret->id));
    return people_environments_put(u->environments, arena, &ret->environments);
}

static enum http_outcome answer(struct http_request *req, const struct user *u, const char *invite, unsigned status)
{
    struct answer a;
    enum err e = fill_answer(u, people_now(req), req->arena, &a);
    a.invite = view_str(invite);
    return e == OK ? http_answer_entity(req, status, &answer_entity, &a) : http_answer_error(req, e);
}

static RESULT fill_page(struct http_request *req, const struct query *q, struct page *ret)
{
    size_t limit = q->limit ? q->limit : PAGE_DEFAULT;
    const struct users_range range = {.after = q->after, .prefix = q->search, .limit = limit + 1};
    struct entity_list found;
    TRY(identity_users_page(api_of(req)->shared->identity, &range, req->arena, &found));
    size_t n = found.count < limit ? found.count : limit;
    struct answer *out = arena_alloc(req->arena, (n + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        TRY(fill_answer((const struct user *)found.items + i, people_now(req), req->arena, &out[i]));
    if (found.count > n)
        ret->next = out[n - 1].name;
    ret->users = (struct entity_list){.items = out, .count = n};
    return OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct query q = {0};
    struct page page = {0};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = fill_page(req, &q, &page);
    return e == OK ? http_answer_entity(req, 200, &page_entity, &page) : http_answer_error(req, e);
}

static RESULT named_user(struct http_request *req, struct user_found *ret)
{
    struct view name = {0};
    if (!http_param(req, "name", &name) || !user_name_valid(name))
        return ERR_NOT_FOUND;
    return identity_user(api_of(req)->shared->identity, name, req->arena, ret);
}

static enum http_outcome one_get(struct http_request *req)
{
    struct user_found f;
    enum err e = named_user(req, &f);
    return e == OK ? answer(req, &f.user, "", 200) : http_answer_error(req, e);
}

/* --- changing */

struct edit {
    struct login login; /* first; name, actor, the password's task, and user: as it will be */
    struct change change;
    struct user_found before;
    bool create, remove, ends_sessions;
    char invite[INVITE_TOKEN_SIZE];
};

/* Also with a key of his own. Who can't be told is taken for himself. */
static bool is_self(const struct edit *e)
{
    struct http_request *req = e->login.req;
    struct view me = people_caller_name(req), key = api_caller_of(req)->key_id;
    struct api_key_found found;
    if (key.len == 0)
        return me.len && view_eq(me, e->login.name);
    return api_keys_find(api_of(req)->shared->api_keys, key, req->arena, &found) != OK ||
           view_eq(found.key.owner, e->login.name);
}

static struct roles *roles_of(const struct edit *e)
{
    return identity_roles(api_of(e->login.req)->shared->identity);
}

static RESULT held_before(const struct edit *e, struct rights *ret)
{
    const struct user *u = &e->before.user;
    *ret = (struct rights){0};
    return e->create ? OK : rights_of(roles_of(e), &u->roles, u->environments, ret);
}

static RESULT held_afterwards(const struct edit *e, struct rights *ret)
{
    const struct user none = {0}, *u = e->create ? &none : &e->before.user;
    const struct text_list *roles = e->change.roles.count ? &e->change.roles : &u->roles;
    uint8_t environments = u->environments;
    if (e->change.environments.count)
        TRY(people_environments_get(&e->change.environments, &environments));
    return rights_of(roles_of(e), roles, environments, ret);
}

static bool configures(const struct rights *r)
{
    return permission_has(r->permissions, PERMISSION_SYSTEM_CONFIG);
}

/* What a manager of users may not do, or NULL. A password is given away like what it opens. */
static const char *forbidden(const struct edit *e)
{
    const struct change *c = &e->change;
    struct rights mine = api_rights_of(e->login.req), before, after;
    bool rights = c->roles.count || c->environments.count || c->state.len || e->remove;
    if (rights && !e->create && is_self(e))
        return "nobody changes his own roles, environments or state, or removes himself: another administrator has to";
    if (configures(&mine))
        return NULL;
    if (held_before(e, &before) != OK || held_afterwards(e, &after) != OK || configures(&before) || configures(&after))
        return "only who holds system:config may give it, or change somebody who holds it";
    bool gives = c->password.len || c->password_hash.len || c->invite || !rights_within(&after, &before);
    if (gives && !rights_within(&after, &mine))
        return "nobody gives what he does not hold himself, permissions, level or environments for secrets; that takes "
               "system:config";
    return NULL;
}

static RESULT apply_change(struct edit *e)
{
    struct user *u = &e->login.user.user;
    const struct change *c = &e->change;
    if (c->email.len)
        u->email = c->email;
    if (c->roles.count)
        u->roles = c->roles;
    if (c->environments.count)
        TRY(people_environments_get(&c->environments, &u->environments));
    if (view_is(c->state, "active"))
        user_unlock(u);
    if (view_is(c->state, "disabled"))
        u->state = USER_DISABLED;
    if (c->password.len) {
        TRY(user_set_password(u, view_str(e->login.task.hash), people_rules(e->login.req)->history,
                              people_now(e->login.req), e->login.req->arena));
    }
    if (c->password_hash.len)
        TRY(user_set_password(u, c->password_hash, people_rules(e->login.req)->history, people_now(e->login.req),
                              e->login.req->arena));
    if (c->invite)
        TRY(user_invite(u, api_of(e->login.req)->shared->random,
                        people_now(e->login.req) + people_rules(e->login.req)->invite_hours * HOUR_MS, e->invite));
    e->ends_sessions = e->remove || u->state == USER_DISABLED || (c->password.len && !e->create);
    return OK;
}

static RESULT look_again(struct edit *e)
{
    struct login *l = &e->login;
    struct api_shared *s = api_of(l->req)->shared;
    enum err found = identity_user(s->identity, l->name, l->req->arena, &e->before);
    if (e->create && found == OK)
        return ERR_EXISTS;
    if (!e->create)
        TRY(found);
    l->user = e->before;
    if (e->create) {
        l->user = (struct user_found){
            .user = {.name = l->name, .state = USER_ACTIVE, .created_ms = people_now(l->req)}};
        TRY(s->random->fill(s->random, l->user.user.id, sizeof l->user.user.id));
    }
    return apply_change(e);
}

/* What was changed, not to what: addresses and passwords don't belong there. */
static RESULT describe(const struct edit *e, struct view *ret)
{
    const struct change *c = &e->change;
    AUTO_WRITER w = writer_new(2048);
    writer_str(&w, c->email.len ? "e-mail " : "");
    writer_str(&w, c->password.len ? "password " : "");
    writer_str(&w, c->password_hash.len ? "imported " : "");
    writer_str(&w, c->invite ? "invitation " : "");
    if (c->state.len)
        writer_printf(&w, "state=%.*s ", (int)c->state.len, (const char *)c->state.ptr);
    for (size_t i = 0; i < c->roles.count; i++)
        writer_printf(&w, "role=%.*s ", (int)c->roles.items[i].len, (const char *)c->roles.items[i].ptr);
    for (size_t i = 0; i < c->environments.count; i++)
        writer_printf(&w, "environment=%.*s ", (int)c->environments.items[i].len,
                      (const char *)c->environments.items[i].ptr);
    TRY(writer_done(&w));
    struct view text = writer_view_of(&w);
    return arena_copy(e->login.req->arena, VIEW(text.ptr, text.len ? text.len - 1 : 0), ret);
}

static RESULT fill_row(struct edit *e, struct txn_change *ret)
{
    const struct login *l = &e->login;
    uint64_t gone = identity_user_gone(api_of(l->req)->shared->identity, l->name);
    if (e->remove)
        return identity_remove_user(people_keys(l->req), &e->before, l->req->arena, ret);
    TRY(identity_put_user(people_keys(l->req), &l->user.user, e->create ? NULL : &e->before, l->req->arena, ret));
    if (e->create && gone)
        ret->version = gone + 1;
    return OK;
}

static RESULT revoke_keys(struct edit *e, struct api_change *c)
{
    struct http_request *req = e->login.req;
    struct api_keys *table = api_of(req)->shared->api_keys;
    const struct api_keys_range range = {.owner = e->login.name, .limit = KEYS_OWN_MAX, .not_revoked = true};
    struct entity_list keys;
    struct txn_change put;
    size_t owned = api_keys_owned(table, e->login.name, 0).not_revoked;
    if (owned == 0 || owned > KEYS_OWN_MAX)
        return owned ? ERR_LIMIT_REACHED : OK;
    TRY(api_keys_page(table, &range, req->arena, &keys));
    for (size_t i = 0; i < keys.count; i++) {
        struct api_key_found f;
        TRY(api_keys_find(table, ((const struct api_key *)keys.items + i)->id, req->arena, &f));
        struct api_key after = f.key;
        after.status = KEY_REVOKED;
        TRY(api_key_put(people_keys(req), &after, &f, req->arena, &put));
        TRY(api_change_put(c, &put));
    }
    return OK;
}

/* A token that was asked for in the moment of his removal came after it: it must not be the next one's. */
static bool had_tokens(const struct edit *e)
{
    struct api_shared *s = api_of(e->login.req)->shared;
    return identity_user_gone(s->identity, e->login.name) || tokens_has_grant(s->tokens, e->login.name);
}

static RESULT fill(struct edit *e, struct api_change *c)
{
    struct login *l = &e->login;
    struct arena *arena = l->req->arena;
    struct record_object what = {.resource = l->actor};
    struct txn_change put, *ends = NULL;
    size_t count = 0;
    TRY(look_again(e));
    TRY(describe(e, &what.detail));
    TRY(fill_row(e, &put));
    TRY(api_change_put(c, &put));
    if (e->remove)
        TRY(factors_drop_passkeys(c, &e->before.user, NULL));
    /* Somebody of the same name is another person: what is left of the former one goes. */
    if (e->create || e->remove)
        TRY(revoke_keys(e, c));
    if (e->ends_sessions)
        TRY(identity_end_sessions(api_of(l->req)->shared->identity, l->name, people_now(l->req), 0, arena, &ends,
                                  &count));
    for (size_t i = 0; i < count; i++)
        TRY(api_change_put(c, &ends[i]));
    if (e->ends_sessions || (e->create && had_tokens(e)))
        TRY(tokens_end(c, REVOKED_SUBJECT, l->actor));
    return api_change_record(c,
                             e->create   ? EVENT_USER_CREATED
                             : e->remove ? EVENT_USER_DELETED
                                         : EVENT_USER_CHANGED,
                             OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct edit *e);

static enum http_outcome edited(struct api_change *c)
{
    struct edit *e = c->context;
    if (c->txn.result == ERR_CONFLICT && e->login.tries++ < PEOPLE_TRIES)
        return commit(e); /* a log-in changed the row; what was asked for does not depend on that */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return e->remove ? http_answer_empty(e->login.req, 204)
                     : answer(e->login.req, &e->login.user.user, e->invite, e->create ? 201 : 200);
}

static enum http_outcome commit(struct edit *e)
{
    struct http_request *req = e->login.req;
    struct api_change *c = NULL;
    enum err error = api_change_new(req, &c);
    if (error == OK)
        error = fill(e, c);
    if (error == ERR_EXISTS)
        return people_problem(req, error, "/name", "There is a user by this name.");
    if (error == ERR_LIMIT_REACHED)
        return people_problem(req, error, "", "He owns too many API keys to revoke them at once: revoke some first.");
    if (error != OK)
        return http_answer_error(req, error);
    const char *why = forbidden(e);
    if (why)
        return people_refuse(req, "user:", e->login.name, why);
    c->then = edited;
    c->context = e;
    return api_change_submit(c);
}

static void on_hashed(struct password_task *task)
{
    struct edit *e = task->context;
    struct http_request *req = e->login.req;
    api_of(req)->inside->under_way--;
    enum http_outcome o = task->result == OK ? commit(e) : people_not_hashed(req, task, "/password");
    if (o == HTTP_ANSWER)
        http_request_finish(req);
}

static enum http_outcome hash_first(struct edit *e)
{
    struct http_request *req = e->login.req;
    e->login.task.context = e;
    e->login.task.done = on_hashed;
    enum err error = user_password_used(&e->before.user, people_rules(req)->history, req->arena, &e->login.task.used);
    if (error == OK)
        error = passwords_hash(api_of(req)->shared->passwords, &e->login.task);
    if (error == ERR_BUSY)
        api_retry_after(req, 2);
    if (error != OK)
        return http_answer_error(req, error);
    api_of(req)->inside->under_way++;
    return HTTP_LATER;
}

static RESULT check(const struct edit *e, struct problem *why)
{
    const struct change *c = &e->change;
    uint8_t unused;
    unsigned ways = (c->password.len != 0) + (c->password_hash.len != 0) + c->invite;
    if (e->remove)
        return OK;
    if (e->create && ways == 0)
        return problem_set(why, ERR_MISSING_FIELD, "/password", "%s",
                           "A new user needs a first password, or an invitation.");
    if (ways > 1)
        return problem_set(why, ERR_BAD_VALUE, "/invite", "%s", "One of password, password_hash and invite is enough.");
    TRY(people_roles_known(e->login.req, &c->roles, why));
    if (people_environments_get(&c->environments, &unused) != OK)
        return problem_set(why, ERR_BAD_VALUE, "/environments", "%s", "none stands alone.");
    if (!e->create && !c->email.len && !c->roles.count && !c->environments.count && !c->password.len && !c->invite &&
        !c->state.len)
        return problem_set(why, ERR_MISSING_FIELD, "", "%s", "Nothing to change was sent.");
    return c->password.len ? password_acceptable(c->password, e->login.name, people_rules(e->login.req), why) : OK;
}

static enum http_outcome edit(struct http_request *req, struct edit *e, struct view name)
{
    struct problem why;
    enum err error = login_fill(&e->login, req, name, e->change.password);
    if (error != OK)
        return http_answer_error(req, error);
    if (check(e, &why) != OK)
        return http_answer_problem(req, &why);
    /* Asked before the costly part; commit asks again, of what is true then. */
    const char *refused = forbidden(e);
    if (refused)
        return people_refuse(req, "user:", name, refused);
    return e->change.password.len ? hash_first(e) : commit(e);
}

static enum http_outcome create_post(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &e->change, &why) != OK)
        return http_answer_problem(req, &why);
    e->create = true;
    if (identity_user(api_of(req)->shared->identity, e->change.name, req->arena, &e->before) == OK)
        return people_problem(req, ERR_EXISTS, "/name", "There is a user by this name.");
    return edit(req, e, e->change.name);
}

static enum http_outcome one_patch(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &e->change, &why) != OK)
        return http_answer_problem(req, &why);
    enum err error = named_user(req, &e->before);
    if (error != OK)
        return http_answer_error(req, error);
    return edit(req, e, e->before.user.name);
}

static enum http_outcome one_delete(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    enum err error = named_user(req, &e->before);
    if (error != OK)
        return http_answer_error(req, error);
    e->remove = true;
    return edit(req, e, e->before.user.name);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/users", PERMISSION_USERS_MANAGE, list_get, .name = "user-list",
          .summary = "List users by name, a page at a time; or search them", .tag = "users", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &query_entity, .response = &page_entity),
    ROUTE(HTTP_POST, "/api/v1/users", PERMISSION_USERS_MANAGE, create_post, .name = "user-create",
          .flags = ROUTE_STEP_UP, .summary = "Create a user with a first password, or an invitation to set one",
          .tag = "users", .ways = WAYS_ALL, .event = EVENT_USER_CREATED, .request = &create_entity,
          .response = &answer_entity, .status = 201, .body_limit = 16384),
    ROUTE(HTTP_GET, "/api/v1/users/{name}", PERMISSION_USERS_MANAGE, one_get, .name = "user-show",
          .summary = "Show one user", .tag = "users", .ways = WAYS_ALL, .durability = DURABLE_NONE,
          .response = &answer_entity),
    ROUTE(HTTP_PATCH, "/api/v1/users/{name}", PERMISSION_USERS_MANAGE, one_patch, .name = "user-change",
          .flags = ROUTE_STEP_UP, .summary = "Change a user's roles, state, e-mail or password", .tag = "users",
          .ways = WAYS_ALL, .event = EVENT_USER_CHANGED, .request = &patch_entity, .response = &answer_entity,
          .body_limit = 16384),
    ROUTE(HTTP_DELETE, "/api/v1/users/{name}", PERMISSION_USERS_MANAGE, one_delete, .name = "user-delete",
          .flags = ROUTE_STEP_UP, .summary = "Remove a user; his sessions and tokens end, his API keys are revoked",
          .tag = "users", .ways = WAYS_ALL, .event = EVENT_USER_DELETED),
};
const struct route_table users_routes = {routes, ARRAY_LEN(routes)};
