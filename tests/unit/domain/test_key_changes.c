/* API keys change while many threads check them: what was acknowledged decides every look that begins afterwards. */
#include "../ledger/ledger_test.h"
#include "domain/keys/keys.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 4
#define CHANGES 300
#define DAY     (24ull * 3600 * 1000)

static struct rig *rig;
static struct api_keys *table;
static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    rig = rig_ready(&arena);
    assert_int_equal(api_keys_new(&table), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    api_keys_free(table);
    rig_free(rig);
    return 0;
}

static void put(const struct api_key *k, const struct api_key_found *before)
{
    struct txn_change c;
    struct record record = {.type = EVENT_KEY_SUSPENDED, .outcome = OUTCOME_DONE};
    struct txn t = {.arena = arena, .changes = &c, .change_count = 1, .records = &record, .record_count = 1};
    assert_int_equal(api_key_put(rig->keys, k, before, arena, &c), OK);
    assert_int_equal(rig_submit(rig, &t), OK);
    assert_int_equal(api_keys_applied(table, &c), OK);
}

static void keep(struct api_key *k, const struct api_key_parts *parts)
{
    k->pepper_epoch = keyring_epoch(row_keys_ring(rig->keys));
    assert_int_equal(api_key_verifier(rig->keys, k->pepper_epoch, parts->hash, k->verifier), OK);
}

/* --- the threads */

static struct {
    struct api_key_parts texts[2]; /* of one key: a rotation makes the other one good */
    _Atomic unsigned acknowledged; /* rises before a change is sent and once it is in force: even, half as many are */
    atomic_bool end;
    _Atomic unsigned wrong, looks;
    enum err (*expected)(unsigned in_force, size_t text);
} watch;

static enum err verify(size_t text, struct arena *own)
{
    struct api_key_shown shown = {.parts = &watch.texts[text], .now_ms = atomic_load(&rig->now_ms)};
    struct api_key_found f;
    return api_keys_verify(table, rig->keys, &shown, own, &f);
}

static void *look(void *unused)
{
    struct arena *own = NULL;
    assert_int_equal(arena_new(4096, 1u << 18, &own), OK);
    for (size_t text = 0; !atomic_load(&watch.end); text = !text) {
        unsigned before = atomic_load(&watch.acknowledged);
        enum err e = verify(text, own);
        bool same = atomic_load(&watch.acknowledged) == before && before % 2 == 0;
        if (same && e != watch.expected(before / 2, text))
            atomic_fetch_add(&watch.wrong, 1);
        atomic_fetch_add(&watch.looks, 1);
        arena_reset(own);
    }
    arena_free(own);
    return unused;
}

static void hammer(void (*change)(unsigned n))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, NULL), 0);
    for (unsigned n = 1; n <= CHANGES; n++) {
        atomic_fetch_add(&watch.acknowledged, 1);
        change(n);
        atomic_fetch_add(&watch.acknowledged, 1);
        arena_reset(arena);
    }
    atomic_store(&watch.end, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&watch.wrong), 0);
    assert_true(atomic_load(&watch.looks) > THREADS);
}

static void begin(enum err (*expected)(unsigned in_force, size_t text))
{
    static struct view roles[] = {VIEW_STR("trader")};
    char text[API_KEY_TEXT_SIZE];
    watch.expected = expected;
    atomic_store(&watch.acknowledged, 0);
    atomic_store(&watch.end, false);
    assert_int_equal(api_key_make(random_system(), 1, text, &watch.texts[0]), OK);
    struct api_key k = {.id = VIEW(watch.texts[0].id, API_KEY_ID_LEN),
                        .name = VIEW_STR("bot"),
                        .owner = VIEW_STR("alice"),
                        .environment = 1,
                        .status = KEY_ACTIVE,
                        .usage = KEY_FULL_ACCESS,
                        .roles = {roles, 1},
                        .created_ms = rig->now_ms,
                        .expires_ms = rig->now_ms + 90 * DAY};
    assert_int_equal(api_key_remake(random_system(), &k, text, &watch.texts[1]), OK);
    keep(&k, &watch.texts[0]);
    put(&k, NULL);
}

static struct api_key_found now(void)
{
    struct api_key_found f;
    assert_int_equal(api_keys_find(table, VIEW(watch.texts[0].id, API_KEY_ID_LEN), arena, &f), OK);
    return f;
}

/* --- what changes */

static enum err while_suspended(unsigned in_force, size_t text)
{
    if (text == 1)
        return ERR_BAD_CREDENTIALS;
    return in_force % 2 ? ERR_KEY_DISABLED : OK;
}

static void suspend_or_not(unsigned n)
{
    struct api_key_found f = now();
    struct api_key k = f.key;
    k.status = n % 2 ? KEY_SUSPENDED : KEY_ACTIVE;
    put(&k, &f);
}

static void test_a_suspension_is_seen_by_all_threads(void **state)
{
    (void)state;
    begin(while_suspended);
    hammer(suspend_or_not);
}

static enum err after_rotation(unsigned in_force, size_t text)
{
    return in_force % 2 == text ? OK : ERR_BAD_CREDENTIALS;
}

static void rotate(unsigned n)
{
    struct api_key_found f = now();
    struct api_key k = f.key;
    keep(&k, &watch.texts[n % 2]);
    put(&k, &f);
}

static void test_a_rotation_is_seen_by_all_threads(void **state)
{
    (void)state;
    begin(after_rotation);
    hammer(rotate);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_suspension_is_seen_by_all_threads),
        T(a_rotation_is_seen_by_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
