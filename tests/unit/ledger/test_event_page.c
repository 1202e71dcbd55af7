/* docs/log.md lists every event with its number and severity, and nothing else. */
#include "base/buf.h"
#include "ledger/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define PAGE     "docs/log.md"
#define HEADING  "\n| event | number | severity |\n"
#define PAGE_MAX (1u << 20)

static char page[PAGE_MAX];
static const char *table;

static int set_up(void **state)
{
    (void)state;
    char path[4096];
    const char *source = getenv("HOLDFAST_SOURCE");
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/%s", source, PAGE);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s can't be read", path);
    size_t n = fread(page, 1, sizeof page - 1, f);
    (void)fclose(f);
    page[n] = 0;
    table = strstr(page, HEADING);
    if (!table)
        fail_msg(PAGE " has no table of events");
    table += sizeof HEADING - 1;
    return 0;
}

static size_t lines_of_table(void)
{
    size_t n = 0;
    for (const char *at = table; *at == '|'; n++) {
        const char *end = strchr(at, '\n');
        if (!end)
            return n + 1;
        at = end + 1;
    }
    return n;
}

static void every_event_is_on_the_page(void **state)
{
    (void)state;
    size_t events = 0;
    for (uint32_t type = 1; type <= UINT16_MAX; type++) {
        char row[256];
        const char *name = event_name((uint16_t)type);
        if (!name)
            continue;
        (void)snprintf(row, sizeof row, "\n| %s | %u | %s |\n", name, type,
                       severity_names[event_severity((uint16_t)type)]);
        if (!strstr(table, row))
            fail_msg(PAGE " has no row:%s", row);
        events++;
    }
    assert_int_equal(lines_of_table(), events + 1); /* and the rule below the heading */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_event_is_on_the_page)};
    return cmocka_run_group_tests_name("event page", tests, set_up, NULL);
}
