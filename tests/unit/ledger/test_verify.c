/* Each kind of alteration of an exported log is found, and the first wrong record is named. */
#include "ledger_test.h"

#include "ledger/chain.h"

#define RECORDS 40

static const uint8_t seed[32] = {5};

struct lines {
    char *text[RECORDS + 4];
    size_t count;
};

static struct {
    struct rig *r;
    struct lines lines;
    uint8_t note[NOTE_MAX], early[NOTE_MAX], verifier[1024];
    struct view now, earlier, pinned;
} made;

static void put_records(struct rig *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(rig_record(r, i % 2 ? "user:alice" : "user:b\"o\\b \xc3\xa9"), OK);
}

static void split(struct view text, struct lines *out)
{
    out->count = 0;
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = (size_t)(end - text.ptr);
        out->text[out->count++] = strndup((const char *)text.ptr, n);
        text = VIEW(end + 1, text.len - n - 1);
    }
}

static struct view keep(struct writer *w, uint8_t *room)
{
    memcpy(room, w->ptr, w->len);
    return VIEW(room, w->len);
}

static int make(void **state)
{
    AUTO_WRITER early = writer_new(NOTE_MAX), note = writer_new(NOTE_MAX), verifier = writer_new(1024),
                unused = writer_new(1024), out = writer_new(1 << 20);
    (void)state;
    made.r = rig_new("memory:", NULL);
    assert_int_equal(rig_open(made.r, NULL), OK);
    put_records(made.r, RECORDS / 2);
    rig_checkpoint(made.r, seed, &early, &verifier);
    put_records(made.r, RECORDS / 2);
    rig_checkpoint(made.r, seed, &note, &unused);
    made.now = keep(&note, made.note);
    made.earlier = keep(&early, made.early);
    made.pinned = keep(&verifier, made.verifier);
    rig_export(made.r, made.now, made.pinned, &out);
    split(writer_view_of(&out), &made.lines);
    assert_int_equal(made.lines.count, RECORDS + 1);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < made.lines.count; i++)
        free(made.lines.text[i]);
    rig_free(made.r);
    return 0;
}

static enum err run(const struct lines *l, struct view pinned, struct view earlier, struct problem *why)
{
    AUTO(verify_free) struct verify *v = NULL;
    struct verify_summary sum;
    TRY(verify_new(pinned, earlier, &v, why));
    for (size_t i = 0; i < l->count; i++)
        TRY(verify_line(v, view_str(l->text[i]), why));
    return verify_finish(v, &sum, why);
}

static void expect(const struct lines *l, enum err e, const char *where)
{
    struct problem why = {0};
    enum err got = run(l, made.pinned, made.earlier, &why);
    if (got != e || strcmp(why.where, where) != 0)
        fail_msg("%s at '%s' instead of %s at '%s': %s", err_code(got), why.where, err_code(e), where, why.detail);
}

static void test_good(void **state)
{
    AUTO(verify_free) struct verify *v = NULL;
    struct verify_summary sum;
    (void)state;
    expect(&made.lines, OK, "");
    assert_int_equal(run(&made.lines, VIEW(NULL, 0), VIEW(NULL, 0), NULL), OK);
    assert_int_equal(verify_new(VIEW(NULL, 0), VIEW(NULL, 0), &v, NULL), OK);
    for (size_t i = 0; i < made.lines.count; i++)
        assert_int_equal(verify_line(v, view_str(made.lines.text[i]), NULL), OK);
    assert_int_equal(verify_finish(v, &sum, NULL), OK);
    assert_true(sum.records == RECORDS && sum.checkpoint_size == RECORDS && !sum.pinned && !sum.extends_earlier);
}

/* A change of any single character of any line is found. */
static void test_each_character(void **state)
{
    (void)state;
    for (size_t line = 0; line < made.lines.count; line += 13) {
        struct lines l = made.lines;
        char *copy = strdup(l.text[line]);
        l.text[line] = copy;
        for (size_t i = 0; copy[i]; i++) {
            copy[i] ^= 1;
            if (run(&l, made.pinned, made.earlier, NULL) == OK)
                fail_msg("line %zu, character %zu", line, i);
            copy[i] ^= 1;
        }
        free(copy);
    }
}

static void replace(struct lines *l, size_t line, const char *from, const char *to, char *room, size_t cap)
{
    const char *at = strstr(l->text[line], from);
    assert_non_null(at);
    snprintf(room, cap, "%.*s%s%s", (int)(at - l->text[line]), l->text[line], to, at + strlen(from));
    l->text[line] = room;
}

static void test_alterations(void **state)
{
    char room[4096];
    (void)state;
    struct lines l = made.lines;
    replace(&l, 6, "192.0.2.1", "192.0.2.2", room, sizeof(room));
    expect(&l, ERR_LOG_MISMATCH, "record 5");
    l = made.lines;
    replace(&l, 8, "session", "sessioN", room, sizeof(room));
    expect(&l, ERR_LOG_MISMATCH, "record 7");
    l = made.lines; /* in the leaf's time */
    snprintf(room, sizeof(room), "%s", l.text[11]);
    char *leaf = strstr(room, "\"leaf\":\"") + 8;
    leaf[14] = leaf[14] == 'A' ? 'B' : 'A';
    l.text[11] = room;
    expect(&l, ERR_LOG_MISMATCH, "record 10");
    l = made.lines; /* removed */
    memmove(&l.text[13], &l.text[14], (l.count - 14) * sizeof(*l.text));
    l.count--;
    expect(&l, ERR_LOG_MISMATCH, "record 12");
    l = made.lines; /* reordered */
    l.text[4] = made.lines.text[5];
    l.text[5] = made.lines.text[4];
    expect(&l, ERR_LOG_MISMATCH, "record 3");
    l = made.lines; /* twice */
    l.text[20] = made.lines.text[19];
    expect(&l, ERR_LOG_MISMATCH, "record 19");
    l = made.lines; /* one too many at the end */
    l.text[l.count++] = made.lines.text[RECORDS];
    expect(&l, ERR_LOG_MISMATCH, "record 40");
    l = made.lines; /* cut */
    l.count -= 3;
    expect(&l, ERR_LOG_MISMATCH, "record 37");
    l = made.lines;
    replace(&l, 9, "\"index\":8", "\"index\": 8", room, sizeof(room));
    expect(&l, ERR_MALFORMED, "record 8");
    l.count = 0;
    expect(&l, ERR_TRUNCATED, "head");
}

/* A whole record of another log, properly built, in the place of ours: only the roots can tell. */
static void swap_in(struct rig *other, uint64_t index, struct lines *l, struct writer *room)
{
    struct arena *arena = NULL;
    struct record_view v;
    assert_int_equal(arena_new(65536, 1 << 20, &arena), OK);
    assert_int_equal(query_record(other->reader, other->keys, index, arena, &v), OK);
    assert_int_equal(export_record(&v, room), OK);
    writer_u8(room, 0);
    l->text[index + 1] = (char *)room->ptr;
    arena_free(arena);
}

static void test_forgeries(void **state)
{
    static const uint8_t other_seed[32] = {6};
    struct rig *fork = rig_new("memory:", NULL);
    AUTO_WRITER note = writer_new(NOTE_MAX), verifier = writer_new(1024), out = writer_new(1 << 20),
                early_room = writer_new(8192), late_room = writer_new(8192), strange = writer_new(NOTE_MAX),
                strange_verifier = writer_new(1024);
    struct lines l = made.lines, forked;
    struct problem why = {0};
    (void)state;
    assert_int_equal(rig_open(fork, NULL), OK);
    put_records(fork, RECORDS);
    swap_in(fork, 7, &l, &early_room);
    expect(&l, ERR_LOG_MISMATCH, "earlier checkpoint");
    l = made.lines;
    swap_in(fork, RECORDS - 3, &l, &late_room);
    expect(&l, ERR_LOG_MISMATCH, "checkpoint");

    /* A fork signed with the true key does not extend what was signed before. */
    rig_checkpoint(fork, seed, &note, &verifier);
    rig_export(fork, writer_view_of(&note), made.pinned, &out);
    split(writer_view_of(&out), &forked);
    expect(&forked, ERR_LOG_MISMATCH, "earlier checkpoint");
    /* ... nor is an old copy newer than a later checkpoint. */
    assert_int_equal(run(&made.lines, made.pinned, writer_view_of(&note), &why), ERR_LOG_MISMATCH);
    rig_checkpoint(made.r, other_seed, &strange, &strange_verifier);
    assert_int_equal(run(&made.lines, made.pinned, writer_view_of(&strange), &why), ERR_BAD_CHECKPOINT);
    assert_string_equal(why.where, "earlier checkpoint");
    assert_int_equal(run(&made.lines, writer_view_of(&strange_verifier), VIEW(NULL, 0), &why), ERR_BAD_CHECKPOINT);
    assert_string_equal(why.where, "head");
    assert_int_equal(run(&made.lines, VIEW_STR("nonsense"), VIEW(NULL, 0), &why), ERR_MALFORMED);
    for (size_t i = 0; i < forked.count; i++)
        free(forked.text[i]);
    rig_free(fork);
}

/* --- the chains of keeper and signer */

struct link {
    uint8_t author;
    uint64_t sequence;
    bool wrong_previous;
    const char *restart; /* detail of AUTHOR_RESTARTED, for "author:keeper" */
};

/* OK, ERR_LOG_MISMATCH, or ERR_TRUNCATED for a gap at the end. */
static enum err chain(const struct link *links, size_t n)
{
    AUTO(chains_free) struct chains *c = NULL;
    uint8_t hashes[4][256][32] = {{{0}}};
    assert_int_equal(chains_new(&c), OK);
    for (size_t i = 0; i < n; i++) {
        const struct link *k = &links[i];
        struct leaf l = {.author = k->author, .type = EVENT_SECRET_READ, .sequence = k->sequence};
        struct record_object o = {.resource = VIEW_STR("author:keeper"), .detail = view_str(k->restart)};
        AUTO_WRITER what = writer_new(1024);
        uint8_t *hash = hashes[k->author][k->sequence];
        hash[0] = (uint8_t)k->sequence;
        hash[1] = k->author;
        memcpy(l.previous, hashes[k->author][k->sequence - 1], 32);
        l.previous[0] = (uint8_t)(k->sequence - 1); /* as it will be, if it comes later */
        l.previous[1] = k->sequence > 1 ? k->author : 0;
        l.previous[2] = k->wrong_previous;
        if (k->restart)
            l.type = EVENT_AUTHOR_RESTARTED;
        assert_int_equal(entity_encode(&record_object_entity, &o, &what), OK);
        TRY(chains_add(c, &l, hash, i, writer_view_of(&what)));
    }
    return chains_gap(c, n, 0) == UINT64_MAX ? OK : ERR_TRUNCATED;
}

static void test_chains(void **state)
{
    static const struct link in_order[] = {{2, 1}, {3, 1}, {2, 2}, {2, 3}, {3, 2}};
    static const struct link shuffled[] = {{2, 2}, {2, 1}, {2, 4}, {2, 5}, {2, 3}};
    static const struct link gap[] = {{2, 1}, {2, 3}, {2, 4}};
    static const struct link twice[] = {{2, 1}, {2, 2}, {2, 2}};
    static const struct link broken[] = {{2, 1}, {2, 2, true}};
    static const struct link declared[] = {{2, 1}, {2, 10, true, "{\"next\":10,\"reserved_from\":2}"}, {2, 11}, {2, 4}};
    static const struct link beyond[] = {{2, 1}, {2, 10, true, "{\"next\":10,\"reserved_from\":5}"}, {2, 11}};
    static const struct link by_signer[] = {{3, 1}, {3, 10, true, "{\"next\":10,\"reserved_from\":2}"}};
    (void)state;
    assert_int_equal(chain(in_order, ARRAY_LEN(in_order)), OK);
    assert_int_equal(chain(shuffled, ARRAY_LEN(shuffled)), OK);
    assert_int_equal(chain(gap, ARRAY_LEN(gap)), ERR_TRUNCATED);
    assert_int_equal(chain(twice, ARRAY_LEN(twice)), ERR_LOG_MISMATCH);
    assert_int_equal(chain(broken, ARRAY_LEN(broken)), ERR_LOG_MISMATCH);
    assert_int_equal(chain(declared, ARRAY_LEN(declared)), OK);
    assert_int_equal(chain(beyond, ARRAY_LEN(beyond)), ERR_TRUNCATED);
    assert_int_equal(chain(by_signer, ARRAY_LEN(by_signer)), ERR_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_each_character), cmocka_unit_test(test_alterations),
        cmocka_unit_test(test_forgeries), cmocka_unit_test(test_chains),
    };
    return cmocka_run_group_tests_name("ledger verify", tests, make, clean);
}
