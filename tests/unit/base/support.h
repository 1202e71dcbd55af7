/* What the tests of base share: input files, a seeded generator. */
#ifndef HOLDFAST_TESTS_BASE_SUPPORT_H
#define HOLDFAST_TESTS_BASE_SUPPORT_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A file below the source folder; the test fails if it can't be read. Release with free. */
struct view support_file(const char *path);

/* xorshift64*: the same numbers on every machine. */
struct support_rng {
    uint64_t state;
};
uint64_t support_next(struct support_rng *r);
uint64_t support_below(struct support_rng *r, uint64_t n); /* 0 .. n-1 */

void support_expect(const struct writer *w, const char *text);

#define SUPPORT_VIEW_EQ(a, b) assert_true(view_eq((a), (b)))

#endif
