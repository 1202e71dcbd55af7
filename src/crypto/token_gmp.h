/* Between bytes and GMP's numbers, inside crypto only. */
#ifndef HOLDFAST_CRYPTO_TOKEN_GMP_H
#define HOLDFAST_CRYPTO_TOKEN_GMP_H

#include "crypto/secmem.h"

#include <gmp.h>

static inline void number_get(mpz_t ret, const uint8_t *bytes, size_t len)
{
    mpz_import(ret, len, 1, 1, 1, 0, bytes);
}

/* False if it needs more than len bytes. */
static inline bool number_put(const mpz_t n, uint8_t *out, size_t len)
{
    size_t used = (mpz_sizeinbase(n, 2) + 7) / 8;

    memset(out, 0, len);
    if (mpz_sgn(n) < 0 || used > len)
        return false;
    mpz_export(out + len - used, NULL, 1, 1, 1, 0, n);
    return true;
}

/* GMP releases its memory as it is. */
static inline void number_wipe(mpz_t n)
{
    size_t limbs = mpz_size(n);

    if (limbs)
        wipe(mpz_limbs_modify(n, (mp_size_t)limbs), limbs * sizeof(mp_limb_t));
    mpz_limbs_finish(n, 0);
}

/* nettle's source of random bytes can't fail, so bytes are stretched from a seed that was drawn before. */
struct drawn {
    uint8_t seed[32];
    uint64_t count;
};
void drawn_fill(void *context, size_t len, uint8_t *out);

#endif
