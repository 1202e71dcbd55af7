#include "crypto/shamir.h"

#include "base/text.h"
#include "crypto/hash.h"

#include <assert.h>

#define SHARE_PREFIX      "hfs1-"
#define SHARE_BODY_SIZE   (8 + 1 + 1 + SHAMIR_SECRET_SIZE)
#define SHARE_CHECK_SIZE  4
#define SHARE_BYTES       (SHARE_BODY_SIZE + SHARE_CHECK_SIZE)
#define SHARE_DIGITS      62 /* 62^62 > 256^46 */
#define SHARE_TEXT_LENGTH (sizeof(SHARE_PREFIX) - 1 + SHARE_DIGITS)

static_assert(SHARE_TEXT_LENGTH < SHARE_TEXT_SIZE, "the text form of a share fits");

/* GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, without branches or look-ups on the operands. */
static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (int i = 0; i < 8; i++) {
        product ^= (uint8_t) - (b & 1) & a;
        uint8_t carry = (uint8_t) - (a >> 7);
        a = (uint8_t)(a << 1) ^ (carry & 0x1b);
        b >>= 1;
    }
    return product;
}

/* a^254, which is 1/a, and 0 for 0 */
static uint8_t gf_inverse(uint8_t a)
{
    uint8_t result = 1;
    for (int i = 0; i < 7; i++) {
        a = gf_mul(a, a);
        result = gf_mul(result, a); /* a^(2 + 4 + … + 128) */
    }
    return result;
}

RESULT shamir_split(const uint8_t secret[static SHAMIR_SECRET_SIZE], uint8_t threshold, uint8_t count,
                    const struct random *random, struct share *ret_shares)
{
    if (threshold < 1 || threshold > count || count > SHAMIR_MAX_SHARES)
        return ERR_OUT_OF_RANGE;
    uint8_t set[sizeof(ret_shares->set)];
    TRY(random->fill(random, set, sizeof(set)));
    AUTO(secret_free) struct secret *memory = NULL; /* the polynomials without their constant terms */
    uint8_t *coefficients = NULL;
    if (threshold > 1) {
        TRY(secret_new((size_t)(threshold - 1) * SHAMIR_SECRET_SIZE, &memory));
        coefficients = secret_ptr(memory);
        TRY(random->fill(random, coefficients, secret_len(memory)));
    }

    for (uint8_t n = 0; n < count; n++) {
        struct share *s = &ret_shares[n];
        *s = (struct share){.threshold = threshold, .x = (uint8_t)(n + 1)};
        memcpy(s->set, set, sizeof(set));
        /* Horner, from the highest coefficient down to the secret itself */
        for (size_t c = (size_t)threshold - 1; c-- > 0;)
            for (size_t i = 0; i < SHAMIR_SECRET_SIZE; i++)
                s->y[i] = gf_mul(s->y[i] ^ coefficients[c * SHAMIR_SECRET_SIZE + i], s->x);
        for (size_t i = 0; i < SHAMIR_SECRET_SIZE; i++)
            s->y[i] ^= secret[i];
    }
    return OK;
}

static bool share_sane(const struct share *s)
{
    return s->threshold >= 1 && s->threshold <= SHAMIR_MAX_SHARES && s->x >= 1;
}

static RESULT shares_fit(const struct share *a, const struct share *b)
{
    if (a->threshold != b->threshold || memcmp(a->set, b->set, sizeof(a->set)) != 0)
        return ERR_WRONG_SHARE;
    if (a->x == b->x)
        return ct_eq(a->y, b->y, sizeof(a->y)) ? ERR_SHARE_TWICE : ERR_WRONG_SHARE;
    return OK;
}

static RESULT shares_check(const struct share *shares, size_t count)
{
    if (count == 0)
        return ERR_TOO_SHORT;
    for (size_t i = 0; i < count; i++) {
        if (!share_sane(&shares[i]))
            return ERR_WRONG_SHARE;
        for (size_t j = 0; j < i; j++)
            TRY(shares_fit(&shares[i], &shares[j]));
    }
    if (count < shares->threshold)
        return ERR_TOO_SHORT;
    return count > shares->threshold ? ERR_OUT_OF_RANGE : OK;
}

/* Lagrange's polynomial of share `at` among all of them, at 0. The x are public. */
static uint8_t lagrange_at_zero(const struct share *shares, size_t count, size_t at)
{
    uint8_t above = 1, below = 1;
    for (size_t i = 0; i < count; i++) {
        if (i == at)
            continue;
        above = gf_mul(above, shares[i].x);
        below = gf_mul(below, shares[i].x ^ shares[at].x);
    }
    return gf_mul(above, gf_inverse(below));
}

RESULT shamir_join(const struct share *shares, size_t count, uint8_t ret_secret[static SHAMIR_SECRET_SIZE])
{
    TRY(shares_check(shares, count));
    memset(ret_secret, 0, SHAMIR_SECRET_SIZE);
    for (size_t n = 0; n < count; n++) {
        uint8_t factor = lagrange_at_zero(shares, count, n);
        for (size_t i = 0; i < SHAMIR_SECRET_SIZE; i++)
            ret_secret[i] ^= gf_mul(factor, shares[n].y[i]);
    }
    return OK;
}

static void share_check(const uint8_t body[static SHARE_BODY_SIZE], uint8_t out[static SHARE_CHECK_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    const struct view parts[] = {VIEW_STR(SHARE_PREFIX), VIEW(body, SHARE_BODY_SIZE)};
    sha256_list(parts, ARRAY_LEN(parts), hash);
    memcpy(out, hash, SHARE_CHECK_SIZE);
    wipe(hash, sizeof(hash));
}

RESULT share_format(const struct share *s, char out[static SHARE_TEXT_SIZE])
{
    if (!share_sane(s))
        return ERR_BAD_VALUE;
    uint8_t bytes[SHARE_BYTES];
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    writer_bytes(&w, s->set, sizeof(s->set));
    writer_u8(&w, s->threshold);
    writer_u8(&w, s->x);
    writer_bytes(&w, s->y, sizeof(s->y));
    share_check(bytes, bytes + SHARE_BODY_SIZE);
    memset(out, 0, SHARE_TEXT_SIZE);
    memcpy(out, SHARE_PREFIX, sizeof(SHARE_PREFIX) - 1);
    enum err e = base62_put(bytes, sizeof(bytes), out + sizeof(SHARE_PREFIX) - 1, SHARE_DIGITS);
    wipe(bytes, sizeof(bytes));
    return e;
}

static RESULT share_decode(const uint8_t bytes[static SHARE_BYTES], struct share *ret)
{
    uint8_t check[SHARE_CHECK_SIZE];
    share_check(bytes, check);
    if (!ct_eq(check, bytes + SHARE_BODY_SIZE, sizeof(check)))
        return ERR_DAMAGED_SHARE;
    struct share s;
    memcpy(s.set, bytes, sizeof(s.set));
    s.threshold = bytes[8];
    s.x = bytes[9];
    memcpy(s.y, bytes + 10, sizeof(s.y));
    bool sane = share_sane(&s);
    if (sane)
        *ret = s;
    wipe(&s, sizeof(s));
    return sane ? OK : ERR_DAMAGED_SHARE;
}

RESULT share_parse(struct view text, struct share *ret)
{
    if (text.len != SHARE_TEXT_LENGTH || !view_starts(text, SHARE_PREFIX))
        return ERR_DAMAGED_SHARE;
    uint8_t bytes[SHARE_BYTES];
    enum err e = base62_get((const char *)text.ptr + sizeof(SHARE_PREFIX) - 1, SHARE_DIGITS, bytes, sizeof(bytes));
    e = e == OK ? share_decode(bytes, ret) : ERR_DAMAGED_SHARE;
    wipe(bytes, sizeof(bytes));
    return e;
}
