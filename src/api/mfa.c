/* One's own second factors, and taking them off somebody who has lost them. */
#include "api/inside.h"
#include "api/login.h"
#include "api/routes.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/qr.h"
#include "base/text.h"

#define ISSUER  "Holdfast"
#define URI_MAX 512
#define SVG_MAX 65536

/* --- what goes in and out */

struct overview {
    uint64_t totp;
    uint32_t recovery_codes;
};
static const struct field overview_fields[] = {
    FIELD(1, struct overview, totp, TIME, 0, .doc = "One-time passwords are set up since; missing if they are not."),
    FIELD(2, struct overview, recovery_codes, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "Unused ones."),
};
static const struct entity overview_entity = ENTITY("MfaView", 0x07e3, 1, struct overview, overview_fields);

struct begin {
    struct view password;
};
static const struct field begin_fields[] = {
    FIELD(1, struct begin, password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "One's password, so that a stolen session is not enough."),
};
static const struct entity begin_entity = ENTITY("TotpBegin", 0x07e4, 1, struct begin, begin_fields);

struct begun {
    struct view secret, uri, svg;
};
static const struct field begun_fields[] = {
    FIELD(1, struct begun, secret, TEXT, TOTP_SECRET_TEXT_SIZE, .doc = "Base32, to be typed into an app; shown once."),
    FIELD(2, struct begun, uri, TEXT, URI_MAX, .doc = "otpauth: address with the same secret."),
    FIELD(3, struct begun, svg, TEXT, SVG_MAX, .doc = "QR code of that address, one SVG element."),
};
static const struct entity begun_entity = ENTITY("TotpBegun", 0x07e5, 1, struct begun, begun_fields);

struct confirm {
    struct view code;
};
static const struct field confirm_fields[] = {
    FIELD(1, struct confirm, code, TEXT, 16, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "The first code that the app shows."),
};
static const struct entity confirm_entity = ENTITY("TotpConfirm", 0x07e6, 1, struct confirm, confirm_fields);

struct codes {
    struct text_list recovery_codes;
};
static const struct field codes_fields[] = {
    FIELD(1, struct codes, recovery_codes, TEXTS, RECOVERY_CODES, .flags = FIELD_PRINT_ZERO,
          .doc = "Each good once, all former ones are void; shown once. None if there are unused ones already."),
};
static const struct entity codes_entity = ENTITY("RecoveryCodes", 0x07e7, 1, struct codes, codes_fields);

/* --- a change of one user's second factors */

struct edit {
    struct login login;              /* first; user: as it will be */
    RESULT (*apply)(struct edit *e); /* changes login.user.user.mfa */
    enum http_outcome (*answer)(struct edit *e);
    uint16_t event;
    struct view what, code;
    bool ends_sessions; /* all but the one that asks */
    bool renews;        /* the session that asks has just shown a second factor */
    struct codes codes;
    struct user_found before;
};

static RESULT make_codes(struct edit *e)
{
    struct login *l = &e->login;
    const struct api_shared *s = api_of(l->req)->shared;
    char texts[RECOVERY_CODES][RECOVERY_TEXT_SIZE];
    struct text_list list = {.items = arena_alloc(l->req->arena, RECOVERY_CODES * sizeof *list.items)};
    if (!list.items)
        return ERR_NO_MEMORY;
    enum err error = mfa_recovery_make(&l->user.user.mfa, s->random, people_keys(l->req), l->req->arena, texts);
    for (; list.count < RECOVERY_CODES && error == OK; list.count++)
        error = arena_copy(l->req->arena, view_str(texts[list.count]), &list.items[list.count]);
    wipe(texts, sizeof texts);
    TRY(error);
    e->codes.recovery_codes = list;
    return OK;
}

static bool is_mine(const struct txn_change *end, const struct txn_change *mine)
{
    return mine && view_eq(end->key, mine->key);
}

/* mine: the session that goes on, or NULL. */
static RESULT end_sessions(struct edit *e, struct api_change *c, const struct txn_change *mine)
{
    struct login *l = &e->login;
    struct txn_change *ends = NULL;
    size_t count = 0;
    TRY(identity_end_sessions(api_of(l->req)->shared->identity, l->name, people_now(l->req), 0, l->req->arena, &ends,
                              &count));
    for (size_t i = 0; i < count; i++)
        if (!is_mine(&ends[i], mine))
            TRY(api_change_put(c, &ends[i]));
    return tokens_end(c, REVOKED_SUBJECT, l->actor);
}

static RESULT fill(struct edit *e, struct api_change *c)
{
    struct login *l = &e->login;
    const struct record_object what = {.resource = l->actor, .detail = e->what};
    struct txn_change put, mine;
    uint8_t hash[32];
    TRY(identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &e->before));
    TRY(identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user));
    TRY(e->apply(e));
    TRY(identity_put_user(people_keys(l->req), &l->user.user, &e->before, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    if (e->renews) {
        TRY(hex_get(api_caller_of(l->req)->session_id, hash, sizeof hash));
        TRY(identity_renew_session(api_of(l->req)->shared->identity, hash, people_now(l->req), l->req->arena, &mine));
        TRY(api_change_put(c, &mine));
    }
    if (e->ends_sessions)
        TRY(end_sessions(e, c, e->renews ? &mine : NULL));
    return api_change_record(c, e->event, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct edit *e);

static enum http_outcome edited(struct api_change *c)
{
    struct edit *e = c->context;
    if (c->txn.result == ERR_CONFLICT && e->login.tries++ < PEOPLE_TRIES)
        return commit(e); /* somebody else changed the user: looked at again */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return e->answer(e);
}

static enum http_outcome commit(struct edit *e)
{
    struct http_request *req = e->login.req;
    struct api_change *c = NULL;
    enum err error = api_change_new(req, &c);
    if (error == OK)
        error = fill(e, c);
    if (error == ERR_BAD_CREDENTIALS)
        return people_problem(req, ERR_WRONG_CODE, "/code", "Look at the app, and at the clocks of phone and server.");
    if (error != OK)
        return http_answer_error(req, error);
    c->then = edited;
    c->context = e;
    return api_change_submit(c);
}

static enum http_outcome answer_empty(struct edit *e)
{
    return http_answer_empty(e->login.req, 204);
}

static enum http_outcome answer_codes(struct edit *e)
{
    return http_answer_entity(e->login.req, 200, &codes_entity, &e->codes);
}

/* For a change of one's own. NULL: no memory. */
static struct edit *own(struct http_request *req, uint16_t event, struct view what)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    if (!e || login_fill(&e->login, req, people_caller_name(req), (struct view){0}) != OK)
        return NULL;
    e->event = event;
    e->what = what;
    e->answer = answer_empty;
    return e;
}

/* --- one-time passwords */

static RESULT apply_begin(struct edit *e)
{
    struct login *l = &e->login;
    if (mfa_totp_ready(&l->user.user.mfa))
        return ERR_EXISTS;
    return mfa_totp_begin(&l->user.user.mfa, api_of(l->req)->shared->random, l->req->arena);
}

static RESULT show_secret(const struct mfa *m, struct view name, struct arena *arena, struct begun *ret)
{
    char secret[TOTP_SECRET_TEXT_SIZE];
    AUTO_WRITER uri = writer_new(URI_MAX), svg = writer_new(SVG_MAX);
    TRY(totp_secret_text(m->totp_secret.ptr, secret));
    enum err e = arena_copy(arena, view_str(secret), &ret->secret);
    wipe(secret, sizeof secret);
    TRY(e);
    TRY(mfa_totp_uri(m, VIEW_STR(ISSUER), name, &uri));
    TRY(qr_svg(writer_view_of(&uri), &svg));
    TRY(arena_copy(arena, writer_view_of(&uri), &ret->uri));
    return arena_copy(arena, writer_view_of(&svg), &ret->svg);
}

static enum http_outcome answer_begun(struct edit *e)
{
    struct login *l = &e->login;
    struct begun b = {0};
    enum err error = show_secret(&l->user.user.mfa, l->name, l->req->arena, &b);
    return error == OK ? http_answer_entity(l->req, 200, &begun_entity, &b) : http_answer_error(l->req, error);
}

static enum http_outcome begin_proven(struct login *l)
{
    return commit((struct edit *)(void *)l);
}

static enum http_outcome totp_post(struct http_request *req)
{
    struct edit *e = own(req, EVENT_USER_CHANGED, VIEW_STR("one-time passwords: begun"));
    struct begin q = {0};
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    e->login.task.password = q.password;
    e->login.proven = begin_proven;
    e->apply = apply_begin;
    e->answer = answer_begun;
    return login_verify(&e->login);
}

static RESULT apply_confirm(struct edit *e)
{
    struct mfa *m = &e->login.user.user.mfa;
    TRY(mfa_totp_confirm(m, e->code, people_now(e->login.req)));
    return mfa_recovery_left(m) ? OK : make_codes(e);
}

static enum http_outcome confirm_post(struct http_request *req)
{
    struct edit *e = own(req, EVENT_SECOND_FACTOR_ADDED, VIEW_STR("one-time passwords"));
    struct confirm q = {0};
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    e->code = q.code;
    e->apply = apply_confirm;
    e->answer = answer_codes;
    e->ends_sessions = e->renews = true;
    return commit(e);
}

static RESULT apply_remove(struct edit *e)
{
    struct user *u = &e->login.user.user;
    if (u->mfa.totp_secret.len == 0)
        return ERR_NOT_FOUND;
    u->mfa.totp_secret = (struct view){0};
    u->mfa.totp_since_ms = u->mfa.totp_step = 0;
    if (!user_has_second(u))
        u->mfa.recovery = (struct entity_list){0}; /* they stand in for a factor, and are none by themselves */
    return OK;
}

static enum http_outcome totp_delete(struct http_request *req)
{
    struct edit *e = own(req, EVENT_SECOND_FACTOR_REMOVED, VIEW_STR("one-time passwords"));
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    e->apply = apply_remove;
    return commit(e);
}

/* --- recovery codes */

static RESULT apply_codes(struct edit *e)
{
    return user_has_second(&e->login.user.user) ? make_codes(e) : ERR_NO_SECOND_FACTOR;
}

static enum http_outcome recovery_post(struct http_request *req)
{
    struct edit *e = own(req, EVENT_RECOVERY_CODES_MADE, VIEW_STR("recovery codes"));
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    e->apply = apply_codes;
    e->answer = answer_codes;
    return commit(e);
}

/* --- looking */

static enum http_outcome mfa_get(struct http_request *req)
{
    struct user_found f;
    enum err e = identity_user(api_of(req)->shared->identity, people_caller_name(req), req->arena, &f);
    if (e != OK)
        return http_answer_error(req, e);
    const struct overview v = {.totp = f.user.mfa.totp_since_ms,
                               .recovery_codes = (uint32_t)mfa_recovery_left(&f.user.mfa)};
    return http_answer_entity(req, 200, &overview_entity, &v);
}

/* --- somebody who has lost them */

static RESULT apply_reset(struct edit *e)
{
    struct user *u = &e->login.user.user;
    if (u->mfa.totp_secret.len == 0 && u->mfa.recovery.count == 0)
        return ERR_NOT_FOUND;
    u->mfa = (struct mfa){0};
    return OK;
}

/* Who takes somebody's second factor away is halfway to being him: not without his rights. */
static const char *may_not_reset(struct http_request *req, const struct user *u)
{
    struct rights mine = api_rights_of(req), his;
    if (view_eq(people_caller_name(req), u->name))
        return "nobody resets his own: remove them one by one at /api/v1/me/mfa";
    if (permission_has(mine.permissions, PERMISSION_SYSTEM_CONFIG))
        return NULL;
    if (rights_of(identity_roles(api_of(req)->shared->identity), &u->roles, u->environments, &his) != OK ||
        !rights_within(&his, &mine))
        return "nobody resets the second factors of who may more than himself; that takes system:config";
    return NULL;
}

static enum http_outcome reset_delete(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct view name = {0};
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    enum err error = ERR_NOT_FOUND;
    if (http_param(req, "name", &name) && user_name_valid(name))
        error = identity_user(api_of(req)->shared->identity, name, req->arena, &e->before);
    if (error == OK)
        error = login_fill(&e->login, req, e->before.user.name, (struct view){0});
    if (error != OK)
        return http_answer_error(req, error);
    const char *why = may_not_reset(req, &e->before.user);
    if (why)
        return people_refuse(req, "user:", name, why);
    e->event = EVENT_SECOND_FACTORS_RESET;
    e->apply = apply_reset;
    e->answer = answer_empty;
    e->ends_sessions = true;
    return commit(e);
}

#define OWN(method_, path_, handler_, ...)                                                                             \
    ROUTE(method_, "/api/v1/me/mfa" path_, PERMISSION_AUTHENTICATED, handler_, .tag = "mfa", .ways = WAY_SESSION,      \
          __VA_ARGS__)

static const struct route routes[] = {
    OWN(HTTP_GET, "", mfa_get, .name = "mfa", .summary = "One's own second factors", .durability = DURABLE_NONE,
        .response = &overview_entity),
    OWN(HTTP_POST, "/totp", totp_post, .name = "totp-begin",
        .summary = "A secret for an authenticator app; good once its first code was confirmed", .flags = ROUTE_STEP_UP,
        .event = EVENT_USER_CHANGED, .request = &begin_entity, .response = &begun_entity, .body_limit = 8192),
    OWN(HTTP_POST, "/totp/confirm", confirm_post, .name = "totp-confirm",
        .summary = "Set one-time passwords up by the first code; all other sessions and all tokens end",
        .flags = ROUTE_STEP_UP, .event = EVENT_SECOND_FACTOR_ADDED, .request = &confirm_entity,
        .response = &codes_entity, .body_limit = 4096),
    OWN(HTTP_DELETE, "/totp", totp_delete, .name = "totp-remove", .summary = "Give one-time passwords up",
        .flags = ROUTE_STEP_UP, .event = EVENT_SECOND_FACTOR_REMOVED),
    OWN(HTTP_POST, "/recovery", recovery_post, .name = "recovery-codes",
        .summary = "Ten new recovery codes; all former ones are void", .flags = ROUTE_STEP_UP,
        .event = EVENT_RECOVERY_CODES_MADE, .response = &codes_entity),
    ROUTE(HTTP_DELETE, "/api/v1/users/{name}/mfa", PERMISSION_USERS_MANAGE, reset_delete, .name = "user-mfa-reset",
          .summary = "Take a user's second factors off, who lost them; his sessions and tokens end", .tag = "mfa",
          .ways = WAYS_ALL, .flags = ROUTE_STEP_UP, .event = EVENT_SECOND_FACTORS_RESET),
};
const struct route_table mfa_routes = {routes, ARRAY_LEN(routes)};
