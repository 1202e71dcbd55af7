#include "base/table.h"

#include "base/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

/* Readers and writers synchronise inside liburcu, where TSan does not look: what is true there is said here. */
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define SEES(p)  __tsan_acquire(p)
#define SHOWS(p) __tsan_release(p)
#else
#define SEES(p)  (void)(p)
#define SHOWS(p) (void)(p)
#endif

#define FIRST_BUCKETS 64

struct value {
    struct cds_lfht_node node;
    struct rcu_head head;
    void (*release)(void *value);
    size_t size; /* of the caller's part, rounded up: the key lies behind it */
    size_t key_len;
    _Alignas(16) uint8_t bytes[];
};

struct table {
    struct cds_lfht *hash;
    void (*release)(void *value);
    pthread_mutex_t lock; /* writers */
    _Atomic size_t count;
    size_t buckets;
    uint64_t seed[2];
};

/* --- readers */

static struct {
    pthread_once_t once;
    pthread_key_t key; /* its destructor signs the thread off */
    bool failed;
    char grace; /* an address for the annotations: readers are done before memory goes */
} readers = {.once = PTHREAD_ONCE_INIT};

static _Thread_local struct {
    bool registered;
    unsigned depth;
} me;

static void sign_off(void *unused)
{
    (void)unused;
    SHOWS(&readers.grace);
    urcu_qsbr_unregister_thread();
    me.registered = false;
}

static void make_key(void)
{
    readers.failed = pthread_key_create(&readers.key, sign_off) != 0;
}

static void go_online(void)
{
    if (me.registered) {
        urcu_qsbr_thread_online();
        return;
    }
    pthread_once(&readers.once, make_key);
    /* A thread that ended while signed on would hold up all memory for ever, so this is no error to go on with. */
    if (readers.failed || pthread_setspecific(readers.key, &me) != 0)
        abort();
    urcu_qsbr_register_thread();
    me.registered = true;
}

static void go_offline(void)
{
    SHOWS(&readers.grace);
    urcu_qsbr_thread_offline();
}

void table_enter(void)
{
    if (me.depth++ == 0)
        go_online();
}

void table_leave(void)
{
    if (--me.depth == 0)
        go_offline();
}

/* --- hashing: SipHash-1-3 with a random key, so that nobody can choose keys that collide */

static inline uint64_t turn(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = turn(v[1], 13) ^ v[0];
    v[0] = turn(v[0], 32);
    v[2] += v[3];
    v[3] = turn(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = turn(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = turn(v[1], 17) ^ v[2];
    v[2] = turn(v[2], 32);
}

static uint64_t hash_of(const struct table *t, struct view key)
{
    uint64_t v[4] = {t->seed[0] ^ UINT64_C(0x736f6d6570736575), t->seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     t->seed[0] ^ UINT64_C(0x6c7967656e657261), t->seed[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word = 0;
    for (size_t i = 0; i < key.len; i++) {
        word |= (uint64_t)key.ptr[i] << (8 * (i % 8));
        if (i % 8 != 7)
            continue;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        word = 0;
    }
    word |= (uint64_t)key.len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- values */

static struct value *value_of(const void *bytes)
{
    return (struct value *)((uintptr_t)bytes - offsetof(struct value, bytes));
}

static struct value *value_at(struct cds_lfht_node *node)
{
    return (struct value *)((uintptr_t)node - offsetof(struct value, node));
}

void *table_value_new(size_t size, struct view key)
{
    size_t room = (size + 15) & ~(size_t)15;
    struct value *v = calloc(1, sizeof *v + room + key.len);
    if (!v)
        return NULL;
    v->size = room;
    v->key_len = key.len;
    if (key.len)
        memcpy(v->bytes + room, key.ptr, key.len);
    return (void *)((uintptr_t)v + offsetof(struct value, bytes));
}

struct view table_key(const void *value)
{
    const struct value *v = value_of(value);
    return VIEW(v->bytes + v->size, v->key_len);
}

static void release(struct value *v)
{
    if (v->release)
        v->release(v->bytes);
    free(v);
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
    SEES(&readers.grace);
    struct value *v = (struct value *)((uintptr_t)head - offsetof(struct value, head));
    SEES(v);
    release(v);
}

static void retire(struct value *v)
{
    SHOWS(v);
    urcu_qsbr_call_rcu(&v->head, release_later);
}

/* --- the table */

RESULT table_new(void (*release_fn)(void *value), struct table **ret)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    enum err e = random_system()->fill(random_system(), t->seed, sizeof t->seed);
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
    SEES(v);
    return view_eq(VIEW(v->bytes + v->size, v->key_len), *wanted);
}

static struct cds_lfht_node *look_up(struct table *t, struct view key)
{
    struct cds_lfht_iter it;
    cds_lfht_lookup(t->hash, hash_of(t, key), matches, &key, &it);
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
        SEES(value_at(node));
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
    assert(me.depth == 0);
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
    SHOWS(v);
    begin_write(t);
    struct cds_lfht_node *before = cds_lfht_add_replace(t->hash, hash_of(t, key), matches, &key, &v->node);
    if (before)
        retire(value_at(before));
    else
        atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    grow(t);
    end_write(t);
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
