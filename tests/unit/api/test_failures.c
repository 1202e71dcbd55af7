/* The table of failures is what docs/failures.md says it is, and each kind of route is in the class one expects. */
#include "api/failure_table.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN "<!-- failures:begin -->\n"
#define END   "<!-- failures:end -->"

static void put_table(struct writer *w)
{
    writer_str(w, "| failure |");
    for (size_t c = 0; c < CLASS_COUNT; c++)
        writer_printf(w, " %s |", request_class_names[c]);
    writer_str(w, "\n|---|");
    for (size_t c = 0; c < CLASS_COUNT; c++)
        writer_str(w, "---|");
    writer_str(w, "\n");
    for (size_t f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++) {
        writer_printf(w, "| %s |", failure_names[f]);
        for (size_t c = 0; c < CLASS_COUNT; c++) {
            enum err e = failure_answer((enum failure)f, (enum request_class)c);
            writer_printf(w, e == OK ? " answered |" : " `%s` |", err_code(e));
        }
        writer_str(w, "\n");
    }
}

static void agrees(const char *page)
{
    AUTO_WRITER expected = writer_new(16384);
    static char text[65536];
    char path[4096];
    const char *source = getenv("HOLDFAST_SOURCE"), *begin, *end;
    FILE *f;

    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/%s", source, page);
    f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    begin = strstr(text, BEGIN);
    assert_non_null(begin);
    begin += strlen(BEGIN);
    end = strstr(begin, END);
    assert_non_null(end);
    put_table(&expected);
    assert_int_equal(writer_done(&expected), OK);
    assert_int_equal(expected.len, end - begin);
    assert_memory_equal(expected.ptr, begin, expected.len);
}

static void pages_and_program_agree(void **state)
{
    (void)state;
    agrees("docs/failures.md");
    agrees("ARCHITECTURE.md");
}

static void nothing_is_wrong_then_all_is_answered(void **state)
{
    (void)state;
    for (size_t c = 0; c < CLASS_COUNT; c++)
        assert_int_equal(failure_answer(FAILURE_NONE, (enum request_class)c), OK);
}

static void health_always_answers(void **state)
{
    (void)state;
    for (size_t f = 0; f < FAILURE_COUNT; f++)
        assert_int_equal(failure_answer((enum failure)f, CLASS_HEALTH), OK);
}

static void routes_have_their_class(void **state)
{
    static const struct {
        struct route route;
        enum request_class is;
    } cases[] = {
        {{.method = HTTP_GET, .name = "health", .tag = "system"}, CLASS_HEALTH},
        {{.method = HTTP_POST, .name = "login", .tag = "session"}, CLASS_LOGIN},
        {{.method = HTTP_POST, .name = "enrol", .tag = "session"}, CLASS_LOGIN},
        {{.method = HTTP_POST, .name = "sign", .tag = "sign"}, CLASS_SIGN},
        {{.method = HTTP_GET, .name = "secret-read", .tag = "secrets"}, CLASS_SECRET},
        {{.method = HTTP_POST, .name = "secret-rotate", .tag = "secrets"}, CLASS_CHANGE},
        {{.method = HTTP_GET, .name = "audit-records", .tag = "audit"}, CLASS_AUDIT},
        {{.method = HTTP_GET, .name = "users", .tag = "users"}, CLASS_READ},
        {{.method = HTTP_POST, .name = "key-verify", .tag = "keys"}, CLASS_VERDICT},
        {{.method = HTTP_DELETE, .name = "key-revoke", .tag = "keys"}, CLASS_CHANGE},
        {{.method = HTTP_PUT, .name = "credential-put"}, CLASS_CHANGE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(failure_class_of(&cases[i].route), cases[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_and_program_agree),
        cmocka_unit_test(nothing_is_wrong_then_all_is_answered),
        cmocka_unit_test(health_always_answers),
        cmocka_unit_test(routes_have_their_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
