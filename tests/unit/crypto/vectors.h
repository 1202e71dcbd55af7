/* Reads a file of Wycheproof vectors and holds an implementation against it. */
#ifndef HOLDFAST_TESTS_CRYPTO_VECTORS_H
#define HOLDFAST_TESTS_CRYPTO_VECTORS_H

#include "base/buf.h"

#include <jansson.h>

struct vectors {
    const char *file;
    bool (*accepts)(const json_t *group, const json_t *test); /* did the implementation take it? */
    bool (*in_scope)(const json_t *group);                    /* NULL: every group */
    const char *refused; /* NULL, or the comment of the one valid vector that is known to be refused */
};

/* Fails the running cmocka test on a missing file, a wrong verdict, or when nothing ran. Prints what ran. */
void vectors_run(const struct vectors *v);

/* The same verdict is wanted of all vectors of a file, whatever it says of them. */
void vectors_each(const char *file, bool (*accepts)(const json_t *group, const json_t *test), bool wanted);

/* The member `name` as bytes, allocated to the exact length so that overruns are seen; valid until the next vector. */
struct view vectors_hex(const json_t *object, const char *name);
uint8_t *vectors_room(size_t n);
int vectors_int(const json_t *object, const char *name);

#endif
