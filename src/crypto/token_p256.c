#include "crypto/hash.h"
#include "crypto/token_gmp.h"
#include "crypto/token_math.h"

#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>

#define SCALAR 32
#define POINT  (2 * SCALAR)
#define SIG    (2 * SCALAR)

void drawn_fill(void *context, size_t len, uint8_t *out)
{
    struct drawn *d = context;
    uint8_t block[SHA256_SIZE];

    while (len > 0) {
        size_t n = len < sizeof block ? len : sizeof block;
        d->count++;
        hmac_sha256(VIEW_OF(d->seed), VIEW(&d->count, sizeof d->count), block);
        memcpy(out, block, n);
        out += n;
        len -= n;
    }
    wipe(block, sizeof block);
}

static void scalar_done(struct ecc_scalar *s)
{
    wipe(s->p, SCALAR);
    ecc_scalar_clear(s);
}

/* False for 0 and what is not below the curve's order. */
static bool scalar_get(struct ecc_scalar *s, const uint8_t bytes[static SCALAR])
{
    mpz_t n;
    bool good;

    mpz_init(n);
    number_get(n, bytes, SCALAR);
    good = ecc_scalar_set(s, n);
    number_wipe(n);
    mpz_clear(n);
    return good;
}

static bool public_of(const struct ecc_scalar *s, uint8_t out[static POINT])
{
    struct ecc_point p;
    mpz_t x, y;
    bool good;

    mpz_inits(x, y, NULL);
    ecc_point_init(&p, nettle_get_secp_256r1());
    ecc_point_mul_g(&p, s);
    ecc_point_get(&p, x, y);
    good = number_put(x, out, SCALAR) && number_put(y, out + SCALAR, SCALAR);
    ecc_point_clear(&p);
    mpz_clears(x, y, NULL);
    return good;
}

RESULT token_p256_make(const struct random *random, struct secret **ret_private, struct token_public *ret)
{
    AUTO(secret_free) struct secret *key = NULL;
    struct ecc_scalar s;
    enum err e = OK;
    bool good = false;

    TRY(secret_new(SCALAR, &key));
    ecc_scalar_init(&s, nettle_get_secp_256r1());
    while (e == OK && !good) { /* one draw in 2^32 is too large */
        e = random->fill(random, secret_ptr(key), SCALAR);
        good = e == OK && scalar_get(&s, secret_ptr(key));
    }
    if (e == OK && !public_of(&s, ret->bytes))
        e = ERR_CRYPTO;
    scalar_done(&s);
    TRY(e);
    ret->len = POINT;
    *ret_private = TAKE(key);
    return OK;
}

static bool signature_put(const struct dsa_signature *sig, uint8_t out[static SIG])
{
    return number_put(sig->r, out, SCALAR) && number_put(sig->s, out + SCALAR, SCALAR);
}

RESULT token_p256_sign(const struct token_public *public_key, const struct secret *private_key,
                       const struct random *random, struct view message, uint8_t *out, size_t *ret_len)
{
    uint8_t hash[SHA256_SIZE], fresh[32];
    struct drawn drawn = {0};
    struct dsa_signature sig;
    struct ecc_scalar s;
    bool good;

    (void)public_key;
    if (secret_len(private_key) != SCALAR)
        return ERR_BAD_KEY;
    TRY(random->fill(random, fresh, sizeof fresh));
    sha256(message, hash);
    hmac_sha256_list(secret_view(private_key), (struct view[]){VIEW_OF(hash), VIEW_OF(fresh)}, 2, drawn.seed);
    ecc_scalar_init(&s, nettle_get_secp_256r1());
    dsa_signature_init(&sig);
    good = scalar_get(&s, secret_view(private_key).ptr);
    if (good) {
        ecdsa_sign(&s, &drawn, drawn_fill, sizeof hash, hash, &sig);
        good = signature_put(&sig, out);
    }
    dsa_signature_clear(&sig);
    scalar_done(&s);
    wipe(&drawn, sizeof drawn);
    wipe(fresh, sizeof fresh);
    *ret_len = SIG;
    return good ? OK : ERR_BAD_KEY;
}

static bool verify(const struct ecc_point *p, struct view message, const uint8_t raw[static SIG])
{
    uint8_t hash[SHA256_SIZE];
    struct dsa_signature sig;
    bool good;

    sha256(message, hash);
    dsa_signature_init(&sig);
    number_get(sig.r, raw, SCALAR);
    number_get(sig.s, raw + SCALAR, SCALAR);
    good = ecdsa_verify(p, sizeof hash, hash, &sig); /* which looks at the range of r and s */
    dsa_signature_clear(&sig);
    return good;
}

RESULT token_p256_verify(const struct token_public *key, struct view message, struct view signature)
{
    struct ecc_point p;
    mpz_t x, y;
    enum err e = ERR_BAD_KEY;

    if (key->len != POINT)
        return ERR_BAD_KEY;
    if (signature.len != SIG)
        return ERR_BAD_SIGNATURE;
    mpz_inits(x, y, NULL);
    number_get(x, key->bytes, SCALAR);
    number_get(y, key->bytes + SCALAR, SCALAR);
    ecc_point_init(&p, nettle_get_secp_256r1());
    if (ecc_point_set(&p, x, y)) /* on the curve */
        e = verify(&p, message, signature.ptr) ? OK : ERR_BAD_SIGNATURE;
    ecc_point_clear(&p);
    mpz_clears(x, y, NULL);
    return e;
}
