#include "support.h"

#include "sample.h"

static struct arena *arena;

static int open_arena(void **state)
{
    (void)state;
    return arena_new(4096, 1 << 20, &arena) == OK ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const char whole[] =
    "{\"flag\":true,\"small\":2,\"port\":443,\"count\":1000,\"big\":9007199254740992,\"at\":\"2026-11-22T00:43:22."
    "123Z\","
    "\"kind\":\"second\",\"name\":\"näme\",\"side\":\"sell\",\"data\":\"AQID\",\"digest\":\"0102030405060708\","
    "\"tags\":[\"a\",\"\"],\"document\":{ \"p\" : 1.50, \"q\":[1e2, \"\\u00e9\" ] },"
    "\"policy\":{\"weight\":7,\"note\":\"x\",\"free_form\":[0.10],\"symbols\":[\"BTC\"]},"
    "\"parts\":[{},{\"weight\":100},{\"free_form\":-0.0}]}";

static void json_round_trip(void **state)
{
    struct sample s, back;
    AUTO_WRITER wire = writer_new(10000);
    AUTO_WRITER again = writer_new(10000);
    AUTO_WRITER json = writer_new(10000);
    struct problem why = {0};

    (void)state;
    assert_int_equal(entity_parse(&sample_entity, VIEW_STR(whole), arena, &s, &why), OK);
    assert_true(s.flag && s.small == 2 && s.port == 443 && s.kind == 2 && s.parts.count == 3);
    assert_true(s.at == UINT64_C(1795308202123));
    SUPPORT_VIEW_EQ(s.document, VIEW_STR("{ \"p\" : 1.50, \"q\":[1e2, \"\\u00e9\" ] }"));
    assert_int_equal(entity_encode(&sample_entity, &s, &wire), OK);
    assert_int_equal(entity_decode(&sample_entity, writer_view_of(&wire), arena, &back), OK);
    assert_int_equal(entity_encode(&sample_entity, &back, &again), OK);
    SUPPORT_VIEW_EQ(writer_view_of(&wire), writer_view_of(&again));
    entity_to_json(&sample_entity, &back, &json);
    support_expect(&json, whole);
}

static void errors_point_at_the_field(void **state)
{
    static const struct {
        const char *json;
        enum err err;
        const char *where;
    } cases[] = {
        {"[]", ERR_WRONG_TYPE, ""},
        {"{}", ERR_MISSING_FIELD, "/name"},
        {"{\"name\":\"abc\",\"flag\":1}", ERR_WRONG_TYPE, "/flag"},
        {"{\"name\":\"abc\",\"flag\":null}", ERR_WRONG_TYPE, "/flag"},
        {"{\"name\":\"abc\",\"small\":1}", ERR_OUT_OF_RANGE, "/small"},
        {"{\"name\":\"abc\",\"small\":0}", ERR_OUT_OF_RANGE, "/small"},
        {"{\"name\":\"abc\",\"small\":256}", ERR_OUT_OF_RANGE, "/small"},
        {"{\"name\":\"abc\",\"small\":-1}", ERR_OUT_OF_RANGE, "/small"},
        {"{\"name\":\"abc\",\"small\":2.0}", ERR_WRONG_TYPE, "/small"},
        {"{\"name\":\"abc\",\"small\":\"2\"}", ERR_WRONG_TYPE, "/small"},
        {"{\"name\":\"abc\",\"port\":65536}", ERR_OUT_OF_RANGE, "/port"},
        {"{\"name\":\"abc\",\"count\":1001}", ERR_OUT_OF_RANGE, "/count"},
        {"{\"name\":\"abc\",\"big\":9007199254740993}", ERR_OUT_OF_RANGE, "/big"},
        {"{\"name\":\"abc\",\"at\":\"today\"}", ERR_MALFORMED, "/at"},
        {"{\"name\":\"abc\",\"at\":5}", ERR_WRONG_TYPE, "/at"},
        {"{\"name\":\"abc\",\"kind\":\"third\"}", ERR_BAD_VALUE, "/kind"},
        {"{\"name\":\"abc\",\"kind\":1}", ERR_WRONG_TYPE, "/kind"},
        {"{\"name\":\"ab\"}", ERR_TOO_SHORT, "/name"},
        {"{\"name\":\"abcdefghijklm\"}", ERR_TOO_LONG, "/name"},
        {"{\"name\":\"ab\\u0007c\"}", ERR_BAD_VALUE, "/name"},
        {"{\"name\":7}", ERR_WRONG_TYPE, "/name"},
        {"{\"name\":\"abc\",\"side\":\"hold\"}", ERR_BAD_VALUE, "/side"},
        {"{\"name\":\"abc\",\"data\":\"AQ==\"}", ERR_TOO_SHORT, "/data"},
        {"{\"name\":\"abc\",\"data\":\"AQIDBAUGBw==\"}", ERR_TOO_LONG, "/data"},
        {"{\"name\":\"abc\",\"data\":\"AQIDBAUGB\"}", ERR_MALFORMED, "/data"},
        {"{\"name\":\"abc\",\"data\":\"\"}", ERR_TOO_SHORT, "/data"},
        {"{\"name\":\"abc\",\"inner\":\"AQ==\"}", ERR_UNKNOWN_FIELD, "/inner"},
        {"{\"name\":\"abc\",\"revision\":1}", ERR_BAD_VALUE, "/revision"},
        {"{\"name\":\"abc\",\"digest\":\"01\"}", ERR_MALFORMED, "/digest"},
        {"{\"name\":\"abc\",\"digest\":\"010203040506070g\"}", ERR_MALFORMED, "/digest"},
        {"{\"name\":\"abc\",\"tags\":[]}", ERR_TOO_SHORT, "/tags"},
        {"{\"name\":\"abc\",\"tags\":[\"\",\"\",\"\",\"\"]}", ERR_TOO_LONG, "/tags"},
        {"{\"name\":\"abc\",\"tags\":[\"a\",7]}", ERR_WRONG_TYPE, "/tags/1"},
        {"{\"name\":\"abc\",\"policy\":[]}", ERR_WRONG_TYPE, "/policy"},
        {"{\"name\":\"abc\",\"policy\":{\"symbols\":[\"a\",\"b\",\"c\",\"\\n\"]}}", ERR_BAD_VALUE, "/policy/symbols/3"},
        {"{\"name\":\"abc\",\"policy\":{\"we/ig~ht\":1}}", ERR_UNKNOWN_FIELD, "/policy/we~1ig~0ht"},
        {"{\"name\":\"abc\",\"parts\":[{},{\"weight\":0}]}", ERR_OUT_OF_RANGE, "/parts/1/weight"},
        {"{\"name\":\"abc\",\"parts\":[{},3]}", ERR_WRONG_TYPE, "/parts/1"},
        {"{\"name\":\"abc\",\"parts\":[{},{},{},{}]}", ERR_TOO_LONG, "/parts"},
        {"{\"name\":\"abc\",\"name\":\"abc\"}", ERR_DUPLICATE_FIELD, NULL},
        {"{\"name\":\"abc\"", ERR_BAD_JSON, "line 1, column 14"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sample s = {.count = 77};
        struct problem why = {0};
        enum err err = entity_parse(&sample_entity, view_str(cases[i].json), arena, &s, &why);

        if (err != cases[i].err || why.code != err || (cases[i].where && strcmp(why.where, cases[i].where) != 0))
            fail_msg("%s: %s at \"%s\"", cases[i].json, err_code(err), why.where);
        assert_true(strlen(why.detail) > 5);
        assert_int_equal(s.count, 77); /* untouched on failure */
    }
}

/* Who misspelt a name sees the right one: as many whole names as have room, and that there are more. */
static void messages_tell_the_names_there_are(void **state)
{
    static const char *const many[] = {"one:0123456789012345678901234567890123456789",
                                       "two:0123456789012345678901234567890123456789",
                                       "three:012345678901234567890123456789012345678",
                                       "four:0123456789012345678901234567890123456789",
                                       "five:0123456789012345678901234567890123456789",
                                       "six",
                                       NULL};
    struct one {
        uint8_t kind;
    } o;
    static const struct field fields[] = {FIELD(1, struct one, kind, ENUM, 0, .names = many)};
    static const struct entity one_entity = ENTITY("One", 0x7ffd, 1, struct one, fields);
    struct problem why = {0};
    struct sample s;

    (void)state;
    assert_int_equal(entity_parse(&one_entity, VIEW_STR("{\"kind\":\"x\"}"), arena, &o, &why), ERR_BAD_VALUE);
    assert_non_null(strstr(why.detail, "one:0123456789012345678901234567890123456789, two:"));
    assert_non_null(strstr(why.detail, "four:0123456789012345678901234567890123456789, and others."));
    assert_null(strstr(why.detail, "five"));
    assert_null(strstr(why.detail, "six"));
    assert_int_equal(entity_parse(&one_entity, VIEW_STR("{\"king\":\"six\"}"), arena, &o, &why), ERR_UNKNOWN_FIELD);
    assert_string_equal(why.detail, "No field has this name; there are: kind.");
    assert_int_equal(entity_parse(&sample_entity, VIEW_STR("{\"nam\":\"abc\"}"), arena, &s, &why), ERR_UNKNOWN_FIELD);
    assert_non_null(strstr(why.detail, "name, "));
    assert_null(strstr(why.detail, "inner"));
}

static void messages_do_not_repeat_secrets(void **state)
{
    static const char *const bodies[] = {
        "{\"name\":\"hunter2\\u0001\"}",
        "{\"name\":\"abc\",\"side\":\"hunter2\"}",
        "{\"name\":\"abc\",\"at\":\"hunter2\"}",
        "{\"name\":\"abc\",\"kind\":\"hunter2\"}",
        "{\"name\":\"hunter2\" x",
        "{\"name\":\"hunter2\",\"secret\":hunter2}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct sample s;
        struct problem why = {0};

        assert_int_not_equal(entity_parse(&sample_entity, view_str(bodies[i]), arena, &s, &why), OK);
        assert_null(strstr(why.detail, "hunter2"));
        assert_null(strstr(why.where, "hunter2"));
    }
}

static void flags_decide_what_is_printed(void **state)
{
    struct view items[] = {VIEW_STR("a\x1b"), VIEW_STR("b")};
    struct text_list tags = {items, 2};
    struct sample s = {
        .name = VIEW_STR("abc"), .secret = VIEW_STR("s3"), .inner = VIEW_STR("x"), .revision = 4, .tags = tags};
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    entity_to_json(&sample_entity, &s, &w);
    support_expect(&w, "{\"port\":0,\"name\":\"abc\",\"tags\":[\"a\\u001b\",\"b\"],\"revision\":4}");
    writer_reset(&w);
    entity_to_json(&sample_entity, &(struct sample){.document = VIEW_STR("{\"cut\":")}, &w);
    support_expect(&w, "{\"port\":0,\"name\":\"\",\"document\":null}"); /* kept JSON can't break what is around it */
    writer_reset(&w);
    for (size_t i = 0; i < sample_entity.count; i++) {
        entity_cell(&sample_fields[i], &s, &w);
        writer_str(&w, "|");
    }
    support_expect(&w, "no|0|0|0|0||none|abc|||||0000000000000000|a�, b||||4|");
}

/* Names and texts may be written with escapes; what is kept as JSON stays as it was written. */
static void escapes_mean_what_they_say(void **state)
{
    struct sample s;
    struct problem why = {0};

    (void)state;
    assert_int_equal(entity_parse(&sample_entity,
                                  VIEW_STR(" \n{\"n\\u0061me\":\"\\u0061\\u20acb\",\"document\":{\"\\u0061\" : 0.10}}"),
                                  arena, &s, &why),
                     OK);
    SUPPORT_VIEW_EQ(s.name, VIEW_STR("a\xe2\x82\xac"
                                     "b"));
    SUPPORT_VIEW_EQ(s.document, VIEW_STR("{\"\\u0061\" : 0.10}"));
    assert_int_equal(
        entity_parse(&sample_entity, VIEW_STR("{\"name\":\"abc\",\"document\":{\"a\":1,\"a\":2}}"), arena, &s, &why),
        ERR_DUPLICATE_FIELD);
    assert_int_equal(entity_parse(&sample_entity, VIEW_STR("{\"name\":\"abc\",\"port\":-0}"), arena, &s, &why), OK);
    assert_int_equal(entity_parse(&sample_entity, VIEW_STR("{\"name\":\"abc\",\"port\":1e2}"), arena, &s, &why),
                     ERR_WRONG_TYPE);
}

/* Wire bytes by hand: header 0384 0002, then fields. */
#define HEAD "\x03\x84\x00\x02"
#define NAME                                                                                                           \
    "\x00\x08\x00\x00\x00\x03"                                                                                         \
    "abc"
#define PART "\x03\x85\x00\x01"

static const struct {
    struct view wire;
    enum err err;
} wires[] = {
    {VIEW_STR(HEAD), OK},
    {VIEW_STR(HEAD NAME), OK},
    {VIEW_STR(""), ERR_TRUNCATED},
    {VIEW_STR("\x03\x84\x00"), ERR_TRUNCATED},
    {VIEW_STR("\x03\x85\x00\x02"), ERR_MALFORMED}, /* another schema */
    {VIEW_STR("\x03\x84\x00\x03"), ERR_TOO_NEW},
    {VIEW_STR("\x03\x84\x00\x01" NAME), OK}, /* older */
    {VIEW_STR("\x03\x84\x00\x00"), ERR_MALFORMED},
    {VIEW_STR(HEAD "\x00\x15\x00\x00\x00\x01x"), ERR_TOO_NEW},   /* number 21 */
    {VIEW_STR(HEAD "\x00\x10\x00\x00\x00\x01x"), ERR_TOO_NEW},   /* number 16 is not in the table */
    {VIEW_STR(HEAD "\x00\x00\x00\x00\x00\x01x"), ERR_MALFORMED}, /* number 0 */
    {VIEW_STR(HEAD NAME NAME), ERR_MALFORMED},
    {VIEW_STR(HEAD NAME "\x00\x01\x00\x00\x00\x01\x01"), ERR_MALFORMED}, /* not rising */
    {VIEW_STR(HEAD NAME "\x00"), ERR_TRUNCATED},
    {VIEW_STR(HEAD "\x00\x01\x00\x00\x00\x01\x01"), OK},
    {VIEW_STR(HEAD "\x00\x01\x00\x00\x00\x01\x02"), ERR_MALFORMED},     /* no bool */
    {VIEW_STR(HEAD "\x00\x01\x00\x00\x00\x01\x00"), ERR_MALFORMED},     /* zero is left out */
    {VIEW_STR(HEAD "\x00\x01\x00\x00\x00\x02\x00\x01"), ERR_MALFORMED}, /* too wide */
    {VIEW_STR(HEAD "\x00\x03\x00\x00\x00\x01\x01"), ERR_MALFORMED},     /* too narrow */
    {VIEW_STR(HEAD "\x00\x02\x00\x00\x00\x01\x01"), ERR_OUT_OF_RANGE},  /* small >= 2 */
    {VIEW_STR(HEAD "\x00\x04\x00\x00\x00\x04\x00\x00\x03\xe9"), ERR_OUT_OF_RANGE},
    {VIEW_STR(HEAD "\x00\x07\x00\x00\x00\x01\x02"), OK},
    {VIEW_STR(HEAD "\x00\x07\x00\x00\x00\x01\x03"), ERR_BAD_VALUE}, /* no such kind */
    {VIEW_STR(HEAD "\x00\x08\x00\x00\x00\x03"
                   "ab\xff"),
     ERR_BAD_UTF8},
    {VIEW_STR(HEAD "\x00\x08\x00\x00\x00\x03"
                   "ab\0"),
     ERR_NUL_BYTE},
    {VIEW_STR(HEAD "\x00\x08\x00\x00\x00\x03"
                   "ab\n"),
     ERR_BAD_VALUE},
    {VIEW_STR(HEAD "\x00\x08\x00\x00\x00\x00"), ERR_TOO_SHORT},
    {VIEW_STR(HEAD "\x00\x08\x00\x00\x00\x0d"
                   "abcdefghijklm"),
     ERR_TOO_LONG},
    {VIEW_STR(HEAD "\x00\x08\xff\xff\xff\xff"
                   "abc"),
     ERR_TOO_LONG},
    {VIEW_STR(HEAD "\x00\x09\x00\x00\x00\x04hold"), ERR_BAD_VALUE},
    {VIEW_STR(HEAD "\x00\x0b\x00\x00\x00\x00"), ERR_MALFORMED}, /* empty is left out */
    {VIEW_STR(HEAD "\x00\x0d\x00\x00\x00\x07"
                   "1234567"),
     ERR_MALFORMED},
    {VIEW_STR(HEAD "\x00\x0d\x00\x00\x00\x08\0\0\0\0\0\0\0\0"), ERR_MALFORMED},
    {VIEW_STR(HEAD "\x00\x0e\x00\x00\x00\x04\x00\x00\x00\x00"), OK}, /* one empty tag */
    {VIEW_STR(HEAD "\x00\x0e\x00\x00\x00\x05\x00\x00\x00\x00x"), ERR_TRUNCATED},
    {VIEW_STR(HEAD "\x00\x0e\x00\x00\x00\x05\x00\x00\x00\x01\xff"), ERR_BAD_UTF8},
    {VIEW_STR(HEAD "\x00\x0e\x00\x00\x00\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ERR_TOO_LONG},
    {VIEW_STR(HEAD "\x00\x11\x00\x00\x00\x04" PART), ERR_MALFORMED}, /* an empty entity is left out */
    {VIEW_STR(HEAD "\x00\x12\x00\x00\x00\x08\x00\x00\x00\x04" PART), OK},
    {VIEW_STR(HEAD "\x00\x12\x00\x00\x00\x08\x00\x00\x00\x04" HEAD), ERR_MALFORMED},
    {VIEW_STR(HEAD "\x00\x12\x00\x00\x00\x00"), ERR_MALFORMED},
};

static void wire_form_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
        struct sample s = {.count = 77};
        enum err err = entity_decode(&sample_entity, wires[i].wire, arena, &s);

        if (err != wires[i].err)
            fail_msg("case %zu is answered %s", i, err_code(err));
        assert_true(err == OK || s.count == 77);
    }
}

static void encoding_keeps_the_rules(void **state)
{
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    assert_int_equal(entity_encode(&sample_entity, &(struct sample){.name = VIEW_STR("ab")}, &w), ERR_TOO_SHORT);
    assert_int_equal(writer_done(&w), ERR_TOO_SHORT);
    writer_reset(&w);
    assert_int_equal(entity_encode(&sample_entity, &(struct sample){.kind = 3}, &w), ERR_BAD_VALUE);
    writer_reset(&w);
    assert_int_equal(entity_encode(&sample_entity, &(struct sample){.count = 1001}, &w), ERR_OUT_OF_RANGE);
    struct writer tight = writer_fixed((uint8_t[16]){0}, 16);
    assert_int_equal(entity_encode(&sample_entity, &(struct sample){.name = VIEW_STR("abcdefg")}, &tight),
                     ERR_TOO_LONG);
}

static struct view random_text(struct support_rng *r, size_t min, size_t max)
{
    static const char *const characters[] = {"a", "Z", "\"", "\\", "/", "é", "😀", " ", "~"};
    size_t n = min + support_below(r, max - min + 1);
    struct writer w = writer_fixed(arena_alloc(arena, max), max);

    while (w.len < min || (w.len < n && w.len + 4 <= max))
        writer_str(&w, characters[support_below(r, w.len + 4 <= max ? ARRAY_LEN(characters) : 3)]);
    return writer_view_of(&w);
}

static void random_part(struct support_rng *r, struct sample_part *p)
{
    static const char *const documents[] = {"", "1.50", "{\"a\" : 1}", "[ ]", "\"\\u00e9\""};

    *p = (struct sample_part){.weight = (uint32_t)support_below(r, 101), .note = random_text(r, 0, 20)};
    p->free_form = view_str(documents[support_below(r, ARRAY_LEN(documents))]);
    p->symbols.count = support_below(r, 5);
    p->symbols.items = arena_alloc(arena, sizeof *p->symbols.items * 5);
    for (size_t i = 0; i < p->symbols.count; i++)
        p->symbols.items[i] = random_text(r, 0, 9);
}

static void random_sample(struct support_rng *r, struct sample *s)
{
    uint64_t bits = support_next(r);
    struct sample_part *parts = arena_alloc(arena, sizeof *parts * 3);

    *s = (struct sample){.flag = bits & 1, .port = (uint16_t)(bits >> 3), .count = (uint32_t)support_below(r, 1001)};
    s->small = bits & 2 ? (uint8_t)(2 + support_below(r, 254)) : 0;
    s->big = bits >> (11 + support_below(r, 40));
    s->at = support_below(r, UINT64_C(253402300800000));
    s->kind = (uint8_t)support_below(r, 3);
    s->name = random_text(r, 3, 12);
    s->side = bits & 4 ? VIEW_STR("buy") : (struct view){0};
    s->data = bits & 8 ? random_text(r, 2, 6) : (struct view){0};
    memcpy(s->digest, &bits, bits & 16 ? 8 : 0);
    s->tags.items = arena_alloc(arena, sizeof *s->tags.items * 3);
    for (s->tags.count = 0; s->tags.count < (bits >> 5) % 4; s->tags.count++)
        s->tags.items[s->tags.count] = random_text(r, 0, 30);
    random_part(r, &s->policy);
    s->parts = (struct entity_list){parts, support_below(r, 4)};
    for (size_t i = 0; i < 3; i++)
        random_part(r, &parts[i]);
}

/* Any value: out and in again, over the wire and as JSON, is the same value, and so are its bytes. */
static void every_value_comes_back(void **state)
{
    struct support_rng rng = {20261122};

    (void)state;
    for (int round = 0; round < 3000; round++) {
        AUTO_WRITER first = writer_new(100000);
        AUTO_WRITER second = writer_new(100000);
        AUTO_WRITER third = writer_new(100000);
        AUTO_WRITER fourth = writer_new(100000);
        AUTO_WRITER json = writer_new(100000);
        struct sample s, decoded, parsed, known;
        struct problem why = {0};

        arena_reset(arena);
        random_sample(&rng, &s);
        assert_int_equal(entity_encode(&sample_entity, &s, &first), OK);
        assert_int_equal(entity_decode(&sample_entity, writer_view_of(&first), arena, &decoded), OK);
        assert_int_equal(entity_encode(&sample_entity, &decoded, &second), OK);
        SUPPORT_VIEW_EQ(writer_view_of(&first), writer_view_of(&second));
        entity_to_json(&sample_entity, &decoded, &json);
        if (entity_parse(&sample_entity, writer_view_of(&json), arena, &parsed, &why))
            fail_msg("round %d: %s %s in %.*s", round, why.where, why.detail, (int)json.len, json.ptr);
        assert_int_equal(entity_encode(&sample_entity, &parsed, &third), OK);
        SUPPORT_VIEW_EQ(writer_view_of(&first), writer_view_of(&third));
        assert_int_equal(entity_decode_again(&sample_entity, writer_view_of(&first), arena, &known), OK);
        assert_int_equal(entity_encode(&sample_entity, &known, &fourth), OK);
        SUPPORT_VIEW_EQ(writer_view_of(&first), writer_view_of(&fourth));
    }
}

/* What is kept in memory is not judged anew, but whatever became of it, nothing beside it is read or written. */
static void known_bytes_keep_their_bounds(void **state)
{
    struct support_rng rng = {4};

    (void)state;
    for (int round = 0; round < 3000; round++) {
        AUTO_WRITER w = writer_new(100000);
        struct {
            uint8_t before[64];
            struct sample s;
            uint8_t behind[64];
        } place = {0};

        arena_reset(arena);
        random_sample(&rng, &place.s);
        assert_int_equal(entity_encode(&sample_entity, &place.s, &w), OK);
        size_t left = support_below(&rng, w.len + 1);
        uint8_t *bytes = malloc(left + 1); /* of just this size, so that a sanitizer sees what goes beyond */

        assert_non_null(bytes);
        memcpy(bytes + 1, w.ptr, left);
        if (left && round % 2)
            bytes[1 + support_below(&rng, left)] ^= (uint8_t)(1 << support_below(&rng, 8));
        enum err err = entity_decode_again(&sample_entity, VIEW(bytes + 1, left), arena, &place.s);

        assert_true(err != OK || left >= 4);
        for (size_t i = 0; i < sizeof place.before; i++)
            assert_true(place.before[i] == 0 && place.behind[i] == 0);
        free(bytes);
    }
}

/* One bit or byte changed, or the end cut off: an error or another value, but never the same bytes for two values. */
static void changed_bytes_are_seen(void **state)
{
    struct support_rng rng = {99};

    (void)state;
    for (int round = 0; round < 3000; round++) {
        AUTO_WRITER w = writer_new(100000);
        AUTO_WRITER again = writer_new(100000);
        struct sample s;

        arena_reset(arena);
        random_sample(&rng, &s);
        assert_int_equal(entity_encode(&sample_entity, &s, &w), OK);
        w.ptr[support_below(&rng, w.len)] ^= (uint8_t)(1 << support_below(&rng, 8));
        struct view changed = VIEW(w.ptr, round % 3 ? w.len : support_below(&rng, w.len));

        if (entity_decode(&sample_entity, changed, arena, &s))
            continue;
        assert_int_equal(entity_encode(&sample_entity, &s, &again), OK);
        if (changed.ptr[3] == 2) /* an older version is written as the newest */
            SUPPORT_VIEW_EQ(writer_view_of(&again), changed);
    }
}

static void too_little_memory_is_an_error(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 2000; limit += 50) {
        struct arena *small = NULL;
        struct sample s;
        struct problem why = {0};

        assert_int_equal(arena_new(16, limit, &small), OK);
        enum err err = entity_parse(&sample_entity, VIEW_STR(whole), small, &s, &why);

        assert_true(err == ERR_NO_MEMORY || err == OK);
        assert_true(limit > 100 || err == ERR_NO_MEMORY);
        arena_free(small);
    }
}

static void schema_says_what_is_enforced(void **state)
{
    static const char wanted[] =
        "{\"type\":\"object\",\"title\":\"SamplePart\",\"properties\":{"
        "\"weight\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"description\":\"how much it counts\"},"
        "\"note\":{\"type\":\"string\",\"maxLength\":20},\"free_form\":{},"
        "\"symbols\":{\"type\":\"array\",\"maxItems\":4,\"items\":{\"type\":\"string\",\"maxLength\":4096}}},"
        "\"additionalProperties\":false}";
    AUTO_WRITER w = writer_new(10000);
    json_t *json = NULL, *p;

    (void)state;
    entity_schema(&sample_part_entity, &w);
    support_expect(&w, wanted);
    writer_reset(&w);
    entity_schema(&sample_entity, &w);
    assert_int_equal(json_read(writer_view_of(&w), &json, NULL), OK);
    p = json_object_get(json, "properties");
    assert_null(json_object_get(p, "inner"));
    assert_true(json_is_true(json_object_get(json_object_get(p, "secret"), "writeOnly")));
    assert_true(json_is_true(json_object_get(json_object_get(p, "revision"), "readOnly")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(p, "at"), "format")), "date-time");
    assert_string_equal(json_string_value(json_object_get(json_object_get(p, "digest"), "pattern")),
                        "^[0-9a-fA-F]{16}$");
    assert_int_equal(json_array_size(json_object_get(json_object_get(p, "kind"), "enum")), 3);
    assert_int_equal(json_array_size(json_object_get(json_object_get(p, "side"), "enum")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "required")), 1);
    json_wipe(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_round_trip),
        cmocka_unit_test(errors_point_at_the_field),
        cmocka_unit_test(messages_tell_the_names_there_are),
        cmocka_unit_test(messages_do_not_repeat_secrets),
        cmocka_unit_test(flags_decide_what_is_printed),
        cmocka_unit_test(escapes_mean_what_they_say),
        cmocka_unit_test(wire_form_is_checked),
        cmocka_unit_test(encoding_keeps_the_rules),
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(known_bytes_keep_their_bounds),
        cmocka_unit_test(changed_bytes_are_seen),
        cmocka_unit_test(too_little_memory_is_an_error),
        cmocka_unit_test(schema_says_what_is_enforced),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
