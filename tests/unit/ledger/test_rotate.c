/* Keys are rotated, rows wrapped again, people erased: no leaf changes, every proof stays. */
#include "ledger_test.h"

static const uint8_t seed[32] = {5};

static void verify_export(struct rig *r, struct view earlier, uint64_t erased)
{
    AUTO_WRITER note = writer_new(NOTE_MAX), verifier = writer_new(1024), out = writer_new(1 << 22);
    AUTO(verify_free) struct verify *v = NULL;
    struct verify_summary sum;
    struct problem why = {0};
    rig_checkpoint(r, seed, &note, &verifier);
    rig_export(r, writer_view_of(&note), writer_view_of(&verifier), &out);
    assert_int_equal(verify_new(writer_view_of(&verifier), earlier, &v, &why), OK);
    struct view rest = writer_view_of(&out);
    while (rest.len) {
        const uint8_t *end = memchr(rest.ptr, '\n', rest.len);
        size_t n = (size_t)(end - rest.ptr);
        if (verify_line(v, VIEW(rest.ptr, n), &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
        rest = VIEW(end + 1, rest.len - n - 1);
    }
    if (verify_finish(v, &sum, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    assert_true(sum.extends_earlier && sum.erased == erased && sum.records == ledger_size(r->ledger));
}

static bool older(void *context, const struct store_row *row)
{
    uint32_t epoch = 0;
    unsigned *count = context;
    if (row_is_state(row) && sealed_epoch(row->value, &epoch) == OK && epoch == 1)
        (*count)++;
    return true;
}

static unsigned count_old(struct rig *r)
{
    unsigned count = 0;
    for (uint16_t table = 1; table < TABLE_COUNT; table++)
        assert_int_equal(store_range(r->reader, table, VIEW(NULL, 0), VIEW(NULL, 0), false, SIZE_MAX, older, &count),
                         OK);
    return count;
}

static enum err rewrap_raw(void *context, uint16_t table, const struct store_row *row, struct writer *w)
{
    unsigned *count = context;
    (void)table;
    if (view_is(row->value, "raw again"))
        return OK;
    (*count)++;
    writer_str(w, "raw again");
    return OK;
}

static void test_rotation(void **state)
{
    static const char *const urls[] = {NULL, "memory:"};
    (void)state;
    for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
        struct rig *r = rig_new(urls[u], NULL);
        AUTO_WRITER before = writer_new(NOTE_MAX), verifier = writer_new(1024);
        const struct change raw = {TABLE_SECRET_VALUE, "s", "raw", true};
        const struct event e = {EVENT_SECRET_STORED, OUTCOME_DONE, "user:alice", "secret:s"};
        struct problem why = {0};
        struct row_now then, now;
        uint64_t done = 0;
        unsigned raws = 0;
        assert_int_equal(rig_open(r, NULL), OK);
        for (int i = 0; i < 150; i++) {
            char name[32];
            snprintf(name, sizeof(name), "user %d", i);
            assert_int_equal(rig_put(r, TABLE_USER, name, name), OK);
        }
        assert_int_equal(rig_change(r, &raw, 1, &e), OK);
        assert_true(rig_row(r, TABLE_USER, "user 3", false, &then));
        rig_checkpoint(r, seed, &before, &verifier);
        rig_rotate(r);
        assert_int_equal(rig_put(r, TABLE_USER, "user 3", "changed under the new epoch"), OK);
        assert_true(count_old(r) > 140);
        assert_int_equal(ledger_rewrap(r->ledger, rewrap_raw, &raws, &done), OK);
        assert_int_equal(count_old(r), 0);
        assert_int_equal(raws, 1);
        assert_true(done > 140);
        assert_int_equal(ledger_rewrap(r->ledger, rewrap_raw, &raws, &done), OK);
        assert_int_equal(done, 0);
        assert_true(rig_row(r, TABLE_USER, "user 4", false, &now));
        assert_true(now.version == 1);
        assert_string_equal(now.value, "user 4");
        if (ledger_check_rows(r->ledger, &why) != OK)
            fail_msg("%s: %s", why.where, why.detail);
        verify_export(r, writer_view_of(&before), 0);
        rig_free(r);
    }
}

/* The keeper opens no row that was altered. */
static enum err open_raw(void *context, uint16_t table, const struct store_row *row, struct writer *w)
{
    (void)table;
    ++*(unsigned *)context;
    if (!view_starts(row->value, "raw"))
        return ERR_TAMPERED;
    writer_str(w, "raw and fresh");
    return writer_done(w);
}

/* One row that somebody altered does not keep the others under the old key. */
static void test_damaged_rows_stay_behind(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    const struct change raws[] = {{TABLE_SECRET_VALUE, "s", "raw", true}, {TABLE_SECRET_VALUE, "t", "raw", true}};
    const struct event e = {EVENT_SECRET_STORED, OUTCOME_DONE, "user:alice", "secret:s"};
    struct store *s = NULL;
    struct row_now user, value;
    struct problem why = {0};
    uint64_t done = 0;
    unsigned asked = 0;
    (void)state;
    assert_int_equal(rig_open(r, NULL), OK);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user %d", i);
        assert_int_equal(rig_put(r, TABLE_USER, name, name), OK);
    }
    assert_int_equal(rig_change(r, raws, 2, &e), OK);
    assert_true(rig_row(r, TABLE_USER, "user 7", false, &user) && rig_row(r, TABLE_SECRET_VALUE, "s", true, &value));
    rig_rotate(r);
    const struct store_change damage[] = {
        {STORE_PUT, TABLE_USER, VIEW(user.key, user.key_len), STORE_ANY, 1, VIEW_STR("not what was there")},
        {STORE_PUT, TABLE_SECRET_VALUE, VIEW(value.key, value.key_len), STORE_ANY, 1, VIEW_STR("nor was this")}};
    assert_int_equal(store_open(r->url, &s, NULL), OK);
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_apply(s, damage, 2, NULL), OK);
    assert_int_equal(store_commit(s), OK);
    store_close(s);
    assert_int_equal(ledger_rewrap(r->ledger, open_raw, &asked, &done), ERR_TAMPERED);
    assert_int_equal(asked, 2);
    assert_true(done >= 100);
    assert_int_equal(count_old(r), 0); /* what was altered is under no epoch at all */
    assert_int_equal(ledger_check_rows(r->ledger, &why), ERR_TAMPERED);
    rig_free(r);
}

static bool count_one(void *context, const struct record_view *v)
{
    (void)v;
    (*(unsigned *)context)++;
    return true;
}

static void test_erasure(void **state)
{
    struct rig *r = rig_new(NULL, NULL);
    AUTO_WRITER before = writer_new(NOTE_MAX), verifier = writer_new(1024);
    struct arena *arena = NULL;
    struct record_view v;
    struct problem why = {0};
    struct txn_change c;
    unsigned found = 0;
    uint64_t next = 0;
    (void)state;
    assert_int_equal(arena_new(4096, 1 << 20, &arena), OK);
    assert_int_equal(rig_open(r, NULL), OK);
    assert_int_equal(rig_record(r, "user:alice"), OK);
    assert_int_equal(rig_record(r, "user:bob"), OK);
    rig_checkpoint(r, seed, &before, &verifier);
    assert_int_equal(ledger_erasure(r->reader, r->keys, VIEW_STR("user:carol"), arena, &c), ERR_NOT_FOUND);
    assert_int_equal(ledger_erasure(r->reader, r->keys, VIEW_STR("user:alice"), arena, &c), OK);
    struct record record = {.type = EVENT_USER_CHANGED,
                            .outcome = OUTCOME_DONE,
                            .who = {.actor = VIEW_STR("user:officer")},
                            .what = {.resource = VIEW_STR("user"), .detail = VIEW_STR("erased")}};
    struct txn t = {.arena = arena, .changes = &c, .change_count = 1, .records = &record, .record_count = 1};
    assert_int_equal(rig_submit(r, &t), OK);
    assert_int_equal(query_record(r->reader, r->keys, 0, arena, &v), OK);
    assert_true(v.erased && v.who.actor.len == 0 && v.who_bytes.len == 0);
    assert_true(view_is(v.what.resource, "session"));
    assert_int_equal(query_record(r->reader, r->keys, 1, arena, &v), OK);
    assert_false(v.erased);
    /* The same person again: new records are readable, old ones are not. */
    r->now_ms = r->now_ms + 1;
    assert_int_equal(rig_record(r, "user:alice"), OK);
    assert_int_equal(query_record(r->reader, r->keys, 3, arena, &v), OK);
    assert_true(view_is(v.who.actor, "user:alice"));
    assert_int_equal(query_record(r->reader, r->keys, 0, arena, &v), OK);
    assert_true(v.erased);
    struct record_filter f = {.actor = VIEW_STR("user:alice")};
    assert_int_equal(query_search(r->reader, r->keys, &f, count_one, &found, &next, &why), OK);
    assert_int_equal(found, 1);
    if (ledger_check_rows(r->ledger, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    verify_export(r, writer_view_of(&before), 1);
    arena_free(arena);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rotation), cmocka_unit_test(test_damaged_rows_stay_behind),
                                       cmocka_unit_test(test_erasure)};
    return cmocka_run_group_tests_name("ledger rotate", tests, NULL, NULL);
}
