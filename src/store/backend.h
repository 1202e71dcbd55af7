/* What a backend is to store.c. store.c checks arguments and keeps the state of the commit, so a backend is called only
 * with valid tables, keys, values and versions, and in the order begin, apply …, commit or rollback. */
#ifndef HOLDFAST_STORE_BACKEND_H
#define HOLDFAST_STORE_BACKEND_H

#include "store/store.h"

#define STORE_VFS_MAX 64
#define STORE_BUSY_MS 5000

/* A url taken apart. */
struct store_place {
    const char *path; /* after the scheme, up to '?'; lives during the call */
    char vfs[STORE_VFS_MAX];
    unsigned busy_ms;
};

/* The arguments of store_range. */
struct store_range_of {
    uint16_t table;
    struct view from, to;
    bool reverse;
    size_t limit; /* at least 1 */
    bool (*visit)(void *context, const struct store_row *row);
    void *context;
};

struct store_backend {
    const char *scheme; /* "sqlite" */
    RESULT (*open)(const struct store_place *place, struct store **ret, struct problem *why);
    RESULT (*share)(struct store *s, bool read_only, struct store **ret);
    void (*close)(struct store *s);
    RESULT (*get)(struct store *s, uint16_t table, struct view key, struct arena *arena, struct store_row *ret);
    RESULT (*range)(struct store *s, const struct store_range_of *of);
    void (*hold)(struct store *s, bool on); /* NULL: nothing to gain; only for read-only connections */
    RESULT (*begin)(struct store *s);
    RESULT (*apply)(struct store *s, const struct store_change *changes, size_t count, size_t *ret_failed);
    RESULT (*commit)(struct store *s); /* on failure the backend has rolled back */
    void (*rollback)(struct store *s);
    RESULT (*maintain)(struct store *s);
    uint64_t (*size)(struct store *s);
};

enum store_phase {
    STORE_IDLE,
    STORE_BUILDING,
    STORE_DOOMED /* apply failed for good: the backend has rolled back, commit has yet to say so */
};

/* The front part of each backend's own struct. */
struct store {
    const struct store_backend *backend;
    bool read_only;
    enum store_phase phase;
    enum err doom;       /* STORE_DOOMED: what commit will return */
    struct problem last; /* see store_explain */
};

extern const struct store_backend store_sqlite, store_memory;

#endif
