/* Can somebody who measures tell kinds of refusals from each other? 10,000 tries of three kinds together, in random
 * order, are compared with Welch's t-test, without the slowest tenth, which the machine makes. The same test has to
 * find 20 µs that are put in on purpose, or it proves nothing. */
#ifndef HOLDFAST_TEST_API_TIMING_H
#define HOLDFAST_TEST_API_TIMING_H

#include "api_rig.h"

#define TIMING_CLASSES 3

/* The i-th try of each class, in the client's thread; header (a line with \r\n) and before may be NULL. */
struct timing_kind {
    const char *method, *path;
    const char *(*header)(size_t class, size_t i);
    const char *(*body)(size_t class, size_t i);
    void (*before)(size_t class, size_t i);
    bool recorded; /* refusals go into the record one by one, and are not only counted */
};

/* Each try has to be answered 401. */
void timing_expect_alike(struct rig *rig, const struct timing_kind *k);

#endif
