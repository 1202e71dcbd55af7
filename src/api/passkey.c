#include "api/passkey.h"

#include "api/inside.h"
#include "base/fields.h"
#include "base/text.h"
#include "crypto/x509.h"

#define RP_NAME    "Holdfast"
#define CHALLENGES 4096 /* of strangers, and as many of people who are signed in */
#define ARENA_MAX  (8u << 20)

/* --- whose passkeys they are */

static RESULT read_models(const struct config_passkeys *c, struct passkey_site *s)
{
    uint8_t(*models)[WEBAUTHN_AAGUID_SIZE] = arena_alloc(s->arena, (c->models.count + 1) * sizeof *models);
    if (!models)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->models.count; i++) {
        char digits[2 * WEBAUTHN_AAGUID_SIZE];
        size_t n = 0;
        for (size_t k = 0; k < c->models.items[i].len && n < sizeof digits; k++)
            if (c->models.items[i].ptr[k] != '-')
                digits[n++] = (char)c->models.items[i].ptr[k];
        TRY(hex_get(VIEW(digits, n), models[i], sizeof models[i]));
    }
    s->policy.aaguids = (const uint8_t(*)[WEBAUTHN_AAGUID_SIZE])models;
    s->policy.aaguid_count = c->models.count;
    return OK;
}

static RESULT fill_site(const struct config_passkeys *c, struct view roots, struct passkey_site *s)
{
    struct x509_list anchors = {0};
    TRY(arena_new(4096, ARENA_MAX, &s->arena));
    TRY(challenges_new(CHALLENGES, &s->challenges));
    s->rp_id = c->rp_id;
    s->origins = c->origins;
    s->policy.least = (enum webauthn_attestation)c->attestation;
    TRY(read_models(c, s));
    if (roots.len)
        TRY(x509_pem(roots, s->arena, &anchors));
    s->policy.anchors = anchors.items;
    s->policy.anchor_count = anchors.count;
    return OK;
}

RESULT passkey_site_new(const struct config *c, struct view roots, struct passkey_site **ret, struct problem *why)
{
    struct passkey_site *s = calloc(1, sizeof *s);
    enum err e = s ? fill_site(&c->passkeys, roots, s) : ERR_NO_MEMORY;
    if (e == OK) {
        *ret = s;
        return OK;
    }
    passkey_site_free(s);
    return problem_set(why, e == ERR_NO_MEMORY ? e : ERR_BAD_CONFIG, "passkeys", "what is configured can't be read");
}

void passkey_site_free(struct passkey_site *s)
{
    if (!s)
        return;
    challenges_free(s->challenges);
    arena_free(s->arena);
    free(s);
}

static struct passkey_site *site_of(const struct http_request *req)
{
    return api_of(req)->shared->passkeys;
}

static uint64_t mono(const struct http_request *req)
{
    const struct clock *c = api_of(req)->shared->clock;
    return c->mono_ms(c);
}

RESULT passkey_flow_of_session(const struct http_request *req, struct challenge_for *ret)
{
    struct view id = api_caller_of(req)->session_id;
    ret->user = people_caller_name(req);
    return hex_get(id, ret->session, sizeof ret->session) == OK ? OK : ERR_INTERNAL;
}

void passkey_expect(const struct http_request *req, struct view challenge, struct webauthn_ceremony *ret)
{
    const struct passkey_site *s = site_of(req);
    *ret = (struct webauthn_ceremony){.challenge = challenge,
                                      .rp_id = s->rp_id,
                                      .origins = s->origins.items,
                                      .origin_count = s->origins.count,
                                      .now_ms = people_now(req),
                                      .algorithms = webauthn_algorithms,
                                      .algorithm_count = webauthn_algorithms_count,
                                      .policy = &s->policy};
}

/* --- asking */

struct hint {
    struct view id;
    struct text_list transports;
};
static const struct field hint_fields[] = {
    FIELD(1, struct hint, id, BYTES, WEBAUTHN_ID_MAX, .doc = "Credential id."),
    FIELD(2, struct hint, transports, TEXTS, 0),
};
static const struct entity hint_entity = ENTITY("PasskeyHint", 0x07f2, 1, struct hint, hint_fields);

struct question {
    struct view ceremony, challenge, rp_id, rp_name, user_handle, user_name, algorithms, user_verification, attestation;
    struct entity_list passkeys;
    uint32_t timeout_ms;
};
static const struct field question_fields[] = {
    FIELD(1, struct question, ceremony, TEXT, ID_TEXT_SIZE, .doc = "To be sent along with the answer."),
    FIELD(2, struct question, challenge, BYTES, CHALLENGE_SIZE, .doc = "Good once, for five minutes."),
    FIELD(3, struct question, rp_id, TEXT, 0),
    FIELD(4, struct question, rp_name, TEXT, 0),
    FIELD(5, struct question, user_handle, BYTES, WEBAUTHN_HANDLE_SIZE, .doc = "For a new passkey: user.id."),
    FIELD(6, struct question, user_name, TEXT, USER_NAME_MAX),
    FIELD(7, struct question, algorithms, JSON, 64, .doc = "For a new passkey: COSE algorithms, the best first."),
    FIELD(8, struct question, passkeys, LIST, PASSKEYS_MAX, .nested = &hint_entity,
          .doc = "Those that may answer; for a new passkey those that are there already."),
    FIELD(9, struct question, user_verification, TEXT, 16, .doc = "required or preferred."),
    FIELD(10, struct question, attestation, TEXT, 16, .doc = "For a new passkey: none or direct."),
    FIELD(11, struct question, timeout_ms, U32, 0),
};
const struct entity passkey_question_entity = ENTITY("PasskeyQuestion", 0x07f0, 1, struct question, question_fields);

static RESULT hints_of(struct http_request *req, const struct user *u, struct entity_list *ret)
{
    struct passkey_found *found = NULL;
    size_t count = 0;
    TRY(passkeys_of(api_of(req)->shared->identity, u, req->arena, &found, &count));
    struct hint *hints = arena_alloc(req->arena, (count + 1) * sizeof *hints);
    if (!hints)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        hints[i] = (struct hint){found[i].passkey.id, found[i].passkey.transports};
    *ret = (struct entity_list){hints, count};
    return OK;
}

static RESULT algorithms_text(struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(64);
    for (size_t i = 0; i < webauthn_algorithms_count; i++)
        writer_printf(&w, "%c%d", i ? ',' : '[', (int)webauthn_algorithms[i]);
    writer_u8(&w, ']');
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static RESULT fill_new(struct http_request *req, const struct user *user, struct question *q)
{
    const struct webauthn_policy *p = &site_of(req)->policy;
    bool looks = p->least != WEBAUTHN_UNATTESTED || p->anchor_count;
    q->rp_name = VIEW_STR(RP_NAME);
    q->user_handle = VIEW_OF(user->id);
    q->user_name = user->name;
    q->attestation = looks ? VIEW_STR("direct") : VIEW_STR("none");
    return algorithms_text(req->arena, &q->algorithms);
}

enum http_outcome passkey_ask(struct http_request *req, const struct challenge_for *what, const struct user *user)
{
    struct passkey_site *s = site_of(req);
    struct challenge given;
    char id[ID_TEXT_SIZE];
    struct question q = {.rp_id = s->rp_id, .timeout_ms = CHALLENGE_MS};
    enum err e = challenges_give(s->challenges, api_of(req)->shared->random, what, mono(req), &given);
    if (e == OK && user)
        e = hints_of(req, user, &q.passkeys);
    if (e == OK && user && what->purpose == CHALLENGE_REGISTER)
        e = fill_new(req, user, &q);
    if (e != OK)
        return http_answer_error(req, e);
    id_format(&given.id, id);
    q.ceremony = view_str(id);
    q.challenge = VIEW_OF(given.bytes);
    q.user_verification = what->purpose == CHALLENGE_DISCOVER ? VIEW_STR("required") : VIEW_STR("preferred");
    return http_answer_entity(req, 200, &passkey_question_entity, &q);
}

/* --- answers */

static const struct field shown_fields[] = {
    FIELD(1, struct passkey_shown, ceremony, TEXT, ID_TEXT_SIZE, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "As the question named it."),
    FIELD(2, struct passkey_shown, id, BYTES, WEBAUTHN_ID_MAX, .flags = FIELD_REQUIRED, .min = 1, .doc = "rawId"),
    FIELD(3, struct passkey_shown, client_data, BYTES, WEBAUTHN_CLIENT_DATA_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "response.clientDataJSON"),
    FIELD(4, struct passkey_shown, authenticator_data, BYTES, WEBAUTHN_AUTHENTICATOR_MAX, .flags = FIELD_REQUIRED,
          .min = 1, .doc = "response.authenticatorData"),
    FIELD(5, struct passkey_shown, signature, BYTES, 1024, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "response.signature"),
    FIELD(6, struct passkey_shown, user_handle, BYTES, 64, .doc = "response.userHandle, if there is one"),
};
const struct entity passkey_shown_entity = ENTITY("PasskeyAnswer", 0x07f1, 1, struct passkey_shown, shown_fields);

RESULT passkey_take(const struct http_request *req, struct passkey_shown *s, const struct challenge_for *what)
{
    struct id id;
    if (id_parse(s->ceremony, &id) != OK)
        return ERR_CHALLENGE_UNKNOWN;
    return challenges_take(site_of(req)->challenges, &id, what, mono(req), s->challenge);
}

RESULT passkey_owner(const struct http_request *req, const struct passkey_shown *s, struct user_found *ret)
{
    struct identity *identity = api_of(req)->shared->identity;
    struct passkey_found found;
    uint8_t hash[PASSKEY_HASH_SIZE];
    passkeys_hash(s->id, hash);
    enum err e = passkeys_find(identity, hash, req->arena, &found);
    /* The look at a user who is not there takes as long. */
    return identity_enrolled(identity, e == OK ? found.passkey.user : (struct view){0}, req->arena, ret);
}

/* A key to be verified with where there is none: the curve's own generator, so nobody chose it. Its private half is 1,
 * and so what verifies is refused as well. */
static const uint8_t nobodys_key[] = {
    0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c,
    0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb,
    0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x22, 0x58, 0x20, 0x4f, 0xe3, 0x42,
    0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};

static struct webauthn_credential nobodys(const struct passkey_shown *s, const struct user *user)
{
    struct webauthn_credential p = {.id = s->id, .public_key = VIEW_OF(nobodys_key)};
    if (user)
        memcpy(p.user_handle, user->id, sizeof p.user_handle);
    else if (s->user_handle.len == sizeof p.user_handle)
        memcpy(p.user_handle, s->user_handle.ptr, sizeof p.user_handle);
    return p;
}

/* It is his: both rows say so, and what the authenticator says of its user does not speak against it. */
static bool is_his(const struct passkey_shown *s, const struct user *user, const struct passkey_found *f)
{
    uint8_t hash[PASSKEY_HASH_SIZE];
    passkeys_hash(s->id, hash);
    return mfa_passkey_has(&user->mfa, hash) && view_eq(f->passkey.user, user->name) &&
           ct_eq(f->passkey.user_handle, user->id, sizeof user->id) &&
           (s->user_handle.len == 0 || view_eq(s->user_handle, VIEW_OF(user->id)));
}

uint8_t passkey_kind(const struct webauthn_credential *c)
{
    return c->backup_eligible ? SHOWN_SYNCED_KEY : SHOWN_BOUND_KEY;
}

RESULT passkey_judge(struct http_request *req, const struct passkey_shown *s, const struct user *user, bool named,
                     struct passkey_used *ret)
{
    const struct webauthn_asserted answer = {s->id, s->client_data, s->authenticator_data, s->signature,
                                             s->user_handle};
    struct webauthn_ceremony expect;
    struct webauthn_credential used;
    struct passkey_found found = {0};
    struct problem why;
    uint8_t hash[PASSKEY_HASH_SIZE];
    passkeys_hash(s->id, hash);
    enum err e = passkeys_find(api_of(req)->shared->identity, hash, req->arena, &found);
    bool his = e == OK && user && is_his(s, user, &found);
    if (!his)
        found.passkey = nobodys(s, named ? user : NULL);
    passkey_expect(req, VIEW_OF(s->challenge), &expect);
    expect.user_verification = !named;
    expect.user_handle = named && user ? VIEW_OF(user->id) : (struct view){0};
    e = webauthn_assert(&expect, &answer, &found.passkey, &used, &why);
    if (e == ERR_NO_MEMORY || (his && e == ERR_PASSKEY_CLONED))
        return e;
    if (e != OK || !his)
        return ERR_BAD_CREDENTIALS;
    ret->shown = passkey_kind(&used);
    return passkeys_put(people_keys(req), &used, &found, req->arena, &ret->put);
}

static enum http_outcome copy_refused(struct api_change *c)
{
    enum http_outcome o;
    return login_settled(c, &o) ? http_answer_error(c->req, ERR_PASSKEY_CLONED) : o;
}

static RESULT fill_copy(struct login *l, struct api_change *c)
{
    const struct record_object what = {
        .resource = l->actor, .detail = l->how, .error = view_str(err_code(ERR_PASSKEY_CLONED))};
    return people_record_as(c, EVENT_PASSKEY_CLONED, OUTCOME_REFUSED, l->actor, &what);
}

enum http_outcome passkey_refuse_copy(struct login *l)
{
    return login_commit(l, fill_copy, copy_refused);
}
