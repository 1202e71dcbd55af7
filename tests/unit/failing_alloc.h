/* Allocations that fail on demand, in one thread. Programs that use it link tests/unit/failing_alloc.c with the options
 * `failing_alloc_args` of tests/meson.build, which send every call from our own code here: malloc, calloc, realloc,
 * aligned_alloc.
 * With failing_all.c and `failing_all_args`, also guarded memory, what Argon2id works in, and every piece of an arena.
 */
#ifndef HOLDFAST_TESTS_FAILING_ALLOC_H
#define HOLDFAST_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

enum failing_alloc_how {
    FAILING_ONE,  /* the n-th alone: somebody gave memory back in between */
    FAILING_REST, /* the n-th and all after it */
};

/* From now on; the next allocation is the first. */
void failing_alloc_begin(size_t nth, enum failing_alloc_how how);
/* All succeed again. How many failed: 0 tells that there were less than n. */
size_t failing_alloc_end(void);
bool failing_alloc_now(void); /* for the wrappers: this one fails */

#endif
