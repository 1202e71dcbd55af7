/* docs/errors.md says exactly what errors.def says, and for each error what to do. */
#include "support.h"

#define ROW_MAX 1024

static struct view page;

static int set_up(void **state)
{
    (void)state;
    page = support_file("docs/errors.md");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free((void *)(uintptr_t)page.ptr);
    return 0;
}

/* The line of the page that begins with these bytes, without them; NULL if there is none. */
static const uint8_t *after(const char *beginning, size_t *ret_left)
{
    size_t len = strlen(beginning);
    for (const uint8_t *at = page.ptr, *end = page.ptr + page.len; at && at < end;) {
        const uint8_t *next = memchr(at, '\n', (size_t)(end - at));
        size_t line = (size_t)((next ? next : end) - at);
        if (line >= len && memcmp(at, beginning, len) == 0) {
            *ret_left = line - len;
            return at + len;
        }
        at = next ? next + 1 : NULL;
    }
    return NULL;
}

static void every_error_is_on_the_page(void **state)
{
    (void)state;
    for (enum err e = OK + 1; e < ERR_COUNT; e++) {
        char row[ROW_MAX];
        size_t left = 0;
        int n = snprintf(row, sizeof row, "| `%s` | %d | %d | %s | ", err_code(e), err_http(e), err_exit(e),
                         err_sentence(e));
        assert_in_range(n, 1, ROW_MAX - 1);
        if (!after(row, &left))
            fail_msg("docs/errors.md has no row that begins with:\n%s", row);
        if (left < sizeof "Wait. |")
            fail_msg("docs/errors.md does not say what to do about %s", err_code(e));
    }
}

static void nothing_else_is_on_the_page(void **state)
{
    (void)state;
    size_t rows = 0;
    for (size_t i = 0; i + 3 < page.len; i++)
        rows += (i == 0 || page.ptr[i - 1] == '\n') && memcmp(page.ptr + i, "| `", 3) == 0;
    assert_int_equal(rows, ERR_COUNT - 1);
}

static void codes_differ(void **state)
{
    (void)state;
    for (enum err e = OK; e < ERR_COUNT; e++)
        for (enum err other = e + 1; other < ERR_COUNT; other++)
            if (strcmp(err_code(e), err_code(other)) == 0)
                fail_msg("two errors are called %s", err_code(e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_is_on_the_page),
        cmocka_unit_test(nothing_else_is_on_the_page),
        cmocka_unit_test(codes_differ),
    };
    return cmocka_run_group_tests_name("error page", tests, set_up, tear_down);
}
