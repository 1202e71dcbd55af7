#include "support.h"

#include "base/json.h"
#include "base/log.h"

#include <malloc.h>
#include <unistd.h>

static void errors_say_where(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *where;
    } cases[] = {
        {"", ERR_BAD_JSON, "line 1, column 1"},
        {"{\"a\": 1,\n  x}", ERR_BAD_JSON, "line 2, column 3"},
        {"{\"a\": 1} 2", ERR_BAD_JSON, "line 1, column 10"},
        {"{\"a\": 1, \"a\": 2}", ERR_DUPLICATE_FIELD, NULL},
        {"{\"a\": 1, \"\\u0061\": 2}", ERR_DUPLICATE_FIELD, NULL},
        {"[123456789012345678901234567890]", ERR_BAD_JSON, NULL},
        {"[\"\\u0000\"]", ERR_NUL_BYTE, NULL},
        {"[\"\\ud800x\"]", ERR_BAD_UTF8, NULL},
        {"[\"\xff\"]", ERR_BAD_UTF8, "line 1, column 3"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct problem why = {0};
        json_t *json = NULL;

        assert_int_equal(json_read(view_str(cases[i].text), &json, &why), cases[i].err);
        assert_null(json);
        if (cases[i].where)
            assert_string_equal(why.where, cases[i].where);
    }
    assert_int_equal(json_read(VIEW_STR("["), &(json_t *){NULL}, NULL), ERR_BAD_JSON);
}

static void depth_is_bounded(void **state)
{
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        json_t *json = NULL;

        writer_reset(&w);
        for (int i = 0; i < depth; i++)
            writer_str(&w, i % 2 ? "{\"a\":" : "[");
        writer_str(&w, "\"[[[{{{\"");
        for (int i = depth; i-- > 0;)
            writer_str(&w, i % 2 ? "}" : "]");
        assert_int_equal(json_read(writer_view_of(&w), &json, NULL), depth > JSON_MAX_DEPTH ? ERR_BAD_JSON : OK);
        json_wipe(json);
    }
}

static void order_is_kept(void **state)
{
    static const char text[] = "{\"z\":1,\"a\":2,\"m\":3,\"b\":4,\"y\":5,\"c\":6,\"x\":7}";
    json_t *json = NULL, *value;
    const char *name;
    char seen[8] = "";
    size_t n = 0;

    (void)state;
    assert_int_equal(json_read(VIEW_STR(text), &json, NULL), OK);
    json_object_foreach(json, name, value) seen[n++] = *name;
    assert_string_equal(seen, "zambycx");
    json_wipe(json);
    json_wipe(NULL);
}

static void values_are_stepped_through(void **state)
{
    static const char *const names[] = {"\"a\"", "\"b\\\"\"", "\"c\"", "\"d\"", "\"e\""};
    static const char *const wanted[] = {"1.50", "\"b,\\\"]\"", "{ \"q\" : [ ] }", "[1, 2 ]", "null"};
    struct view rest = VIEW_STR(
        " { \"a\" : 1.50 ,\"b\\\"\":\"b,\\\"]\", \"c\": { \"q\" : [ ] }\n,\"d\":[1, 2 ],\"e\" :null } ");
    struct view list = VIEW_STR("[\"a\" ,\"b\"]"), none = VIEW_STR(" { }"), name, value;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_true(json_next(&rest, &name, &value));
        SUPPORT_VIEW_EQ(value, view_str(wanted[i]));
        SUPPORT_VIEW_EQ(name, view_str(names[i]));
    }
    assert_false(json_next(&rest, &name, &value));
    assert_true(json_next(&list, NULL, &value));
    SUPPORT_VIEW_EQ(value, VIEW_STR("\"a\""));
    assert_true(json_next(&list, NULL, &value));
    SUPPORT_VIEW_EQ(value, VIEW_STR("\"b\""));
    assert_false(json_next(&list, NULL, &value));
    assert_false(json_next(&none, &name, &value));
}

/* What decides about money must not be read in two ways, also deep inside and however it is written. */
static void checking_agrees_with_reading(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1,\"b\":{\"a\":1}}",
        "{\"a\":1,\"a\":1}",
        "[{\"b\":{\"side\":\"buy\",\"side\":\"sell\"}}]",
        "{\"side\":1,\"s\\u0069de\":2}",
        "{\"s\\u0069de\":2}",
        "[99999999999999999999]",
        "[9223372036854775807]",
        "[9223372036854775808]",
        "[-9223372036854775809]",
        "[1e999]",
        "[1e99]",
        "[0.000000000000000000000000000001]",
        "{} {}",
    };
    AUTO_WRITER many = writer_new(4096);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct problem of_read = {0}, of_check = {0};
        json_t *json = NULL;
        enum err read = json_read(view_str(texts[i]), &json, &of_read);

        assert_int_equal(json_check(view_str(texts[i]), &of_check), read);
        assert_string_equal(of_check.where, of_read.where);
        json_wipe(json);
    }
    json_open(&many, '{');
    for (unsigned i = 0; i < 40; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "m%u", i);
        json_u64(&many, name, i);
    }
    json_close(&many, '}');
    assert_int_equal(json_check(writer_view_of(&many), NULL), OK);
    many.len--;
    json_u64(&many, "m39", 0);
    json_close(&many, '}');
    assert_int_equal(json_check(writer_view_of(&many), NULL), ERR_DUPLICATE_FIELD);
}

static void builders_place_commas(void **state)
{
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    json_open(&w, '{');
    json_text(&w, "a", VIEW_STR("x,"));
    json_u64(&w, "b", UINT64_MAX);
    json_name(&w, "c");
    json_open(&w, '[');
    json_item(&w);
    json_put_text(&w, VIEW_STR("["));
    json_item(&w);
    json_open(&w, '{');
    json_close(&w, '}');
    json_item(&w);
    writer_str(&w, "1");
    json_close(&w, ']');
    json_raw(&w, "d", VIEW_STR("{ } \n"));
    json_bool(&w, "e", false);
    json_raw(&w, "f", (struct view){0});
    json_close(&w, '}');
    support_expect(&w,
                   "{\"a\":\"x,\",\"b\":18446744073709551615,\"c\":[\"[\",{},1],\"d\":{ } \n,\"e\":false,\"f\":null}");
}

static void text_is_escaped(void **state)
{
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    json_put_text(&w, VIEW("\"\\\b\f\n\r\t\0\x1f\x7fé😀/", 17));
    support_expect(&w, "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\\u007fé😀/\"");
    writer_reset(&w);
    json_put_text(&w, VIEW_STR("a\xff\xc0\xaf\xed\xa0\x80z\xe2\x82"));
    support_expect(&w, "\"a������z��\"");
}

/* Whatever bytes go in, what comes out is JSON that reads back as the same text, but for what was replaced. */
static void any_bytes_become_json(void **state)
{
    struct support_rng rng = {7};

    (void)state;
    for (int round = 0; round < 5000; round++) {
        AUTO_WRITER w = writer_new(1000);
        uint8_t bytes[40];
        size_t n = support_below(&rng, sizeof bytes + 1);
        json_t *json = NULL;

        for (size_t i = 0; i < n; i++) /* no NUL: it is escaped, but the reader refuses it */
            bytes[i] = (uint8_t)(1 + support_below(&rng, round % 2 ? 255 : 127));
        json_put_text(&w, VIEW(bytes, n));
        assert_int_equal(json_read(writer_view_of(&w), &json, NULL), OK);
        struct view back = VIEW(json_string_value(json), json_string_length(json));

        if (round % 2 == 0)
            SUPPORT_VIEW_EQ(back, VIEW(bytes, n));
        json_wipe(json);
    }
}

static long until_failure;
static bool dirty;

static void *failing_malloc(size_t n)
{
    return until_failure-- <= 0 ? NULL : malloc(n);
}

static const char secret[] = "correct horse battery staple";

static void looking_free(void *p)
{
    if (p && memmem(p, malloc_usable_size(p), secret, 12))
        dirty = true;
    free(p);
}

static void reading_survives_failing_allocations(void **state)
{
    static const char text[] = "{\"a\": [1, 2.5, \"some text\", {\"b\": null}], \"c\": {\"d\": true}}";
    json_malloc_t old_malloc;
    json_free_t old_free;
    bool done = false;

    (void)state;
    json_get_alloc_funcs(&old_malloc, &old_free);
    json_set_alloc_funcs(failing_malloc, old_free);
    for (long n = 0; !done; n++) {
        json_t *json = NULL;

        until_failure = n;
        enum err err = json_read(VIEW_STR(text), &json, NULL);

        done = err == OK;
        assert_true(done || (err == ERR_NO_MEMORY && json == NULL));
        json_wipe(json);
        assert_true(n < 200);
    }
    json_set_alloc_funcs(old_malloc, old_free);
}

static void wiping_reaches_every_text(void **state)
{
    json_malloc_t old_malloc;
    json_free_t old_free;
    json_t *json = NULL;

    (void)state;
    assert_int_equal(json_read(VIEW_STR("{\"a\":[\"correct horse battery staple\"]}"), &json, NULL), OK);
    json_get_alloc_funcs(&old_malloc, &old_free);
    assert_ptr_not_equal(old_free, free); /* what jansson frees while reading is wiped as well */
    json_set_alloc_funcs(old_malloc, looking_free);
    json_wipe(json);
    assert_false(dirty);
    json_set_alloc_funcs(old_malloc, old_free);
}

static void log_lines_are_json(void **state)
{
    int pipe_ends[2], keep = dup(STDERR_FILENO);
    char line[20000];
    json_t *json = NULL;

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
    log_init("test", LOG_INFO);
    log_line(LOG_DEBUG, "not shown");
    log_warn("it's \"%s\"\n%s", "quoted", "\x1b[2J\xff");
    (void)dup2(keep, STDERR_FILENO);
    ssize_t n = read(pipe_ends[0], line, sizeof line);

    assert_true(n > 0 && line[n - 1] == '\n');
    assert_int_equal(json_read(VIEW(line, (size_t)n), &json, NULL), OK);
    assert_string_equal(json_string_value(json_object_get(json, "level")), "warning");
    assert_string_equal(json_string_value(json_object_get(json, "process")), "test");
    assert_string_equal(json_string_value(json_object_get(json, "message")), "it's \"quoted\"\n\x1b[2J�");
    json_wipe(json);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    (void)close(keep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(values_are_stepped_through),
        cmocka_unit_test(checking_agrees_with_reading),
        cmocka_unit_test(builders_place_commas),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(any_bytes_become_json),
        cmocka_unit_test(reading_survives_failing_allocations),
        cmocka_unit_test(wiping_reaches_every_text),
        cmocka_unit_test(log_lines_are_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
