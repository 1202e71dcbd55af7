#include "base/fields.h"
#include "base/text.h"
#include "domain/tokens/tokens.h"

#define HEADER_MAX 256
#define CLAIMS_MAX 1536

struct header {
    struct view alg, kid, typ;
};

static const struct field header_fields[] = {
    FIELD(1, struct header, alg, TEXT, 8, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(2, struct header, kid, TEXT, TOKEN_KID_LEN, .flags = FIELD_REQUIRED, .min = TOKEN_KID_LEN),
    FIELD(3, struct header, typ, TEXT, 8, .flags = FIELD_REQUIRED, .min = 1),
};
static const struct entity header_entity = ENTITY("TokenHeader", 0x0550, 1, struct header, header_fields);

static const struct field claims_fields[] = {
    FIELD(1, struct jwt_claims, iss, TEXT, TOKEN_ISSUER_MAX, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(2, struct jwt_claims, sub, TEXT, TOKEN_SUBJECT_MAX, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(3, struct jwt_claims, aud, TEXT, TOKEN_ISSUER_MAX, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(4, struct jwt_claims, client_id, TEXT, TOKEN_CLIENT_MAX, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(5, struct jwt_claims, exp, U64, 0, .flags = FIELD_REQUIRED),
    FIELD(6, struct jwt_claims, nbf, U64, 0, .flags = FIELD_REQUIRED),
    FIELD(7, struct jwt_claims, iat, U64, 0, .flags = FIELD_REQUIRED),
    FIELD(8, struct jwt_claims, jti, FIXED, TOKEN_ID_SIZE, .flags = FIELD_REQUIRED),
    FIELD(9, struct jwt_claims, sid, FIXED, 16),
    FIELD(10, struct jwt_claims, auth_time, U64, 0),
    FIELD(11, struct jwt_claims, amr, TEXTS, TOKEN_METHODS_MAX),
};
const struct entity jwt_claims_entity = ENTITY("TokenClaims", 0x0551, 1, struct jwt_claims, claims_fields);

/* RFC 7515 §3.1: exactly three parts. */
static bool split(struct view text, struct view parts[static 3])
{
    size_t from = 0, count = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.')
            continue;
        if (count == 3)
            return false;
        parts[count++] = VIEW(text.ptr + from, i - from);
        from = i + 1;
    }
    return count == 3;
}

static RESULT decode(struct view part, size_t max, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(max);

    TRY(base64url_get(part, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static uint8_t alg_of(struct view name)
{
    for (unsigned i = TOKEN_ALG_NONE + 1; i < TOKEN_ALG_COUNT; i++)
        if (view_is(name, token_alg_names[i]))
            return (uint8_t)i;
    return TOKEN_ALG_NONE;
}

static RESULT read_header(struct view part, struct arena *arena, struct jwt *out)
{
    struct header h = {0};
    struct view json;

    TRY(decode(part, HEADER_MAX, arena, &json));
    TRY(entity_parse(&header_entity, json, arena, &h, NULL));
    out->alg = alg_of(h.alg);
    if (out->alg == TOKEN_ALG_NONE || !view_is(h.typ, "at+jwt"))
        return ERR_TOKEN_INVALID;
    return view_to_str(h.kid, out->kid, sizeof out->kid);
}

static RESULT read_all(const struct view parts[static 3], struct arena *arena, struct jwt *out)
{
    struct view json, signature;

    TRY(read_header(parts[0], arena, out));
    TRY(decode(parts[1], CLAIMS_MAX, arena, &json));
    TRY(entity_parse(&jwt_claims_entity, json, arena, &out->claims, NULL));
    TRY(decode(parts[2], TOKEN_SIG_MAX, arena, &signature));
    memcpy(out->signature, signature.ptr, signature.len);
    out->signature_len = signature.len;
    return OK;
}

RESULT jwt_parse(struct view text, struct arena *arena, struct jwt *ret)
{
    struct view parts[3];
    struct jwt out = {0};
    enum err e;

    if (text.len == 0 || text.len > TOKEN_TEXT_MAX || !split(text, parts) || !parts[0].len || !parts[1].len ||
        !parts[2].len)
        return ERR_TOKEN_INVALID;
    e = read_all(parts, arena, &out);
    if (e != OK)
        return e == ERR_NO_MEMORY ? e : ERR_TOKEN_INVALID;
    out.signed_part = VIEW(text.ptr, parts[0].len + 1 + parts[1].len);
    *ret = out;
    return OK;
}
