#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#define UNCOMPRESSED_SIZE 65
#define RECOVERY_AT       64

static secp256k1_context *context; /* set once, before there are threads; only read afterwards */

RESULT secp256k1_start(void)
{
    if (context)
        return OK;
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    AUTO(secret_free) struct secret *seed = NULL;
    enum err e = c ? secret_random(32, &seed) : ERR_NO_MEMORY;
    /* Blinds every multiplication with a secret scalar against power and timing analysis. */
    if (e == OK && !secp256k1_context_randomize(c, secret_ptr(seed)))
        e = ERR_CRYPTO;
    if (e != OK) {
        if (c)
            secp256k1_context_destroy(c);
        return e;
    }
    context = c;
    return OK;
}

static RESULT address_of(const secp256k1_pubkey *public_key, uint8_t out[static 20])
{
    uint8_t point[UNCOMPRESSED_SIZE], hash[KECCAK256_SIZE];
    size_t len = sizeof(point);
    if (!secp256k1_ec_pubkey_serialize(context, point, &len, public_key, SECP256K1_EC_UNCOMPRESSED))
        return ERR_CRYPTO;
    keccak256(VIEW(point + 1, len - 1), hash);
    memcpy(out, hash + sizeof(hash) - 20, 20);
    return OK;
}

RESULT secp256k1_sign_digest(const uint8_t key[static SECP256K1_KEY_SIZE], const uint8_t digest[static 32],
                             uint8_t out[static SECP256K1_SIG_SIZE])
{
    if (!context)
        return ERR_CRYPTO;
    secp256k1_ecdsa_recoverable_signature sig;
    if (!secp256k1_ecdsa_sign_recoverable(context, &sig, digest, key, secp256k1_nonce_function_rfc6979, NULL))
        return ERR_BAD_KEY;
    int recovery = 0;
    uint8_t compact[RECOVERY_AT];
    secp256k1_ecdsa_recoverable_signature_serialize_compact(context, compact, &recovery, &sig);
    if (recovery > 1)
        return ERR_CRYPTO; /* r >= the group order: one in 2^127, and no chain takes it */
    memcpy(out, compact, sizeof(compact));
    out[RECOVERY_AT] = (uint8_t)recovery;
    return OK;
}

RESULT secp256k1_address(const uint8_t key[static SECP256K1_KEY_SIZE], uint8_t out[static 20])
{
    secp256k1_pubkey public_key;
    if (!context)
        return ERR_CRYPTO;
    if (!secp256k1_ec_pubkey_create(context, &public_key, key))
        return ERR_BAD_KEY;
    return address_of(&public_key, out);
}

static RESULT parse_low_s(const uint8_t raw[static ECDSA_RAW_SIZE], secp256k1_ecdsa_signature *ret)
{
    if (!secp256k1_ecdsa_signature_parse_compact(context, ret, raw) ||
        secp256k1_ecdsa_signature_normalize(context, NULL, ret))
        return ERR_BAD_SIGNATURE;
    return OK;
}

RESULT secp256k1_recover(const uint8_t digest[static 32], const uint8_t sig[static SECP256K1_SIG_SIZE],
                         uint8_t ret_address[static 20])
{
    secp256k1_ecdsa_signature plain;
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey public_key;
    if (!context)
        return ERR_CRYPTO;
    TRY(parse_low_s(sig, &plain));
    if (sig[RECOVERY_AT] > 1 ||
        !secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, sig, sig[RECOVERY_AT]) ||
        !secp256k1_ecdsa_recover(context, &public_key, &parsed, digest))
        return ERR_BAD_SIGNATURE;
    return address_of(&public_key, ret_address);
}

/* libsecp256k1 also parses the hybrid forms 06 and 07, a second spelling that nothing needs. */
static bool sec1_form(struct view v)
{
    return (v.len == 33 && (v.ptr[0] == 0x02 || v.ptr[0] == 0x03)) || (v.len == UNCOMPRESSED_SIZE && v.ptr[0] == 0x04);
}

RESULT secp256k1_verify_der(struct view public_key, struct view message, struct view der)
{
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature sig;
    uint8_t raw[ECDSA_RAW_SIZE], digest[SHA256_SIZE];
    if (!context)
        return ERR_CRYPTO;
    if (!sec1_form(public_key) || !secp256k1_ec_pubkey_parse(context, &key, public_key.ptr, public_key.len))
        return ERR_BAD_KEY;
    TRY(ecdsa_from_der(der, raw));
    TRY(parse_low_s(raw, &sig));
    sha256(message, digest);
    return secp256k1_ecdsa_verify(context, &sig, digest, &key) ? OK : ERR_BAD_SIGNATURE;
}
