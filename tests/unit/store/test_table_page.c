/* What messages call a table is what ARCHITECTURE.md calls it: whoever reads one in a log looks it up there. */
#include "store_test.h"

#include "store/store.h"

#include <stdio.h>

static void test_names_are_those_of_the_page(void **state)
{
    char path[512], line[1024], wanted[128];
    const char *source = getenv("HOLDFAST_SOURCE");
    unsigned found = 0;
    (void)state;
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/ARCHITECTURE.md", source);
    FILE *page = fopen(path, "r");
    assert_non_null(page);
    while (fgets(line, sizeof line, page)) {
        for (uint16_t table = 1; table < TABLE_COUNT; table++) {
            (void)snprintf(wanted, sizeof wanted, "| %u | %s | ", table, store_table_name(table));
            found += strncmp(line, wanted, strlen(wanted)) == 0;
        }
    }
    fclose(page);
    assert_int_equal(found, TABLE_COUNT - 1);
}

static void test_every_table_says_what_it_holds(void **state)
{
    (void)state;
    for (uint16_t table = 1; table < TABLE_COUNT; table++)
        assert_true(store_table_rows(table) && strlen(store_table_rows(table)) > 3);
    assert_string_equal(store_table_name(0), "?");
    assert_string_equal(store_table_name(TABLE_COUNT), "?");
    assert_string_equal(store_table_rows(UINT16_MAX), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_are_those_of_the_page),
                                       cmocka_unit_test(test_every_table_says_what_it_holds)};
    return cmocka_run_group_tests_name("store table page", tests, NULL, NULL);
}
