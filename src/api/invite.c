/* An invitation: with its one-time token a user sets his password himself, and is signed in. The token's hash is in his
 * row, and setting the password takes it out in the same commit: so it is good once, and a commit that fails leaves it
 * good. Who has no good token gets one answer, after the same work, whether there is such a user or not. */
#include "api/inside.h"
#include "api/login.h"
#include "api/routes.h"
#include "api/second.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"

struct invite_request {
    struct view name, token, password;
    bool cookie;
};
static const struct field request_fields[] = {
    FIELD(1, struct invite_request, name, TEXT, USER_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = user_name_valid, .rule = USER_NAME_RULE, .doc = "The user's name."),
    FIELD(2, struct invite_request, token, TEXT, 128, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "The one-time token that the invitation showed."),
    FIELD(3, struct invite_request, password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "As the rules for passwords say."),
    FIELD(4, struct invite_request, cookie, BOOL, 0, .doc = "For browsers: the token comes as a cookie alone."),
};
static const struct entity request_entity = ENTITY("Invitation", 0x0706, 1, struct invite_request, request_fields);

struct invite {
    struct login login; /* first; its task hashes the new password */
    struct view token;
};

static bool look(struct invite *i)
{
    struct login *l = &i->login;
    l->known = identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user) == OK;
    return l->known && user_invited_with(&l->user.user, i->token, people_now(l->req));
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

static RESULT fill(struct invite *i, struct api_change *c)
{
    struct login *l = &i->login;
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
    else
        TRY(login_begin_session(l, c, 0));
    return people_record_as(c, EVENT_USER_CHANGED, OUTCOME_DONE, l->actor, &what);
}

static enum http_outcome commit(struct invite *i);

static enum http_outcome stored(struct api_change *c)
{
    struct invite *i = c->context;
    if (c->txn.result == ERR_CONFLICT && i->login.tries++ < PEOPLE_TRIES)
        return commit(i); /* his row changed: the token may have been used */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (!user_has_second(&i->login.user.user))
        return login_answer(&i->login, &i->login.user.user, 200);
    /* An invitation stands in for the password, and for nothing else. */
    enum err e = identity_user(api_of(c->req)->shared->identity, i->login.name, c->req->arena, &i->login.user);
    return e == OK ? second_ask(&i->login) : http_answer_error(c->req, e);
}

static enum http_outcome commit(struct invite *i)
{
    struct api_change *c = NULL;
    if (!look(i))
        return refuse(i->login.req);
    enum err e = api_change_new(i->login.req, &c);
    if (e == OK)
        e = fill(i, c);
    if (e != OK)
        return http_answer_error(i->login.req, e);
    c->then = stored;
    c->context = i;
    return api_change_submit(c);
}

static void on_hashed(struct password_task *task)
{
    struct invite *i = task->context;
    struct http_request *req = i->login.req;
    api_of(req)->inside->under_way--;
    enum http_outcome o = task->result == OK ? commit(i) : people_not_hashed(req, task, "/password");
    if (o == HTTP_ANSWER)
        http_request_finish(req);
}

static RESULT start(struct http_request *req, const struct invite_request *q)
{
    struct invite *i = arena_alloc(req->arena, sizeof *i);
    if (!i)
        return ERR_NO_MEMORY;
    i->token = q->token;
    TRY(login_fill(&i->login, req, q->name, q->password));
    i->login.cookie = q->cookie;
    i->login.task.context = i;
    i->login.task.done = on_hashed;
    if (look(i)) /* whoever has the token may learn what was used before, and that takes longer */
        TRY(user_password_used(&i->login.user.user, people_rules(req)->history, req->arena, &i->login.task.used));
    return passwords_hash(api_of(req)->shared->passwords, &i->login.task);
}

static enum http_outcome invitation_post(struct http_request *req)
{
    struct invite_request q = {0};
    struct problem why;
    if (http_request_entity(req, &q, &why) != OK || login_check_cookie(req, q.cookie, &why) != OK ||
        password_acceptable(q.password, q.name, people_rules(req), &why) != OK)
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
    ROUTE(HTTP_POST, "/api/v1/invitation", PERMISSION_PUBLIC, invitation_post, .name = "invitation",
          .summary = "Set one's password with the one-time token of an invitation, and sign in", .tag = "session",
          .event = EVENT_USER_CHANGED, .request = &request_entity, .response = &login_answer_entity,
          .body_limit = 8192),
};
const struct route_table invite_routes = {routes, ARRAY_LEN(routes)};
