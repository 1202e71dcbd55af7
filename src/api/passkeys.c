/* One's own passkeys: new ones, their names, and giving one up. Several each. */
#include "api/passkey.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"

#define ID_TEXT (2 * PASSKEY_ID_SIZE)

/* --- what goes in and out */

struct begin {
    struct view password;
};
static const struct field begin_fields[] = {
    FIELD(1, struct begin, password, TEXT, 1024, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1,
          .doc = "One's password, so that a stolen session is not enough."),
};
static const struct entity begin_entity = ENTITY("PasskeyBegin", 0x07f3, 1, struct begin, begin_fields);

struct adding {
    struct factors_edit edit; /* first */
    struct view ceremony, name, id, client_data, attestation_object, shown_id;
    struct text_list transports;
    struct webauthn_credential made;
    uint8_t hash[PASSKEY_HASH_SIZE];
};
static const struct field adding_fields[] = {
    FIELD(1, struct adding, ceremony, TEXT, ID_TEXT_SIZE, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "As the question named it."),
    FIELD(2, struct adding, name, TEXT, WEBAUTHN_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = text_printable,
          .rule = "printable text", .doc = "What one calls it."),
    FIELD(3, struct adding, id, BYTES, WEBAUTHN_ID_MAX, .flags = FIELD_REQUIRED, .min = 1, .doc = "rawId"),
    FIELD(4, struct adding, client_data, BYTES, WEBAUTHN_CLIENT_DATA_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "response.clientDataJSON"),
    FIELD(5, struct adding, attestation_object, BYTES, WEBAUTHN_ATTESTATION_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "response.attestationObject"),
    FIELD(6, struct adding, transports, TEXTS, 8, .doc = "response.getTransports()"),
};
static const struct entity adding_entity = ENTITY("PasskeyNew", 0x07f4, 1, struct adding, adding_fields);

static const struct field added_fields[] = {
    FIELD_AS(1, struct adding, shown_id, "id", TEXT, ID_TEXT),
    FIELD_AS(2, struct adding, edit.codes, "recovery_codes", TEXTS, RECOVERY_CODES, .flags = FIELD_PRINT_ZERO,
             .doc = "With the first factor, each good once; shown once."),
};
static const struct entity added_entity = ENTITY("PasskeyAdded", 0x07f5, 1, struct adding, added_fields);

struct item {
    struct view id, name, model;
    uint64_t created, last_used;
    struct text_list transports;
    struct view format, attestation;
    bool user_verified, backed_up;
};
static const struct field item_fields[] = {
    FIELD(1, struct item, id, TEXT, ID_TEXT),
    FIELD(2, struct item, name, TEXT, WEBAUTHN_NAME_MAX, .doc = "What one calls it."),
    FIELD(3, struct item, created, TIME, 0),
    FIELD(4, struct item, last_used, TIME, 0, .doc = "Missing if it never was."),
    FIELD(5, struct item, transports, TEXTS, 0),
    FIELD(6, struct item, model, TEXT, 2 * WEBAUTHN_AAGUID_SIZE, .doc = "AAGUID, as the authenticator says it."),
    FIELD(7, struct item, format, TEXT, 16, .doc = "Form of the attestation."),
    FIELD(8, struct item, attestation, TEXT, 16, .doc = "How far the model is proved: none to trusted."),
    FIELD(9, struct item, user_verified, BOOL, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "The authenticator verified its user when it was registered."),
    FIELD(10, struct item, backed_up, BOOL, 0, .flags = FIELD_PRINT_ZERO, .doc = "It is on other devices, too."),
};
static const struct entity item_entity = ENTITY("PasskeyView", 0x07f6, 1, struct item, item_fields);

struct page {
    struct entity_list passkeys;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, passkeys, LIST, PASSKEYS_MAX, .flags = FIELD_PRINT_ZERO, .nested = &item_entity),
};
static const struct entity page_entity = ENTITY("PasskeyPage", 0x07f7, 1, struct page, page_fields);

struct renaming {
    struct view name;
};
static const struct field renaming_fields[] = {
    FIELD(1, struct renaming, name, TEXT, WEBAUTHN_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = text_printable,
          .rule = "printable text"),
};
static const struct entity renaming_entity = ENTITY("PasskeyName", 0x07f8, 1, struct renaming, renaming_fields);

static RESULT shown_id(struct arena *arena, struct view id, struct view *ret)
{
    uint8_t hash[PASSKEY_HASH_SIZE];
    AUTO_WRITER w = writer_new(ID_TEXT);
    passkeys_hash(id, hash);
    hex_put(&w, VIEW(hash, PASSKEY_ID_SIZE));
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* --- a new one */

static enum http_outcome ask(struct login *l)
{
    struct challenge_for what = {.purpose = CHALLENGE_REGISTER};
    enum err e = passkey_flow_of_session(l->req, &what);
    return e == OK ? passkey_ask(l->req, &what, &l->user.user) : http_answer_error(l->req, e);
}

static enum http_outcome begin_post(struct http_request *req)
{
    struct login *l = arena_alloc(req->arena, sizeof *l);
    struct begin q = {0};
    struct problem why;
    if (!l)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = login_fill(l, req, people_caller_name(req), q.password);
    if (e != OK)
        return http_answer_error(req, e);
    l->proven = ask;
    return login_verify(l);
}

static RESULT apply_new(struct factors_edit *e, struct api_change *c)
{
    struct adding *a = (struct adding *)(void *)e;
    struct login *l = &e->login;
    struct mfa *m = &l->user.user.mfa;
    struct passkey_found other;
    struct txn_change put;
    /* §7.1 step 26: "Verify that the credentialId is not yet registered for any user." */
    if (passkeys_find(api_of(l->req)->shared->identity, a->hash, l->req->arena, &other) == OK)
        return ERR_EXISTS;
    e->ends_sessions = !user_has_second(&l->user.user);
    TRY(mfa_passkey_add(m, a->hash, l->req->arena));
    TRY(passkeys_put(people_keys(l->req), &a->made, NULL, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    return mfa_recovery_left(m) ? OK : factors_make_codes(e);
}

static enum http_outcome answer_added(struct factors_edit *e)
{
    return http_answer_entity(e->login.req, 201, &added_entity, e);
}

static RESULT check_new(struct http_request *req, struct adding *a, struct problem *why)
{
    struct challenge_for what = {.purpose = CHALLENGE_REGISTER};
    const struct webauthn_created answer = {a->id, a->client_data, a->attestation_object};
    struct passkey_shown taken = {.ceremony = a->ceremony};
    struct webauthn_ceremony expect;
    struct user_found u;
    TRY(passkey_flow_of_session(req, &what));
    TRY(identity_user(api_of(req)->shared->identity, what.user, req->arena, &u));
    TRY(passkey_take(req, &taken, &what));
    passkey_expect(req, VIEW_OF(taken.challenge), &expect);
    expect.user_handle = VIEW_OF(u.user.id);
    TRY(webauthn_register(&expect, &answer, &a->made, why));
    a->made.user = what.user;
    a->made.name = a->name;
    a->made.transports = a->transports;
    passkeys_hash(a->made.id, a->hash);
    return shown_id(req->arena, a->made.id, &a->shown_id);
}

/* What browsers say of transports grows: only what is known is kept. */
static void keep_known(struct text_list *transports)
{
    size_t kept = 0;
    for (size_t i = 0; i < transports->count; i++)
        if (webauthn_transport_known(transports->items[i]))
            transports->items[kept++] = transports->items[i];
    transports->count = kept;
}

static enum http_outcome new_post(struct http_request *req)
{
    struct adding *a = arena_alloc(req->arena, sizeof *a);
    struct problem why = {0};
    if (!a)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, a, &why) != OK)
        return http_answer_problem(req, &why);
    keep_known(&a->transports);
    enum err e = check_new(req, a, &why);
    if (e == OK)
        e = factors_own(&a->edit, req, EVENT_SECOND_FACTOR_ADDED, VIEW_STR("passkey"));
    if (e != OK && why.code == e)
        return http_answer_problem(req, &why);
    if (e != OK)
        return http_answer_error(req, e);
    a->edit.login.shown = passkey_kind(&a->made);
    a->edit.apply = apply_new;
    a->edit.answer = answer_added;
    a->edit.renews = true;
    return factors_commit(&a->edit);
}

/* --- looking */

static RESULT fill_item(struct http_request *req, const struct webauthn_credential *p, struct item *ret)
{
    AUTO_WRITER model = writer_new(2 * WEBAUTHN_AAGUID_SIZE);
    struct item i = {.name = p->name,
                     .created = p->created_ms,
                     .last_used = p->last_used_ms,
                     .transports = p->transports,
                     .format = view_str(webauthn_format_name(p)),
                     .attestation = view_str(webauthn_attestation_name(p)),
                     .user_verified = p->user_verified,
                     .backed_up = p->backed_up};
    TRY(shown_id(req->arena, p->id, &i.id));
    hex_put(&model, VIEW_OF(p->aaguid));
    TRY(writer_done(&model));
    TRY(arena_copy(req->arena, writer_view_of(&model), &i.model));
    *ret = i;
    return OK;
}

static RESULT fill_page(struct http_request *req, struct page *ret)
{
    struct user_found u;
    struct passkey_found *found = NULL;
    size_t count = 0;
    TRY(identity_user(api_of(req)->shared->identity, people_caller_name(req), req->arena, &u));
    TRY(passkeys_of(api_of(req)->shared->identity, &u.user, req->arena, &found, &count));
    struct item *items = arena_alloc(req->arena, (count + 1) * sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(fill_item(req, &found[i].passkey, &items[i]));
    ret->passkeys = (struct entity_list){items, count};
    return OK;
}

static enum http_outcome page_get(struct http_request *req)
{
    struct page p = {0};
    enum err e = fill_page(req, &p);
    return e == OK ? http_answer_entity(req, 200, &page_entity, &p) : http_answer_error(req, e);
}

/* --- one of them */

struct one {
    struct factors_edit edit; /* first */
    uint8_t id[PASSKEY_ID_SIZE];
    struct view name; /* from now on */
};

/* That of the caller which is called so. */
static RESULT find_mine(const struct one *o, struct passkey_found *ret, uint8_t ret_hash[static PASSKEY_HASH_SIZE])
{
    const struct login *l = &o->edit.login;
    const struct mfa *m = &l->user.user.mfa;
    const struct passkey_ref *refs = m->passkeys.items;
    for (size_t i = 0; i < m->passkeys.count; i++) {
        if (memcmp(refs[i].hash, o->id, sizeof o->id) != 0)
            continue;
        memcpy(ret_hash, refs[i].hash, PASSKEY_HASH_SIZE);
        return passkeys_find(api_of(l->req)->shared->identity, refs[i].hash, l->req->arena, ret);
    }
    return ERR_NO_ROUTE;
}

static RESULT apply_name(struct factors_edit *e, struct api_change *c)
{
    struct one *o = (struct one *)(void *)e;
    struct passkey_found found;
    struct txn_change put;
    uint8_t hash[PASSKEY_HASH_SIZE];
    TRY(find_mine(o, &found, hash));
    found.passkey.name = o->name;
    TRY(passkeys_put(people_keys(e->login.req), &found.passkey, &found, e->login.req->arena, &put));
    return api_change_put(c, &put);
}

/* Also one whose row is damaged, and which is good for nothing any more. */
static RESULT apply_gone(struct factors_edit *e, struct api_change *c)
{
    struct one *o = (struct one *)(void *)e;
    struct user *u = &e->login.user.user;
    struct passkey_found found;
    uint8_t hash[PASSKEY_HASH_SIZE];
    (void)c;
    enum err error = find_mine(o, &found, hash);
    if (error != OK && error != ERR_NOT_FOUND)
        return error;
    TRY(mfa_passkey_remove(&u->mfa, hash, e->login.req->arena));
    if (!user_has_second(u))
        u->mfa.recovery = (struct entity_list){0}; /* they stand in for a factor, and are none by themselves */
    return OK;
}

static RESULT fill_one(struct http_request *req, struct one *o, uint16_t event, struct view what)
{
    struct view id = {0};
    if (!http_param(req, "id", &id) || hex_get(id, o->id, sizeof o->id) != OK)
        return ERR_NO_ROUTE;
    return factors_own(&o->edit, req, event, what);
}

static enum http_outcome name_patch(struct http_request *req)
{
    struct one *o = arena_alloc(req->arena, sizeof *o);
    struct renaming q = {0};
    struct problem why;
    if (!o)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = fill_one(req, o, EVENT_USER_CHANGED, VIEW_STR("name of a passkey"));
    if (e != OK)
        return http_answer_error(req, e);
    o->name = q.name;
    o->edit.apply = apply_name;
    return factors_commit(&o->edit);
}

static enum http_outcome one_delete(struct http_request *req)
{
    struct one *o = arena_alloc(req->arena, sizeof *o);
    enum err e = o ? fill_one(req, o, EVENT_SECOND_FACTOR_REMOVED, VIEW_STR("passkey")) : ERR_NO_MEMORY;
    if (e != OK)
        return http_answer_error(req, e);
    o->edit.apply = apply_gone;
    return factors_commit(&o->edit);
}

#define OWN(method_, path_, handler_, ...)                                                                             \
    ROUTE(method_, "/api/v1/me/mfa/passkeys" path_, PERMISSION_AUTHENTICATED, handler_, .tag = "mfa",                  \
          .ways = WAY_SESSION, __VA_ARGS__)

static const struct route routes[] = {
    OWN(HTTP_GET, "", page_get, .name = "passkeys", .flags = ROUTE_ENROLS, .summary = "One's own passkeys",
        .durability = DURABLE_NONE, .response = &page_entity),
    OWN(HTTP_POST, "/begin", begin_post, .name = "passkey-begin", .summary = "What a browser needs to make a passkey",
        .flags = ROUTE_STEP_UP | ROUTE_ENROLS, .request = &begin_entity, .response = &passkey_question_entity,
        .body_limit = 8192),
    OWN(HTTP_POST, "", new_post, .name = "passkey-new",
        .summary = "Register the passkey that was made; the first factor ends all other sessions and all tokens",
        .flags = ROUTE_STEP_UP | ROUTE_ENROLS, .event = EVENT_SECOND_FACTOR_ADDED, .request = &adding_entity,
        .response = &added_entity, .status = 201, .body_limit = 131072),
    OWN(HTTP_PATCH, "/{id}", name_patch, .name = "passkey-rename", .summary = "Call a passkey something else",
        .event = EVENT_USER_CHANGED, .request = &renaming_entity, .body_limit = 4096),
    OWN(HTTP_DELETE, "/{id}", one_delete, .name = "passkey-remove", .summary = "Give a passkey up",
        .flags = ROUTE_STEP_UP, .event = EVENT_SECOND_FACTOR_REMOVED),
};
const struct route_table passkeys_routes = {routes, ARRAY_LEN(routes)};
