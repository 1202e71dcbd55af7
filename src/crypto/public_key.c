#include "crypto/public_key.h"

#include "crypto/der.h"
#include "crypto/pubkey.h"
#include "crypto/sign.h"

#define RSA_MIN_BITS     2048
#define RSA_MAX_BITS     4096 /* checking takes time with the square of it, and strangers choose the key */
#define RSA_EXPONENT_MAX 4
#define SIGNATURE_MAX    1024

static const struct kind {
    gnutls_pk_algorithm_t algorithm;
    gnutls_ecc_curve_t curve;
    gnutls_sign_algorithm_t signature;
    size_t width; /* of x, and of y for ECDSA */
    bool ecdsa;
} kinds[PUBLIC_KINDS] = {
    [PUBLIC_P256] = {GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1, GNUTLS_SIGN_ECDSA_SHA256, 32, true},
    [PUBLIC_P384] = {GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP384R1, GNUTLS_SIGN_ECDSA_SHA384, 48, true},
    [PUBLIC_P521] = {GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP521R1, GNUTLS_SIGN_ECDSA_SHA512, 66, true},
    [PUBLIC_ED25519] = {GNUTLS_PK_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519, GNUTLS_SIGN_EDDSA_ED25519, 32, false},
    [PUBLIC_ED448] = {GNUTLS_PK_EDDSA_ED448, GNUTLS_ECC_CURVE_ED448, GNUTLS_SIGN_EDDSA_ED448, 57, false},
    [PUBLIC_RSA] = {GNUTLS_PK_RSA, GNUTLS_ECC_CURVE_INVALID, GNUTLS_SIGN_RSA_SHA256, 0, false},
};

static RESULT import_rsa(gnutls_pubkey_t key, const struct public_key *from)
{
    if (from->x.len == 0 || from->x.len > RSA_MAX_BITS / 8 || from->x.ptr[0] == 0 || from->y.len == 0 ||
        from->y.len > RSA_EXPONENT_MAX || from->y.ptr[0] == 0 || !(from->y.ptr[from->y.len - 1] & 1) ||
        (from->y.len == 1 && from->y.ptr[0] == 1))
        return ERR_BAD_KEY;
    gnutls_datum_t n = datum(from->x), e = datum(from->y);
    if (gnutls_pubkey_import_rsa_raw(key, &n, &e) != GNUTLS_E_SUCCESS || pubkey_kind(key) != PUBLIC_RSA)
        return ERR_BAD_KEY;
    return OK;
}

static RESULT import_curve(gnutls_pubkey_t key, const struct public_key *from)
{
    const struct kind *k = &kinds[from->kind];
    gnutls_datum_t x = datum(from->x), y = datum(from->y);
    if (from->x.len != k->width || from->y.len != (k->ecdsa ? k->width : 0) ||
        gnutls_pubkey_import_ecc_raw(key, k->curve, &x, k->ecdsa ? &y : NULL) != GNUTLS_E_SUCCESS)
        return ERR_BAD_KEY;
    return OK;
}

RESULT pubkey_import(const struct public_key *key, gnutls_pubkey_t *ret)
{
    AUTO(gnutls_pubkey_deinit) gnutls_pubkey_t k = NULL;
    if (key->kind <= PUBLIC_NONE || key->kind >= PUBLIC_KINDS)
        return ERR_BAD_KEY;
    if (gnutls_pubkey_init(&k) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    TRY(key->kind == PUBLIC_RSA ? import_rsa(k, key) : import_curve(k, key));
    if (gnutls_pubkey_verify_params(k) != GNUTLS_E_SUCCESS)
        return ERR_BAD_KEY;
    *ret = TAKE(k);
    return OK;
}

enum public_kind pubkey_kind(gnutls_pubkey_t key)
{
    unsigned bits = 0;
    int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    if (algorithm == GNUTLS_PK_RSA)
        return bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS ? PUBLIC_RSA : PUBLIC_NONE;
    if (gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) != GNUTLS_E_SUCCESS)
        return PUBLIC_NONE;
    for (enum public_kind k = PUBLIC_P256; k < PUBLIC_RSA; k++)
        if ((int)kinds[k].algorithm == algorithm && kinds[k].curve == curve)
            return k;
    return PUBLIC_NONE;
}

RESULT pubkey_verify(gnutls_pubkey_t key, struct view message, struct view signature)
{
    enum public_kind kind = pubkey_kind(key);
    if (kind == PUBLIC_NONE)
        return ERR_BAD_KEY;
    if (message.len > DATUM_MAX)
        return ERR_TOO_LONG;
    /* GnuTLS is lenient about DER: it gets only what is strict. */
    if (signature.len == 0 || signature.len > SIGNATURE_MAX || (kinds[kind].ecdsa && !der_is_ecdsa(signature)))
        return ERR_BAD_SIGNATURE;
    gnutls_datum_t text = datum(message), sig = datum(signature);
    if (gnutls_pubkey_verify_data2(key, kinds[kind].signature, 0, &text, &sig) < 0)
        return ERR_BAD_SIGNATURE;
    return OK;
}

RESULT public_key_check(const struct public_key *key)
{
    AUTO(gnutls_pubkey_deinit) gnutls_pubkey_t k = NULL;
    return pubkey_import(key, &k);
}

RESULT public_key_verify(const struct public_key *key, struct view message, struct view signature)
{
    AUTO(gnutls_pubkey_deinit) gnutls_pubkey_t k = NULL;
    TRY(pubkey_import(key, &k));
    /* libsodium's check is the stricter one: small-order keys and other spellings of a point are refused. */
    if (key->kind == PUBLIC_ED25519)
        return ed25519_verify(key->x.ptr, message, signature);
    return pubkey_verify(k, message, signature);
}
