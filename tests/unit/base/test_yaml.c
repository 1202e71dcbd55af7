#include "support.h"

#include "base/yaml.h"

#include "sample.h"

static struct arena *arena;

static int open_arena(void **state)
{
    (void)state;
    return arena_new(4096, 4 << 20, &arena) == OK ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void nodes_know_where_they_are(void **state)
{
    static const char text[] = "# comment\nname: plain text\n\"quoted\": 'it''s'\nlist:\n  - 1\n  - {é: x, k: [a]}\n"
                               "block: |\n  two\n  lines\nempty:\n";
    const struct yaml_node *root, *n;

    (void)state;
    assert_int_equal(yaml_read("f.yaml", VIEW_STR(text), arena, &root, NULL), OK);
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 5);
    n = yaml_get(root, "name");
    SUPPORT_VIEW_EQ(n->text, VIEW_STR("plain text"));
    assert_true(n->line == 2 && n->column == 7 && !n->quoted);
    assert_string_equal(n->file, "f.yaml");
    n = yaml_get(root, "quoted");
    SUPPORT_VIEW_EQ(n->text, VIEW_STR("it's"));
    assert_true(n->quoted);
    n = yaml_get(root, "list");
    assert_true(n->kind == YAML_LIST && n->count == 2);
    n = yaml_get(&n->items[1], "k");
    assert_true(n->kind == YAML_LIST && n->line == 6 && n->column == 15);
    SUPPORT_VIEW_EQ(yaml_get(root, "block")->text, VIEW_STR("two\nlines\n"));
    assert_true(yaml_get(root, "block")->quoted);
    assert_int_equal(yaml_get(root, "empty")->text.len, 0);
    assert_null(yaml_get(root, "absent"));
    assert_null(yaml_get(yaml_get(root, "name"), "x"));
    assert_null(yaml_get(NULL, "x"));
}

static void surprises_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *where;
    } cases[] = {
        {"", ERR_BAD_CONFIG, "f:1:1"},
        {"# nothing\n", ERR_BAD_CONFIG, "f:1:1"},
        {"a: 1\nb: &x 2\n", ERR_BAD_CONFIG, "f:2:4"},
        {"a: &x [1]\n", ERR_BAD_CONFIG, "f:1:4"},
        {"a: *x\n", ERR_BAD_CONFIG, "f:1:4"},
        {"a: !!str 1\n", ERR_BAD_CONFIG, "f:1:4"},
        {"a: !thing {}\n", ERR_BAD_CONFIG, "f:1:4"},
        {"<<: {a: 1}\n", ERR_BAD_CONFIG, "f:1:1"},
        {"a: 1\nb: 2\na: 3\n", ERR_DUPLICATE_FIELD, "f:3:1"},
        {"a: 1\n\"a\": 3\n", ERR_DUPLICATE_FIELD, "f:2:1"},
        {"x: {a: 1, b: 2, a: 3}\n", ERR_DUPLICATE_FIELD, "f:1:17"},
        {"a: 1\n---\nb: 2\n", ERR_BAD_CONFIG, "f:2:1"},
        {"%YAML 1.1\n---\na: 1\n", ERR_BAD_CONFIG, "f:1:1"},
        {"{[a]: b}\n", ERR_BAD_CONFIG, "f:1:2"},
        {"? {a: 1}\n: b\n", ERR_BAD_CONFIG, "f:1:3"},
        {"a: [1\n", ERR_BAD_CONFIG, NULL},
        {"a: 1\n\tb: 2\n", ERR_BAD_CONFIG, NULL},
        {"a: \"\\0\"\n", ERR_BAD_CONFIG, "f:1:4"},
        {"a: \xff\n", ERR_BAD_CONFIG, NULL},
        {"a: \x01\n", ERR_BAD_CONFIG, NULL},
        {"\xff\xfe"
         "a: 1\n",
         ERR_BAD_CONFIG, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct yaml_node *root = NULL;
        struct problem why = {0};
        enum err err = yaml_read("f", view_str(cases[i].text), arena, &root, &why);

        if (err != cases[i].err || why.code != err || (cases[i].where && strcmp(why.where, cases[i].where) != 0))
            fail_msg("case %zu: %s at %s: %s", i, err_code(err), why.where, why.detail);
        assert_null(root);
        assert_true(strncmp(why.where, "f:", 2) == 0);
    }
}

static void sizes_are_bounded(void **state)
{
    AUTO_WRITER w = writer_new(YAML_MAX_SIZE + 10);
    const struct yaml_node *root = NULL;
    struct arena *small = NULL;

    (void)state;
    for (int depth = YAML_MAX_DEPTH; depth <= YAML_MAX_DEPTH + 1; depth++) {
        writer_reset(&w);
        for (int i = 0; i < depth; i++)
            writer_str(&w, "[");
        for (int i = 0; i < depth; i++)
            writer_str(&w, "]");
        assert_int_equal(yaml_read("f", writer_view_of(&w), arena, &root, NULL),
                         depth > YAML_MAX_DEPTH ? ERR_TOO_LONG : OK);
    }
    writer_reset(&w);
    for (int i = 0; i < 5000; i++)
        writer_printf(&w, "k%d: 1\n", i);
    assert_int_equal(yaml_read("f", writer_view_of(&w), arena, &root, NULL), ERR_TOO_LONG);
    while (w.len <= YAML_MAX_SIZE)
        writer_u8(&w, '#');
    assert_int_equal(yaml_read("f", writer_view_of(&w), arena, &root, NULL), ERR_TOO_LONG);
    for (size_t limit = 0; limit < 1500; limit += 32) {
        assert_int_equal(arena_new(16, limit, &small), OK);
        enum err err = yaml_read("f", VIEW_STR("a: [1, 2]\nb: {c: d}\n"), small, &root, NULL);

        assert_true(err == OK || err == ERR_NO_MEMORY);
        assert_true(limit > 400 || err == ERR_NO_MEMORY);
        arena_free(small);
    }
}

static void entities_fill_from_yaml(void **state)
{
    static const char text[] =
        "name: 1.50\nflag: true\nport: 443\nkind: first\nat: 2026-11-22T00:43:22.123Z\n"
        "tags: [1, yes]\nside: buy\ndocument: {p: 1.50, q: [1e2, yes, ~, \"2\"], \"r\": |\n  x\n}\n";
    static const char other[] = "name: 1.50\nflag: true\nport: 443\nkind: first\nat: 2026-11-22T00:43:22.123Z\n"
                                "tags: [1, yes]\nside: buy\ndocument: {p: 1.50, q: [1e2, yes, ~, \"2\"]}\n"
                                "parts:\n- {}\n- note: |\n    hello\n";
    struct sample s;
    struct problem why = {0};
    AUTO_WRITER w = writer_new(1000);

    (void)state;
    assert_int_equal(yaml_parse(&sample_entity, VIEW_STR(text), "f", arena, &s, &why), ERR_BAD_CONFIG);
    assert_int_equal(yaml_parse(&sample_entity, VIEW_STR(other), "f", arena, &s, &why), OK);
    entity_to_json(&sample_entity, &s, &w);
    support_expect(
        &w, "{\"flag\":true,\"port\":443,\"at\":\"2026-11-22T00:43:22.123Z\",\"kind\":\"first\",\"name\":\"1.50\","
            "\"side\":\"buy\",\"tags\":[\"1\",\"yes\"],\"document\":{\"p\":1.50,\"q\":[1e2,\"yes\",null,\"2\"]},"
            "\"parts\":[{},{\"note\":\"hello\\n\"}]}");
}

static void entity_errors_name_line_and_column(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        const char *where;
    } cases[] = {
        {"name: abc\nflag: yes\n", ERR_WRONG_TYPE, "f:2:7"},
        {"name: abc\nflag: \"true\"\n", ERR_WRONG_TYPE, "f:2:7"},
        {"name: abc\nport: '443'\n", ERR_WRONG_TYPE, "f:2:7"},
        {"name: abc\nport: 0443\n", ERR_WRONG_TYPE, "f:2:7"},
        {"name: abc\nport: 70000\n", ERR_OUT_OF_RANGE, "f:2:7"},
        {"name: abc\nbig: 99999999999999999999999999\n", ERR_OUT_OF_RANGE, "f:2:6"},
        {"name: abc\nbogus: 1\n", ERR_UNKNOWN_FIELD, "f:2:1"},
        {"name: abc\npolicy:\n  weight: 5\n  bo/g~us: 1\n", ERR_UNKNOWN_FIELD, "f:4:3"},
        {"name: abc\npolicy:\n  symbols: [a, b, \"\\n\"]\n", ERR_BAD_VALUE, "f:3:19"},
        {"name: abc\nparts:\n- {}\n- {weight: 101}\n", ERR_OUT_OF_RANGE, "f:4:12"},
        {"name: abc\nparts: 5\n", ERR_WRONG_TYPE, "f:2:8"},
        {"name: abc\npolicy: []\n", ERR_WRONG_TYPE, "f:2:9"},
        {"name:\n", ERR_WRONG_TYPE, "f:1:6"},
        {"name: null\n", ERR_WRONG_TYPE, "f:1:7"},
        {"name: [abc]\n", ERR_WRONG_TYPE, "f:1:7"},
        {"port: 1\n", ERR_MISSING_FIELD, "f:1:1"},
        {"- 1\n", ERR_WRONG_TYPE, "f:1:1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sample s = {.count = 77};
        struct problem why = {0};
        enum err err = yaml_parse(&sample_entity, view_str(cases[i].text), "f", arena, &s, &why);

        if (err != cases[i].err || why.code != err || strcmp(why.where, cases[i].where) != 0)
            fail_msg("case %zu: %s at %s: %s", i, err_code(err), why.where, why.detail);
        assert_int_equal(s.count, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_where_they_are),
        cmocka_unit_test(surprises_are_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(entities_fill_from_yaml),
        cmocka_unit_test(entity_errors_name_line_and_column),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
