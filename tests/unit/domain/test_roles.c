/* Roles that an installation defines: what they give, when they are gone, and how soon everybody sees a change. */
#include "../ledger/ledger_test.h"
#include "domain/identity/identity.h"
#include "domain/keys/keys.h"

#include <pthread.h>
#include <stdatomic.h>

static struct rig *rig;
static struct identity *people;
static struct arena *arena;

static struct roles *roles(void)
{
    return identity_roles(people);
}

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

static size_t load_again(void)
{
    struct problem why = {0};
    size_t damaged = 99;
    identity_free(people);
    assert_int_equal(identity_new(&people), OK);
    assert_int_equal(identity_load(people, rig->reader, rig->keys, &damaged, &why), OK);
    return damaged;
}

static enum err commit(struct txn_change *c)
{
    struct record record = {.type = EVENT_ROLE_CHANGED, .outcome = OUTCOME_DONE};
    struct txn t = {.arena = arena, .changes = c, .change_count = 1, .records = &record, .record_count = 1};
    TRY(rig_submit(rig, &t));
    assert_int_equal(identity_applied(people, c), OK);
    return OK;
}

static struct role_found find(const char *name)
{
    struct role_found f = {0};
    assert_int_equal(roles_find(roles(), view_str(name), arena, &f), OK);
    return f;
}

/* grants and denies: one permission each, or NULL. */
static enum err define(const char *name, const char *grants, const char *denies, const struct role_found *before)
{
    struct view g = view_str(grants ? grants : ""), d = view_str(denies ? denies : "");
    const struct role_def def = {
        .name = view_str(name), .grants = {&g, grants ? 1 : 0}, .denies = {&d, denies ? 1 : 0}, .level = ACCESS_READ};
    struct txn_change c;
    TRY(roles_put(rig->keys, &def, before, arena, &c));
    return commit(&c);
}

static void add_user(const char *name, struct view *held, size_t count)
{
    const struct user u = {.name = view_str(name), .roles = {held, count}, .state = USER_ACTIVE, .environments = 3};
    struct txn_change c;
    assert_int_equal(identity_put_user(rig->keys, &u, NULL, arena, &c), OK);
    assert_int_equal(commit(&c), OK);
}

static struct rights rights(const char *name)
{
    struct rights r = {0};
    assert_int_equal(identity_user_rights(people, view_str(name), &r), OK);
    return r;
}

static bool may(const char *name, enum permission p)
{
    return permission_has(rights(name).permissions, p);
}

static void test_a_defined_role_counts_at_once_and_after_a_restart(void **state)
{
    (void)state;
    struct view held[] = {VIEW_STR("viewer"), VIEW_STR("night")};
    assert_int_equal(define("night", "risk:view", "mev:view", NULL), OK);
    add_user("alice", held, 2);
    for (int restarted = 0; restarted < 2; restarted++) {
        assert_true(may("alice", PERMISSION_RISK_VIEW));
        assert_false(may("alice", PERMISSION_MEV_VIEW)); /* denied, though viewer grants it */
        assert_int_equal(rights("alice").access.level, ACCESS_READ);
        assert_int_equal(rights("alice").access.environments, 3);
        assert_int_equal(roles_defined(roles()), 1);
        assert_int_equal(load_again(), 0);
    }
    struct role_found f = find("night");
    assert_int_equal(define("night", "market:read", NULL, &f), OK);
    assert_false(may("alice", PERMISSION_RISK_VIEW));
    assert_true(may("alice", PERMISSION_MARKET_READ));
    assert_true(may("alice", PERMISSION_MEV_VIEW));
}

/* The role that is gone may have been the one that denied: so nothing is left, not even what the others grant. */
static void test_who_has_a_role_that_is_gone_may_nothing(void **state)
{
    (void)state;
    struct view held[] = {VIEW_STR("admin"), VIEW_STR("night")};
    struct txn_change c;
    assert_int_equal(define("night", NULL, "secrets:access", NULL), OK);
    add_user("alice", held, 2);
    assert_true(may("alice", PERMISSION_USERS_MANAGE));
    struct role_found f = find("night");
    assert_int_equal(roles_remove(rig->keys, &f, arena, &c), OK);
    assert_int_equal(commit(&c), OK);
    for (int restarted = 0; restarted < 2; restarted++) {
        assert_int_equal(rights("alice").permissions.bits, 0);
        assert_int_equal(rights("alice").access.level, ACCESS_NONE);
        assert_int_equal(roles_find(roles(), VIEW_STR("night"), arena, &f), ERR_NOT_FOUND);
        assert_int_equal(load_again(), 0);
    }
    assert_int_equal(define("night", "risk:view", NULL, NULL), OK); /* the name is free again */
    assert_true(may("alice", PERMISSION_RISK_VIEW));
}

static void test_a_lost_race_is_a_conflict(void **state)
{
    (void)state;
    struct txn_change c;
    assert_int_equal(define("night", "risk:view", NULL, NULL), OK);
    struct role_found f = find("night");
    assert_int_equal(define("night", "market:read", NULL, &f), OK);
    assert_int_equal(define("night", "audit:view", NULL, &f), ERR_CONFLICT);
    assert_int_equal(define("night", "audit:view", NULL, NULL), ERR_CONFLICT);
    assert_int_equal(roles_remove(rig->keys, &f, arena, &c), OK);
    assert_int_equal(commit(&c), ERR_CONFLICT);
    assert_true(permission_has(find("night").role.grants, PERMISSION_MARKET_READ));
}

/* Whatever a row of the store says: "admin" is what the program says it is. */
static void test_a_row_does_not_replace_a_built_in_role(void **state)
{
    (void)state;
    const uint32_t before = find("viewer").role.grants.bits;
    assert_int_equal(define("viewer", "system:config", NULL, NULL), OK);
    for (int restarted = 0; restarted < 2; restarted++) {
        assert_true(find("viewer").builtin);
        assert_int_equal(find("viewer").role.grants.bits, before);
        load_again();
    }
}

static void test_list_has_the_built_in_ones_first(void **state)
{
    (void)state;
    struct entity_list l;
    assert_int_equal(define("zeta", "risk:view", NULL, NULL), OK);
    assert_int_equal(define("alpha", "risk:view", NULL, NULL), OK);
    assert_int_equal(roles_list(roles(), arena, &l), OK);
    const struct role_found *f = l.items;
    assert_int_equal(l.count, roles_builtin_count + 2);
    for (size_t i = 0; i < roles_builtin_count; i++)
        assert_true(view_is(f[i].def.name, roles_builtin[i].name) && f[i].builtin);
    assert_true(view_is(f[roles_builtin_count].def.name, "alpha"));
    assert_true(view_is(f[roles_builtin_count + 1].def.name, "zeta"));
}

static void test_damaged_and_distrusted_roles_give_nothing(void **state)
{
    (void)state;
    struct view held[] = {VIEW_STR("night")};
    uint8_t bytes[STORE_KEY_MAX], row[32];
    struct writer key = writer_fixed(bytes, sizeof bytes);
    assert_int_equal(define("night", "risk:view", NULL, NULL), OK);
    add_user("alice", held, 1);
    assert_int_equal(rig_put(rig, TABLE_ROLE, "x", "this is no role"), OK);
    assert_int_equal(load_again(), 1);
    assert_true(may("alice", PERMISSION_RISK_VIEW));
    assert_int_equal(row_key_exact(rig->keys, TABLE_ROLE, VIEW_STR("night"), &key), OK);
    row_hash(writer_view_of(&key), row);
    identity_distrust(people, TABLE_USER, row); /* another table's */
    assert_true(may("alice", PERMISSION_RISK_VIEW));
    identity_distrust(people, TABLE_ROLE, row);
    assert_int_equal(rights("alice").permissions.bits, 0);
}

static void put_key(struct api_keys *keys, const char *id, uint8_t status, struct view *held)
{
    const struct api_key k = {.id = view_str(id),
                              .name = VIEW_STR("a key"),
                              .description = VIEW_STR("for the night"), /* the word is no role here */
                              .owner = VIEW_STR("bob"),
                              .environment = 1,
                              .status = status,
                              .usage = KEY_FULL_ACCESS,
                              .roles = {held, 1}};
    struct txn_change c;
    assert_int_equal(api_key_put(rig->keys, &k, NULL, arena, &c), OK);
    assert_int_equal(api_keys_applied(keys, &c), OK);
}

static void test_who_has_a_role_is_found(void **state)
{
    (void)state;
    struct view night[] = {VIEW_STR("night")}, both[] = {VIEW_STR("admin"), VIEW_STR("night")};
    struct view viewer[] = {VIEW_STR("viewer")};
    AUTO(api_keys_free) struct api_keys *keys = NULL;
    struct role_holders h = {0};
    assert_int_equal(api_keys_new(&keys), OK);
    put_key(keys, "0123456789abcdef", KEY_REVOKED, night);
    put_key(keys, "1123456789abcdef", KEY_ACTIVE, viewer);
    assert_int_equal(define("night", "risk:view", NULL, NULL), OK);
    identity_holding(people, night[0], &h);
    assert_int_equal(api_keys_holding(keys, night[0], &h), OK);
    assert_int_equal(h.count, 0);
    add_user("alice", night, 1);
    put_key(keys, "2123456789abcdef", KEY_SUSPENDED, night); /* may come back */
    identity_holding(people, night[0], &h);
    assert_int_equal(api_keys_holding(keys, night[0], &h), OK);
    assert_int_equal(h.count, 2);
    assert_string_equal(h.first, "user:alice");
    assert_false(h.configures);
    add_user("bob", both, 2);
    identity_holding(people, night[0], &h);
    assert_true(h.configures);
}

/* --- many threads look while one changes */

#define THREADS 4
#define CHANGES 300

static struct {
    _Atomic unsigned acknowledged; /* changes that are in force for sure */
    atomic_bool end;
    _Atomic unsigned wrong, looks;
} watch;

/* acknowledged is odd while the role grants risk:view for a moment, and even when market:read is in force again for
 * sure. Whoever looks within one even count must see that. */
static void *look(void *unused)
{
    while (!atomic_load(&watch.end)) {
        struct rights r = {0};
        unsigned before = atomic_load(&watch.acknowledged);
        bool found = identity_user_rights(people, VIEW_STR("alice"), &r) == OK;
        bool odd = permission_has(r.permissions, PERMISSION_RISK_VIEW);
        bool even = permission_has(r.permissions, PERMISSION_MARKET_READ);
        if (!found || odd == even || (atomic_load(&watch.acknowledged) == before && before % 2 == 0 && odd))
            atomic_fetch_add(&watch.wrong, 1);
        atomic_fetch_add(&watch.looks, 1);
    }
    return unused;
}

static void test_acknowledged_changes_are_seen_by_all_threads(void **state)
{
    (void)state;
    struct view held[] = {VIEW_STR("night")};
    pthread_t threads[THREADS];
    assert_int_equal(define("night", "market:read", NULL, NULL), OK);
    add_user("alice", held, 1);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, NULL), 0);
    for (unsigned n = 0; n < CHANGES; n++) {
        struct role_found f = find("night");
        atomic_fetch_add(&watch.acknowledged, 1);
        assert_int_equal(define("night", "risk:view", NULL, &f), OK);
        f = find("night");
        assert_int_equal(define("night", "market:read", NULL, &f), OK);
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
        T(a_defined_role_counts_at_once_and_after_a_restart),
        T(who_has_a_role_that_is_gone_may_nothing),
        T(a_lost_race_is_a_conflict),
        T(a_row_does_not_replace_a_built_in_role),
        T(list_has_the_built_in_ones_first),
        T(damaged_and_distrusted_roles_give_nothing),
        T(who_has_a_role_is_found),
        T(acknowledged_changes_are_seen_by_all_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
