/* Who may what: the whole matrix of built-in roles is held against roles.expected. */
#include "domain/identity/roles.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct roles *roles;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(roles_new(&roles), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    roles_free(roles);
    return 0;
}

static void put_role(struct writer *w, const struct role *r)
{
    static const char *const levels[] = {"none", "read", "write", "admin", "emergency"};
    writer_printf(w, "%s\n  secrets %s\n", r->name, levels[r->level]);
    for (unsigned p = 0; p < PERMISSION_COUNT; p++)
        if (permission_has(r->grants, (enum permission)p))
            writer_printf(w, "  + %s\n", permission_name((enum permission)p));
    for (unsigned p = 0; p < PERMISSION_COUNT; p++)
        if (permission_has(r->denies, (enum permission)p))
            writer_printf(w, "  - %s\n", permission_name((enum permission)p));
}

static void test_matrix_is_as_written(void **state)
{
    (void)state;
    char path[4096], expected[8192];
    const char *source = getenv("HOLDFAST_SOURCE");
    assert_non_null(source);
    snprintf(path, sizeof path, "%s/tests/unit/domain/roles.expected", source);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(expected, 1, sizeof expected - 1, f);
    expected[n] = '\0';
    fclose(f);
    AUTO_WRITER w = writer_new(8192);
    for (size_t i = 0; i < roles_builtin_count; i++)
        put_role(&w, &roles_builtin[i]);
    writer_u8(&w, 0);
    assert_int_equal(writer_done(&w), OK);
    assert_string_equal((const char *)w.ptr, expected);
}

/* The page's table, one line for each role. */
static void put_page(struct writer *w)
{
    writer_str(w, "<!-- roles:begin -->\n| role | secrets | permissions |\n|---|---|---|\n");
    for (size_t i = 0; i < roles_builtin_count; i++) {
        const struct role *r = &roles_builtin[i];
        writer_printf(w, "| %s | %s |", r->name, access_level_names[r->level]);
        for (unsigned p = 0; p < PERMISSION_COUNT; p++)
            if (permission_has(r->grants, (enum permission)p) || permission_has(r->denies, (enum permission)p))
                writer_printf(w, " %c%s", permission_has(r->denies, (enum permission)p) ? '-' : '+',
                              permission_name((enum permission)p));
        writer_str(w, " |\n");
    }
    writer_str(w, "<!-- roles:end -->");
    writer_u8(w, 0);
}

static void test_page_says_what_the_program_does(void **state)
{
    (void)state;
    char path[4096], page[32768];
    snprintf(path, sizeof path, "%s/docs/roles.md", getenv("HOLDFAST_SOURCE"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(page, 1, sizeof page - 1, f);
    page[n] = '\0';
    fclose(f);
    AUTO_WRITER w = writer_new(8192);
    put_page(&w);
    assert_int_equal(writer_done(&w), OK);
    if (!strstr(page, (const char *)w.ptr))
        fail_msg("docs/roles.md should hold:\n%s", (const char *)w.ptr);
}

static bool holds(const char *a, const char *b, enum permission p)
{
    const struct view names[] = {view_str(a), view_str(b)};
    struct permission_set set = {0};
    uint8_t level = 0;
    assert_int_equal(roles_effective(roles, names, b ? 2 : 1, &set, &level), OK);
    return permission_has(set, p);
}

static void test_denial_beats_every_grant(void **state)
{
    (void)state;
    assert_true(holds("admin", NULL, PERMISSION_WEB_ACCESS));
    assert_false(holds("admin", "service-account", PERMISSION_WEB_ACCESS));
    assert_false(holds("service-account", "admin", PERMISSION_WEB_ACCESS));
    assert_true(holds("admin", "trader", PERMISSION_ORDERS_PLACE));
    for (size_t i = 0; i < roles_builtin_count; i++)
        assert_false(holds(roles_builtin[i].name, "trader", PERMISSION_FUNDS_MANAGE));
}

static void test_level_is_the_highest(void **state)
{
    (void)state;
    const struct view names[] = {VIEW_STR("read_only"), VIEW_STR("trader"), VIEW_STR("viewer")};
    struct permission_set set = {.bits = 7};
    uint8_t level = 77;
    assert_int_equal(roles_effective(roles, names, 3, &set, &level), OK);
    assert_int_equal(level, ACCESS_WRITE);
    assert_int_equal(roles_effective(roles, names, 0, &set, &level), OK);
    assert_int_equal(level, ACCESS_NONE);
    assert_int_equal(set.bits, 0);
}

static void test_unknown_role_grants_nothing(void **state)
{
    (void)state;
    const struct view names[] = {VIEW_STR("admin"), VIEW_STR("Admin")};
    struct permission_set set = {.bits = 5};
    uint8_t level = 9;
    assert_int_equal(roles_effective(roles, names, 2, &set, &level), ERR_NOT_FOUND);
    assert_int_equal(set.bits, 5);
    assert_int_equal(level, 9);
}

static void test_names_of_routes_can_not_be_given(void **state)
{
    (void)state;
    enum permission p = PERMISSION_NONE;
    assert_int_equal(permission_find(VIEW_STR("public"), &p), ERR_NOT_FOUND);
    assert_int_equal(permission_find(VIEW_STR("authenticated"), &p), ERR_NOT_FOUND);
    assert_int_equal(permission_find(VIEW_STR("none"), &p), ERR_NOT_FOUND);
    for (unsigned i = PERMISSION_AUTHENTICATED + 1; i < PERMISSION_COUNT; i++) {
        assert_int_equal(permission_find(view_str(permission_name((enum permission)i)), &p), OK);
        assert_int_equal(p, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix_is_as_written),        cmocka_unit_test(test_page_says_what_the_program_does),
        cmocka_unit_test(test_denial_beats_every_grant),    cmocka_unit_test(test_level_is_the_highest),
        cmocka_unit_test(test_unknown_role_grants_nothing), cmocka_unit_test(test_names_of_routes_can_not_be_given),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
