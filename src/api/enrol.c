/* The first password of an administrator: the keeper checks the one-time token, and the user and his session are stored
 * with the token's hash, which makes it a used one; then the keeper drops it. A commit that fails leaves it good. */
#include "api/factors.h"
#include "api/inside.h"
#include "api/newcomer.h"
#include "api/routes.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"

static const struct field request_fields[] = {
    NEWCOMER_FIELDS("The administrator's name, as given to init.",
                    "The one-time token that init or 'operator admin add' showed."),
};
static const struct entity request_entity = ENTITY("Enrol", 0x0704, 1, struct newcomer_request, request_fields);

struct enrol {
    struct newcomer newcomer;  /* first */
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
    struct login *l = &e->newcomer.login;
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
    struct login *l = &e->newcomer.login;
    const struct record_object what = {.resource = l->actor, .detail = VIEW_STR("enrolment: administrator")};
    struct txn_change put;
    TRY(make_user(e));
    if (l->known)
        TRY(drop_passkeys(l, c));
    TRY(identity_put_user(people_keys(l->req), &l->user.user, l->known ? &l->user : NULL, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    /* Whoever was signed in before has to prove himself anew. */
    l->how = VIEW_STR("enrolment");
    TRY(login_begin_session(l, c, 0));
    if (l->known)
        TRY(tokens_end(c, REVOKED_SUBJECT, l->actor));
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
    struct http_request *req = e->newcomer.login.req;
    struct keeper_enrol q = {.name = e->newcomer.login.name, .token = e->newcomer.token, .only_check = only_check};
    enum err error = api_who(req, (struct view){0}, &q.who);
    return error == OK ? api_call_keeper(req, KEEPER_ENROL, &keeper_enrol_entity, &q, then, e)
                       : http_answer_error(req, error);
}

static enum http_outcome answer(struct enrol *e)
{
    const struct problem used = {.code = ERR_ENROLMENT_INVALID};
    return e->again ? refuse(e->newcomer.login.req, &used)
                    : login_answer(&e->newcomer.login, &e->newcomer.login.user.user, 201);
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
    if (c->txn.result == ERR_CONFLICT && e->newcomer.login.tries++ < PEOPLE_TRIES)
        return commit(e);
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return ask_keeper(e, false, on_used);
}

static enum http_outcome commit(struct enrol *e)
{
    struct api_change *c = NULL;
    enum err error = api_change_new(e->newcomer.login.req, &c);
    if (error == OK)
        error = fill(e, c);
    e->again = error == ERR_ENROLMENT_INVALID;
    if (e->again) /* the front died, or has yet to tell the keeper */
        return ask_keeper(e, false, on_used);
    if (error != OK)
        return http_answer_error(e->newcomer.login.req, error);
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

static enum http_outcome hashed(struct newcomer *n)
{
    return ask_keeper((struct enrol *)(void *)n, true, on_checked);
}

static RESULT prepare(struct newcomer *n)
{
    struct enrol *e = (struct enrol *)(void *)n;
    sha256(n->token, e->hash);
    return OK;
}

static enum http_outcome enrol_post(struct http_request *req)
{
    static const struct newcomer_kind kind = {sizeof(struct enrol), prepare, hashed};
    return newcomer_begin(req, &kind);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/enrol", PERMISSION_PUBLIC, enrol_post, .name = "enrol", .rate = ATTEMPTS_LOG_IN,
          .summary = "Set an administrator's first password with the one-time token", .tag = "session",
          .event = EVENT_ENROLMENT_USED, .request = &request_entity, .response = &login_answer_entity, .status = 201,
          .body_limit = 8192),
};
const struct route_table enrol_routes = {routes, ARRAY_LEN(routes)};
