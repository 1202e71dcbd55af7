/* Which credential a path names: ids by path, so that a signature reads no row. Lock-free, any thread; it may forget
 * anything at any time. A path's id never changes, so what it remembers stays true. */
#ifndef HOLDFAST_API_CREDENTIAL_CACHE_H
#define HOLDFAST_API_CREDENTIAL_CACHE_H

#include "base/buf.h"

struct credential_cache;

RESULT credential_cache_new(struct credential_cache **ret);
void credential_cache_free(struct credential_cache *c);
bool credential_cache_get(const struct credential_cache *c, struct view path, uint8_t ret_id[static 16]);
void credential_cache_put(struct credential_cache *c, struct view path, const uint8_t id[static 16]);
void credential_cache_drop(struct credential_cache *c, struct view path);

AUTO_DEFINE(struct credential_cache *, credential_cache_free);

#endif
