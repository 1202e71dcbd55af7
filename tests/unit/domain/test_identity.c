/* Users and sessions in the store and in memory, as requests see them. */
#include "../ledger/ledger_test.h"
#include "domain/identity/identity.h"

#define HOUR   (3600ull * 1000)
#define MINUTE (60ull * 1000)

static struct rig *rig;
static struct identity *people;
static size_t left_out; /* rows, by the last load */
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

/* Commits, and tells the tables. */
static enum err commit(struct txn_change *changes, size_t count)
{
    struct record record = {.type = EVENT_USER_CHANGED, .outcome = OUTCOME_DONE};
    struct txn t = {.arena = arena, .changes = changes, .change_count = count, .records = &record, .record_count = 1};
    TRY(rig_submit(rig, &t));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(identity_applied(people, &changes[i]), OK);
    return OK;
}

static enum err put_user(const struct user *u, const struct user_found *before)
{
    struct txn_change c;
    assert_int_equal(identity_put_user(rig->keys, u, before, arena, &c), OK);
    return commit(&c, 1);
}

static struct user alice(void)
{
    static struct view roles[] = {VIEW_STR("trader"), VIEW_STR("risk_analyst")};
    return (struct user){.id = {1, 2, 3},
                         .name = VIEW_STR("alice"),
                         .email = VIEW_STR("alice@example.com"),
                         .roles = {roles, 2},
                         .state = USER_ACTIVE,
                         .password_hash = VIEW_STR("$argon2id$v=19$m=8192,t=1,p=1$x$y"),
                         .created_ms = 1790000000000u,
                         .environments = 5};
}

static struct user_found found(const char *name)
{
    struct user_found f = {0};
    assert_int_equal(identity_user(people, view_str(name), arena, &f), OK);
    return f;
}

static void sign_in(const char *user, uint64_t now, char token[static SESSION_TOKEN_SIZE], uint8_t hash[static 32])
{
    struct txn_change c;
    assert_int_equal(session_token_make(random_system(), token), OK);
    assert_int_equal(session_token_hash(rig->keys, view_str(token), hash), OK);
    struct session s = {.user = view_str(user),
                        .created_ms = now,
                        .expires_ms = now + 8 * HOUR,
                        .idle_ms = 30 * MINUTE,
                        .source = VIEW_STR("192.0.2.1"),
                        .user_agent = VIEW_STR("curl/8")};
    memcpy(s.token_hash, hash, 32);
    assert_int_equal(identity_put_session(rig->keys, &s, arena, &c), OK);
    assert_int_equal(commit(&c, 1), OK);
}

static enum err use(const uint8_t hash[static 32], uint64_t now)
{
    struct session s;
    struct user u;
    return identity_session(people, hash, now, arena, &s, &u);
}

static void test_a_session_that_is_renewed_goes_on(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[32];
    struct txn_change c;
    struct session s;
    struct user u;
    const uint64_t now = 1790000000000u;
    const struct user someone = alice();
    assert_int_equal(put_user(&someone, NULL), OK);
    sign_in("alice", now, token, hash);
    assert_int_equal(use(hash, now + 29 * MINUTE), OK);
    assert_int_equal(identity_renew_session(people, hash, now + 40 * MINUTE, SHOWN_CODE, arena, &c), OK);
    assert_int_equal(commit(&c, 1), OK);
    assert_int_equal(identity_session(people, hash, now + 60 * MINUTE, arena, &s, &u), OK);
    assert_int_equal(s.second_ms, now + 40 * MINUTE);
    assert_int_equal(s.shown, SHOWN_CODE);
    assert_int_equal(s.expires_ms, now + 8 * HOUR);
    memset(hash, 9, sizeof hash);
    assert_int_equal(identity_renew_session(people, hash, now, 0, arena, &c), ERR_NOT_FOUND);
}

/* --- users */

static void test_user_comes_back_as_it_was(void **state)
{
    (void)state;
    struct user u = alice();
    struct problem why = {0};
    assert_int_equal(put_user(&u, NULL), OK);
    for (int restarted = 0; restarted < 2; restarted++) {
        struct user_found f = found("alice");
        assert_memory_equal(f.user.id, u.id, 16);
        assert_true(view_is(f.user.email, "alice@example.com"));
        assert_int_equal(f.user.roles.count, 2);
        assert_true(view_is(f.user.roles.items[1], "risk_analyst"));
        assert_true(view_eq(f.user.password_hash, u.password_hash));
        assert_int_equal(f.user.environments, 5);
        assert_int_equal(f.version, 1);
        identity_free(people);
        assert_int_equal(identity_new(&people), OK);
        assert_int_equal(identity_load(people, rig->reader, rig->keys, &left_out, &why), OK);
    }
}

static void test_lost_race_is_a_conflict(void **state)
{
    (void)state;
    struct user u = alice();
    assert_int_equal(put_user(&u, NULL), OK);
    struct user_found before = found("alice");
    u.email = VIEW_STR("first@example.com");
    assert_int_equal(put_user(&u, &before), OK);
    u.email = VIEW_STR("second@example.com");
    assert_int_equal(put_user(&u, &before), ERR_CONFLICT);
    assert_int_equal(put_user(&u, NULL), ERR_CONFLICT); /* nor can he be created again */
    assert_true(view_is(found("alice").user.email, "first@example.com"));
}

/* Commits finish on different threads: an old one that is told late must not undo a newer one. */
static void test_late_news_do_not_count(void **state)
{
    (void)state;
    struct user u = alice();
    struct txn_change first, second;
    assert_int_equal(identity_put_user(rig->keys, &u, NULL, arena, &first), OK);
    struct user_found as_first = {.version = 1};
    u.state = USER_DISABLED;
    assert_int_equal(identity_put_user(rig->keys, &u, &as_first, arena, &second), OK);
    assert_int_equal(identity_applied(people, &second), OK);
    assert_int_equal(identity_applied(people, &first), OK);
    assert_int_equal(found("alice").user.state, USER_DISABLED);
    assert_int_equal(found("alice").version, 2);
}

static void test_users_are_listed_by_name(void **state)
{
    static const char *const names[] = {"zoe", "bob", "mallory", "al"};
    (void)state;
    struct entity_list list;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct user u = alice();
        u.name = view_str(names[i]);
        u.email = i == 0 ? VIEW_STR("Desk@zoo.example") : (struct view){0};
        assert_int_equal(put_user(&u, NULL), OK);
    }
    struct users_range range = {.limit = 10};
    assert_int_equal(identity_users_page(people, &range, arena, &list), OK);
    assert_int_equal(list.count, 4);
    const struct user *u = list.items;
    assert_true(view_is(u[0].name, "al") && view_is(u[1].name, "bob") && view_is(u[3].name, "zoe"));
    range.limit = 2;
    range.after = VIEW_STR("al");
    assert_int_equal(identity_users_page(people, &range, arena, &list), OK);
    u = list.items;
    assert_true(list.count == 2 && view_is(u[0].name, "bob") && !view_is(u[1].name, "zoe"));
    range = (struct users_range){.limit = 2, .prefix = VIEW_STR("BO")};
    assert_int_equal(identity_users_page(people, &range, arena, &list), OK);
    assert_true(list.count == 1 && view_is(((const struct user *)list.items)->name, "bob"));
    range.prefix = VIEW_STR("desk@"); /* by e-mail, in any case */
    assert_int_equal(identity_users_page(people, &range, arena, &list), OK);
    assert_int_equal(list.count, 1);
    range.prefix = VIEW_STR("nobody");
    assert_int_equal(identity_users_page(people, &range, arena, &list), OK);
    assert_int_equal(list.count, 0);
}

/* A page out of a hundred thousand needs the memory of a page. */
static void test_a_page_costs_a_page(void **state)
{
    AUTO(arena_free) struct arena *small = NULL;
    struct entity_list list;
    char name[32];
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct user u = alice();
        struct txn_change put;
        AUTO(arena_free) struct arena *a = NULL;
        (void)snprintf(name, sizeof name, "u%05u", (i * 7919u) % 20000u);
        u.name = view_str(name);
        assert_int_equal(arena_new(2048, 1u << 16, &a), OK);
        assert_int_equal(identity_put_user(rig->keys, &u, NULL, a, &put), OK);
        assert_int_equal(identity_applied(people, &put), OK);
    }
    assert_int_equal(arena_new(4096, 256u * 1024, &small), OK);
    const struct users_range range = {.after = VIEW_STR("u00041"), .limit = 100};
    assert_int_equal(identity_users_page(people, &range, small, &list), OK);
    assert_int_equal(list.count, 100);
    const struct user *u = list.items;
    assert_true(view_is(u[0].name, "u00042") && view_is(u[99].name, "u00141"));
}

/* A log-in that ended before the removal, but is told of after it, must not bring the user back. */
static void test_removed_is_removed(void **state)
{
    (void)state;
    struct user u = alice();
    struct user_found f, again;
    struct txn_change late, gone, put;
    assert_int_equal(put_user(&u, NULL), OK);
    assert_int_equal(identity_user(people, u.name, arena, &f), OK);
    assert_int_equal(identity_put_user(rig->keys, &u, &f, arena, &late), OK);
    again = f;
    again.version = late.version;
    assert_int_equal(identity_remove_user(rig->keys, &again, arena, &gone), OK);
    assert_int_equal(identity_applied(people, &gone), OK);
    assert_int_equal(identity_applied(people, &late), OK);
    assert_int_equal(identity_user(people, u.name, arena, &f), ERR_NOT_FOUND);
    struct rights r;
    assert_int_equal(identity_user_rights(people, u.name, &r), ERR_NOT_FOUND);
    uint64_t version = identity_user_gone(people, u.name);
    assert_true(version > late.version);
    assert_int_equal(identity_put_user(rig->keys, &u, NULL, arena, &put), OK);
    put.version = version + 1;
    assert_int_equal(identity_applied(people, &put), OK);
    assert_int_equal(identity_user(people, u.name, arena, &f), OK);
}

static void test_an_invitation_is_good_once_and_for_a_while(void **state)
{
    (void)state;
    struct user u = alice();
    char token[INVITE_TOKEN_SIZE], other[INVITE_TOKEN_SIZE];
    uint64_t until = 1790000000000u;
    assert_false(user_invited_with(&u, VIEW_STR(""), 1));
    assert_int_equal(user_invite(&u, random_system(), until, other), OK);
    assert_int_equal(user_invite(&u, random_system(), until, token), OK);
    assert_int_equal(strlen(token), INVITE_TOKEN_SIZE - 1);
    assert_true(user_invited_with(&u, view_str(token), until - 1));
    assert_false(user_invited_with(&u, view_str(token), until));
    assert_false(user_invited_with(&u, view_str(other), until - 1)); /* a new one replaces the old */
    assert_int_equal(user_set_password(&u, VIEW_STR("h"), 5, 1, arena), OK);
    assert_false(user_invited_with(&u, view_str(token), until - 1));
    assert_false(user_invited_with(&u, (struct view){0}, until - 1));
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "Alice", "-a", "1a", "a b", "a/b", "alicé", "a\n", "user:a", "_a"};
    char longest[66];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(user_name_valid(view_str(bad[i])));
    memset(longest, 'a', sizeof longest);
    assert_true(user_name_valid(VIEW(longest, 64)));
    assert_false(user_name_valid(VIEW(longest, 65)));
    assert_true(user_name_valid(VIEW_STR("a.b_c-9")));
    assert_false(user_name_valid(VIEW("a\0b", 3)));
}

#define LOCK_MS (30ull * 60 * 1000)

static struct config_passwords rules(void)
{
    struct config_passwords r = {0};
    config_passwords_complete(&r);
    return r;
}

static void test_five_failures_lock_for_half_an_hour(void **state)
{
    (void)state;
    struct user u = alice();
    uint64_t now = 1790000000000u;
    const struct config_passwords r = rules();
    for (int i = 1; i < 5; i++) {
        assert_false(user_login_failed(&u, &r, now));
        assert_true(user_may_login(&u, now));
    }
    assert_true(user_login_failed(&u, &r, now));
    assert_int_equal(u.state, USER_LOCKED);
    assert_false(user_may_login(&u, now + LOCK_MS - 1));
    assert_false(user_login_failed(&u, &r, now + 1000)); /* does not prolong it */
    assert_true(user_may_login(&u, now + LOCK_MS));
    assert_false(user_login_failed(&u, &r, now + LOCK_MS)); /* a new count begins */
    assert_int_equal(u.failed_attempts, 1);
    user_login_succeeded(&u, now + LOCK_MS + 1);
    assert_int_equal(u.failed_attempts, 0);
    assert_int_equal(u.last_login_ms, now + LOCK_MS + 1);
    u.state = USER_DISABLED;
    assert_false(user_may_login(&u, UINT64_MAX));
}

static void test_a_password_grows_old(void **state)
{
    (void)state;
    const struct config_passwords r = rules();
    struct user u = alice();
    u.password_changed_ms = 1790000000000u;
    assert_false(user_password_expired(&u, &r, u.password_changed_ms + 90ull * 86400000 - 1));
    assert_true(user_password_expired(&u, &r, u.password_changed_ms + 90ull * 86400000));
    assert_false(user_password_expired(&u, &r, 0)); /* a clock that was set back locks nobody out */
}

/* The last five can't come back; the sixth may, and no more hashes are kept than that takes. */
static void test_former_passwords(void **state)
{
    static const char *const hashes[] = {"h1", "h2", "h3", "h4", "h5", "h6", "h7"};
    (void)state;
    struct user u = alice();
    struct text_list used;
    u.password_hash = (struct view){0};
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        assert_int_equal(user_set_password(&u, view_str(hashes[i]), 5, 1790000000000u + i, arena), OK);
        assert_int_equal(user_password_used(&u, 5, arena, &used), OK);
        size_t most = i + 1 < 5 ? i + 1 : 5;
        assert_int_equal(used.count, most);
        for (size_t k = 0; k < most; k++)
            assert_true(view_is(used.items[k], hashes[i - k]));
    }
    assert_int_equal(u.password_history.count, 4);
    assert_true(view_is(u.password_hash, "h7") && u.password_changed_ms == 1790000000006u);
    assert_int_equal(user_set_password(&u, VIEW_STR("h8"), 1, 1790000000010u, arena), OK);
    assert_int_equal(u.password_history.count, 0);
}

/* --- sessions */

static void test_token_is_strict(void **state)
{
    (void)state;
    char token[SESSION_TOKEN_SIZE + 1], other[SESSION_TOKEN_SIZE];
    uint8_t hash[32], again[32];
    assert_int_equal(session_token_make(random_system(), token), OK);
    assert_int_equal(session_token_make(random_system(), other), OK);
    assert_int_equal(strlen(token), SESSION_TOKEN_SIZE - 1);
    assert_string_not_equal(token, other);
    assert_int_equal(session_token_hash(rig->keys, view_str(token), hash), OK);
    rig_rotate(rig); /* a session outlives a rotation of the data key */
    assert_int_equal(session_token_hash(rig->keys, view_str(token), again), OK);
    assert_memory_equal(hash, again, 32);
    assert_int_equal(session_token_hash(rig->keys, VIEW(token, 46), hash), ERR_UNAUTHENTICATED);
    token[20] = '-';
    assert_int_equal(session_token_hash(rig->keys, view_str(token), hash), ERR_UNAUTHENTICATED);
    memset(token + 4, 'z', 43); /* more than 32 bytes can be */
    assert_int_equal(session_token_hash(rig->keys, view_str(token), hash), ERR_UNAUTHENTICATED);
}

static void test_session_ends_by_age_and_by_idleness(void **state)
{
    (void)state;
    struct user u = alice();
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[32], unknown[32] = {9};
    uint64_t start = rig->now_ms, t = start;
    assert_int_equal(put_user(&u, NULL), OK);
    sign_in("alice", start, token, hash);
    assert_int_equal(use(unknown, start), ERR_UNAUTHENTICATED);
    for (; t < start + 8 * HOUR; t += 29 * MINUTE)
        assert_int_equal(use(hash, t), OK);
    assert_int_equal(use(hash, start + 8 * HOUR), ERR_TOKEN_EXPIRED);
    sign_in("alice", start, token, hash);
    assert_int_equal(use(hash, start + 30 * MINUTE - 1), OK);
    assert_int_equal(use(hash, start + 60 * MINUTE - 1), ERR_TOKEN_EXPIRED);
}

/* The session survives a restart, and idleness is counted from there. */
static void test_session_survives_a_restart(void **state)
{
    (void)state;
    struct user u = alice();
    struct problem why = {0};
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[32];
    uint64_t start = rig->now_ms;
    assert_int_equal(put_user(&u, NULL), OK);
    sign_in("alice", start, token, hash);
    identity_free(people);
    assert_int_equal(identity_new(&people), OK);
    assert_int_equal(identity_load(people, rig->reader, rig->keys, &left_out, &why), OK);
    assert_int_equal(use(hash, start + 2 * HOUR), OK);
    assert_int_equal(use(hash, start + 2 * HOUR + 31 * MINUTE), ERR_TOKEN_EXPIRED);
}

static void test_rights_and_state_are_of_now(void **state)
{
    (void)state;
    struct user u = alice();
    struct session s;
    struct user now;
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[32];
    assert_int_equal(put_user(&u, NULL), OK);
    sign_in("alice", rig->now_ms, token, hash);
    struct user_found f = found("alice");
    f.user.roles.count = 1;
    assert_int_equal(put_user(&f.user, &f), OK);
    assert_int_equal(identity_session(people, hash, rig->now_ms, arena, &s, &now), OK);
    assert_int_equal(now.roles.count, 1);
    assert_true(view_is(s.user_agent, "curl/8"));
    f = found("alice");
    f.user.state = USER_LOCKED; /* somebody guesses at his password: he works on */
    assert_int_equal(put_user(&f.user, &f), OK);
    assert_int_equal(use(hash, rig->now_ms), OK);
    f = found("alice");
    f.user.state = USER_DISABLED;
    assert_int_equal(put_user(&f.user, &f), OK);
    assert_int_equal(use(hash, rig->now_ms), ERR_UNAUTHENTICATED);
}

static void test_oldest_sessions_end(void **state)
{
    (void)state;
    struct user u = alice(), bob = alice();
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[4][32], bobs[32];
    uint64_t start = rig->now_ms;
    struct txn_change *ends;
    size_t count;
    bob.name = VIEW_STR("bob");
    assert_int_equal(put_user(&u, NULL), OK);
    assert_int_equal(put_user(&bob, NULL), OK);
    sign_in("bob", start - 1, token, bobs);
    for (size_t i = 0; i < 4; i++)
        sign_in("alice", start + i, token, hash[i]);
    assert_int_equal(identity_end_sessions(people, VIEW_STR("alice"), start + 9, 2, arena, &ends, &count), OK);
    assert_int_equal(count, 2);
    assert_int_equal(commit(ends, count), OK);
    assert_int_equal(use(hash[0], start + 9), ERR_UNAUTHENTICATED);
    assert_int_equal(use(hash[1], start + 9), ERR_UNAUTHENTICATED);
    assert_int_equal(use(hash[2], start + 9), OK);
    assert_int_equal(use(hash[3], start + 9), OK);
    assert_int_equal(use(bobs, start + 9), OK);
    /* What is over by itself is swept as well, however many may stay. */
    assert_int_equal(use(hash[3], start + 29 * MINUTE), OK);
    assert_int_equal(identity_end_sessions(people, VIEW_STR("alice"), start + 31 * MINUTE, 10, arena, &ends, &count),
                     OK);
    assert_int_equal(count, 1);
}

static void test_log_out_is_for_good(void **state)
{
    (void)state;
    struct user u = alice();
    struct txn_change c;
    struct problem why = {0};
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[32];
    assert_int_equal(put_user(&u, NULL), OK);
    sign_in("alice", rig->now_ms, token, hash);
    assert_int_equal(identity_remove_session(people, rig->keys, hash, arena, &c), OK);
    assert_int_equal(commit(&c, 1), OK);
    assert_int_equal(use(hash, rig->now_ms), ERR_UNAUTHENTICATED);
    assert_int_equal(identity_remove_session(people, rig->keys, hash, arena, &c), ERR_NOT_FOUND);
    identity_free(people);
    assert_int_equal(identity_new(&people), OK);
    assert_int_equal(identity_load(people, rig->reader, rig->keys, &left_out, &why), OK);
    assert_int_equal(use(hash, rig->now_ms), ERR_UNAUTHENTICATED);
}

/* What does not open is left out; everybody else comes in. Whether the one who is missing was shut out can't be told,
 * so keys of unknown owners rest. */
static void test_damaged_row_shuts_nobody_else_out(void **state)
{
    (void)state;
    struct user u = alice();
    struct problem why = {0};
    struct user_found f;
    size_t damaged = 99;
    assert_int_equal(put_user(&u, NULL), OK);
    assert_int_equal(identity_load(people, rig->reader, rig->keys, &damaged, &why), OK);
    assert_int_equal(damaged, 0);
    assert_int_equal(rig_put(rig, TABLE_USER, "x", "this is no user"), OK);
    identity_free(people);
    assert_int_equal(identity_new(&people), OK);
    assert_int_equal(identity_load(people, rig->reader, rig->keys, &damaged, &why), OK);
    assert_int_equal(damaged, 1);
    assert_int_equal(identity_user(people, u.name, arena, &f), OK);
    assert_int_equal(identity_user(people, VIEW_STR("x"), arena, &f), ERR_NOT_FOUND);
}

static void row_of(uint16_t table, struct view name, uint8_t out[static 32])
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer key = writer_fixed(bytes, sizeof bytes);
    assert_int_equal(row_key_exact(rig->keys, table, name, &key), OK);
    row_hash(writer_view_of(&key), out);
}

/* An old row that somebody put back opens, and is loaded; when the check has found it, it goes at once. */
static void test_distrusted_rows_go(void **state)
{
    (void)state;
    struct user u = alice(), b = alice();
    struct user_found f;
    char token[SESSION_TOKEN_SIZE];
    uint8_t hash[32], row[32];
    b.name = VIEW_STR("bob");
    assert_int_equal(put_user(&u, NULL), OK);
    assert_int_equal(put_user(&b, NULL), OK);
    sign_in("bob", rig->now_ms, token, hash);
    row_of(TABLE_USER, u.name, row);
    identity_distrust(people, TABLE_KEY, row); /* another table's: nothing to us */
    assert_int_equal(identity_user(people, u.name, arena, &f), OK);
    identity_distrust(people, TABLE_USER, row);
    assert_int_equal(identity_user(people, u.name, arena, &f), ERR_NOT_FOUND);
    assert_int_equal(use(hash, rig->now_ms), OK);
    row_of(TABLE_SESSION, VIEW_OF(hash), row);
    identity_distrust(people, TABLE_SESSION, row);
    assert_int_equal(use(hash, rig->now_ms), ERR_UNAUTHENTICATED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_session_that_is_renewed_goes_on),
        T(user_comes_back_as_it_was),
        T(lost_race_is_a_conflict),
        T(late_news_do_not_count),
        T(users_are_listed_by_name),
        T(a_page_costs_a_page),
        T(removed_is_removed),
        T(an_invitation_is_good_once_and_for_a_while),
        T(names),
        T(five_failures_lock_for_half_an_hour),
        T(a_password_grows_old),
        T(former_passwords),
        T(token_is_strict),
        T(session_ends_by_age_and_by_idleness),
        T(session_survives_a_restart),
        T(rights_and_state_are_of_now),
        T(oldest_sessions_end),
        T(log_out_is_for_good),
        T(damaged_row_shuts_nobody_else_out),
        T(distrusted_rows_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
