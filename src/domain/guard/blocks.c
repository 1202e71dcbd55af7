#include "domain/guard/blocks.h"

#include "base/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct noted {
    struct block said; /* but for its hits */
    _Atomic uint64_t hits;
};

struct blocks {
    struct table *table; /* by network */
    pthread_mutex_t writing;
};

RESULT blocks_new(struct blocks **ret)
{
    struct blocks *b = calloc(1, sizeof *b);
    if (!b)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&b->writing, NULL);
    enum err e = table_new(NULL, &b->table);
    if (e == OK)
        *ret = b;
    else
        blocks_free(b);
    return e;
}

void blocks_free(struct blocks *b)
{
    if (!b)
        return;
    table_free(b->table);
    pthread_mutex_destroy(&b->writing);
    free(b);
}

static struct view key_of(const struct prefix *network)
{
    return VIEW((const uint8_t *)network, sizeof *network);
}

static uint64_t hits_of(struct blocks *b, struct view key)
{
    table_enter();
    struct noted *n = table_find(b->table, key);
    uint64_t hits = n ? atomic_load(&n->hits) : 0;
    table_leave();
    return hits;
}

RESULT blocks_note(struct blocks *b, const struct kept *k)
{
    const struct view key = key_of(&k->rule.network);
    struct noted *n = table_value_new(sizeof *n, key);
    if (!n)
        return ERR_NO_MEMORY;
    n->said = (struct block){
        .since_ms = k->since_ms, .ends_ms = k->rule.ends_ms, .times = k->times, .reason = k->reason};
    pthread_mutex_lock(&b->writing);
    atomic_init(&n->hits, hits_of(b, key));
    table_put(b->table, n);
    pthread_mutex_unlock(&b->writing);
    return OK;
}

void blocks_drop(struct blocks *b, const struct prefix *network)
{
    pthread_mutex_lock(&b->writing);
    (void)!table_remove(b->table, key_of(network));
    pthread_mutex_unlock(&b->writing);
}

void blocks_hit(struct blocks *b, const struct prefix *network)
{
    table_enter();
    struct noted *n = table_find(b->table, key_of(network));
    if (n)
        atomic_fetch_add_explicit(&n->hits, 1, memory_order_relaxed);
    table_leave();
}

bool blocks_find(struct blocks *b, const struct prefix *network, struct block *ret)
{
    table_enter();
    struct noted *n = table_find(b->table, key_of(network));
    if (n) {
        *ret = n->said;
        ret->hits = atomic_load(&n->hits);
    }
    table_leave();
    return n != NULL;
}
