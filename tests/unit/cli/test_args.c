/* Words are taken apart as people expect, and what is wrong is named. */
#include "support.h"

#include "cli/args.h"

#define NOW_MS UINT64_C(1795046400000) /* 2026-11-19T00:00:00Z */

static RESULT parse(const char *command, const char *const *words, struct args *ret, struct problem *why)
{
    static char copies[32][256];
    char *list[32], *verbs[4];
    int count = 0, verb_count = 0, used;
    char path[64];

    (void)snprintf(path, sizeof path, "%s", command);
    for (char *at = path; *at;) {
        verbs[verb_count++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    for (; words[count]; count++) {
        (void)snprintf(copies[count], sizeof copies[0], "%s", words[count]);
        list[count] = copies[count];
    }
    const struct cli_command *cmd = command_find(verb_count, verbs, &used);
    assert_non_null(cmd);
    assert_string_equal(cmd->path, command);
    return args_parse(cmd, count, list, NOW_MS, ret, why);
}
#define PARSE(command, ...) parse(command, (const char *const[]){__VA_ARGS__, NULL}, &args, &why)

static void good(void **state)
{
    struct args args;
    struct problem why;
    size_t at = 0;

    (void)state;
    assert_int_equal(PARSE("secret put", "a/b", "--tag=one", "--kind", "api_key", "--tag", "two", "-ojson"), OK);
    assert_string_equal(args.arguments[0], "a/b");
    assert_string_equal(args_text(&args, "kind"), "api_key");
    assert_string_equal(args_text(&args, "output"), "json");
    assert_string_equal(args_next(&args, "tag", &at), "one");
    assert_string_equal(args_next(&args, "tag", &at), "two");
    assert_null(args_next(&args, "tag", &at));
    assert_false(args_has(&args, "trim"));
    assert_null(args_text(&args, "owner"));
}

static void rest_is_arguments(void **state)
{
    struct args args;
    struct problem why;

    (void)state;
    assert_int_equal(PARSE("secret list", "--", "--odd"), OK);
    assert_string_equal(args.arguments[0], "--odd");
    assert_int_equal(PARSE("audit verify", "-"), OK);
    assert_string_equal(args.arguments[0], "-");
    assert_int_equal(PARSE("operator seal", "-yojson"), OK);
    assert_true(args_has(&args, "yes"));
    assert_string_equal(args_text(&args, "output"), "json");
}

static void help_beats_errors(void **state)
{
    struct args args;
    struct problem why;

    (void)state;
    assert_int_equal(PARSE("secret put", "--nonsense", "-h"), OK);
    assert_true(args.help);
    assert_int_equal(PARSE("secret list", "--", "--help"), OK);
    assert_false(args.help);
}

static void durations_and_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } rows[] = {{"0", 0}, {"90", 90}, {"90s", 90}, {"15m", 900}, {"24h", 86400}, {"7d", 604800}, {"2w", 1209600}};
    struct args args;
    struct problem why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(PARSE("key rotate", "id", "--grace", rows[i].text), OK);
        assert_int_equal(args_number(&args, "grace", 1), rows[i].seconds);
    }
    assert_int_equal(PARSE("audit search", "--from", "24h", "--to", "2026-11-18"), OK);
    assert_int_equal(args_number(&args, "from", 0), NOW_MS - 86400000);
    assert_int_equal(args_number(&args, "to", 0), NOW_MS - 86400000);
    assert_int_equal(PARSE("audit search", "--from", "2026-11-19T01:00:00+01:00"), OK);
    assert_int_equal(args_number(&args, "from", 0), NOW_MS);
}

static void bad(void **state)
{
    static const struct {
        const char *command, *words[6], *says;
    } rows[] = {
        {"secret put", {NULL}, "PATH is missing"},
        {"secret put", {"", NULL}, "PATH is empty"},
        {"secret put", {"a", "b", NULL}, "one word too many"},
        {"secret put", {"a", "--valuefile", "x", NULL}, "did you mean --value-file"},
        {"secret put", {"a", "--zzzzzzzzzz", NULL}, "has no option --zzzzzzzzzz"},
        {"credential freeze", {"a", "--yes", NULL}, "no option --yes; see 'holdfast credential freeze --help'"},
        {"secret put", {"a", "--kind", NULL}, "--kind needs its KIND"},
        {"secret put", {"a", "--kind", "token", NULL}, "--kind takes api_key, private_key"},
        {"secret put", {"a", "--kind", "password", "--kind", "api_key", NULL}, "--kind is given twice"},
        {"secret put", {"a", "--trim=yes", NULL}, "--trim takes no value"},
        {"secret put", {"a", "--owner=", NULL}, "--owner takes a value that is not empty"},
        {"secret put", {"a", "-x", NULL}, "has no option -x"},
        {"secret get", {"a", "--version", "-1", NULL}, "--version takes a number"},
        {"secret get", {"a", "--version", "9007199254740993", NULL}, "--version takes a number"},
        {"key rotate", {"a", "--grace", "1y", NULL}, "--grace takes a duration"},
        {"key rotate", {"a", "--grace", "99999999999999999999d", NULL}, "--grace takes a duration"},
        {"audit search", {"--from", "yesterday", NULL}, "--from takes a time"},
        {"operator init", {"--reason", "x", NULL}, "has no option --reason"},
    };
    struct args args;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct problem why = {0};
        assert_int_equal(parse(rows[i].command, rows[i].words, &args, &why), ERR_USAGE);
        if (!strstr(why.detail, rows[i].says))
            fail_msg("row %zu says: %s", i, why.detail);
    }
}

/* Nobody gets a key that lives longer than was asked for. */
static void a_keys_life_is_not_rounded(void **state)
{
    static char lives[][4] = {"0d", "1h", "2s", "25h"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        struct ran r = RUN("key", "create", "bot", "--role", "viewer", "--expires", lives[i]);
        assert_int_equal(r.code, 2);
        assert_non_null(strstr(r.err, "whole days"));
        support_done(&r);
    }
}

static void unknown_commands(void **state)
{
    struct ran r = RUN("secrte", "get");

    (void)state;
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "did you mean 'secret get'"));
    support_done(&r);
    r = RUN("operator");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "operator unseal"));
    assert_string_equal(r.out, "");
    support_done(&r);
    r = RUN("operator", "--help");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.out, "operator unseal"));
    support_done(&r);
    r = RUN("secret", "put");
    assert_int_equal(r.code, 2);
    support_done(&r);
}

/* A program that reads JSON gets JSON, also when it goes wrong. */
static void problems_as_json(void **state)
{
    const char *home = support_home();
    struct ran r = RUN("secret", "get", "a/b", "--reason", "x", "-o", "json", "--address", "unix:/nowhere/api.sock");
    json_t *problem = NULL;

    (void)state;
    (void)home;
    assert_int_equal(r.code, 7);
    assert_int_equal(json_read(VIEW(r.err, strlen(r.err) - 1), &problem, NULL), OK);
    assert_string_equal(json_string_value(json_object_get(problem, "code")), "unavailable");
    assert_int_equal(json_integer_value(json_object_get(problem, "exit")), 7);
    json_decref(problem);
    support_done(&r);
    support_home_done();
}

/* A secret in an argument would be seen by the whole host: no command takes one there. */
static void no_secret_is_an_argument(void **state)
{
    static const char *const forbidden[] = {"password", "secret", "value", "token", "share", "private", "bundle"};
    const struct cli_option *o;

    (void)state;
    for (size_t i = 0; i < command_count; i++)
        for (size_t k = 0; (o = command_option_at(&command_table[i], k)); k++)
            for (size_t f = 0; f < ARRAY_LEN(forbidden); f++)
                if (strstr(o->name, forbidden[f]) == o->name && o->kind != OPTION_FILE && o->kind != OPTION_FLAG &&
                    o->kind != OPTION_NUMBER)
                    fail_msg("holdfast %s takes --%s from the command line", command_table[i].path, o->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(rest_is_arguments),
        cmocka_unit_test(help_beats_errors),
        cmocka_unit_test(durations_and_times),
        cmocka_unit_test(bad),
        cmocka_unit_test(a_keys_life_is_not_rounded),
        cmocka_unit_test(unknown_commands),
        cmocka_unit_test(problems_as_json),
        cmocka_unit_test(no_secret_is_an_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
