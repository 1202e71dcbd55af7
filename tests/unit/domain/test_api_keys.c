/* API keys: their text, and what a key that is shown is worth. */
#include "../ledger/ledger_test.h"
#include "base/text.h"
#include "domain/keys/failures.h"
#include "domain/keys/keys.h"

#define FIXED_KEY  "hfk_live_0123456789ABCDEF_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf4ehxSw"
#define FIXED_HASH "89e68d1b8935f32eba3e11e9f5087f48113ea54e3d9d858cc59b72ba61c62388"
#define DAY        (24ull * 3600 * 1000)

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

static enum err commit(struct txn_change *c)
{
    struct record record = {.type = EVENT_API_KEY_CREATED, .outcome = OUTCOME_DONE};
    struct txn t = {.arena = arena, .changes = c, .change_count = 1, .records = &record, .record_count = 1};
    TRY(rig_submit(rig, &t));
    return api_keys_applied(table, c);
}

static enum err put(const struct api_key *k, const struct api_key_found *before)
{
    struct txn_change c;
    assert_int_equal(api_key_put(rig->keys, k, before, arena, &c), OK);
    return commit(&c);
}

struct made {
    char text[API_KEY_TEXT_SIZE];
    struct api_key_parts parts;
};

static void keep(struct api_key *k, const struct made *m)
{
    k->pepper_epoch = keyring_epoch(row_keys_ring(rig->keys));
    assert_int_equal(api_key_verifier(rig->keys, k->pepper_epoch, m->parts.hash, k->verifier), OK);
}

static struct api_key make(struct made *m, const char *owner)
{
    static struct view roles[] = {VIEW_STR("trader")};
    static struct view paths[] = {VIEW_STR("exchange/binance/*"), VIEW_STR("exchange/phemex/main")};
    assert_int_equal(api_key_make(random_system(), 3, m->text, &m->parts), OK);
    struct api_key k = {.id = VIEW(m->parts.id, API_KEY_ID_LEN),
                        .name = VIEW_STR("bot"),
                        .owner = view_str(owner),
                        .environment = 3,
                        .status = KEY_ACTIVE,
                        .usage = KEY_FULL_ACCESS,
                        .roles = {roles, 1},
                        .credentials = {paths, 2},
                        .created_ms = rig->now_ms,
                        .expires_ms = rig->now_ms + 90 * DAY};
    keep(&k, m);
    return k;
}

static const struct network_source here = {.is_unix = true, .uid = 1000}, elsewhere = {.is_unix = true, .uid = 1001};

static enum err show_from(const struct made *m, const struct network_source *from, uint64_t now,
                          struct api_key_found *ret, enum api_key_why *ret_why)
{
    struct api_key_parts parts;
    struct api_key_shown shown = {.parts = &parts, .from = from, .now_ms = now};
    TRY(api_key_parse(view_str(m->text), &parts));
    enum err e = api_keys_verify(table, rig->keys, &shown, arena, ret);
    if (ret_why)
        *ret_why = shown.why;
    return e;
}

static enum err show(const struct made *m, uint64_t now, struct api_key_found *ret)
{
    return show_from(m, &here, now, ret, NULL);
}

static struct api_key_found look(const struct made *m)
{
    struct api_key_found f = {0};
    assert_int_equal(api_keys_find(table, view_str(m->parts.id), arena, &f), OK);
    return f;
}

/* --- the text */

static void test_format(void **state)
{
    static const char *const marks[] = {"", "hfk_dev_", "hfk_stg_", "hfk_live_"};
    (void)state;
    for (uint8_t e = 1; e <= 3; e++) {
        struct made m;
        struct api_key_parts again;
        assert_int_equal(api_key_make(random_system(), e, m.text, &m.parts), OK);
        assert_true(view_starts(view_str(m.text), marks[e]));
        assert_int_equal(strlen(m.text), strlen(marks[e]) + 16 + 1 + 43 + 6);
        assert_memory_equal(m.text + strlen(marks[e]), m.parts.id, 16);
        assert_int_equal(m.parts.environment, e);
        assert_int_equal(api_key_parse(view_str(m.text), &again), OK);
        assert_memory_equal(again.hash, m.parts.hash, 32);
    }
    struct made m;
    assert_int_equal(api_key_make(random_system(), 0, m.text, &m.parts), ERR_BAD_VALUE);
    assert_int_equal(api_key_make(random_system(), 4, m.text, &m.parts), ERR_BAD_VALUE);
}

/* A key that was written down once must work for ever: its form is fixed here, made by another program. */
static void test_form_is_fixed(void **state)
{
    (void)state;
    struct api_key_parts p;
    char hex[65];
    struct writer w = writer_fixed(hex, sizeof hex);
    assert_int_equal(api_key_parse(VIEW_STR(FIXED_KEY), &p), OK);
    assert_string_equal(p.id, "0123456789ABCDEF");
    hex_put(&w, VIEW_OF(p.hash));
    hex[64] = '\0';
    assert_string_equal(hex, FIXED_HASH);
}

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Every single wrong character, every lost or added one, and every swap of neighbours is noticed. */
static void test_typing_errors_are_noticed(void **state)
{
    (void)state;
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- \n\xff";
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 40; round++) {
        struct made m;
        char wrong[API_KEY_TEXT_SIZE + 2];
        assert_int_equal(api_key_make(random_system(), (uint8_t)(1 + round % 3), m.text, &m.parts), OK);
        size_t n = strlen(m.text);
        for (size_t at = 0; at < n; at++) {
            char c = set[next(&seed) % (sizeof set - 1)];
            memcpy(wrong, m.text, n + 1);
            wrong[at] = c;
            if (c != m.text[at])
                assert_int_equal(api_key_parse(VIEW(wrong, n), &m.parts), ERR_KEY_MALFORMED);
            memcpy(wrong, m.text, n + 1);
            memmove(wrong + at, wrong + at + 1, n - at);
            assert_int_equal(api_key_parse(VIEW(wrong, n - 1), &m.parts), ERR_KEY_MALFORMED);
            memcpy(wrong, m.text, at);
            wrong[at] = c;
            memcpy(wrong + at + 1, m.text + at, n - at);
            assert_int_equal(api_key_parse(VIEW(wrong, n + 1), &m.parts), ERR_KEY_MALFORMED);
            memcpy(wrong, m.text, n + 1);
            if (at > 0 && wrong[at] != wrong[at - 1]) {
                wrong[at] = m.text[at - 1];
                wrong[at - 1] = m.text[at];
                assert_int_equal(api_key_parse(VIEW(wrong, n), &m.parts), ERR_KEY_MALFORMED);
            }
        }
    }
}

static void test_rubbish_is_malformed(void **state)
{
    static const char *const bad[] = {"", "hfk_", "hfk_live_", "hfk_prod_x", "Bearer", "hfs_", "hfk_live_\x01"};
    (void)state;
    struct api_key_parts p;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(api_key_parse(view_str(bad[i]), &p), ERR_KEY_MALFORMED);
}

static void test_ids_use_the_whole_alphabet(void **state)
{
    (void)state;
    bool seen[128] = {false};
    size_t distinct = 0;
    for (int i = 0; i < 300; i++) {
        struct made m;
        assert_int_equal(api_key_make(random_system(), 1, m.text, &m.parts), OK);
        for (size_t k = 0; k < API_KEY_ID_LEN; k++) {
            distinct += !seen[(unsigned char)m.parts.id[k]];
            seen[(unsigned char)m.parts.id[k]] = true;
        }
    }
    assert_int_equal(distinct, 62);
}

/* --- what it is worth */

static void test_right_wrong_unknown(void **state)
{
    (void)state;
    struct made m, other;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    assert_int_equal(put(&k, NULL), OK);
    assert_int_equal(show(&m, rig->now_ms, &f), OK);
    assert_false(f.by_old);
    assert_true(view_is(f.key.owner, "alice"));
    assert_int_equal(f.key.last_used_ms, rig->now_ms);
    /* The right id with another secret: well-formed, but not the key. */
    assert_int_equal(api_key_remake(random_system(), &k, other.text, &other.parts), OK);
    assert_string_equal(other.parts.id, m.parts.id);
    assert_int_equal(show(&other, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
    assert_int_equal(api_key_make(random_system(), 3, other.text, &other.parts), OK);
    assert_int_equal(show(&other, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
}

/* A key that was issued elsewhere is found by what is shown, before and after a rotation of the data key. */
static void test_foreign_keys_are_found_by_their_hash(void **state)
{
    static const char text[] = "sk_prod_0123456789";
    struct made m;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    struct api_key_shown shown = {.parts = &m.parts, .from = &here, .now_ms = rig->now_ms};
    (void)state;
    assert_int_equal(api_key_read(rig->keys, VIEW_STR(text), &m.parts), OK);
    assert_int_equal(strlen(m.parts.id), API_KEY_ID_LEN);
    keep(&k, &m);
    assert_int_equal(put(&k, NULL), OK);
    for (int rotated = 0; rotated < 2; rotated++) {
        struct api_key_parts again;
        assert_int_equal(api_key_read(rig->keys, VIEW_STR(text), &again), OK);
        assert_string_equal(again.id, m.parts.id);
        shown.parts = &again;
        assert_int_equal(api_keys_verify(table, rig->keys, &shown, arena, &f), OK);
        assert_int_equal(api_key_read(rig->keys, VIEW_STR("sk_prod_0123456788"), &again), OK);
        assert_string_not_equal(again.id, m.parts.id);
        assert_int_equal(api_keys_verify(table, rig->keys, &shown, arena, &f), ERR_BAD_CREDENTIALS);
        again = m.parts; /* its id alone, however one comes by it, is no key */
        again.hash[31] ^= 1;
        assert_int_equal(api_keys_verify(table, rig->keys, &shown, arena, &f), ERR_BAD_CREDENTIALS);
        rig_rotate(rig);
    }
    assert_int_equal(api_key_read(rig->keys, VIEW_STR("fifteen bytes.."), &m.parts), ERR_KEY_MALFORMED);
    assert_int_equal(api_key_read(rig->keys, VIEW_STR("hfk_live_is always ours"), &m.parts), ERR_KEY_MALFORMED);
}

static struct made guess(const struct api_key *k)
{
    struct made m;
    assert_int_equal(api_key_remake(random_system(), k, m.text, &m.parts), OK);
    return m;
}

/* Who guesses at a key is shut out where he is, and its owner goes on everywhere else. */
static void test_guesses_suspend_for_their_source(void **state)
{
    (void)state;
    struct made m;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    enum api_key_why why;
    uint64_t now = rig->now_ms;
    assert_int_equal(put(&k, NULL), OK);
    for (int i = 1; i <= 5; i++) {
        struct made wrong = guess(&k);
        assert_int_equal(show_from(&wrong, &here, now, &f, &why), ERR_BAD_CREDENTIALS);
        assert_int_equal(why, i < 5 ? API_KEY_WRONG : API_KEY_SUSPENDED_NOW);
    }
    assert_int_equal(show_from(&m, &here, now, &f, &why), ERR_BAD_CREDENTIALS); /* the right one, too */
    assert_int_equal(why, API_KEY_SUSPENDED_HERE);
    assert_int_equal(show_from(&m, &elsewhere, now, &f, NULL), OK);
    assert_int_equal(api_keys_suspended_sources(table, k.id, now), 1);
    assert_int_equal(show_from(&m, &here, now + FAILURES_MS - 1, &f, NULL), ERR_BAD_CREDENTIALS);
    assert_int_equal(show_from(&m, &here, now + FAILURES_MS, &f, NULL), OK);
    assert_int_equal(api_keys_suspended_sources(table, k.id, now + FAILURES_MS), 0);
}

/* As a request shows it: its text alone. */
static enum err show_text(const char *text, struct api_key_parts *ret_parts, struct api_key_found *ret)
{
    struct api_key_shown shown = {.text = view_str(text), .parts = ret_parts, .from = &here, .now_ms = rig->now_ms};
    return api_keys_verify(table, rig->keys, &shown, arena, ret);
}

/* Whoever mistypes a key is told so, is not shut out for it, and learns nothing about it: neither whether there is such
 * a key, nor, where he was guessing before, that the rest of it is right. */
static void test_a_lost_digit_is_no_guess(void **state)
{
    (void)state;
    struct made m, nobodys;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    struct api_key_parts parts;
    assert_int_equal(api_key_make(random_system(), 3, nobodys.text, &nobodys.parts), OK);
    assert_int_equal(put(&k, NULL), OK);
    for (struct made *each = &m; each; each = each == &m ? &nobodys : NULL) {
        struct made mistyped = *each;
        char *last = &mistyped.text[strlen(mistyped.text) - 1];
        *last = *last == '0' ? '1' : '0';
        for (int i = 0; i < 2 * FAILURES_LIMIT; i++) {
            assert_int_equal(show_text(mistyped.text, &parts, &f), ERR_KEY_MALFORMED);
            assert_int_equal(parts.id[0], '\0'); /* so no record names it */
        }
    }
    assert_int_equal(show_text(nobodys.text, &parts, &f), ERR_BAD_CREDENTIALS);
    assert_int_equal(show_text(m.text, &parts, &f), OK);
    assert_string_equal(parts.id, m.parts.id);
    for (int i = 0; i < FAILURES_LIMIT; i++) {
        struct made wrong = guess(&k);
        assert_int_equal(show_text(wrong.text, &parts, &f), ERR_BAD_CREDENTIALS);
        assert_string_equal(parts.id, m.parts.id);
    }
    assert_int_equal(show_text(m.text, &parts, &f), ERR_BAD_CREDENTIALS);
    m.text[strlen(m.text) - 1] ^= 1;
    assert_int_equal(show_text(m.text, &parts, &f), ERR_KEY_MALFORMED);
}

/* Also when the key is changed meanwhile; and who looks after it can end it. */
static void test_suspension_outlives_a_change_and_can_be_forgiven(void **state)
{
    (void)state;
    struct made m, other;
    struct api_key k = make(&m, "alice"), l = make(&other, "alice");
    struct api_key_found f;
    assert_int_equal(put(&k, NULL), OK);
    assert_int_equal(put(&l, NULL), OK);
    for (int i = 0; i < 5; i++) {
        struct made wrong = guess(&k), wrong_other = guess(&l);
        assert_int_equal(show(&wrong, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
        assert_int_equal(show(&wrong_other, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
    }
    f = look(&m);
    k.description = VIEW_STR("changed");
    assert_int_equal(put(&k, &f), OK);
    assert_int_equal(show(&m, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
    api_keys_forgive(table, k.id);
    assert_int_equal(show(&m, rig->now_ms, &f), OK);
    assert_int_equal(show(&other, rig->now_ms, &f), ERR_BAD_CREDENTIALS); /* another key's are another's */
}

/* Four wrong ones and a right one, again and again: a bot that mistypes now and then goes on. */
static void test_the_right_secret_begins_the_count_anew(void **state)
{
    (void)state;
    struct made m;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    assert_int_equal(put(&k, NULL), OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            struct made wrong = guess(&k);
            assert_int_equal(show(&wrong, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
        }
        assert_int_equal(show(&m, rig->now_ms, &f), OK);
    }
    struct made wrong = guess(&k);
    for (int i = 0; i < 20; i++) /* where the source is not known nothing is counted */
        assert_int_equal(show_from(&wrong, NULL, rig->now_ms, &f, NULL), ERR_BAD_CREDENTIALS);
    assert_int_equal(show(&m, rig->now_ms, &f), OK);
}

static void test_status_counts_only_with_the_right_secret(void **state)
{
    static const struct {
        uint8_t status;
        enum err error;
    } cases[] = {{KEY_SUSPENDED, ERR_KEY_DISABLED}, {KEY_REVOKED, ERR_KEY_DISABLED}, {KEY_EXPIRED, ERR_KEY_EXPIRED}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made m, wrong;
        struct api_key k = make(&m, "alice");
        struct api_key_found f;
        k.status = cases[i].status;
        assert_int_equal(put(&k, NULL), OK);
        assert_int_equal(show(&m, rig->now_ms, &f), cases[i].error);
        assert_int_equal(api_key_remake(random_system(), &k, wrong.text, &wrong.parts), OK);
        assert_int_equal(show(&wrong, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
    }
}

static void test_expiry(void **state)
{
    (void)state;
    struct made m;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    assert_int_equal(put(&k, NULL), OK);
    assert_int_equal(show(&m, k.expires_ms - 1, &f), OK);
    assert_int_equal(show(&m, k.expires_ms, &f), ERR_KEY_EXPIRED);
    assert_int_equal(api_key_status_at(&k, k.expires_ms), KEY_EXPIRED);
    assert_int_equal(api_key_status_at(&k, k.expires_ms - 1), KEY_ACTIVE);
}

static void test_old_key_works_for_its_grace(void **state)
{
    (void)state;
    for (int across = 0; across < 2; across++) { /* also when the data key was rotated in between */
        struct made old, new;
        struct api_key k = make(&old, "alice");
        struct api_key_found f;
        assert_int_equal(put(&k, NULL), OK);
        if (across)
            rig_rotate(rig);
        f = look(&old);
        k = f.key;
        assert_int_equal(api_key_remake(random_system(), &k, new.text, &new.parts), OK);
        memcpy(k.old_verifier, k.verifier, 32);
        k.old_pepper_epoch = k.pepper_epoch;
        k.old_until_ms = rig->now_ms + 1000;
        keep(&k, &new);
        assert_int_equal(put(&k, &f), OK);
        assert_int_equal(show(&new, rig->now_ms, &f), OK);
        assert_false(f.by_old);
        assert_int_equal(show(&old, rig->now_ms + 999, &f), OK);
        assert_true(f.by_old);
        assert_int_equal(show(&old, rig->now_ms + 1000, &f), ERR_BAD_CREDENTIALS);
        assert_int_equal(show(&new, rig->now_ms + 1000, &f), OK);
    }
}

/* The pepper of its epoch: a key made before a rotation of the data key works after it. */
static void test_survives_rotation_and_restart(void **state)
{
    (void)state;
    struct made m;
    struct api_key k = make(&m, "alice");
    struct api_key_found f;
    struct problem why = {0};
    size_t damaged = 99;
    assert_int_equal(put(&k, NULL), OK);
    rig_rotate(rig);
    assert_int_equal(show(&m, rig->now_ms, &f), OK);
    api_keys_free(table);
    assert_int_equal(api_keys_new(&table), OK);
    assert_int_equal(api_keys_load(table, rig->reader, rig->keys, &damaged, &why), OK);
    assert_int_equal(damaged, 0);
    assert_int_equal(show(&m, rig->now_ms, &f), OK);
    assert_int_equal(f.key.credentials.count, 2);
}

/* Four threads load a part each: nothing is lost at their seams, nothing is loaded twice, and a row that does not open
 * takes no other one along. */
static void test_loads_in_parts(void **state)
{
    enum { COUNT = 300 };
    (void)state;
    static struct made all[COUNT];
    struct api_key_found f;
    struct problem why = {0};
    size_t damaged = 99;
    struct entity_list list;
    for (size_t i = 0; i < COUNT; i++) {
        struct api_key k = make(&all[i], "alice");
        assert_int_equal(put(&k, NULL), OK);
        arena_reset(arena);
    }
    assert_int_equal(rig_put(rig, TABLE_KEY, "x", "this is no key"), OK);
    assert_int_equal(rig_put(rig, TABLE_KEY, "y", "nor is this"), OK);
    api_keys_free(table);
    assert_int_equal(api_keys_new(&table), OK);
    assert_int_equal(api_keys_load(table, rig->reader, rig->keys, &damaged, &why), OK);
    assert_int_equal(damaged, 2);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(show(&all[i], rig->now_ms, &f), OK);
    assert_int_equal(api_keys_list(table, VIEW_STR("alice"), arena, &list), OK);
    assert_int_equal(list.count, COUNT);
}

static void test_distrusted_row_goes(void **state)
{
    (void)state;
    struct made m, other;
    struct api_key k = make(&m, "alice"), l = make(&other, "alice");
    struct api_key_found f;
    uint8_t bytes[STORE_KEY_MAX], row[32];
    struct writer key = writer_fixed(bytes, sizeof bytes);
    k.has_unix_uid = true;
    k.unix_uid = 1234;
    assert_int_equal(put(&k, NULL), OK);
    assert_int_equal(put(&l, NULL), OK);
    assert_int_equal(row_key_exact(rig->keys, TABLE_KEY, view_str(m.parts.id), &key), OK);
    row_hash(writer_view_of(&key), row);
    api_keys_distrust(table, rig->keys, TABLE_USER, row);
    assert_int_equal(show(&m, rig->now_ms, &f), OK);
    api_keys_distrust(table, rig->keys, TABLE_KEY, row);
    assert_int_equal(show(&m, rig->now_ms, &f), ERR_BAD_CREDENTIALS);
    /* Not as if he had none: then he would get his group's, which may do more. */
    assert_int_equal(api_keys_by_uid(table, 1234, rig->now_ms, arena, &f), ERR_KEY_DISABLED);
    assert_int_equal(show(&other, rig->now_ms, &f), OK);
}

static void test_late_news_do_not_count(void **state)
{
    (void)state;
    struct made m;
    struct api_key k = make(&m, "alice");
    struct txn_change first, second;
    struct api_key_found f = {.version = 1};
    assert_int_equal(api_key_put(rig->keys, &k, NULL, arena, &first), OK);
    k.status = KEY_REVOKED;
    assert_int_equal(api_key_put(rig->keys, &k, &f, arena, &second), OK);
    assert_int_equal(api_keys_applied(table, &second), OK);
    assert_int_equal(api_keys_applied(table, &first), OK);
    assert_int_equal(show(&m, rig->now_ms, &f), ERR_KEY_DISABLED);
}

static void test_unix_user_is_a_key(void **state)
{
    (void)state;
    struct made m, second;
    struct api_key k = make(&m, "alice"), l = make(&second, "bob");
    struct api_key_found f;
    k.has_unix_uid = l.has_unix_uid = true;
    k.unix_uid = l.unix_uid = 1234;
    assert_int_equal(api_keys_by_uid(table, 1234, rig->now_ms, arena, &f), ERR_NOT_FOUND);
    assert_int_equal(put(&k, NULL), OK);
    assert_true(api_keys_uid_taken(table, 1234));
    assert_false(api_keys_uid_taken(table, 1235));
    assert_int_equal(api_keys_by_uid(table, 1234, rig->now_ms, arena, &f), OK);
    assert_true(view_is(f.key.id, m.parts.id));
    assert_int_equal(api_keys_by_uid(table, 1234, k.expires_ms, arena, &f), ERR_KEY_EXPIRED);
    f = look(&m);
    k.status = KEY_SUSPENDED;
    assert_int_equal(put(&k, &f), OK);
    assert_int_equal(api_keys_by_uid(table, 1234, rig->now_ms, arena, &f), ERR_KEY_DISABLED);
    f = look(&m);
    k.status = KEY_REVOKED;
    assert_int_equal(put(&k, &f), OK);
    assert_false(api_keys_uid_taken(table, 1234)); /* free for the next key */
    assert_int_equal(put(&l, NULL), OK);
    assert_int_equal(api_keys_by_uid(table, 1234, rig->now_ms, arena, &f), OK);
    assert_true(view_is(f.key.id, second.parts.id));
}

static void test_lists_by_owner_and_in_pages(void **state)
{
    (void)state;
    struct entity_list list;
    char after[API_KEY_ID_LEN] = "";
    size_t seen = 0;
    for (int i = 0; i < 25; i++) {
        struct made m;
        struct api_key k = make(&m, i % 5 ? "alice" : "bob");
        assert_int_equal(put(&k, NULL), OK);
    }
    assert_int_equal(api_keys_list(table, VIEW_STR("bob"), arena, &list), OK);
    assert_int_equal(list.count, 5);
    assert_int_equal(api_keys_list(table, VIEW(NULL, 0), arena, &list), OK);
    assert_int_equal(list.count, 25);
    for (;;) {
        struct api_keys_range range = {
            .owner = VIEW_STR("alice"), .after = VIEW(after, seen ? API_KEY_ID_LEN : 0), .limit = 6};
        assert_int_equal(api_keys_page(table, &range, arena, &list), OK);
        const struct api_key *k = list.items;
        for (size_t i = 0; i < list.count; i++) {
            assert_true(memcmp(k[i].id.ptr, after, API_KEY_ID_LEN) > 0 || seen == 0);
            memcpy(after, k[i].id.ptr, API_KEY_ID_LEN);
            seen++;
        }
        if (list.count < 6)
            break;
    }
    assert_int_equal(seen, 20);
}

static void test_patterns(void **state)
{
    static const char *const good[] = {"a", "exchange/binance/main", "exchange/*", "*", "a.b/c-d/e_f"};
    static const char *const bad[] = {"", "/", "a/", "/a", "a//b", "a/*/b", "a*", "a/b*", "**", "a/..%", "a b"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(api_key_pattern_valid(view_str(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(api_key_pattern_valid(view_str(bad[i])));
    struct made m;
    struct api_key k = make(&m, "alice");
    assert_true(api_key_signs_with(&k, VIEW_STR("exchange/binance/main")));
    assert_true(api_key_signs_with(&k, VIEW_STR("exchange/binance/desk/2")));
    assert_true(api_key_signs_with(&k, VIEW_STR("exchange/phemex/main")));
    assert_false(api_key_signs_with(&k, VIEW_STR("exchange/phemex/main2")));
    assert_false(api_key_signs_with(&k, VIEW_STR("exchange/phemex")));
    assert_false(api_key_signs_with(&k, VIEW_STR("exchange/binance")));
    assert_false(api_key_signs_with(&k, VIEW_STR("exchange/binance/")));
    assert_false(api_key_signs_with(&k, VIEW_STR("exchange/binance2/main")));
    k.credentials.count = 0;
    assert_false(api_key_signs_with(&k, VIEW_STR("exchange/binance/main")));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(format),
        T(form_is_fixed),
        T(typing_errors_are_noticed),
        T(rubbish_is_malformed),
        T(ids_use_the_whole_alphabet),
        T(right_wrong_unknown),
        T(foreign_keys_are_found_by_their_hash),
        T(guesses_suspend_for_their_source),
        T(a_lost_digit_is_no_guess),
        T(suspension_outlives_a_change_and_can_be_forgiven),
        T(the_right_secret_begins_the_count_anew),
        T(status_counts_only_with_the_right_secret),
        T(expiry),
        T(old_key_works_for_its_grace),
        T(survives_rotation_and_restart),
        T(loads_in_parts),
        T(distrusted_row_goes),
        T(late_news_do_not_count),
        T(unix_user_is_a_key),
        T(lists_by_owner_and_in_pages),
        T(patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
