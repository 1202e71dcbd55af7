/* What people see who watch the guard: nobody who comes often is missed, no reader sees half a name, and who reads too
 * slowly is told what he missed. */
#include "domain/guard/heavy.h"
#include "domain/guard/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE 60000u

static struct heavy_seen seen[HEAVY_PLACES];

static void write_name(struct view key, char out[static HEAVY_NAME_MAX + 1])
{
    (void)snprintf(out, HEAVY_NAME_MAX + 1, "%.*s", (int)key.len, (const char *)key.ptr);
}

static void count(struct heavy *h, const char *name, uint64_t now_ms)
{
    const struct heavy_name n = {view_str(name), write_name};
    heavy_count(h, &n, now_ms);
}

static const struct heavy_seen *find(const struct heavy *h, const char *name)
{
    size_t n = heavy_read(h, seen);
    for (size_t i = 0; i < n; i++)
        if (strcmp(seen[i].name, name) == 0)
            return &seen[i];
    return NULL;
}

static struct heavy *made(void)
{
    struct heavy *h = NULL;
    assert_int_equal(heavy_new(random_system(), &h), OK);
    return h;
}

static void counts_are_exact_while_there_is_room(void **state)
{
    struct heavy *h = made();
    (void)state;
    for (int i = 0; i < 300; i++)
        count(h, i % 3 ? "user:alice" : "key:1", MINUTE);
    assert_true(find(h, "user:alice")->count == 200 && find(h, "user:alice")->error == 0);
    assert_int_equal(find(h, "key:1")->count, 100);
    assert_null(find(h, "user:bob"));
    heavy_free(h);
}

/* A hundred thousand others, each once, among them one that makes up a fiftieth. */
static void a_flood_hides_nobody_who_comes_often(void **state)
{
    struct heavy *h = made();
    char name[32];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(name, sizeof name, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        count(h, i % 50 ? name : "192.0.2.1", MINUTE);
    }
    const struct heavy_seen *s = find(h, "192.0.2.1");
    assert_non_null(s);
    assert_true(s->count >= 2000 && s->count - s->error <= 2000);
    assert_int_equal(heavy_read(h, seen), HEAVY_PLACES);
    heavy_free(h);
}

static void what_was_is_forgotten(void **state)
{
    struct heavy *h = made();
    (void)state;
    count(h, "old", 10 * MINUTE);
    count(h, "new", 14 * MINUTE);
    count(h, "new", 16 * MINUTE);
    assert_int_equal(find(h, "old")->count, 1);
    assert_int_equal(find(h, "new")->count, 2);
    count(h, "new", 22 * MINUTE);
    assert_null(find(h, "old"));
    assert_int_equal(find(h, "new")->count, 2);
    count(h, "new", 60 * MINUTE);
    assert_int_equal(find(h, "new")->count, 1);
    heavy_free(h);
}

/* --- a reader beside it */

static atomic_bool over;

static void *read_on(void *context)
{
    struct heavy_seen *own = calloc(HEAVY_PLACES, sizeof *own);
    const struct heavy *h = context;
    while (own && !atomic_load(&over)) {
        size_t n = heavy_read(h, own);
        for (size_t i = 0; i < n; i++) /* each is 40 times the same letter */
            if (strspn(own[i].name, (char[]){own[i].name[0], '\0'}) != 40)
                abort();
    }
    free(own);
    return NULL;
}

static void write_letters(struct view key, char out[static HEAVY_NAME_MAX + 1])
{
    memset(out, 'a' + key.ptr[0] % 26, 40);
    out[40] = '\0';
}

static void a_reader_never_sees_half_a_name(void **state)
{
    struct heavy *h = made();
    pthread_t reader;
    (void)state;
    assert_int_equal(pthread_create(&reader, NULL, read_on, h), 0);
    for (uint32_t i = 0; i < 200000; i++) { /* another one each time, so that they drive each other out */
        const struct heavy_name n = {VIEW(&i, sizeof i), write_letters};
        heavy_count(h, &n, MINUTE + i);
    }
    atomic_store(&over, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    heavy_free(h);
}

/* --- the ring */

static void put(struct ring *r, uint64_t time)
{
    const struct ring_decision d = {.wall_ms = time, .address = "192.0.2.1"};
    ring_put(r, &d);
}

static void nothing_is_written_that_nobody_watches(void **state)
{
    struct ring *r = NULL;
    struct ring_decision d[4];
    uint64_t next, lost;
    (void)state;
    assert_int_equal(ring_new(&r), OK);
    assert_false(ring_is_watched(r, 1));
    assert_int_equal(ring_read(r, 0, 1000, d, 4, &next, &lost), 0);
    assert_true(next > 0 && lost == 0);
    assert_true(ring_is_watched(r, 1000 + RING_WATCH_MS - 1));
    assert_false(ring_is_watched(r, 1000 + RING_WATCH_MS));
    ring_free(r);
}

static void a_reader_gets_each_once_and_is_told_what_he_missed(void **state)
{
    struct ring *r = NULL;
    struct ring_decision d[4];
    uint64_t next, lost, first;
    (void)state;
    assert_int_equal(ring_new(&r), OK);
    assert_int_equal(ring_read(r, 0, 1, d, 4, &next, &lost), 0);
    for (uint64_t i = 1; i <= 6; i++)
        put(r, i);
    assert_int_equal(ring_read(r, next, 1, d, 4, &next, &lost), 4);
    assert_true(d[0].wall_ms == 1 && d[3].wall_ms == 4 && lost == 0);
    assert_int_equal(ring_read(r, next, 1, d, 4, &next, &lost), 2);
    assert_true(d[0].wall_ms == 5 && d[1].wall_ms == 6);
    assert_int_equal(ring_read(r, next, 1, d, 4, &next, &lost), 0);
    first = next;
    for (uint64_t i = 0; i < RING_SIZE + 10; i++)
        put(r, 100 + i);
    assert_int_equal(ring_read(r, first, 1, d, 4, &next, &lost), 4);
    assert_int_equal(lost, 10);
    assert_int_equal(d[0].wall_ms, 110);
    assert_int_equal(ring_read(r, UINT64_MAX, 1, d, 4, &next, &lost), 0); /* of another server */
    assert_true(next < UINT64_MAX && lost == 0);
    ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact_while_there_is_room),
        cmocka_unit_test(a_flood_hides_nobody_who_comes_often),
        cmocka_unit_test(what_was_is_forgotten),
        cmocka_unit_test(a_reader_never_sees_half_a_name),
        cmocka_unit_test(nothing_is_written_that_nobody_watches),
        cmocka_unit_test(a_reader_gets_each_once_and_is_told_what_he_missed),
    };
    return cmocka_run_group_tests_name("watching", tests, NULL, NULL);
}
