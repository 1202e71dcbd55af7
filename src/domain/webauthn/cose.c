#include "domain/webauthn/inside.h"

/* Labels of RFC 9052 §7.1 and RFC 9053 §7. */
#define LABEL_KTY 1
#define LABEL_ALG 3
#define LABEL_CRV (-1) /* for RSA: n */
#define LABEL_X   (-2) /* for RSA: e */
#define LABEL_Y   (-3)
#define KTY_OKP   1
#define KTY_EC2   2
#define KTY_RSA   3

const int32_t webauthn_algorithms[] = {WEBAUTHN_ES256, WEBAUTHN_EDDSA, WEBAUTHN_RS256};
const size_t webauthn_algorithms_count = ARRAY_LEN(webauthn_algorithms);

/* §5.8.5: "Keys with algorithm ES256 (-7) MUST specify P-256 (1) as the crv parameter", and so on. */
static const struct algorithm {
    int32_t algorithm;
    int64_t kty, crv;
    enum public_kind kind;
} algorithms[] = {
    {WEBAUTHN_ES256, KTY_EC2, 1, PUBLIC_P256},  {WEBAUTHN_ES384, KTY_EC2, 2, PUBLIC_P384},
    {WEBAUTHN_ES512, KTY_EC2, 3, PUBLIC_P521},  {WEBAUTHN_EDDSA, KTY_OKP, 6, PUBLIC_ED25519},
    {WEBAUTHN_ED448, KTY_OKP, 7, PUBLIC_ED448}, {WEBAUTHN_RS256, KTY_RSA, 0, PUBLIC_RSA},
};

static const struct algorithm *find(int64_t algorithm)
{
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (algorithms[i].algorithm == algorithm)
            return &algorithms[i];
    return NULL;
}

enum public_kind cose_kind(int64_t algorithm)
{
    const struct algorithm *a = find(algorithm);
    return a ? a->kind : PUBLIC_NONE;
}

static RESULT read_parts(const struct cbor_map *m, const struct algorithm *a, struct public_key *ret)
{
    struct cbor_value crv = {0}, x = {0}, y = {0};
    if (a->kty == KTY_RSA) {
        TRY(cbor_read_numbered(m, LABEL_CRV, CBOR_KIND_BYTES, &x));
        TRY(cbor_read_numbered(m, LABEL_X, CBOR_KIND_BYTES, &y));
    } else {
        TRY(cbor_read_numbered(m, LABEL_CRV, CBOR_KIND_INTEGER, &crv));
        if (crv.number != a->crv)
            return ERR_BAD_KEY;
        TRY(cbor_read_numbered(m, LABEL_X, CBOR_KIND_BYTES, &x));
        if (a->kty == KTY_EC2) /* a compressed point, whose y is a boolean, is refused: §6.5.1.1 forbids it */
            TRY(cbor_read_numbered(m, LABEL_Y, CBOR_KIND_BYTES, &y));
    }
    *ret = (struct public_key){.kind = a->kind, .x = x.bytes, .y = y.bytes};
    return OK;
}

static RESULT read_key(struct view text, struct cose_key *ret)
{
    struct cbor_map m = {0};
    struct cbor_value kty = {0}, alg = {0};
    struct cose_key k = {0};
    if (text.len > WEBAUTHN_KEY_MAX)
        return ERR_TOO_LONG;
    TRY(cbor_read_whole_map(text, &m));
    TRY(cbor_read_numbered(&m, LABEL_KTY, CBOR_KIND_INTEGER, &kty));
    TRY(cbor_read_numbered(&m, LABEL_ALG, CBOR_KIND_INTEGER, &alg));
    const struct algorithm *a = find(alg.number);
    if (!a || a->kty != kty.number)
        return ERR_BAD_KEY;
    k.algorithm = a->algorithm;
    TRY(read_parts(&m, a, &k.key));
    TRY(public_key_check(&k.key));
    *ret = k;
    return OK;
}

RESULT cose_key(struct view text, struct cose_key *ret, struct problem *why)
{
    enum err e = read_key(text, ret);
    if (e)
        return problem_set(why, e, STATEMENT_WHERE, "The credential's public key is none that is taken here.");
    return OK;
}
