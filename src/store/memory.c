/* Rows in memory, for tests and for what needn't outlive the process. */
#include "store/memory_tree.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct shared { /* what the connections have in common */
    atomic_uint refs;
    pthread_mutex_t writer; /* held from begin to commit */
    pthread_rwlock_t lock;  /* of the pointer only: a reader takes a reference and lets go */
    struct tree *committed;
};

struct memory_store {
    struct store base;
    struct shared *shared;
    struct tree *building;
    unsigned busy_ms;
};

static struct memory_store *memory_of(struct store *s)
{
    return (struct memory_store *)s;
}

static struct tree *snapshot(struct shared *shared)
{
    pthread_rwlock_rdlock(&shared->lock);
    struct tree *t = tree_ref(shared->committed);
    pthread_rwlock_unlock(&shared->lock);
    return t;
}

/* --- connections */

static RESULT connection_new(struct shared *shared, unsigned busy_ms, bool read_only, struct store **ret)
{
    struct memory_store *m = calloc(1, sizeof(*m));
    if (!m)
        return ERR_NO_MEMORY;
    m->base = (struct store){.backend = &store_memory, .read_only = read_only};
    m->shared = shared;
    m->busy_ms = busy_ms;
    *ret = &m->base;
    return OK;
}

static void shared_unref(struct shared *shared)
{
    if (atomic_fetch_sub(&shared->refs, 1) != 1)
        return;
    tree_unref(shared->committed);
    pthread_rwlock_destroy(&shared->lock);
    pthread_mutex_destroy(&shared->writer);
    free(shared);
}

static RESULT memory_open(const struct store_place *place, struct store **ret, struct problem *why)
{
    if (place->path[0] || place->vfs[0])
        return problem_set(why, ERR_BAD_CONFIG, "store", "memory: takes no path and no vfs");
    struct shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return problem_set(why, ERR_NO_MEMORY, "store", "not enough memory to open the store");
    atomic_init(&shared->refs, 1);
    pthread_mutex_init(&shared->writer, NULL);
    pthread_rwlock_init(&shared->lock, NULL);
    enum err e = connection_new(shared, place->busy_ms, false, ret);
    if (e != OK)
        shared_unref(shared);
    return e;
}

static RESULT memory_share(struct store *s, bool read_only, struct store **ret)
{
    struct memory_store *m = memory_of(s);
    TRY(connection_new(m->shared, m->busy_ms, read_only, ret));
    atomic_fetch_add(&m->shared->refs, 1);
    return OK;
}

static void memory_close(struct store *s)
{
    shared_unref(memory_of(s)->shared);
    free(s);
}

/* --- reads */

static RESULT memory_get(struct store *s, uint16_t table, struct view key, struct arena *arena, struct store_row *ret)
{
    AUTO(tree_unref) struct tree *t = snapshot(memory_of(s)->shared);
    const struct store_row *found = tree_get(t, table, key);
    if (!found)
        return ERR_NOT_FOUND;
    struct store_row row = {.version = found->version};
    TRY(arena_copy(arena, found->key, &row.key));
    TRY(arena_copy(arena, found->value, &row.value));
    *ret = row;
    return OK;
}

static RESULT memory_range(struct store *s, const struct store_range_of *of)
{
    AUTO(tree_unref) struct tree *t = snapshot(memory_of(s)->shared);
    tree_range(t, of);
    return OK;
}

/* --- commits */

static RESULT memory_begin(struct store *s)
{
    struct memory_store *m = memory_of(s);
    struct timespec until = {0};
    clock_gettime(CLOCK_REALTIME, &until); /* TSan doesn't know the lock that takes another clock */
    until.tv_sec += m->busy_ms / 1000;
    until.tv_nsec += (long)(m->busy_ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_mutex_timedlock(&m->shared->writer, &until) != 0)
        return problem_set(&s->last, ERR_BUSY, "store", "another connection's commit is under way");
    m->building = snapshot(m->shared);
    return OK;
}

static RESULT change_tree(struct tree *t, const struct store_change *c, struct tree **ret)
{
    const struct store_row *now = tree_get(t, c->table, c->key);
    if (c->expect != STORE_ANY && c->expect != (now ? now->version : 0))
        return ERR_CONFLICT;
    if (c->op == STORE_DELETE)
        return tree_delete(t, c->table, c->key, ret);
    struct store_row row = {c->key, c->version, c->value};
    return tree_put(t, c->table, &row, ret);
}

static RESULT memory_apply(struct store *s, const struct store_change *changes, size_t count, size_t *ret_failed)
{
    struct memory_store *m = memory_of(s);
    AUTO(tree_unref) struct tree *t = tree_ref(m->building);
    for (size_t i = 0; i < count; i++) {
        struct tree *next = NULL;
        enum err e = change_tree(t, &changes[i], &next);
        if (e != OK) {
            *ret_failed = i;
            return e;
        }
        tree_unref(t);
        t = next;
    }
    tree_unref(m->building);
    m->building = TAKE(t);
    return OK;
}

static void end_commit(struct memory_store *m)
{
    tree_unref(TAKE(m->building));
    pthread_mutex_unlock(&m->shared->writer);
}

static RESULT memory_commit(struct store *s)
{
    struct memory_store *m = memory_of(s);
    pthread_rwlock_wrlock(&m->shared->lock);
    struct tree *old = m->shared->committed;
    m->shared->committed = TAKE(m->building);
    pthread_rwlock_unlock(&m->shared->lock);
    tree_unref(old); /* outside the lock: it may be the last reference to many rows */
    end_commit(m);
    return OK;
}

static void memory_rollback(struct store *s)
{
    end_commit(memory_of(s));
}

static RESULT memory_maintain(struct store *s)
{
    (void)s;
    return OK;
}

static uint64_t memory_size(struct store *s)
{
    (void)s;
    return 0;
}

const struct store_backend store_memory = {
    .scheme = "memory",
    .open = memory_open,
    .share = memory_share,
    .close = memory_close,
    .get = memory_get,
    .range = memory_range,
    .begin = memory_begin,
    .apply = memory_apply,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .maintain = memory_maintain,
    .size = memory_size,
};
