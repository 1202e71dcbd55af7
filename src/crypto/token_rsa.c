#include "crypto/hash.h"
#include "crypto/token_gmp.h"
#include "crypto/token_math.h"

#include <nettle/rsa.h>

#define BITS     2048
#define MODULUS  (BITS / 8)
#define PART     (MODULUS / 2)
#define EXPONENT 65537

static void private_done(struct rsa_private_key *k)
{
    number_wipe(k->d);
    number_wipe(k->p);
    number_wipe(k->q);
    number_wipe(k->a);
    number_wipe(k->b);
    number_wipe(k->c);
    rsa_private_key_clear(k);
}

static bool parts_put(const struct rsa_private_key *k, uint8_t *out)
{
    return number_put(k->p, out, PART) && number_put(k->q, out + PART, PART) &&
           number_put(k->a, out + 2 * PART, PART) && number_put(k->b, out + 3 * PART, PART) &&
           number_put(k->c, out + 4 * PART, PART);
}

static bool parts_get(const struct secret *from, struct rsa_private_key *k)
{
    const uint8_t *bytes = secret_view(from).ptr;

    if (secret_len(from) != 5 * PART)
        return false;
    number_get(k->p, bytes, PART);
    number_get(k->q, bytes + PART, PART);
    number_get(k->a, bytes + 2 * PART, PART);
    number_get(k->b, bytes + 3 * PART, PART);
    number_get(k->c, bytes + 4 * PART, PART);
    return rsa_private_key_prepare(k);
}

static bool public_get(const struct token_public *from, struct rsa_public_key *k)
{
    if (from->len != MODULUS)
        return false;
    number_get(k->n, from->bytes, MODULUS);
    mpz_set_ui(k->e, EXPONENT);
    return rsa_public_key_prepare(k) && k->size == MODULUS;
}

static bool generate(struct drawn *drawn, struct rsa_public_key *pub, struct rsa_private_key *key, uint8_t *ret_parts,
                     uint8_t *ret_modulus)
{
    mpz_set_ui(pub->e, EXPONENT);
    return rsa_generate_keypair(pub, key, drawn, drawn_fill, NULL, NULL, BITS, 0) && parts_put(key, ret_parts) &&
           number_put(pub->n, ret_modulus, MODULUS);
}

RESULT token_rsa_make(const struct random *random, struct secret **ret_private, struct token_public *ret)
{
    AUTO(secret_free) struct secret *parts = NULL;
    struct drawn drawn = {0};
    struct rsa_public_key pub;
    struct rsa_private_key key;
    bool good;

    TRY(secret_new(5ul * PART, &parts));
    TRY(random->fill(random, drawn.seed, sizeof drawn.seed));
    rsa_public_key_init(&pub);
    rsa_private_key_init(&key);
    good = generate(&drawn, &pub, &key, secret_ptr(parts), ret->bytes);
    private_done(&key);
    rsa_public_key_clear(&pub);
    wipe(&drawn, sizeof drawn);
    if (!good)
        return ERR_CRYPTO;
    ret->len = MODULUS;
    *ret_private = TAKE(parts);
    return OK;
}

static bool sign(struct drawn *drawn, const struct rsa_public_key *pub, const struct rsa_private_key *key,
                 struct view message, uint8_t out[static MODULUS])
{
    struct sha256_ctx hash;
    mpz_t n;
    bool good;

    sha256_init(&hash);
    sha256_update(&hash, message.len, message.ptr);
    mpz_init(n);
    good = rsa_sha256_sign_tr(pub, key, drawn, drawn_fill, &hash, n) && number_put(n, out, MODULUS);
    mpz_clear(n);
    return good;
}

RESULT token_rsa_sign(const struct token_public *public_key, const struct secret *private_key,
                      const struct random *random, struct view message, uint8_t *out, size_t *ret_len)
{
    struct drawn drawn = {0};
    struct rsa_public_key pub;
    struct rsa_private_key key;
    enum err e = ERR_BAD_KEY;

    TRY(random->fill(random, drawn.seed, sizeof drawn.seed));
    rsa_public_key_init(&pub);
    rsa_private_key_init(&key);
    if (public_get(public_key, &pub) && parts_get(private_key, &key))
        e = sign(&drawn, &pub, &key, message, out) ? OK : ERR_CRYPTO;
    private_done(&key);
    rsa_public_key_clear(&pub);
    wipe(&drawn, sizeof drawn);
    *ret_len = MODULUS;
    return e;
}

static bool verify(const struct rsa_public_key *pub, struct view message, struct view signature)
{
    struct sha256_ctx hash;
    mpz_t n;
    bool good;

    sha256_init(&hash);
    sha256_update(&hash, message.len, message.ptr);
    mpz_init(n);
    number_get(n, signature.ptr, signature.len);
    good = rsa_sha256_verify(pub, &hash, n); /* one encoding, compared whole (RFC 8017 §8.2.2) */
    mpz_clear(n);
    return good;
}

RESULT token_rsa_verify(const struct token_public *key, struct view message, struct view signature)
{
    struct rsa_public_key pub;
    enum err e = ERR_BAD_KEY;

    if (signature.len != MODULUS)
        return ERR_BAD_SIGNATURE;
    rsa_public_key_init(&pub);
    if (public_get(key, &pub))
        e = verify(&pub, message, signature) ? OK : ERR_BAD_SIGNATURE;
    rsa_public_key_clear(&pub);
    return e;
}
