/* Memory that lives as long as one request: many small allocations, one release. Wiped on release and on reset, since
 * requests carry secrets. Not shared between threads. */
#ifndef HOLDFAST_BASE_ARENA_H
#define HOLDFAST_BASE_ARENA_H

#include "base/buf.h"

struct arena;

RESULT arena_new(size_t first_block, size_t max_total, struct arena **ret);
void arena_free(struct arena *a);
void arena_reset(struct arena *a);               /* keeps the first block */
void *arena_alloc(struct arena *a, size_t n);    /* zeroed, 16-byte aligned; NULL when max_total or memory is used up */
char *arena_str(struct arena *a, struct view v); /* a NUL-terminated copy, or NULL */
RESULT arena_copy(struct arena *a, struct view v, struct view *ret);

AUTO_DEFINE(struct arena *, arena_free);

#endif
