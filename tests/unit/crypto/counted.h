/* Randomness for tests: the same bytes every time, and failure on demand. */
#ifndef HOLDFAST_TESTS_CRYPTO_COUNTED_H
#define HOLDFAST_TESTS_CRYPTO_COUNTED_H

#include "base/clock.h"
#include "crypto/hash.h"

struct counted {
    uint64_t drawn;   /* bytes so far */
    uint64_t fail_at; /* the call that fails, from 1; 0 for none */
    uint64_t calls;
};

static inline RESULT counted_fill(const struct random *r, void *out, size_t n)
{
    struct counted *c = r->context;
    if (++c->calls == c->fail_at)
        return ERR_NO_RANDOM;
    for (size_t i = 0; i < n; i++, c->drawn++) {
        uint8_t hash[SHA256_SIZE];
        sha256(VIEW(&c->drawn, sizeof(c->drawn)), hash);
        ((uint8_t *)out)[i] = hash[0];
    }
    return OK;
}

#define COUNTED(c) (&(struct random){.fill = counted_fill, .context = (c)})

#endif
