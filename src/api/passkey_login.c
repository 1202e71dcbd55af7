/* Signing in with a passkey alone: it says who, and its authenticator has verified him, so that is two factors at once.
 */
#include "api/inside.h"
#include "api/passkey.h"
#include "api/routes.h"
#include "base/fields.h"

struct discovered {
    struct login login; /* first */
    struct passkey_shown shown;
    bool cookie;
    struct passkey_used used;
};
static const struct field request_fields[] = {
    FIELD_AS(1, struct discovered, shown, "passkey", ENTITY, 0, .flags = FIELD_REQUIRED,
             .nested = &passkey_shown_entity),
    FIELD(2, struct discovered, cookie, BOOL, 0, .doc = "For browsers: the token comes as a cookie alone."),
};
static const struct entity request_entity = ENTITY("LoginPasskey", 0x07fa, 1, struct discovered, request_fields);

static enum http_outcome begin_post(struct http_request *req)
{
    const struct challenge_for what = {.purpose = CHALLENGE_DISCOVER};
    return passkey_ask(req, &what, NULL);
}

/* Wrong signatures are not counted: nobody guesses one, and whoever knows a passkey's id must not lock its owner out.
 */
static enum http_outcome judge(struct login *l)
{
    struct discovered *d = (struct discovered *)(void *)l;
    struct view actor = {0};
    l->known = passkey_owner(l->req, &d->shown, &l->user) == OK;
    /* Also of nobody, which takes as long. */
    enum err e = people_named(l->req->arena, "user:", l->known ? l->user.user.name : VIEW_STR("nobody"), &actor);
    if (l->known) {
        l->name = l->user.user.name;
        l->actor = actor;
    }
    bool open = l->known && user_may_login(&l->user.user, people_now(l->req));
    l->shut = l->known && !open;
    if (e == OK)
        e = passkey_judge(l->req, &d->shown, open ? &l->user.user : NULL, false, &d->used);
    if (e == ERR_PASSKEY_CLONED)
        return passkey_refuse_copy(l);
    if (e == ERR_BAD_CREDENTIALS)
        return login_refuse(l);
    l->also = &d->used.put;
    l->shown = d->used.shown;
    return e == OK ? login_succeed(l) : http_answer_error(l->req, e);
}

static RESULT read_answer(struct http_request *req, struct discovered *d, struct problem *why)
{
    const struct challenge_for what = {.purpose = CHALLENGE_DISCOVER};
    TRY(http_request_entity(req, d, why));
    TRY(login_check_cookie(req, d->cookie, why));
    enum err e = passkey_take(req, &d->shown, &what);
    return e == OK ? OK : problem_set(why, e, "/passkey/ceremony", "%s", "");
}

static enum http_outcome login_post(struct http_request *req)
{
    struct discovered *d = arena_alloc(req->arena, sizeof *d);
    struct problem why;
    if (!d)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (read_answer(req, d, &why) != OK) {
        anonymous_count(api_of(req), req, why.code);
        return http_answer_problem(req, &why);
    }
    enum err e = login_fill(&d->login, req, (struct view){0}, (struct view){0});
    if (e != OK)
        return http_answer_error(req, e);
    d->login.judge = judge;
    d->login.how = VIEW_STR("passkey");
    d->login.cookie = d->cookie;
    d->login.second = true;
    return judge(&d->login);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/login/passkey/begin", PERMISSION_PUBLIC, begin_post, .name = "login-passkey-begin",
          .summary = "What a browser needs to sign in with a passkey and no name", .tag = "session",
          .durability = DURABLE_NONE, .response = &passkey_question_entity),
    ROUTE(HTTP_POST, "/api/v1/login/passkey", PERMISSION_PUBLIC, login_post, .name = "login-passkey",
          .rate = ATTEMPTS_LOG_IN, .summary = "Sign in with a passkey and no name", .tag = "session",
          .event = EVENT_AUTHENTICATION_SUCCESS, .request = &request_entity, .response = &login_answer_entity,
          .body_limit = 32768),
};
const struct route_table passkey_login_routes = {routes, ARRAY_LEN(routes)};
