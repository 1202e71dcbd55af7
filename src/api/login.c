/* Log-in with a password. The same answer, and the same work, whether the user is unknown, the
 * password wrong or the account locked. */
#include "api/login.h"

#include "api/behind.h"
#include "api/cookie.h"
#include "api/inside.h"
#include "api/routes.h"
#include "api/second.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"

#define HOUR_MS   (3600ull * 1000)
#define MINUTE_MS (60ull * 1000)

/* --- what goes in and out */

struct login_request {
    struct view name, password, new_password;
    bool cookie;
};
static const struct field request_fields[] = {
    FIELD(1, struct login_request, name, TEXT, USER_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "The user's name."),
    FIELD(2, struct login_request, password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "His password."),
    FIELD(3, struct login_request, new_password, TEXT, 1024, .flags = FIELD_WRITE_ONLY,
          .doc = "The one from now on: where the answer was password-expired, and whenever he likes."),
    FIELD(4, struct login_request, cookie, BOOL, 0, .doc = "For browsers: the token comes as a cookie alone."),
};
static const struct entity request_entity = ENTITY("Login", 0x0701, 1, struct login_request, request_fields);

struct answer {
    struct view token, name;
    uint64_t expires;
    uint32_t idle_minutes;
    struct text_list roles, permissions, methods;
    bool mfa_required;
    struct view ticket;
};
static const struct field answer_fields[] = {
    FIELD(1, struct answer, token, TEXT, 64,
          .doc = "Send it as Authorization: Bearer; shown once. Missing where a cookie was asked for."),
    FIELD(2, struct answer, name, TEXT, USER_NAME_MAX),
    FIELD(3, struct answer, expires, TIME, 0, .doc = "When the session ends at the latest."),
    FIELD(4, struct answer, idle_minutes, U32, 0, .doc = "It ends earlier when it is not used for so long."),
    FIELD(5, struct answer, roles, TEXTS, 0),
    FIELD(6, struct answer, permissions, TEXTS, 0),
    FIELD(7, struct answer, mfa_required, BOOL, 0,
          .doc = "The password was right, there is no session yet: go on at /api/v1/login/second."),
    FIELD(8, struct answer, methods, TEXTS, 0, .doc = "What may be shown there: totp, passkey, recovery_code."),
    FIELD(9, struct answer, ticket, TEXT, TICKET_TEXT_MAX, .doc = "To be sent along; good for five minutes."),
};
const struct entity login_answer_entity = ENTITY("SignedIn", 0x0702, 1, struct answer, answer_fields);

RESULT login_fill(struct login *l, struct http_request *req, struct view name, struct view password)
{
    l->req = req;
    l->name = name;
    l->task.box = api_of(req)->mailbox;
    l->task.password = password;
    l->task.context = l;
    l->judge = login_judge;
    l->shown = SHOWN_PASSWORD;
    l->how = VIEW_STR("password");
    return people_named(req->arena, "user:", name, &l->actor);
}

/* --- a new session */

/* Not in the middle of a character. */
struct view login_user_agent(const struct http_request *req)
{
    struct view v = {0};
    (void)http_header(req, "User-Agent", &v);
    if (v.len > SESSION_AGENT_MAX) {
        v.len = SESSION_AGENT_MAX;
        while (v.len > 0 && (v.ptr[v.len] & 0xc0) == 0x80)
            v.len--;
    }
    return v;
}

static RESULT make_session(struct login *l)
{
    const struct api_shared *s = api_of(l->req)->shared;
    const struct config_sessions *limits = &s->config->sessions;
    uint64_t now = people_now(l->req);
    TRY(session_token_make(s->random, l->token));
    l->session = (struct session){.user = l->name,
                                  .second_ms = l->second ? now : 0,
                                  .created_ms = now,
                                  .expires_ms = now + limits->hours * HOUR_MS,
                                  .idle_ms = limits->idle_minutes * MINUTE_MS,
                                  .source = view_str(l->req->peer.text),
                                  .user_agent = login_user_agent(l->req),
                                  .cookie = l->cookie,
                                  .shown = l->shown};
    return session_token_hash(people_keys(l->req), view_str(l->token), l->session.token_hash);
}

RESULT login_end_sessions(struct login *l, struct api_change *c, size_t keep)
{
    struct txn_change *ends = NULL;
    size_t count = 0;
    TRY(identity_end_sessions(api_of(l->req)->shared->identity, l->name, people_now(l->req), keep, l->req->arena, &ends,
                              &count));
    for (size_t i = 0; i < count; i++)
        TRY(api_change_put(c, &ends[i]));
    return OK;
}

RESULT login_begin_session(struct login *l, struct api_change *c, size_t keep)
{
    const struct record_object what = {.resource = l->actor, .detail = l->how};
    struct txn_change put;
    TRY(make_session(l));
    TRY(identity_put_session(people_keys(l->req), &l->session, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    TRY(login_end_sessions(l, c, keep));
    return people_record_as(c, EVENT_AUTHENTICATION_SUCCESS, OUTCOME_DONE, l->actor, &what);
}

enum http_outcome login_answer(struct login *l, const struct user *user, unsigned status)
{
    struct answer a = {.token = view_str(l->cookie ? "" : l->token),
                       .name = l->name,
                       .expires = l->session.expires_ms,
                       .idle_minutes = (uint32_t)(l->session.idle_ms / MINUTE_MS),
                       .roles = user->roles};
    struct rights r = {0};
    /* A role that is not there any more: nothing, as on every request afterwards. */
    (void)!rights_of(identity_roles(api_of(l->req)->shared->identity), &user->roles, 0, &r);
    if (people_permissions(r.permissions, l->req->arena, &a.permissions) != OK)
        return http_answer_error(l->req, ERR_INTERNAL);
    if (l->cookie && cookie_set(l->req, l->token, (l->session.expires_ms - l->session.created_ms) / 1000) != OK)
        return http_answer_error(l->req, ERR_INTERNAL);
    return http_answer_entity(l->req, status, &login_answer_entity, &a);
}

enum http_outcome login_answer_ticket(struct login *l, struct view ticket, const struct text_list *methods)
{
    const struct answer a = {.name = l->name, .mfa_required = true, .methods = *methods, .ticket = ticket};
    return http_answer_entity(l->req, 200, &login_answer_entity, &a);
}

/* --- judging a password */

static enum http_outcome refuse(struct http_request *req)
{
    (void)!http_answer_header(req, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
    return http_answer_error(req, ERR_BAD_CREDENTIALS);
}

/* Beyond what strangers may put into the log, they are added up. */
enum http_outcome login_refuse_stranger(struct http_request *req)
{
    anonymous_count(api_of(req), req, ERR_BAD_CREDENTIALS);
    return refuse(req);
}

bool login_settled(struct api_change *c, enum http_outcome *ret)
{
    struct login *l = c->context;
    if (c->txn.result == ERR_CONFLICT && l->tries++ < PEOPLE_TRIES) {
        *ret = l->judge(l); /* another attempt was faster: what it changed counts for this one */
        return false;
    }
    if (c->txn.result == ERR_CONFLICT)
        c->txn.result = ERR_BUSY;
    if (c->txn.result != OK) {
        *ret = api_change_failed(c);
        return false;
    }
    people_applied(c);
    return true;
}

static enum http_outcome succeeded(struct api_change *c)
{
    struct login *l = c->context;
    enum http_outcome o;
    return login_settled(c, &o) ? login_answer(l, &l->user.user, 200) : o;
}

static enum http_outcome failed(struct api_change *c)
{
    enum http_outcome o;
    return login_settled(c, &o) ? refuse(c->req) : o;
}

RESULT login_put_user(struct login *l, struct api_change *c)
{
    struct txn_change put;
    TRY(identity_put_user(people_keys(l->req), &l->user.user, &l->user, l->req->arena, &put));
    return api_change_put(c, &put);
}

/* A password that the user chose just now, or the same one with a hash as it is made now. */
static RESULT renew_hash(struct login *l)
{
    struct user *u = &l->user.user;
    if (l->fresh.password.len)
        return user_set_password(u, view_str(l->fresh.hash), people_rules(l->req)->history, people_now(l->req),
                                 l->req->arena);
    if (l->task.upgraded[0])
        u->password_hash = view_str(l->task.upgraded);
    return OK;
}

static RESULT fill_success(struct login *l, struct api_change *c)
{
    const struct config_sessions *limits = &api_of(l->req)->shared->config->sessions;
    const struct record_object changed = {.resource = l->actor, .detail = VIEW_STR("own password")};
    size_t keep = limits->per_user ? limits->per_user - 1 : 0;
    user_login_succeeded(&l->user.user, people_now(l->req));
    TRY(renew_hash(l));
    /* A new password ends what the old one began. The user's row is in it: of two log-ins at once the second counts the
     * first one's session. */
    TRY(login_put_user(l, c));
    if (l->also)
        TRY(api_change_put(c, l->also));
    TRY(login_begin_session(l, c, l->fresh.password.len ? 0 : keep));
    if (l->fresh.password.len == 0)
        return OK;
    TRY(tokens_end(c, REVOKED_SUBJECT, l->actor));
    return people_record_as(c, EVENT_USER_CHANGED, OUTCOME_DONE, l->actor, &changed);
}

/* One record, whether there is nobody by that name (which is not recorded: people type passwords into the wrong field),
 * the account is shut, or the password was wrong: so that all of them take as long. */
static RESULT fill_refusal(struct login *l, struct api_change *c)
{
    struct record_object what = {
        .resource = l->actor, .detail = l->how, .error = view_str(err_code(ERR_BAD_CREDENTIALS))};
    if (l->known && !l->shut)
        return people_record_as(c, EVENT_AUTHENTICATION_FAILED, OUTCOME_REFUSED, l->actor, &what);
    if (l->known) {
        what.detail = l->user.user.state == USER_DISABLED ? VIEW_STR("disabled") : VIEW_STR("locked");
        return people_record_as(c, EVENT_AUTHENTICATION_BLOCKED, OUTCOME_REFUSED, l->actor, &what);
    }
    what.resource = VIEW_STR("login");
    what.detail = VIEW_STR("unknown name");
    return people_record_as(c, EVENT_AUTHENTICATION_FAILED, OUTCOME_REFUSED, (struct view){0}, &what);
}

enum http_outcome login_commit(struct login *l, RESULT (*fill)(struct login *l, struct api_change *c),
                               enum http_outcome (*then)(struct api_change *c))
{
    struct api_change *c = NULL;
    enum err e = api_change_new(l->req, &c);
    if (e == OK)
        e = fill(l, c);
    if (e != OK)
        return http_answer_error(l->req, e);
    c->then = then;
    c->context = l;
    return api_change_submit(c);
}

/* What a wrong password leads to is stored after the answer, which would tell by its time that there is such a user. */
void login_count_failure(struct login *l)
{
    struct identity *identity = api_of(l->req)->shared->identity;
    enum login_count n = identity_login_failed(identity, l->name, people_rules(l->req), people_now(l->req));
    l->shut = n == LOGIN_SHUT; /* another attempt was faster */
    if (n == LOGIN_LOCKED)
        behind_lock(l->req, l->name);
}

enum http_outcome login_refuse(struct login *l)
{
    return anonymous_budget(api_of(l->req)) ? login_commit(l, fill_refusal, failed) : login_refuse_stranger(l->req);
}

enum http_outcome login_fail(struct login *l)
{
    l->shut = false;
    login_count_failure(l);
    return login_refuse(l);
}

enum http_outcome login_shut(struct login *l)
{
    l->shut = true;
    return login_refuse(l);
}

enum http_outcome login_judge(struct login *l)
{
    l->known = identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user) == OK;
    if (!l->known || !user_may_login(&l->user.user, people_now(l->req)))
        return login_shut(l);
    bool right = l->task.result == OK && view_is(l->user.user.password_hash, l->task.hash);
    return right ? l->proven(l) : login_fail(l);
}

static enum http_outcome look(struct login *l)
{
    if (l->task.result == OK || l->task.result == ERR_BAD_CREDENTIALS)
        return login_judge(l);
    api_retry_after(l->req, 2);
    return http_answer_error(l->req, l->task.result);
}

static void on_verified(struct password_task *task)
{
    struct login *l = task->context;
    api_of(l->req)->inside->under_way--;
    if (look(l) == HTTP_ANSWER)
        http_request_finish(l->req);
}

enum http_outcome login_verify(struct login *l)
{
    struct api_shared *s = api_of(l->req)->shared;
    enum err e = OK;
    if (identity_user(s->identity, l->name, l->req->arena, &l->user) == OK)
        e = view_to_str(l->user.user.password_hash, l->task.hash, sizeof l->task.hash);
    if (e == OK) {
        l->task.done = on_verified;
        e = passwords_verify(s->passwords, &l->task);
    }
    if (e == ERR_BUSY)
        api_retry_after(l->req, 2);
    if (e != OK)
        return http_answer_error(l->req, e);
    api_of(l->req)->inside->under_way++;
    return HTTP_LATER;
}

/* --- a new password in place of the one that was proven */

static void on_fresh(struct password_task *task)
{
    struct login *l = task->context;
    api_of(l->req)->inside->under_way--;
    l->proven = l->hashed;
    /* That took a while: what was true of the old password must still be. */
    enum http_outcome o = task->result == OK ? l->judge(l) : people_not_hashed(l->req, task, l->fresh_where);
    if (o == HTTP_ANSWER)
        http_request_finish(l->req);
}

enum http_outcome login_hash_fresh(struct login *l, const char *where, enum http_outcome (*then)(struct login *l))
{
    struct password_task *t = &l->fresh;
    t->box = l->task.box;
    t->context = l;
    t->done = on_fresh;
    l->hashed = then;
    l->fresh_where = where;
    enum err e = user_password_used(&l->user.user, people_rules(l->req)->history, l->req->arena, &t->used);
    if (e == OK)
        e = passwords_hash(api_of(l->req)->shared->passwords, t);
    if (e == ERR_BUSY)
        api_retry_after(l->req, 2);
    if (e != OK)
        return http_answer_error(l->req, e);
    api_of(l->req)->inside->under_way++;
    return HTTP_LATER;
}

/* --- signing in */

enum http_outcome login_succeed(struct login *l)
{
    return login_commit(l, fill_success, succeeded);
}

bool login_too_old(const struct login *l)
{
    return user_password_expired(&l->user.user, people_rules(l->req), people_now(l->req));
}

/* Whose password is too old may do one thing: choose another. */
enum http_outcome login_refuse_too_old(struct login *l)
{
    const struct record_object what = {.resource = l->actor, .detail = VIEW_STR("password too old")};
    return api_refuse(l->req, EVENT_AUTHENTICATION_BLOCKED, &what, ERR_PASSWORD_EXPIRED, NULL);
}

/* A new password waits for the second factor, too. */
static enum http_outcome sign_in(struct login *l)
{
    return user_has_second(&l->user.user) ? second_ask(l) : login_succeed(l);
}

static enum http_outcome password_proven(struct login *l)
{
    if (l->fresh.password.len == 0 && login_too_old(l))
        return login_refuse_too_old(l);
    if (l->fresh.password.len == 0 || user_has_second(&l->user.user))
        return sign_in(l);
    return login_hash_fresh(l, "/new_password", sign_in);
}

RESULT login_check_cookie(const struct http_request *req, bool cookie, struct problem *why)
{
    /* Else another site could sign a browser in as somebody of its choice. */
    if (cookie && !cookie_is_own(req))
        return problem_set(why, ERR_CROSS_SITE, "", "%s", "");
    if (cookie && !req->peer.is_tls)
        return problem_set(why, ERR_BAD_VALUE, "/cookie", "%s", "A cookie needs TLS.");
    return OK;
}

static RESULT read_login(struct http_request *req, struct login_request *q, struct problem *why)
{
    struct problem weak;
    TRY(http_request_entity(req, q, why));
    TRY(login_check_cookie(req, q->cookie, why));
    if (q->new_password.len == 0)
        return OK;
    enum err e = password_acceptable(q->new_password, q->name, people_rules(req), &weak);
    return e == OK ? OK : problem_set(why, e, "/new_password", "%s", weak.detail);
}

static enum http_outcome login_post(struct http_request *req)
{
    struct login_request q = {0};
    struct login *l = arena_alloc(req->arena, sizeof *l);
    struct problem why;
    if (!l)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (read_login(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = login_fill(l, req, q.name, q.password);
    if (e != OK)
        return http_answer_error(req, e);
    l->fresh.password = q.new_password;
    l->cookie = q.cookie;
    l->proven = password_proven;
    return login_verify(l);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/login", PERMISSION_PUBLIC, login_post, .name = "login", .rate = ATTEMPTS_LOG_IN,
          .summary = "Sign in with a name and a password", .tag = "session", .event = EVENT_AUTHENTICATION_SUCCESS,
          .request = &request_entity, .response = &login_answer_entity, .body_limit = 8192),
};
const struct route_table login_routes = {routes, ARRAY_LEN(routes)};
