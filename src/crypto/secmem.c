#include "crypto/secmem.h"

#include "base/clock.h"

#include <sodium.h>

/* One guarded allocation holds the header and, right against the guard page behind it, the bytes: an overrun by a
 * single byte faults at once. What alignment costs lies between the two. */
struct secret {
    size_t total;
    size_t len;
};

#define SECRET_ALIGN ((size_t)16)

RESULT crypto_init(bool *ret_locked)
{
    if (sodium_init() < 0)
        return ERR_CRYPTO;
    uint8_t *probe = sodium_malloc(1);
    if (!probe)
        return ERR_NO_MEMORY;
    /* sodium_malloc goes on without a lock when it can't have one; only asking again tells. */
    bool locked = sodium_mlock(probe, 1) == 0;
    sodium_free(probe);
    if (ret_locked)
        *ret_locked = locked;
    return OK;
}

RESULT secret_new(size_t len, struct secret **ret)
{
    if (len == 0)
        return ERR_TOO_SHORT;
    if (len > SIZE_MAX / 2)
        return ERR_TOO_LONG;
    size_t total = (sizeof(struct secret) + len + SECRET_ALIGN - 1) / SECRET_ALIGN * SECRET_ALIGN;
    struct secret *s = sodium_malloc(total);
    if (!s)
        return ERR_NO_MEMORY;
    memset(s, 0, total);
    s->total = total;
    s->len = len;
    *ret = s;
    return OK;
}

RESULT secret_from(struct view bytes, struct secret **ret)
{
    struct secret *s = NULL;
    TRY(secret_new(bytes.len, &s));
    memcpy(secret_ptr(s), bytes.ptr, bytes.len);
    *ret = s;
    return OK;
}

RESULT secret_random(size_t len, struct secret **ret)
{
    AUTO(secret_free) struct secret *s = NULL;
    TRY(secret_new(len, &s));
    TRY(random_system()->fill(random_system(), secret_ptr(s), len));
    *ret = TAKE(s);
    return OK;
}

void secret_free(struct secret *s)
{
    sodium_free(s); /* wipes; NULL is fine */
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

uint8_t *secret_ptr(struct secret *s)
{
    return (uint8_t *)s + (s->total - s->len);
}

struct view secret_view(const struct secret *s)
{
    return VIEW((const uint8_t *)s + (s->total - s->len), s->len);
}

void wipe(void *p, size_t n)
{
    if (n > 0)
        sodium_memzero(p, n);
}

bool ct_eq(const void *a, const void *b, size_t n)
{
    return n == 0 || sodium_memcmp(a, b, n) == 0;
}

bool ct_eq_view(struct view a, struct view b)
{
    return a.len == b.len && ct_eq(a.ptr, b.ptr, a.len);
}
