/* One's own second factors, and taking them off somebody who has lost them. */
#include "api/factors.h"
#include "api/inside.h"
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
    uint32_t recovery_codes, passkeys;
};
static const struct field overview_fields[] = {
    FIELD(1, struct overview, totp, TIME, 0, .doc = "One-time passwords are set up since; missing if they are not."),
    FIELD(2, struct overview, recovery_codes, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "Unused ones."),
    FIELD(3, struct overview, passkeys, U32, 0, .flags = FIELD_PRINT_ZERO, .doc = "Listed at /api/v1/me/mfa/passkeys."),
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

/* --- one-time passwords */

static RESULT apply_begin(struct factors_edit *e, struct api_change *c)
{
    (void)c;
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

static enum http_outcome answer_begun(struct factors_edit *e)
{
    struct login *l = &e->login;
    struct begun b = {0};
    enum err error = show_secret(&l->user.user.mfa, l->name, l->req->arena, &b);
    return error == OK ? http_answer_entity(l->req, 200, &begun_entity, &b) : http_answer_error(l->req, error);
}

static enum http_outcome begin_proven(struct login *l)
{
    return factors_commit((struct factors_edit *)(void *)l);
}

static enum http_outcome totp_post(struct http_request *req)
{
    struct factors_edit *e = arena_alloc(req->arena, sizeof *e);
    struct begin q = {0};
    struct problem why;
    if (!e || factors_own(e, req, EVENT_USER_CHANGED, VIEW_STR("one-time passwords: begun")) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    e->login.task.password = q.password;
    e->login.proven = begin_proven;
    e->apply = apply_begin;
    e->answer = answer_begun;
    return login_verify(&e->login);
}

static RESULT apply_confirm(struct factors_edit *e, struct api_change *c)
{
    (void)c;
    struct mfa *m = &e->login.user.user.mfa;
    TRY(mfa_totp_confirm(m, e->code, people_now(e->login.req)));
    return mfa_recovery_left(m) ? OK : factors_make_codes(e);
}

static enum http_outcome confirm_post(struct http_request *req)
{
    struct factors_edit *e = arena_alloc(req->arena, sizeof *e);
    struct confirm q = {0};
    struct problem why;
    if (!e || factors_own(e, req, EVENT_SECOND_FACTOR_ADDED, VIEW_STR("one-time passwords")) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    struct login *l = &e->login;
    l->known = identity_user(api_of(req)->shared->identity, l->name, req->arena, &l->user) == OK;
    if (!l->known || !user_may_login(&l->user.user, people_now(req)))
        return login_shut(l); /* too many wrong ones */
    l->shown = SHOWN_CODE;
    e->code = q.code;
    e->apply = apply_confirm;
    e->answer = factors_answer_codes;
    e->ends_sessions = e->renews = true;
    return factors_commit(e);
}

static RESULT apply_remove(struct factors_edit *e, struct api_change *c)
{
    (void)c;
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
    struct factors_edit *e = arena_alloc(req->arena, sizeof *e);
    if (!e || factors_own(e, req, EVENT_SECOND_FACTOR_REMOVED, VIEW_STR("one-time passwords")) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    e->apply = apply_remove;
    return factors_commit(e);
}

/* --- recovery codes */

static RESULT apply_codes(struct factors_edit *e, struct api_change *c)
{
    (void)c;
    return user_has_second(&e->login.user.user) ? factors_make_codes(e) : ERR_NO_SECOND_FACTOR;
}

static enum http_outcome recovery_post(struct http_request *req)
{
    struct factors_edit *e = arena_alloc(req->arena, sizeof *e);
    if (!e || factors_own(e, req, EVENT_RECOVERY_CODES_MADE, VIEW_STR("recovery codes")) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    e->apply = apply_codes;
    e->answer = factors_answer_codes;
    return factors_commit(e);
}

/* --- looking */

static enum http_outcome mfa_get(struct http_request *req)
{
    struct user_found f;
    enum err e = identity_user(api_of(req)->shared->identity, people_caller_name(req), req->arena, &f);
    if (e != OK)
        return http_answer_error(req, e);
    const struct overview v = {.totp = f.user.mfa.totp_since_ms,
                               .recovery_codes = (uint32_t)mfa_recovery_left(&f.user.mfa),
                               .passkeys = (uint32_t)f.user.mfa.passkeys.count};
    return http_answer_entity(req, 200, &overview_entity, &v);
}

/* --- somebody who has lost them */

static RESULT apply_reset(struct factors_edit *e, struct api_change *c)
{
    (void)c;
    struct user *u = &e->login.user.user;
    if (u->mfa.totp_secret.len == 0 && u->mfa.recovery.count == 0 && u->mfa.passkeys.count == 0)
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
    struct factors_edit *e = arena_alloc(req->arena, sizeof *e);
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
    e->answer = factors_answer_empty;
    e->ends_sessions = true;
    return factors_commit(e);
}

#define OWN(method_, path_, handler_, ...)                                                                             \
    ROUTE(method_, "/api/v1/me/mfa" path_, PERMISSION_AUTHENTICATED, handler_, .tag = "mfa", .ways = WAY_SESSION,      \
          __VA_ARGS__)

static const struct route routes[] = {
    OWN(HTTP_GET, "", mfa_get, .name = "mfa", .flags = ROUTE_ENROLS, .summary = "One's own second factors",
        .durability = DURABLE_NONE, .response = &overview_entity),
    OWN(HTTP_POST, "/totp", totp_post, .name = "totp-begin",
        .summary = "A secret for an authenticator app; good once its first code was confirmed",
        .flags = ROUTE_STEP_UP | ROUTE_ENROLS, .event = EVENT_USER_CHANGED, .request = &begin_entity,
        .response = &begun_entity, .body_limit = 8192),
    OWN(HTTP_POST, "/totp/confirm", confirm_post, .name = "totp-confirm",
        .summary = "Set one-time passwords up by the first code; all other sessions and all tokens end",
        .flags = ROUTE_STEP_UP | ROUTE_ENROLS, .event = EVENT_SECOND_FACTOR_ADDED, .request = &confirm_entity,
        .response = &factors_codes_entity, .body_limit = 4096),
    OWN(HTTP_DELETE, "/totp", totp_delete, .name = "totp-remove", .summary = "Give one-time passwords up",
        .flags = ROUTE_STEP_UP, .event = EVENT_SECOND_FACTOR_REMOVED),
    OWN(HTTP_POST, "/recovery", recovery_post, .name = "recovery-codes",
        .summary = "Ten new recovery codes; all former ones are void", .flags = ROUTE_STEP_UP,
        .event = EVENT_RECOVERY_CODES_MADE, .response = &factors_codes_entity),
    ROUTE(HTTP_DELETE, "/api/v1/users/{name}/mfa", PERMISSION_USERS_MANAGE, reset_delete, .name = "user-mfa-reset",
          .summary = "Take a user's second factors off, who lost them; his sessions and tokens end", .tag = "mfa",
          .ways = WAYS_ALL, .flags = ROUTE_STEP_UP, .event = EVENT_SECOND_FACTORS_RESET),
};
const struct route_table mfa_routes = {routes, ARRAY_LEN(routes)};
