/* What the store's tests share: a place on disk, and rows and changes in one line. */
#ifndef HOLDFAST_TESTS_STORE_TEST_H
#define HOLDFAST_TESTS_STORE_TEST_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A folder of the test's own. */
struct place {
    char folder[64];
    char path[96];
    char url[160];
};

void place_make(struct place *p, const char *options); /* url: sqlite:<path><options> */
void place_remove(struct place *p);
void place_empty(struct place *p); /* removes the database's files */

struct store *open_store(const char *url); /* fails the test if it can't */
struct store *share_store(struct store *s, bool read_only);

/* Texts as keys and values; version 0 makes a deletion. */
struct store_change change(uint16_t table, const char *key, uint64_t expect, uint64_t version, const char *value);
/* One change, one commit. */
void commit_one(struct store *s, struct store_change c);

/* The row's version, 0 if there is none; value (may be NULL) is compared when there is one. */
uint64_t version_of(struct store *s, uint16_t table, const char *key, const char *value);

/* All keys of a range as "a b c ", and how often visit was called. stop_after ends it early (0: never). */
struct listing {
    char text[512];
    size_t count, stop_after;
};
void list_range(struct store *s, uint16_t table, const char *from, const char *to, bool reverse, size_t limit,
                struct listing *ret);

/* xorshift, seeded: the same test each time. */
uint64_t prng(uint64_t *state);

#endif
