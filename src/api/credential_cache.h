/* Which credential a path names, and of which environment it is: by path, so that a signature reads no row. Lock-free,
 * any thread; it may forget anything at any time. Neither ever changes, so what it remembers stays true. */
#ifndef HOLDFAST_API_CREDENTIAL_CACHE_H
#define HOLDFAST_API_CREDENTIAL_CACHE_H

#include "base/buf.h"

struct credential_cache;

RESULT credential_cache_new(struct credential_cache **ret);
void credential_cache_free(struct credential_cache *c);
struct credential_known {
    uint8_t id[16];
    uint8_t environment;
};
bool credential_cache_get(const struct credential_cache *c, struct view path, struct credential_known *ret);
void credential_cache_put(struct credential_cache *c, struct view path, const struct credential_known *known);
void credential_cache_drop(struct credential_cache *c, struct view path);

AUTO_DEFINE(struct credential_cache *, credential_cache_free);

#endif
