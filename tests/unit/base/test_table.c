#include "base/table.h"

#include "../failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#define MAGIC UINT64_C(0x686f6c6466617374)

struct thing {
    uint64_t magic, number, twice;
    _Atomic uint64_t uses;
};

static _Atomic size_t alive;

static void gone(void *value)
{
    struct thing *t = value;
    t->magic = t->number = t->twice = 0; /* a reader that still sees it would notice */
    atomic_fetch_sub(&alive, 1);
}

static struct view key_text(char out[24], uint64_t key)
{
    struct writer w = writer_fixed(out, 24);
    writer_printf(&w, "key-%llu", (unsigned long long)key);
    return writer_view_of(&w);
}

static void put(struct table *t, uint64_t key, uint64_t number)
{
    char name[24];
    struct thing *v = table_value_new(sizeof *v, key_text(name, key));
    assert_non_null(v);
    *v = (struct thing){.magic = MAGIC, .number = number, .twice = 2 * number};
    atomic_fetch_add(&alive, 1);
    table_put(t, v);
}

static bool is(struct table *t, uint64_t key, uint64_t number)
{
    char name[24];
    table_enter();
    const struct thing *v = table_find(t, key_text(name, key));
    bool right = v && v->magic == MAGIC && v->number == number && view_eq(table_key(v), key_text(name, key));
    table_leave();
    return right;
}

static bool is_there(struct table *t, uint64_t key)
{
    char name[24];
    table_enter();
    bool there = table_find(t, key_text(name, key));
    table_leave();
    return there;
}

static void test_put_find_replace_remove(void **state)
{
    (void)state;
    struct table *t = NULL;
    char name[24];
    assert_int_equal(table_new(gone, &t), OK);
    assert_false(is_there(t, 1));
    put(t, 1, 10);
    put(t, 2, 20);
    assert_true(is(t, 1, 10));
    put(t, 1, 11);
    assert_true(is(t, 1, 11));
    assert_int_equal(table_count(t), 2);
    assert_int_equal(table_remove(t, key_text(name, 1)), OK);
    assert_int_equal(table_remove(t, key_text(name, 1)), ERR_NOT_FOUND);
    assert_false(is_there(t, 1));
    assert_true(is(t, 2, 20));
    assert_int_equal(table_count(t), 1);
    table_free(t);
    assert_int_equal(atomic_load(&alive), 0);
}

/* Keys that begin alike, hold NUL bytes, or are empty are different keys. */
static void test_keys_are_bytes(void **state)
{
    (void)state;
    const struct view keys[] = {VIEW("", 0),    VIEW("\0", 1),       VIEW("\0\0", 2),       VIEW("a", 1),
                                VIEW("a\0", 2), VIEW("12345678", 8), VIEW("12345678\0", 9), VIEW("123456789", 9)};
    struct table *t = NULL;
    assert_int_equal(table_new(NULL, &t), OK);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct thing *v = table_value_new(sizeof *v, keys[i]);
        assert_non_null(v);
        v->number = i;
        table_put(t, v);
    }
    assert_int_equal(table_count(t), ARRAY_LEN(keys));
    table_enter();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct thing *v = table_find(t, keys[i]);
        assert_non_null(v);
        assert_int_equal(v->number, i);
    }
    table_leave();
    table_free(t);
}

static bool add_up(void *context, void *value)
{
    uint64_t *sum = context;
    const struct thing *v = value;
    *sum += v->number;
    return true;
}

static bool only_three(void *context, void *value)
{
    size_t *seen = context;
    (void)value;
    return ++*seen < 3;
}

static void test_grows_and_visits_each(void **state)
{
    (void)state;
    const uint64_t n = 20000;
    struct table *t = NULL;
    uint64_t sum = 0;
    size_t seen = 0;
    assert_int_equal(table_new(gone, &t), OK);
    for (uint64_t i = 1; i <= n; i++)
        put(t, i, i);
    for (uint64_t i = 1; i <= n; i++)
        assert_true(is(t, i, i));
    table_enter();
    table_visit(t, add_up, &sum);
    table_visit(t, only_three, &seen);
    table_leave();
    assert_int_equal(sum, n * (n + 1) / 2);
    assert_int_equal(seen, 3);
    table_free(t);
    assert_int_equal(atomic_load(&alive), 0);
}

static struct thing *thing_new(uint64_t key)
{
    char name[24];
    struct thing *v = table_value_new(sizeof *v, key_text(name, key));
    assert_non_null(v);
    *v = (struct thing){.magic = MAGIC, .number = key, .twice = 2 * key};
    atomic_fetch_add(&alive, 1);
    return v;
}

static void expect_every_second(struct table *t, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(is_there(t, i), i % 2);
    assert_int_equal(table_count(t), n / 2);
}

/* Without memory to grow it goes on, more slowly: what was acknowledged is found, replaced, removed, and visited. */
static void test_grows_later_without_memory(void **state)
{
    enum { N = 2000 };
    static struct thing *things[2 * N];
    (void)state;
    struct table *t = NULL;
    char name[24];
    uint64_t sum = 0;
    assert_int_equal(table_new(gone, &t), OK);
    for (uint64_t i = 0; i < 2 * N; i++)
        things[i] = thing_new(i % N);
    failing_alloc_begin(1, FAILING_REST);
    for (uint64_t i = 0; i < N; i++)
        table_put(t, things[i]);
    for (uint64_t i = 0; i < N; i++)
        table_put(t, things[N + i]);
    table_enter();
    table_visit(t, add_up, &sum);
    table_leave();
    for (uint64_t i = 0; i < N; i += 2)
        assert_int_equal(table_remove(t, key_text(name, i)), OK);
    expect_every_second(t, N);
    assert_int_not_equal(failing_alloc_end(), 0);
    assert_int_equal(sum, N * (N - 1) / 2);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(table_remove(t, key_text(name, i)), i % 2 ? OK : ERR_NOT_FOUND);
    put(t, 1, 1);
    put(t, 3, 3);
    expect_every_second(t, N); /* it has grown meanwhile */
    table_free(t);
    assert_int_equal(atomic_load(&alive), 0);
}

/* A place that was given back serves the next one. */
static void test_places_are_used_again(void **state)
{
    enum { HELD = 30 };
    (void)state;
    struct table *t = NULL;
    char name[24];
    assert_int_equal(table_new(gone, &t), OK);
    for (uint64_t i = 0; i < 3000; i++) {
        put(t, i, i);
        if (i >= HELD)
            assert_int_equal(table_remove(t, key_text(name, i - HELD)), OK);
        for (uint64_t k = i; k > 0 && i - k < HELD; k--)
            assert_true(is(t, k, k));
    }
    table_free(t);
    assert_int_equal(atomic_load(&alive), 0);
}

/* What a reader found stays as it was until its section ends, though it was replaced and removed meanwhile. */
struct guest {
    struct table *t;
    _Atomic int step;
};

static void *replace_meanwhile(void *context)
{
    struct guest *g = context;
    char name[24];
    while (atomic_load(&g->step) < 1)
        sched_yield();
    put(g->t, 1, 2);
    assert_int_equal(table_remove(g->t, key_text(name, 1)), OK);
    atomic_store(&g->step, 2);
    return NULL;
}

static void test_found_stays_valid_in_its_section(void **state)
{
    (void)state;
    struct guest g = {0};
    pthread_t other;
    char name[24];
    assert_int_equal(table_new(gone, &g.t), OK);
    put(g.t, 1, 1);
    assert_int_equal(pthread_create(&other, NULL, replace_meanwhile, &g), 0);
    table_enter();
    table_enter(); /* they nest */
    struct thing *v = table_find(g.t, key_text(name, 1));
    assert_non_null(v);
    table_leave();
    atomic_store(&g.step, 1);
    while (atomic_load(&g.step) < 2)
        sched_yield();
    const struct timespec a_while = {.tv_nsec = 30000000}; /* more than liburcu waits between rounds */
    nanosleep(&a_while, NULL);
    assert_true(v->magic == MAGIC && v->number == 1);
    assert_false(is_there(g.t, 1));
    table_leave();
    pthread_join(other, NULL);
    table_free(g.t);
    assert_int_equal(atomic_load(&alive), 0);
}

/* Readers and writers at once: no value is seen torn or after its end, and nothing is lost. */
#define WORKERS 4
#define KEYS    512
#define ROUNDS  6000

struct shared {
    struct table *t;
    _Atomic size_t torn, lost;
    atomic_bool done;
};

static void *read_all_the_time(void *context)
{
    struct shared *s = context;
    char name[24];
    for (uint64_t i = 0; !atomic_load(&s->done); i++) {
        uint64_t key = i * 7 % (2 * KEYS);
        table_enter();
        struct thing *v = table_find(s->t, key_text(name, key));
        if (!v && key < KEYS) /* those are replaced, and never removed */
            atomic_fetch_add(&s->lost, 1);
        if (v && (v->magic != MAGIC || v->twice != 2 * v->number))
            atomic_fetch_add(&s->torn, 1);
        if (v)
            atomic_fetch_add_explicit(&v->uses, 1, memory_order_relaxed);
        table_leave();
    }
    return NULL;
}

static void *write_all_the_time(void *context)
{
    struct shared *s = context;
    char name[24];
    for (uint64_t i = 0; i < ROUNDS; i++) {
        put(s->t, i * 5 % KEYS, i);
        if (i % 3 == 0)
            (void)!table_remove(s->t, key_text(name, KEYS + i % KEYS));
        put(s->t, KEYS + i * 11 % KEYS, i);
        put(s->t, 2 * KEYS + i, i); /* makes it grow */
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct shared s = {0};
    pthread_t readers[WORKERS], writers[WORKERS];
    assert_int_equal(table_new(gone, &s.t), OK);
    for (uint64_t i = 0; i < KEYS; i++)
        put(s.t, i, i);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, &s), 0);
        assert_int_equal(pthread_create(&writers[i], NULL, write_all_the_time, &s), 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&s.done, true);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&s.torn), 0);
    assert_int_equal(atomic_load(&s.lost), 0);
    for (uint64_t i = 0; i < KEYS; i++)
        assert_true(is_there(s.t, i));
    table_free(s.t);
    assert_int_equal(atomic_load(&alive), 0);
}

/* Values that wait in lists are linked anew while the table grows: readers lose none of them meanwhile. */
enum { CROWD = 3000 };

static void *read_the_crowd(void *context)
{
    struct shared *s = context;
    char name[24];
    for (uint64_t i = 0; !atomic_load(&s->done); i++) {
        table_enter();
        struct thing *v = table_find(s->t, key_text(name, i * 7 % CROWD));
        if (!v || v->magic != MAGIC)
            atomic_fetch_add(&s->lost, 1);
        table_leave();
    }
    return NULL;
}

static void test_grows_under_readers(void **state)
{
    static struct thing *things[CROWD];
    (void)state;
    pthread_t readers[WORKERS];
    for (int round = 0; round < 10; round++) {
        struct shared s = {0};
        assert_int_equal(table_new(gone, &s.t), OK);
        for (uint64_t i = 0; i < CROWD; i++)
            things[i] = thing_new(i);
        failing_alloc_begin(1, FAILING_REST);
        for (uint64_t i = 0; i < CROWD; i++)
            table_put(s.t, things[i]);
        assert_int_not_equal(failing_alloc_end(), 0);
        for (size_t i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_create(&readers[i], NULL, read_the_crowd, &s), 0);
        for (uint64_t i = 0; i < 40; i++)
            put(s.t, CROWD + i, i);
        atomic_store(&s.done, true);
        for (size_t i = 0; i < WORKERS; i++)
            pthread_join(readers[i], NULL);
        assert_int_equal(atomic_load(&s.lost), 0);
        table_free(s.t);
        assert_int_equal(atomic_load(&alive), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_find_replace_remove),
        cmocka_unit_test(test_keys_are_bytes),
        cmocka_unit_test(test_grows_and_visits_each),
        cmocka_unit_test(test_grows_later_without_memory),
        cmocka_unit_test(test_places_are_used_again),
        cmocka_unit_test(test_found_stays_valid_in_its_section),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_grows_under_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
