/* An invitation: with its one-time token a user sets his password himself, and is signed in. The token's hash is in his
 * row, and setting the password takes it out in the same commit: so it is good once, and a commit that fails leaves it
 * good. Who has no good token gets one answer, after the same work, whether there is such a user or not. */
#include "api/inside.h"
#include "api/newcomer.h"
#include "api/routes.h"
#include "api/second.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"

static const struct field request_fields[] = {
    NEWCOMER_FIELDS("The user's name.", "The one-time token that the invitation showed."),
};
static const struct entity request_entity = ENTITY("Invitation", 0x0706, 1, struct newcomer_request, request_fields);

static bool look(struct newcomer *n)
{
    struct login *l = &n->login;
    l->known = identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user) == OK;
    return l->known && user_invited_with(&l->user.user, n->token, people_now(l->req));
}

/* Names that strangers type are not recorded. */
static enum http_outcome refuse(struct http_request *req)
{
    const struct record_object what = {.resource = VIEW_STR("invitation")};
    if (anonymous_budget(api_of(req)))
        return api_refuse(req, EVENT_AUTHENTICATION_FAILED, &what, ERR_ENROLMENT_INVALID, NULL);
    anonymous_count(api_of(req), req, ERR_ENROLMENT_INVALID);
    return http_answer_error(req, ERR_ENROLMENT_INVALID);
}

static RESULT fill(void *context, struct api_change *c)
{
    struct newcomer *n = context;
    struct login *l = &n->login;
    const struct record_object what = {.resource = l->actor, .detail = VIEW_STR("invitation used")};
    uint64_t now = people_now(l->req);
    struct user_found after = l->user;
    struct txn_change put;
    TRY(user_set_password(&after.user, view_str(l->task.hash), people_rules(l->req)->history, now, l->req->arena));
    if (!user_has_second(&after.user))
        user_login_succeeded(&after.user, now);
    TRY(identity_put_user(people_keys(l->req), &after.user, &l->user, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    TRY(tokens_end(c, REVOKED_SUBJECT, l->actor));
    if (user_has_second(&after.user))
        TRY(login_end_sessions(l, c, 0));
    else {
        l->how = VIEW_STR("invitation");
        TRY(login_begin_session(l, c, 0));
    }
    return people_record_as(c, EVENT_USER_CHANGED, OUTCOME_DONE, l->actor, &what);
}

static enum http_outcome commit(struct newcomer *n);

static enum http_outcome stored(struct api_change *c)
{
    struct newcomer *n = c->context;
    if (c->txn.result == ERR_CONFLICT && n->login.tries++ < PEOPLE_TRIES)
        return commit(n); /* his row changed: the token may have been used */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (!user_has_second(&n->login.user.user))
        return login_answer(&n->login, &n->login.user.user, 200);
    /* An invitation stands in for the password, and for nothing else. */
    enum err e = identity_user(api_of(c->req)->shared->identity, n->login.name, c->req->arena, &n->login.user);
    return e == OK ? second_ask(&n->login) : http_answer_error(c->req, e);
}

static enum http_outcome commit(struct newcomer *n)
{
    if (!look(n))
        return refuse(n->login.req);
    return api_change_run(n->login.req, n, fill, stored);
}

static RESULT prepare(struct newcomer *n)
{
    struct login *l = &n->login;
    if (!look(n))
        return OK;
    /* Whoever has the token may learn what was used before, and that takes longer. */
    return user_password_used(&l->user.user, people_rules(l->req)->history, l->req->arena, &l->task.used);
}

static enum http_outcome invitation_post(struct http_request *req)
{
    static const struct newcomer_kind kind = {sizeof(struct newcomer), prepare, commit};
    return newcomer_begin(req, &kind);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/invitation", PERMISSION_PUBLIC, invitation_post, .name = "invitation",
          .rate = ATTEMPTS_LOG_IN,
          .summary = "Set one's password with the one-time token of an invitation, and sign in", .tag = "session",
          .event = EVENT_USER_CHANGED, .request = &request_entity, .response = &login_answer_entity,
          .body_limit = 8192),
};
const struct route_table invite_routes = {routes, ARRAY_LEN(routes)};
