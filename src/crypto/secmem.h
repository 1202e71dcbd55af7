/* Guarded memory for secrets: libsodium's allocator (guard pages, canary, locked where the limit allows, excluded from
 * core dumps), wiped on release. A secret's type has no printer. */
#ifndef HOLDFAST_CRYPTO_SECMEM_H
#define HOLDFAST_CRYPTO_SECMEM_H

#include "base/buf.h"

struct secret; /* bytes in guarded memory; the length is not secret */

/* Once per process, before any other call of crypto/. ret_locked tells whether memory can be locked at all; when it
 * can't, the process goes on and its outermost layer warns. */
RESULT crypto_init(bool *ret_locked);

RESULT secret_new(size_t len, struct secret **ret); /* zeroed; len >= 1 */
RESULT secret_from(struct view bytes, struct secret **ret);
RESULT secret_random(size_t len, struct secret **ret);
void secret_free(struct secret *s);
size_t secret_len(const struct secret *s);
uint8_t *secret_ptr(struct secret *s);
struct view secret_view(const struct secret *s);

void wipe(void *p, size_t n);                       /* not optimised away */
bool ct_eq(const void *a, const void *b, size_t n); /* constant time in the contents */
bool ct_eq_view(struct view a, struct view b);      /* the lengths are not secret */

AUTO_DEFINE(struct secret *, secret_free);

#endif
