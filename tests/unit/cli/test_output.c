/* What people and programs see. */
#include "support.h"

#include "cli/fields_json.h"
#include "cli/output.h"

struct screen {
    struct cli c;
    char *out, *err;
    size_t out_len, err_len;
};

static void open_screen(struct screen *s, unsigned width, bool json)
{
    static const struct cli_command plain = {.path = "test"};

    *s = (struct screen){0};
    s->c = (struct cli){.width = width, .json = json, .args = {.command = &plain}};
    s->c.out = open_memstream(&s->out, &s->out_len);
    s->c.err = open_memstream(&s->err, &s->err_len);
    assert_int_equal(arena_new(4096, 1 << 20, &s->c.arena), OK);
}

static void flush(struct screen *s)
{
    assert_int_equal(fflush(s->c.out), 0);
    assert_int_equal(fflush(s->c.err), 0);
}

static void close_screen(struct screen *s)
{
    (void)fclose(s->c.out);
    (void)fclose(s->c.err);
    free(s->out);
    free(s->err);
    arena_free(s->c.arena);
}

static const struct column columns[] = {{"name", "NAME"}, {"roles", "ROLES"}, {"who.actor", "WHO"}, {"n", NULL}};
static const char people[] =
    "{\"list\":[{\"name\":\"alice\",\"roles\":[\"a\",\"b\"],\"who\":{\"actor\":\"user:x\"},\"n\":1},"
    "{\"name\":\"zoë\",\"roles\":[],\"n\":-20,\"more\":true}]}";

static void table_lines_up(void **state)
{
    struct screen s;

    (void)state;
    open_screen(&s, 0, false);
    assert_int_equal(output_list(&s.c, view_str(people), "list", columns, ARRAY_LEN(columns), "nobody"), OK);
    flush(&s);
    assert_string_equal(s.out, "NAME   ROLES  WHO     n\n"
                               "alice  a, b   user:x  1\n"
                               "zoë                   -20\n");
    close_screen(&s);
}

/* The server's order is of blinded names; a person looks for a path. A page of a longer list stays as it came, since
 * the next page does not go on where this one would seem to end. */
static void a_whole_list_is_sorted_and_a_page_is_not(void **state)
{
    static const char whole[] =
        "{\"list\":[{\"name\":\"b\",\"n\":1},{\"name\":\"c\",\"n\":2},{\"name\":\"a\",\"n\":3}]}";
    static const char page[] = "{\"list\":[{\"name\":\"b\",\"n\":1},{\"name\":\"a\",\"n\":3}],\"next\":\"00\"}";
    static const struct column two[] = {{"name", "NAME"}, {"n", "N"}};
    struct screen s;

    (void)state;
    open_screen(&s, 0, false);
    s.c.args.command = &command_table[0];
    assert_int_equal(output_sorted_list(&s.c, view_str(whole), "list", two, 2, "nobody"), OK);
    assert_int_equal(output_sorted_list(&s.c, view_str(page), "list", two, 2, "nobody"), OK);
    flush(&s);
    assert_string_equal(s.out, "NAME  N\na     3\nb     1\nc     2\nNAME  N\nb     1\na     3\n");
    close_screen(&s);
    open_screen(&s, 0, true);
    assert_int_equal(output_sorted_list(&s.c, view_str(whole), "list", two, 2, "nobody"), OK);
    flush(&s);
    assert_string_equal(s.out,
                        "{\"list\":[{\"name\":\"b\",\"n\":1},{\"name\":\"c\",\"n\":2},{\"name\":\"a\",\"n\":3}]}\n");
    close_screen(&s);
}

static void table_fits_the_terminal(void **state)
{
    static const char wide[] = "{\"list\":[{\"name\":\"a-very-long-name-that-goes-on-and-on-and-on\",\"roles\":\"r\","
                               "\"n\":7}]}";
    struct screen s;

    (void)state;
    open_screen(&s, 40, false);
    assert_int_equal(output_list(&s.c, view_str(wide), "list", columns, ARRAY_LEN(columns), "nobody"), OK);
    flush(&s);
    for (const char *line = s.out; *line;) {
        size_t len = strcspn(line, "\n"), seen = 0;
        for (size_t i = 0; i < len; i++)
            seen += ((unsigned char)line[i] & 0xc0) != 0x80;
        assert_true(seen <= 40);
        line += len + 1;
    }
    assert_non_null(strstr(s.out, "…"));
    close_screen(&s);
}

/* A name in the store must not drive somebody's terminal. */
static void nothing_escapes(void **state)
{
    static const char nasty[] = "{\"list\":[{\"name\":\"\\u001b]0;x\\u0007\\u202e\\nfake\"}]}";
    struct screen s;

    (void)state;
    open_screen(&s, 0, false);
    assert_int_equal(output_list(&s.c, view_str(nasty), "list", columns, 1, "nobody"), OK);
    flush(&s);
    assert_null(strchr(s.out, '\033'));
    assert_null(strchr(s.out, '\007'));
    assert_null(strstr(s.out, "\xe2\x80\xae"));
    assert_null(strstr(s.out, "\nfake"));
    close_screen(&s);
    open_screen(&s, 0, false);
    s.c.why.code = ERR_FORBIDDEN;
    (void)snprintf(s.c.why.detail, sizeof s.c.why.detail, "\033[2J");
    output_problem(&s.c, ERR_FORBIDDEN);
    flush(&s);
    assert_null(strchr(s.err, '\033'));
    close_screen(&s);
}

static void json_is_as_it_came(void **state)
{
    static const char exact[] = "{\"list\":[], \"price\":0.10000000000000000001}";
    struct screen s;

    (void)state;
    open_screen(&s, 20, true);
    assert_int_equal(output_list(&s.c, view_str(exact), "list", columns, ARRAY_LEN(columns), "nobody"), OK);
    flush(&s);
    assert_string_equal(s.out, "{\"list\":[], \"price\":0.10000000000000000001}\n");
    assert_string_equal(s.err, "");
    close_screen(&s);
}

static void empty_and_more(void **state)
{
    struct screen s;

    (void)state;
    open_screen(&s, 0, false);
    assert_int_equal(output_list(&s.c, view_str("{\"list\":[]}"), "list", columns, 1, "nobody is here"), OK);
    assert_int_equal(
        output_list(&s.c, view_str("{\"list\":[{\"name\":\"x\"}],\"next\":\"y\"}"), "list", columns, 1, "nobody"), OK);
    assert_int_equal(output_list(&s.c, view_str("<html>"), "list", columns, 1, "nobody"), ERR_BAD_JSON);
    flush(&s);
    assert_string_equal(s.err, "nobody is here\nThere are more: go on with --after y\n");
    close_screen(&s);
}

static void details_line_up(void **state)
{
    static const struct column some[] = {{"a", "Short"}, {"b", "Much longer"}, {"c", "Not there and very long"}};
    struct screen s;

    (void)state;
    open_screen(&s, 0, false);
    assert_int_equal(output_object(&s.c, view_str("{\"b\":true,\"a\":\"x\"}"), some, ARRAY_LEN(some)), OK);
    flush(&s);
    assert_string_equal(s.out, "Short        x\nMuch longer  yes\n");
    close_screen(&s);
}

static void members_of_answers(void **state)
{
    struct screen s;
    struct view v;

    (void)state;
    open_screen(&s, 0, false);
    assert_int_equal(fields_json_get(&s.c, view_str("{\"token\":\"hfs_x\",\"n\":1}"), "token", &v), OK);
    assert_true(view_is(v, "hfs_x"));
    assert_int_equal(fields_json_get(&s.c, view_str("{\"n\":1}"), "token", &v), OK);
    assert_int_equal(v.len, 0);
    assert_int_equal(fields_json_get(&s.c, view_str("[1"), "token", &v), ERR_BAD_JSON);
    close_screen(&s);
}

static void values_keep_their_bytes(void **state)
{
    AUTO_WRITER w = writer_new(256);

    (void)state;
    json_open(&w, '{');
    fields_json_value(&w, VIEW("\xff\0", 2));
    json_close(&w, '}');
    assert_true(view_is(writer_view_of(&w), "{\"value_base64\":\"/wA=\"}"));
    writer_reset(&w);
    json_open(&w, '{');
    fields_json_value(&w, VIEW_STR("zo\xc3\xab\n"));
    json_close(&w, '}');
    assert_true(view_is(writer_view_of(&w), "{\"value\":\"zo\xc3\xab\\n\"}"));
}

static void problem_is_a_sentence(void **state)
{
    struct screen s;

    (void)state;
    open_screen(&s, 0, false);
    assert_int_equal(cli_fail(&s.c, ERR_BAD_POLICY, "/symbols/0", "it is both allowed and blocked"), ERR_BAD_POLICY);
    (void)snprintf(s.c.request_id, sizeof s.c.request_id, "abc");
    output_problem(&s.c, ERR_BAD_POLICY);
    flush(&s);
    assert_string_equal(s.err, "holdfast: The signing policy is wrong.\n"
                               "  it is both allowed and blocked\n"
                               "  where: /symbols/0\n"
                               "  code:  bad-policy\n"
                               "  request id: abc\n");
    close_screen(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_lines_up),          cmocka_unit_test(a_whole_list_is_sorted_and_a_page_is_not),
        cmocka_unit_test(table_fits_the_terminal), cmocka_unit_test(nothing_escapes),
        cmocka_unit_test(json_is_as_it_came),      cmocka_unit_test(empty_and_more),
        cmocka_unit_test(details_line_up),         cmocka_unit_test(members_of_answers),
        cmocka_unit_test(values_keep_their_bytes), cmocka_unit_test(problem_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
