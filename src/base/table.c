#include "base/table.h"

#include "base/clock.h"
#include "base/sip.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include <urcu/urcu-memb.h>

#define FIRST_LINES 16
#define WAYS        6
#define CACHE_LINE  64

/* The key lies before it, in the cache where the look-up is when it compares. */
struct value {
    /* In the list of its line; one for each of two arrays, since a reader may still go through the former one. */
    _Atomic(struct value *) next[2];
    struct rcu_head head;
    void (*release)(void *value);
    size_t key_len;
    _Alignas(16) uint8_t bytes[];
};

/* What falls to one line of the cache, which tells most look-ups where the value is, or that there is none. */
struct line {
    _Atomic uint64_t marks; /* a byte of the hash of each value */
    _Atomic(struct value *) values[WAYS];
    _Atomic(struct value *) more; /* those that found no room */
};

struct lines {
    size_t count; /* a power of two */
    unsigned turn;
    _Alignas(CACHE_LINE) struct line line[];
};
static_assert(sizeof(struct line) == CACHE_LINE, "a line of the table is one of the cache");

struct table {
    _Atomic(struct lines *) lines;
    void (*release)(void *value);
    pthread_mutex_t lock; /* writers */
    _Atomic size_t count;
    struct sip_seed seed;
};

/* --- values */

static struct value *value_of(const void *bytes)
{
    return (struct value *)((uintptr_t)bytes - offsetof(struct value, bytes));
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
    rcu_enter(); /* liburcu wants a reader here */
    urcu_memb_call_rcu(&v->head, release_later);
    rcu_leave();
}

/* --- the table */

static struct lines *lines_new(size_t count, unsigned turn)
{
    size_t size = sizeof(struct lines) + count * sizeof(struct line);
    struct lines *l = aligned_alloc(CACHE_LINE, size);
    if (!l)
        return NULL;
    memset(l, 0, size);
    l->count = count;
    l->turn = turn;
    return l;
}

RESULT table_new(void (*release_fn)(void *value), struct table **ret)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NO_MEMORY;
    enum err e = random_system()->fill(random_system(), &t->seed, sizeof t->seed);
    struct lines *l = e == OK ? lines_new(FIRST_LINES, 0) : NULL;
    if (!l) {
        free(t);
        return e == OK ? ERR_NO_MEMORY : e;
    }
    atomic_init(&t->lines, l);
    t->release = release_fn;
    pthread_mutex_init(&t->lock, NULL);
    *ret = t;
    return OK;
}

static struct value *loaded(_Atomic(struct value *) *from)
{
    return atomic_load_explicit(from, memory_order_acquire);
}

static void store(_Atomic(struct value *) *to, struct value *v)
{
    atomic_store_explicit(to, v, memory_order_release);
}

static struct lines *lines_of(struct table *t)
{
    return atomic_load_explicit(&t->lines, memory_order_acquire);
}

static struct line *line_of(struct lines *l, uint64_t hash)
{
    return &l->line[hash & (l->count - 1)];
}

static uint8_t mark_of(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

static bool is(const struct value *v, struct view key)
{
    return v && view_eq(key_of(v), key);
}

/* The value with this key, NULL if there is none, and for writers where it is. A reader who comes while a place changes
 * hands may see the mark of one value and another one: then the keys differ, and what he looks for was put or removed
 * just now. */
static struct value *find(struct lines *l, uint64_t hash, struct view key, _Atomic(struct value *) **ret_at)
{
    struct line *line = line_of(l, hash);
    uint64_t marks = atomic_load_explicit(&line->marks, memory_order_relaxed);
    struct value *v;
    for (unsigned i = 0; i < WAYS; i++) {
        *ret_at = &line->values[i];
        if ((uint8_t)(marks >> 8 * i) == mark_of(hash) && is(v = loaded(*ret_at), key))
            return v;
    }
    for (*ret_at = &line->more; (v = loaded(*ret_at)) != NULL; *ret_at = &v->next[l->turn])
        if (is(v, key))
            return v;
    return NULL;
}

uint64_t table_hash(const struct table *t, struct view key)
{
    return sip_hash(&t->seed, key);
}

void *table_find_hashed(struct table *t, uint64_t hash, struct view key)
{
    _Atomic(struct value *) *at;
    struct value *v = find(lines_of(t), hash, key, &at);
    return v ? v->bytes : NULL;
}

void *table_find(struct table *t, struct view key)
{
    return table_find_hashed(t, table_hash(t, key), key);
}

void table_fetch_place(struct table *t, uint64_t hash)
{
    __builtin_prefetch(line_of(lines_of(t), hash));
}

/* Its key lies before it, and the first 64 bytes of the value are what most look-ups want. */
void table_fetch_value(struct table *t, uint64_t hash)
{
    struct line *line = line_of(lines_of(t), hash);
    uint64_t marks = atomic_load_explicit(&line->marks, memory_order_relaxed);
    for (unsigned i = 0; i < WAYS; i++) {
        const uint8_t *at = (uint8_t)(marks >> 8 * i) == mark_of(hash) ? (void *)loaded(&line->values[i]) : NULL;
        if (!at)
            continue;
        __builtin_prefetch(at - 16);
        __builtin_prefetch(at - 16 + CACHE_LINE);
        __builtin_prefetch(at - 16 + 2 * CACHE_LINE - 1);
    }
}

/* False: visit wants no more. */
static bool visit_line(struct lines *l, struct line *line, bool (*visit)(void *context, void *value), void *context)
{
    struct value *v, *next;
    for (unsigned i = 0; i < WAYS; i++)
        if ((v = loaded(&line->values[i])) != NULL && !visit(context, v->bytes))
            return false;
    for (v = loaded(&line->more); v; v = next) {
        next = loaded(&v->next[l->turn]); /* when the table ends, visit frees v */
        if (!visit(context, v->bytes))
            return false;
    }
    return true;
}

void table_visit(struct table *t, bool (*visit)(void *context, void *value), void *context)
{
    struct lines *l = lines_of(t);
    for (size_t i = 0; i < l->count; i++)
        if (!visit_line(l, &l->line[i], visit, context))
            return;
}

size_t table_count(struct table *t)
{
    return atomic_load_explicit(&t->count, memory_order_relaxed);
}

/* --- writers */

/* Of a key that is not there. */
static void add(struct lines *l, uint64_t hash, struct value *v)
{
    struct line *line = line_of(l, hash);
    unsigned i = 0;
    while (i < WAYS && loaded(&line->values[i]))
        i++;
    if (i == WAYS) {
        store(&v->next[l->turn], loaded(&line->more));
        store(&line->more, v);
        return;
    }
    uint64_t marks = atomic_load_explicit(&line->marks, memory_order_relaxed);
    marks = (marks & ~(UINT64_C(0xff) << 8 * i)) | (uint64_t)mark_of(hash) << 8 * i;
    atomic_store_explicit(&line->marks, marks, memory_order_relaxed);
    store(&line->values[i], v);
}

struct growing {
    const struct sip_seed *seed;
    struct lines *to;
};

static bool add_again(void *context, void *value)
{
    struct growing *g = context;
    add(g->to, sip_hash(g->seed, table_key(value)), value_of(value));
    return true;
}

/* Readers go on in the former array meanwhile. Without memory the lists become longer, and the next change tries again.
 */
static void grow(struct table *t)
{
    struct lines *l = lines_of(t), *bigger;
    if (table_count(t) <= l->count * (WAYS / 2) || !(bigger = lines_new(l->count * 2, !l->turn)))
        return;
    struct growing g = {&t->seed, bigger};
    table_visit(t, add_again, &g);
    atomic_store_explicit(&t->lines, bigger, memory_order_release);
    rcu_synchronise(); /* also before the lists of this turn are used again */
    free(l);
}

/* A thread that waits for the lock must not be inside a section: the writer before it may wait for all sections to end.
 */
static void begin_write(struct table *t)
{
    assert(!rcu_inside());
    pthread_mutex_lock(&t->lock);
}

static void end_write(struct table *t)
{
    grow(t);
    pthread_mutex_unlock(&t->lock);
}

static void count(struct table *t, size_t more)
{
    atomic_fetch_add_explicit(&t->count, more, memory_order_relaxed);
}

void table_put(struct table *t, void *value)
{
    struct value *v = value_of(value);
    struct view key = table_key(value);
    uint64_t hash = table_hash(t, key);
    _Atomic(struct value *) *at;
    v->release = t->release;
    begin_write(t);
    struct lines *l = lines_of(t);
    struct value *before = find(l, hash, key, &at);
    if (before) {
        store(&v->next[l->turn], loaded(&before->next[l->turn]));
        store(at, v);
        retire(before);
    } else {
        add(l, hash, v);
        count(t, 1);
    }
    end_write(t);
}

void *table_put_new(struct table *t, void *value)
{
    struct value *v = value_of(value);
    struct view key = table_key(value);
    uint64_t hash = table_hash(t, key);
    _Atomic(struct value *) *at;
    v->release = t->release;
    begin_write(t);
    struct value *there = find(lines_of(t), hash, key, &at);
    if (!there) {
        add(lines_of(t), hash, v);
        count(t, 1);
    }
    end_write(t);
    if (there)
        release(v);
    return there ? there->bytes : value;
}

/* A reader who stands on it goes on from there: what it points to stays. */
RESULT table_remove(struct table *t, struct view key)
{
    uint64_t hash = table_hash(t, key);
    _Atomic(struct value *) *at;
    begin_write(t);
    struct lines *l = lines_of(t);
    struct line *line = line_of(l, hash);
    struct value *v = find(l, hash, key, &at);
    if (v) {
        bool listed = at < line->values || at >= line->values + WAYS;
        store(at, listed ? loaded(&v->next[l->turn]) : NULL);
        retire(v);
        count(t, (size_t)-1);
    }
    end_write(t);
    return v ? OK : ERR_NOT_FOUND;
}

/* --- the end */

static bool release_one(void *unused, void *value)
{
    (void)unused;
    release(value_of(value));
    return true;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    table_visit(t, release_one, NULL);
    rcu_wait();
    free(lines_of(t));
    pthread_mutex_destroy(&t->lock);
    free(t);
}
