/* The first password of an administrator: the keeper checks the one-time token, and the user and his session are stored
 * with the token's hash, which makes it a used one; then the keeper drops it. A commit that fails leaves it good. */
#include "api/factors.h"
#include "api/inside.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"

struct enrol_request {
    struct view name, token, password;
    bool cookie;
};
static const struct field request_fields[] = {
    FIELD(1, struct enrol_request, name, TEXT, USER_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = user_name_valid, .rule = USER_NAME_RULE, .doc = "The administrator's name, as given to init."),
    FIELD(2, struct enrol_request, token, TEXT, 128, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "The one-time token that init or 'operator admin add' showed."),
    FIELD(3, struct enrol_request, password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "As the rules for passwords say."),
    FIELD(4, struct enrol_request, cookie, BOOL, 0, .doc = "For browsers: the token comes as a cookie alone."),
};
static const struct entity request_entity = ENTITY("Enrol", 0x0704, 1, struct enrol_request, request_fields);

struct enrol {
    struct login login; /* first */
    struct view token;
    uint8_t hash[SHA256_SIZE]; /* of the token */
    bool again;                /* it was used: the user's row says so */
};

/* --- the user */

static RESULT make_admin(struct arena *arena, struct user *u)
{
    for (size_t i = 0; i < u->roles.count; i++)
        if (view_is(u->roles.items[i], "admin"))
            return OK;
    struct view *items = arena_alloc(arena, (u->roles.count + 1) * sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    if (u->roles.count)
        memcpy(items, u->roles.items, u->roles.count * sizeof *items);
    items[u->roles.count] = VIEW_STR("admin");
    u->roles = (struct text_list){.items = items, .count = u->roles.count + 1};
    return OK;
}

static RESULT make_user(struct enrol *e)
{
    struct login *l = &e->login;
    const struct api_shared *s = api_of(l->req)->shared;
    uint64_t now = people_now(l->req);
    l->known = identity_user(s->identity, l->name, l->req->arena, &l->user) == OK;
    if (l->known && ct_eq(l->user.user.enrolled, e->hash, sizeof e->hash))
        return ERR_ENROLMENT_INVALID;
    if (!l->known) {
        l->user = (struct user_found){.user = {.name = l->name, .created_ms = now}};
        TRY(s->random->fill(s->random, l->user.user.id, sizeof l->user.user.id));
    }
    TRY(make_admin(l->req->arena, &l->user.user));
    user_login_succeeded(&l->user.user, now);
    l->user.user.environments = ENVIRONMENTS_ALL;
    TRY(user_set_password(&l->user.user, view_str(l->task.hash), people_rules(l->req)->history, now, l->req->arena));
    l->user.user.mfa = (struct mfa){0}; /* whoever has the host vouches for him, who may have lost everything */
    memcpy(l->user.user.enrolled, e->hash, sizeof e->hash);
    return OK;
}

static RESULT drop_passkeys(const struct login *l, struct api_change *c)
{
    struct user_found before;
    TRY(identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &before));
    return factors_drop_passkeys(c, &before.user, &l->user.user);
}

static RESULT fill(struct enrol *e, struct api_change *c)
{
    struct login *l = &e->login;
    const struct record_object what = {.resource = l->actor, .detail = VIEW_STR("enrolment: administrator")};
    struct txn_change put;
    TRY(make_user(e));
    if (l->known)
        TRY(drop_passkeys(l, c));
    TRY(identity_put_user(people_keys(l->req), &l->user.user, l->known ? &l->user : NULL, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    TRY(login_begin_session(l, c, 0)); /* whoever was signed in before has to prove himself anew */
    return people_record_as(c, l->known ? EVENT_USER_CHANGED : EVENT_USER_CREATED, OUTCOME_DONE, l->actor, &what);
}

/* --- the keeper's word: before, and afterwards */

static enum http_outcome refuse(struct http_request *req, const struct problem *why)
{
    const struct record_object what = {.resource = VIEW_STR("enrolment"), .error = view_str(err_code(why->code))};
    if (anonymous_budget(api_of(req)))
        return api_refuse(req, EVENT_AUTHENTICATION_FAILED, &what, why->code, why->detail);
    anonymous_count(api_of(req), req, why->code);
    return http_answer_problem(req, why);
}

static enum http_outcome ask_keeper(struct enrol *e, bool only_check, api_answered then)
{
    struct http_request *req = e->login.req;
    struct keeper_enrol q = {.name = e->login.name, .token = e->token, .only_check = only_check};
    enum err error = api_who(req, (struct view){0}, &q.who);
    return error == OK ? api_call_keeper(req, KEEPER_ENROL, &keeper_enrol_entity, &q, then, e)
                       : http_answer_error(req, error);
}

static enum http_outcome answer(struct enrol *e)
{
    const struct problem used = {.code = ERR_ENROLMENT_INVALID};
    return e->again ? refuse(e->login.req, &used) : login_answer(&e->login, &e->login.user.user, 201);
}

/* If that record is not logged yet, it will be: nobody has to wait for it. */
static enum http_outcome recorded(struct api_change *c)
{
    return answer(c->context);
}

/* Whatever the keeper says: the user is stored, and his row tells that the token was used. */
static enum http_outcome on_used(struct http_request *req, void *context, enum err error, struct view entity,
                                 const struct problem *why)
{
    struct enrol *e = context;
    struct keeper_sealed used = {0};
    struct api_change *c = NULL;
    (void)why;
    if (error != OK)
        return answer(e);
    error = entity_decode(&keeper_sealed_entity, entity, req->arena, &used);
    if (error == OK)
        error = api_change_new(req, &c);
    if (error == OK)
        error = api_change_authored(c, used.authored);
    if (error != OK) {
        atomic_store(&api_of(req)->shared->health.look_for_lost, true);
        return answer(e);
    }
    c->then = recorded;
    c->context = e;
    return api_change_submit(c);
}

static enum http_outcome commit(struct enrol *e);

static enum http_outcome enrolled(struct api_change *c)
{
    struct enrol *e = c->context;
    if (c->txn.result == ERR_CONFLICT && e->login.tries++ < PEOPLE_TRIES)
        return commit(e);
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return ask_keeper(e, false, on_used);
}

static enum http_outcome commit(struct enrol *e)
{
    struct api_change *c = NULL;
    enum err error = api_change_new(e->login.req, &c);
    if (error == OK)
        error = fill(e, c);
    e->again = error == ERR_ENROLMENT_INVALID;
    if (e->again) /* the front died, or has yet to tell the keeper */
        return ask_keeper(e, false, on_used);
    if (error != OK)
        return http_answer_error(e->login.req, error);
    c->then = enrolled;
    c->context = e;
    return api_change_submit(c);
}

static enum http_outcome on_checked(struct http_request *req, void *context, enum err error, struct view entity,
                                    const struct problem *why)
{
    struct problem p = *why;
    (void)entity;
    if (error == OK)
        return commit(context);
    p.code = error;
    return error == ERR_ENROLMENT_INVALID ? refuse(req, &p) : http_answer_problem(req, &p);
}

/* --- the request */

static void on_hashed(struct password_task *task)
{
    struct enrol *e = task->context;
    struct http_request *req = e->login.req;
    api_of(req)->inside->under_way--;
    enum http_outcome o = task->result == OK ? ask_keeper(e, true, on_checked)
                                             : people_not_hashed(req, task, "/password");
    if (o == HTTP_ANSWER)
        http_request_finish(req);
}

static RESULT read_request(struct http_request *req, struct enrol_request *q, struct problem *why)
{
    TRY(http_request_entity(req, q, why));
    TRY(login_check_cookie(req, q->cookie, why));
    return password_acceptable(q->password, q->name, people_rules(req), why);
}

static RESULT start(struct http_request *req, const struct enrol_request *q)
{
    struct enrol *e = arena_alloc(req->arena, sizeof *e);
    if (!e)
        return ERR_NO_MEMORY;
    e->token = q->token;
    sha256(q->token, e->hash);
    TRY(login_fill(&e->login, req, q->name, q->password));
    e->login.cookie = q->cookie;
    e->login.task.context = e;
    e->login.task.done = on_hashed;
    return passwords_hash(api_of(req)->shared->passwords, &e->login.task);
}

static enum http_outcome enrol_post(struct http_request *req)
{
    struct enrol_request q = {0};
    struct problem why;
    if (read_request(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = start(req, &q);
    if (e == ERR_BUSY)
        api_retry_after(req, 2);
    if (e != OK)
        return http_answer_error(req, e);
    api_of(req)->inside->under_way++;
    return HTTP_LATER;
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/enrol", PERMISSION_PUBLIC, enrol_post, .name = "enrol",
          .summary = "Set an administrator's first password with the one-time token", .tag = "session",
          .event = EVENT_ENROLMENT_USED, .request = &request_entity, .response = &login_answer_entity, .status = 201,
          .body_limit = 8192),
};
const struct route_table enrol_routes = {routes, ARRAY_LEN(routes)};
