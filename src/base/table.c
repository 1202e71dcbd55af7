#include "base/table.h"

#include "base/clock.h"
#include "base/sip.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

#define FIRST_BUCKETS 64

/* The key lies before it, in the cache where the look-up is when it compares. */
struct value {
    struct cds_lfht_node node;
    struct rcu_head head;
    void (*release)(void *value);
    size_t key_len;
    _Alignas(16) uint8_t bytes[];
};

struct table {
    struct cds_lfht *hash;
    void (*release)(void *value);
    pthread_mutex_t lock; /* writers */
    _Atomic size_t count;
    size_t buckets;
    struct sip_seed seed;
};

/* --- values */

static struct value *value_of(const void *bytes)
{
    return (struct value *)((uintptr_t)bytes - offsetof(struct value, bytes));
}

static struct value *value_at(struct cds_lfht_node *node)
{
    return (struct value *)((uintptr_t)node - offsetof(struct value, node));
}

static size_t key_room(size_t len)
{
    return (len + 15) & ~(size_t)15;
}

static struct view key_of(const struct value *v)
{
    return VIEW((const uint8_t *)v - key_room(v->key_len), v->key_len);
}

void *table_value_new(size_t size, struct view key)
{
    size_t before = key_room(key.len);
    uint8_t *memory = calloc(1, before + sizeof(struct value) + size);
    if (!memory)
        return NULL;
    if (key.len)
        memcpy(memory, key.ptr, key.len);
    struct value *v = (struct value *)(void *)(memory + before);
    v->key_len = key.len;
    return (void *)((uintptr_t)v + offsetof(struct value, bytes));
}

struct view table_key(const void *value)
{
    return key_of(value_of(value));
}

static void release(struct value *v)
{
    if (v->release)
        v->release(v->bytes);
    free((uint8_t *)v - key_room(v->key_len));
}

void table_value_free(const struct table *t, void *value)
{
    if (!value)
        return;
    value_of(value)->release = t->release;
    release(value_of(value));
}

/* In liburcu's own thread, after every reader's section has ended. */
static void release_later(struct rcu_head *head)
{
    rcu_readers_ended();
    struct value *v = (struct value *)((uintptr_t)head - offsetof(struct value, head));
    RCU_SEES(v);
    release(v);
}

static void retire(struct value *v)
{
    RCU_SHOWS(v);
    urcu_qsbr_call_rcu(&v->head, release_later);
}

/* --- the table */

RESULT table_new(void (*release_fn)(void *value), struct table **ret)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    enum err e = random_system()->fill(random_system(), &t->seed, sizeof t->seed);
    /* Grown by hand: growing by itself would start a thread for each table. */
    t->hash = e == OK ? cds_lfht_new_flavor(FIRST_BUCKETS, 1, 0, 0, &urcu_qsbr_flavor, NULL) : NULL;
    if (!t->hash) {
        free(t);
        return e == OK ? ERR_NO_MEMORY : e;
    }
    t->release = release_fn;
    t->buckets = FIRST_BUCKETS;
    pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return OK;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    struct cds_lfht_iter it;
    struct cds_lfht_node *node;
    table_enter();
    for (cds_lfht_first(t->hash, &it); (node = cds_lfht_iter_get_node(&it)); cds_lfht_next(t->hash, &it)) {
        if (cds_lfht_del(t->hash, node) == 0)
            retire(value_at(node));
    }
    table_leave();
    urcu_qsbr_barrier();
    (void)cds_lfht_destroy(t->hash, NULL);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static int matches(struct cds_lfht_node *node, const void *key)
{
    const struct view *wanted = key;
    struct value *v = value_at(node);
    RCU_SEES(v);
    return view_eq(key_of(v), *wanted);
}

static struct cds_lfht_node *look_up(struct table *t, struct view key)
{
    struct cds_lfht_iter it;
    cds_lfht_lookup(t->hash, sip_hash(&t->seed, key), matches, &key, &it);
    return cds_lfht_iter_get_node(&it);
}

void *table_find(struct table *t, struct view key)
{
    struct cds_lfht_node *node = look_up(t, key);
    return node ? value_at(node)->bytes : NULL;
}

void table_visit(struct table *t, bool (*visit)(void *context, void *value), void *context)
{
    struct cds_lfht_iter it;
    struct cds_lfht_node *node;
    for (cds_lfht_first(t->hash, &it); (node = cds_lfht_iter_get_node(&it)); cds_lfht_next(t->hash, &it)) {
        RCU_SEES(value_at(node));
        if (!visit(context, value_at(node)->bytes))
            return;
    }
}

size_t table_count(struct table *t)
{
    return atomic_load_explicit(&t->count, memory_order_relaxed);
}

/* liburcu wants the thread online here, and takes it offline while it works. */
static void grow(struct table *t)
{
    if (table_count(t) <= t->buckets)
        return;
    t->buckets *= 4;
    cds_lfht_resize(t->hash, t->buckets);
}

/* A thread that waits for the lock must not be inside a section: the writer before it may wait for all sections to end.
 */
static void begin_write(struct table *t)
{
    assert(!rcu_inside());
    pthread_mutex_lock(&t->lock);
    table_enter();
}

static void end_write(struct table *t)
{
    table_leave();
    pthread_mutex_unlock(&t->lock);
}

void table_put(struct table *t, void *value)
{
    struct value *v = value_of(value);
    struct view key = table_key(value);
    v->release = t->release;
    cds_lfht_node_init(&v->node);
    RCU_SHOWS(v);
    begin_write(t);
    struct cds_lfht_node *before = cds_lfht_add_replace(t->hash, sip_hash(&t->seed, key), matches, &key, &v->node);
    if (before)
        retire(value_at(before));
    else
        atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    grow(t);
    end_write(t);
}

void *table_put_new(struct table *t, void *value)
{
    struct value *v = value_of(value);
    struct view key = table_key(value);
    v->release = t->release;
    cds_lfht_node_init(&v->node);
    RCU_SHOWS(v);
    begin_write(t);
    struct cds_lfht_node *node = cds_lfht_add_unique(t->hash, sip_hash(&t->seed, key), matches, &key, &v->node);
    bool is_new = node == &v->node;
    if (is_new) {
        atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
        grow(t);
    }
    end_write(t);
    if (!is_new)
        release(v);
    return value_at(node)->bytes;
}

RESULT table_remove(struct table *t, struct view key)
{
    enum err e = ERR_NOT_FOUND;
    begin_write(t);
    struct cds_lfht_node *node = look_up(t, key);
    if (node && cds_lfht_del(t->hash, node) == 0) {
        retire(value_at(node));
        atomic_fetch_sub_explicit(&t->count, 1, memory_order_relaxed);
        e = OK;
    }
    end_write(t);
    return e;
}
