/* Whom certificates and Unix groups stand for: what can be matched, that it is found in the form it comes in, and how
 * soon everybody sees an end. */
#include "../ledger/ledger_test.h"
#include "domain/identity/identity.h"

#include <pthread.h>
#include <stdatomic.h>

static struct rig *rig;
static struct identity *people;
static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    rig = rig_ready(&arena);
    assert_int_equal(identity_new(&people), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    identity_free(people);
    rig_free(rig);
    return 0;
}

static enum err commit(struct txn_change *c)
{
    struct record record = {.type = EVENT_MAPPING_CREATED, .outcome = OUTCOME_DONE};
    struct txn t = {.arena = arena, .changes = c, .change_count = 1, .records = &record, .record_count = 1};
    TRY(rig_submit(rig, &t));
    return identity_applied(people, c);
}

static enum err map(const char *match, const char *identity)
{
    struct mapping m = {.match = view_str(match), .identity = view_str(identity), .created_ms = 1};
    struct txn_change c;
    assert_int_equal(mapping_put(rig->keys, &m, arena, &c), OK);
    return commit(&c);
}

static enum err unmap(const char *match)
{
    struct mapping_found f;
    struct txn_change c;
    TRY(mappings_find(people, view_str(match), arena, &f));
    assert_int_equal(mapping_remove(rig->keys, &f, arena, &c), OK);
    return commit(&c);
}

static bool leads_to(const char *match, const char *identity)
{
    struct mapping_found f;
    return mappings_find(people, view_str(match), arena, &f) == OK && view_is(f.mapping.identity, identity);
}

static size_t load_again(void)
{
    struct problem why = {0};
    size_t damaged = 99;
    identity_free(people);
    assert_int_equal(identity_new(&people), OK);
    assert_int_equal(identity_load(people, rig->reader, rig->keys, &damaged, &why), OK);
    return damaged;
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void test_what_can_be_matched(void **state)
{
    static const struct {
        const char *match, *normal; /* NULL: it can't */
    } rows[] = {
        {"dns:Bot.Desk.EXAMPLE", "dns:bot.desk.example"},
        {"dns:*.desk.example", NULL},
        {"dns:", NULL},
        {"dns:a b", NULL},
        {"dns:b\xc3\xbcro.example", NULL},
        {"uri:spiffe://Desk/Bot", "uri:spiffe://Desk/Bot"},
        {"uri:no-scheme", NULL},
        {"uri:a:b c", NULL},
        {"email:Bob@Desk.Example", "email:Bob@desk.example"},
        {"email:\"a@b\"@Desk.Example", "email:\"a@b\"@desk.example"},
        {"email:@desk.example", NULL},
        {"email:bob@", NULL},
        {"email:bob", NULL},
        {"sha256:" HEX, "sha256:" HEX},
        {"sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
         "sha256:" HEX},
        {"sha256:0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL},
        {"sha256:" HEX "00", NULL},
        {"sha256:zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL},
        {"gid:1200", "gid:1200"},
        {"gid:0", NULL},
        {"gid:01200", NULL},
        {"gid:-1", NULL},
        {"gid:4294967294", "gid:4294967294"},
        {"gid:4294967295", NULL},
        {"gid:99999999999999999999", NULL},
        {"DNS:bot.example", NULL},
        {"cn:bot", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view match = view_str(rows[i].match), normal = {0};
        if (mapping_match_valid(match) != (rows[i].normal != NULL))
            fail_msg("%s", rows[i].match);
        assert_int_equal(mapping_match_normal(match, arena, &normal), rows[i].normal ? OK : ERR_BAD_VALUE);
        if (rows[i].normal && !view_is(normal, rows[i].normal))
            fail_msg("%s: %.*s", rows[i].match, (int)normal.len, (const char *)normal.ptr);
        assert_int_equal(mapping_of_group(match), rows[i].normal && strncmp(rows[i].match, "gid:", 4) == 0);
    }
    assert_true(mapping_identity_valid(VIEW_STR("user:bob")));
    assert_true(mapping_identity_valid(VIEW_STR("key:0123456789abcdef")));
    assert_false(mapping_identity_valid(VIEW_STR("key:short")));
    assert_false(mapping_identity_valid(VIEW_STR("bob")));
    assert_false(mapping_identity_valid(VIEW_STR("unix:0")));
}

static void test_it_is_found_until_it_ends_and_after_a_restart(void **state)
{
    (void)state;
    assert_int_equal(map("dns:a.example", "user:alice"), OK);
    assert_int_equal(map("dns:b.example", "user:bob"), OK);
    assert_int_equal(map("dns:a.example", "user:mallory"), ERR_CONFLICT);
    assert_true(leads_to("dns:a.example", "user:alice"));
    assert_int_equal(load_again(), 0);
    assert_true(leads_to("dns:a.example", "user:alice"));
    assert_int_equal(unmap("dns:a.example"), OK);
    assert_false(leads_to("dns:a.example", "user:alice"));
    assert_int_equal(map("dns:a.example", "user:carol"), OK);
    assert_true(leads_to("dns:a.example", "user:carol"));
    assert_int_equal(unmap("dns:a.example"), OK);
    assert_int_equal(load_again(), 0);
    assert_false(leads_to("dns:a.example", "user:carol"));
    assert_true(leads_to("dns:b.example", "user:bob"));
    assert_int_equal(mappings_count(people), 1);
}

static void test_a_damaged_or_distrusted_one_leads_nowhere(void **state)
{
    uint8_t bytes[STORE_KEY_MAX], row[32];
    struct writer key = writer_fixed(bytes, sizeof bytes);
    char id[MAPPING_ID_LEN + 1];
    (void)state;
    assert_int_equal(map("dns:a.example", "user:alice"), OK);
    assert_int_equal(rig_put(rig, TABLE_MAPPING, "x", "this is no mapping"), OK);
    assert_int_equal(load_again(), 1);
    assert_true(leads_to("dns:a.example", "user:alice"));
    mapping_id(VIEW_STR("dns:a.example"), id);
    assert_int_equal(row_key_exact(rig->keys, TABLE_MAPPING, view_str(id), &key), OK);
    row_hash(writer_view_of(&key), row);
    identity_distrust(people, TABLE_ROLE, row); /* of another table */
    assert_true(leads_to("dns:a.example", "user:alice"));
    identity_distrust(people, TABLE_MAPPING, row);
    assert_false(leads_to("dns:a.example", "user:alice"));
}

static void test_pages(void **state)
{
    struct view after = {0};
    struct entity_list page;
    size_t seen = 0;
    char match[32];
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        (void)snprintf(match, sizeof match, "dns:%u.example", i);
        assert_int_equal(map(match, "user:alice"), OK);
    }
    do {
        char id[MAPPING_ID_LEN + 1];
        assert_int_equal(mappings_page(people, after, 3, arena, &page), OK);
        for (size_t i = 0; i < page.count; i++) {
            mapping_id(((const struct mapping *)page.items)[i].match, id);
            assert_true(view_cmp(view_str(id), after) > 0);
            assert_int_equal(arena_copy(arena, view_str(id), &after), OK);
        }
        seen += page.count;
    } while (page.count == 3);
    assert_int_equal(seen, 7);
}

/* --- many threads look while one changes */

#define THREADS 4
#define CHANGES 300

static struct {
    _Atomic unsigned acknowledged; /* odd while it is mapped, or about to change */
    atomic_bool end;
    _Atomic unsigned wrong, looks;
} watch;

/* Whoever looks within one even count must find nothing: the end was acknowledged before he began. */
static void *look(void *unused)
{
    struct arena *own = NULL;
    assert_int_equal(arena_new(1024, 1u << 16, &own), OK);
    while (!atomic_load(&watch.end)) {
        struct mapping_found f;
        unsigned before = atomic_load(&watch.acknowledged);
        bool found = mappings_find(people, VIEW_STR("gid:1200"), own, &f) == OK;
        if (found && (!view_is(f.mapping.identity, "key:0123456789abcdef") ||
                      (atomic_load(&watch.acknowledged) == before && before % 2 == 0)))
            atomic_fetch_add(&watch.wrong, 1);
        atomic_fetch_add(&watch.looks, 1);
        arena_reset(own);
    }
    arena_free(own);
    return unused;
}

static void test_an_end_is_seen_by_all_threads(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, NULL), 0);
    for (unsigned n = 0; n < CHANGES; n++) {
        atomic_fetch_add(&watch.acknowledged, 1);
        assert_int_equal(map("gid:1200", "key:0123456789abcdef"), OK);
        assert_int_equal(unmap("gid:1200"), OK);
        atomic_fetch_add(&watch.acknowledged, 1);
        arena_reset(arena);
    }
    atomic_store(&watch.end, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&watch.wrong), 0);
    assert_true(atomic_load(&watch.looks) > THREADS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_can_be_matched),
        T(it_is_found_until_it_ends_and_after_a_restart),
        T(a_damaged_or_distrusted_one_leads_nowhere),
        T(pages),
        T(an_end_is_seen_by_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
