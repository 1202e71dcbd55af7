#include "api/second.h"

#include "api/inside.h"
#include "api/passkey.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"

#define MINUTE_MS (60ull * 1000)

/* --- what is shown */

struct shown {
    struct view totp, recovery_code;
    struct passkey_shown passkey; /* id is empty if there is none */
};

#define SHOWN_FIELDS(first, type, at)                                                                                  \
    FIELD_AS(first, type, at.totp, "totp", TEXT, 16, .flags = FIELD_WRITE_ONLY,                                        \
             .doc = "The code that the app shows now, 6 digits."),                                                     \
        FIELD_AS((first) + 1, type, at.recovery_code, "recovery_code", TEXT, 64, .flags = FIELD_WRITE_ONLY,            \
                 .doc = "One of the recovery codes; it is used up.")
#define PASSKEY_FIELD(no, type, at)                                                                                    \
    FIELD_AS(no, type, at.passkey, "passkey", ENTITY, 0, .nested = &passkey_shown_entity,                              \
             .doc = "What a passkey answered to the question of …/passkey.")

struct second {
    struct login login; /* first */
    struct view ticket, new_password;
    struct shown shown;
    bool cookie;
    uint8_t proof[TICKET_PROOF_SIZE];
    struct passkey_used used;
};

static const struct field second_fields[] = {
    FIELD(1, struct second, ticket, TEXT, TICKET_TEXT_MAX, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "From the first step."),
    SHOWN_FIELDS(2, struct second, shown),
    FIELD(4, struct second, new_password, TEXT, 1024, .flags = FIELD_WRITE_ONLY,
          .doc = "The password from now on; as in the first step."),
    FIELD(5, struct second, cookie, BOOL, 0, .doc = "For browsers: the token comes as a cookie alone."),
    PASSKEY_FIELD(6, struct second, shown),
};
static const struct entity second_entity = ENTITY("LoginSecond", 0x07e0, 1, struct second, second_fields);

static const struct field step_up_fields[] = {SHOWN_FIELDS(1, struct second, shown),
                                              PASSKEY_FIELD(3, struct second, shown)};
static const struct entity step_up_entity = ENTITY("StepUp", 0x07e1, 1, struct second, step_up_fields);

struct fresh {
    uint64_t until;
};
static const struct field fresh_fields[] = {
    FIELD(1, struct fresh, until, TIME, 0, .doc = "So long the second factor counts as fresh in this session."),
};
static const struct entity fresh_entity = ENTITY("SteppedUp", 0x07e2, 1, struct fresh, fresh_fields);

static RESULT check_shown(const struct shown *s, struct problem *why)
{
    if ((s->totp.len != 0) + (s->recovery_code.len != 0) + (s->passkey.id.len != 0) == 1)
        return OK;
    return problem_set(why, ERR_MISSING_FIELD, "", "%s", "Show one second factor: totp, passkey or recovery_code.");
}

/* Takes what was shown off the user's row, which is then to be committed. */
static RESULT use(struct second *s)
{
    struct login *l = &s->login;
    struct mfa *m = &l->user.user.mfa;
    if (s->shown.passkey.id.len) {
        l->how = VIEW_STR("passkey");
        l->also = &s->used.put;
        TRY(passkey_judge(l->req, &s->shown.passkey, &l->user.user, true, &s->used));
        l->shown |= s->used.shown;
        return OK;
    }
    l->shown |= SHOWN_CODE;
    if (s->shown.totp.len) {
        l->how = VIEW_STR("one-time password");
        return mfa_totp_use(m, s->shown.totp, people_now(l->req));
    }
    l->how = VIEW_STR("recovery code");
    return mfa_recovery_use(m, s->shown.recovery_code, people_keys(l->req));
}

/* --- asking for it */

static RESULT methods_of(const struct user *u, struct arena *arena, struct text_list *ret)
{
    struct text_list l = {.items = arena_alloc(arena, 3 * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    if (mfa_totp_ready(&u->mfa))
        l.items[l.count++] = VIEW_STR("totp");
    if (u->mfa.passkeys.count)
        l.items[l.count++] = VIEW_STR("passkey");
    if (mfa_recovery_left(&u->mfa))
        l.items[l.count++] = VIEW_STR("recovery_code");
    *ret = l;
    return OK;
}

static enum http_outcome asked(struct api_change *c)
{
    struct login *l = c->context;
    AUTO_WRITER w = writer_new(TICKET_TEXT_MAX);
    struct text_list methods;
    enum http_outcome o;
    if (!login_settled(c, &o))
        return o;
    enum err e = ticket_make(people_keys(l->req), &l->user.user, people_now(l->req), &w);
    if (e == OK)
        e = methods_of(&l->user.user, l->req->arena, &methods);
    return e == OK ? login_answer_ticket(l, writer_view_of(&w), &methods) : http_answer_error(l->req, e);
}

static RESULT fill_asked(struct login *l, struct api_change *c)
{
    const struct record_object what = {.resource = l->actor, .detail = l->how};
    return people_record_as(c, EVENT_SECOND_FACTOR_ASKED, OUTCOME_DONE, l->actor, &what);
}

enum http_outcome second_ask(struct login *l)
{
    return login_commit(l, fill_asked, asked);
}

/* --- the second step */

static enum http_outcome judge_second(struct login *l);

static enum http_outcome hash_new(struct second *s)
{
    s->login.fresh.password = s->new_password;
    return login_hash_fresh(&s->login, "/new_password", NULL);
}

/* Also after a lost race: whoever was faster with this code, or this ticket, leaves the other one with nothing. */
static enum http_outcome judge_second(struct login *l)
{
    struct second *s = (struct second *)(void *)l;
    l->known = identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user) == OK;
    if (!l->known || !user_may_login(&l->user.user, people_now(l->req)))
        return login_shut(l);
    if (ticket_fits(people_keys(l->req), &l->user.user, s->proof) != OK)
        return login_refuse_stranger(l->req);
    if (s->new_password.len == 0 && login_too_old(l))
        return login_refuse_too_old(l);
    if (s->new_password.len && l->fresh.password.len == 0)
        return hash_new(s);
    enum err e = use(s);
    if (e == ERR_BAD_CREDENTIALS)
        return login_fail(l);
    if (e == ERR_PASSKEY_CLONED)
        return passkey_refuse_copy(l);
    return e == OK ? login_succeed(l) : http_answer_error(l->req, e);
}

/* A challenge belongs to the ticket that it was asked with. */
static struct challenge_for flow_of(struct view ticket, struct view name)
{
    struct challenge_for what = {.purpose = CHALLENGE_LOGIN, .user = name};
    sha256(ticket, what.session);
    return what;
}

static RESULT take(struct http_request *req, struct second *s, struct view name, struct problem *why)
{
    const struct challenge_for what = flow_of(s->ticket, name);
    enum err e = passkey_take(req, &s->shown.passkey, &what);
    return e == OK ? OK : problem_set(why, e, "/passkey/ceremony", "%s", "");
}

static RESULT read_second(struct http_request *req, struct second *s, struct view *ret_name, struct problem *why)
{
    struct problem weak;
    TRY(http_request_entity(req, s, why));
    TRY(check_shown(&s->shown, why));
    TRY(login_check_cookie(req, s->cookie, why));
    enum err e = ticket_open(people_keys(req), s->ticket, people_now(req), req->arena, ret_name, s->proof);
    if (e == OK && s->shown.passkey.id.len)
        e = take(req, s, *ret_name, why);
    if (e != OK || s->new_password.len == 0)
        return e;
    e = password_acceptable(s->new_password, *ret_name, people_rules(req), &weak);
    return e == OK ? OK : problem_set(why, e, "/new_password", "%s", weak.detail);
}

static enum http_outcome second_post(struct http_request *req)
{
    struct second *s = arena_alloc(req->arena, sizeof *s);
    struct problem why = {0};
    struct view name;
    if (!s)
        return http_answer_error(req, ERR_NO_MEMORY);
    enum err e = read_second(req, s, &name, &why);
    if (e == ERR_BAD_CREDENTIALS)
        return login_refuse_stranger(req);
    if (e != OK)
        return why.code != OK ? http_answer_problem(req, &why) : http_answer_error(req, e);
    e = login_fill(&s->login, req, name, (struct view){0});
    if (e != OK)
        return http_answer_error(req, e);
    s->login.judge = judge_second;
    s->login.cookie = s->cookie;
    s->login.second = true;
    return judge_second(&s->login);
}

/* --- step-up */

static uint64_t fresh_ms(const struct http_request *req)
{
    return api_of(req)->shared->config->mfa.step_up_minutes * MINUTE_MS;
}

bool second_fresh(const struct http_request *req)
{
    const struct api_caller *c = api_caller_of(req);
    uint64_t now = people_now(req);
    return !c->has_second || (c->second_ms && (now < c->second_ms || now - c->second_ms < fresh_ms(req)));
}

enum http_outcome second_demand(struct http_request *req)
{
    const struct record_object what = {.resource = api_caller_of(req)->actor, .detail = view_str(req->route->name)};
    AUTO_WRITER w = writer_new(256);
    writer_printf(&w,
                  "Bearer realm=\"holdfast\", error=\"insufficient_user_authentication\", "
                  "error_description=\"A fresh second factor is needed\", max_age=\"%llu\"",
                  (unsigned long long)(fresh_ms(req) / 1000));
    writer_u8(&w, 0);
    struct view text = writer_view_of(&w);
    if (text.len == 0)
        return http_answer_error(req, ERR_NO_MEMORY);
    (void)!http_answer_header(req, "WWW-Authenticate", (const char *)text.ptr);
    return api_refuse(req, EVENT_PERMISSION_DENIED, &what, ERR_STEP_UP_REQUIRED, NULL);
}

enum http_outcome second_missing(struct http_request *req)
{
    const struct record_object what = {.resource = api_caller_of(req)->actor, .detail = view_str(req->route->name)};
    return api_refuse(req, EVENT_PERMISSION_DENIED, &what, ERR_SECOND_FACTOR_REQUIRED, NULL);
}

static enum http_outcome stepped_up(struct api_change *c)
{
    struct login *l = c->context;
    const struct fresh f = {people_now(l->req) + fresh_ms(l->req)};
    enum http_outcome o;
    return login_settled(c, &o) ? http_answer_entity(l->req, 200, &fresh_entity, &f) : o;
}

static RESULT fill_step_up(struct login *l, struct api_change *c)
{
    const struct record_object what = {.resource = l->actor, .detail = l->how};
    struct txn_change put;
    uint8_t hash[32];
    TRY(hex_get(api_caller_of(l->req)->session_id, hash, sizeof hash));
    TRY(identity_renew_session(api_of(l->req)->shared->identity, hash, people_now(l->req), l->shown, l->req->arena,
                               &put));
    TRY(login_put_user(l, c));
    TRY(api_change_put(c, &put));
    if (l->also)
        TRY(api_change_put(c, l->also));
    return people_record_as(c, EVENT_SECOND_FACTOR_SHOWN, OUTCOME_DONE, l->actor, &what);
}

static enum http_outcome judge_step_up(struct login *l)
{
    struct second *s = (struct second *)(void *)l;
    l->known = identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user) == OK;
    if (!l->known || !user_may_login(&l->user.user, people_now(l->req)))
        return login_shut(l);
    enum err e = use(s);
    if (e == ERR_BAD_CREDENTIALS)
        return login_fail(l);
    if (e == ERR_PASSKEY_CLONED)
        return passkey_refuse_copy(l);
    return e == OK ? login_commit(l, fill_step_up, stepped_up) : http_answer_error(l->req, e);
}

/* --- what a browser needs for a passkey */

struct asking {
    struct view ticket;
};
static const struct field asking_fields[] = {
    FIELD(1, struct asking, ticket, TEXT, TICKET_TEXT_MAX, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "From the first step."),
};
static const struct entity asking_entity = ENTITY("LoginSecondPasskey", 0x07fb, 1, struct asking, asking_fields);

static enum http_outcome ask_passkey(struct http_request *req, const struct challenge_for *what, const struct user *u)
{
    return u->mfa.passkeys.count ? passkey_ask(req, what, u) : http_answer_error(req, ERR_NO_SECOND_FACTOR);
}

static enum http_outcome second_passkey_post(struct http_request *req)
{
    struct asking q = {0};
    struct problem why;
    struct view name;
    struct user_found u;
    uint8_t proof[TICKET_PROOF_SIZE];
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (ticket_open(people_keys(req), q.ticket, people_now(req), req->arena, &name, proof) != OK ||
        identity_user(api_of(req)->shared->identity, name, req->arena, &u) != OK ||
        ticket_fits(people_keys(req), &u.user, proof) != OK)
        return login_refuse_stranger(req);
    const struct challenge_for what = flow_of(q.ticket, name);
    return ask_passkey(req, &what, &u.user);
}

static enum http_outcome step_up_passkey_post(struct http_request *req)
{
    struct challenge_for what = {.purpose = CHALLENGE_STEP_UP};
    struct user_found u;
    enum err e = passkey_flow_of_session(req, &what);
    if (e == OK)
        e = identity_user(api_of(req)->shared->identity, what.user, req->arena, &u);
    return e == OK ? ask_passkey(req, &what, &u.user) : http_answer_error(req, e);
}

/* --- showing one anew */

static RESULT read_step_up(struct http_request *req, struct second *s, struct problem *why)
{
    struct challenge_for what = {.purpose = CHALLENGE_STEP_UP};
    TRY(http_request_entity(req, s, why));
    TRY(check_shown(&s->shown, why));
    if (s->shown.passkey.id.len == 0)
        return OK;
    enum err e = passkey_flow_of_session(req, &what);
    if (e == OK)
        e = passkey_take(req, &s->shown.passkey, &what);
    return e == OK ? OK : problem_set(why, e, "/passkey/ceremony", "%s", "");
}

static enum http_outcome step_up_post(struct http_request *req)
{
    struct second *s = arena_alloc(req->arena, sizeof *s);
    struct problem why;
    if (!s)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (read_step_up(req, s, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = login_fill(&s->login, req, people_caller_name(req), (struct view){0});
    if (e != OK)
        return http_answer_error(req, e);
    s->login.judge = judge_step_up;
    s->login.shown = 0; /* the password was shown when the session began, or not at all */
    return judge_step_up(&s->login);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/login/second", PERMISSION_PUBLIC, second_post, .name = "login-second",
          .rate = ATTEMPTS_PROOF, .summary = "Second step of signing in: show the second factor", .tag = "session",
          .event = EVENT_AUTHENTICATION_SUCCESS, .request = &second_entity, .response = &login_answer_entity,
          .body_limit = 32768),
    ROUTE(HTTP_POST, "/api/v1/login/second/passkey", PERMISSION_PUBLIC, second_passkey_post,
          .name = "login-second-passkey", .summary = "What a browser needs to show a passkey as the second factor",
          .tag = "session", .durability = DURABLE_NONE, .request = &asking_entity, .response = &passkey_question_entity,
          .body_limit = 4096),
    ROUTE(HTTP_POST, "/api/v1/me/step-up/passkey", PERMISSION_AUTHENTICATED, step_up_passkey_post,
          .name = "step-up-passkey", .flags = ROUTE_ENROLS, .summary = "What a browser needs to show a passkey anew",
          .tag = "session", .ways = WAY_SESSION, .durability = DURABLE_NONE, .response = &passkey_question_entity),
    ROUTE(HTTP_POST, "/api/v1/me/step-up", PERMISSION_AUTHENTICATED, step_up_post, .name = "step-up",
          .flags = ROUTE_ENROLS, .summary = "Show a second factor anew, for what asks for a fresh one",
          .tag = "session", .ways = WAY_SESSION, .event = EVENT_SECOND_FACTOR_SHOWN, .request = &step_up_entity,
          .response = &fresh_entity, .body_limit = 32768),
};
const struct route_table second_routes = {routes, ARRAY_LEN(routes)};
