#include "crypto/token_key.h"

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "crypto/token_math.h"

const char *const token_alg_names[] = {"default", "ES256", "EdDSA", "RS256", NULL};

/* --- EdDSA (RFC 8037) */

static RESULT eddsa_make(const struct random *random, struct secret **ret_private, struct token_public *ret)
{
    AUTO(secret_free) struct secret *seed = NULL;

    TRY(secret_new(ED25519_SEED_SIZE, &seed));
    TRY(random->fill(random, secret_ptr(seed), ED25519_SEED_SIZE));
    TRY(ed25519_public(secret_ptr(seed), ret->bytes));
    ret->len = ED25519_PUBLIC_SIZE;
    *ret_private = TAKE(seed);
    return OK;
}

static RESULT eddsa_sign(const struct token_public *public_key, const struct secret *private_key,
                         const struct random *random, struct view message, uint8_t *out, size_t *ret_len)
{
    (void)public_key, (void)random;
    if (secret_len(private_key) != ED25519_SEED_SIZE)
        return ERR_BAD_KEY;
    *ret_len = ED25519_SIG_SIZE;
    return ed25519_sign(secret_view(private_key).ptr, message, out);
}

static RESULT eddsa_verify(const struct token_public *key, struct view message, struct view signature)
{
    return key->len == ED25519_PUBLIC_SIZE ? ed25519_verify(key->bytes, message, signature) : ERR_BAD_KEY;
}

/* --- one row for each algorithm */

static const struct {
    RESULT (*make)(const struct random *random, struct secret **ret_private, struct token_public *ret);
    RESULT(*sign)
    (const struct token_public *public_key, const struct secret *private_key, const struct random *random,
     struct view message, uint8_t *out, size_t *ret_len);
    RESULT (*verify)(const struct token_public *key, struct view message, struct view signature);
} algs[TOKEN_ALG_COUNT] = {
    [TOKEN_ES256] = {token_p256_make, token_p256_sign, token_p256_verify},
    [TOKEN_EDDSA] = {eddsa_make, eddsa_sign, eddsa_verify},
    [TOKEN_RS256] = {token_rsa_make, token_rsa_sign, token_rsa_verify},
};

static bool known(unsigned alg)
{
    return alg > TOKEN_ALG_NONE && alg < TOKEN_ALG_COUNT;
}

RESULT token_key_make(enum token_alg alg, const struct random *random, struct secret **ret_private,
                      struct token_public *ret_public)
{
    struct token_public made = {.alg = (uint8_t)alg};

    if (!known(alg))
        return ERR_BAD_VALUE;
    TRY(algs[alg].make(random, ret_private, &made));
    *ret_public = made;
    return OK;
}

RESULT token_key_sign(const struct token_public *public_key, const struct secret *private_key,
                      const struct random *random, struct view message, struct writer *signature)
{
    uint8_t out[TOKEN_SIG_MAX];
    size_t len = 0;

    if (!known(public_key->alg))
        return ERR_BAD_KEY;
    TRY(algs[public_key->alg].sign(public_key, private_key, random, message, out, &len));
    writer_bytes(signature, out, len);
    return writer_done(signature);
}

RESULT token_key_verify(const struct token_public *key, struct view message, struct view signature)
{
    return known(key->alg) ? algs[key->alg].verify(key, message, signature) : ERR_BAD_KEY;
}

/* --- as others read them */

static void member(struct writer *w, const char *before, const uint8_t *bytes, size_t len)
{
    writer_str(w, before);
    base64url_put(w, VIEW(bytes, len));
}

RESULT token_key_jwk(const struct token_public *key, struct writer *w)
{
    const size_t half = key->len / 2;

    switch (key->alg) {
    case TOKEN_ES256:
        member(w, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"", key->bytes, half);
        member(w, "\",\"y\":\"", key->bytes + half, half);
        break;
    case TOKEN_EDDSA:
        member(w, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"", key->bytes, key->len);
        break;
    case TOKEN_RS256:
        member(w, "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"", key->bytes, key->len);
        break;
    default:
        return ERR_BAD_KEY;
    }
    writer_str(w, "\"}");
    return writer_done(w);
}

RESULT token_key_id(const struct token_public *key, char out[static TOKEN_KID_LEN + 1])
{
    AUTO_WRITER jwk = writer_new(1024);
    struct writer text = writer_fixed(out, TOKEN_KID_LEN);
    uint8_t hash[SHA256_SIZE];

    TRY(token_key_jwk(key, &jwk));
    sha256(writer_view_of(&jwk), hash);
    base64url_put(&text, VIEW_OF(hash));
    TRY(writer_done(&text));
    out[TOKEN_KID_LEN] = '\0';
    return OK;
}
