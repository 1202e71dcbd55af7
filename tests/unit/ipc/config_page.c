/* docs/configuration.md names every setting, with its default and range. */
#include "ipc/config.h"
#include "ipc/file.h"
#include "test.h"

#include <stdio.h>

#define PAGE "docs/configuration.md"

static struct writer page;
static struct arena *arena;
static struct config defaults;
static size_t rows;

static int set_up(void **state)
{
    (void)state;
    char path[4096];
    struct problem why = {0};
    const char *source = getenv("HOLDFAST_SOURCE");
    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/%s", source, PAGE);
    page = writer_new(1u << 20);
    if (file_read(path, 1u << 20, &page, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    writer_u8(&page, 0);
    assert_ok(arena_new(4096, 1u << 20, &arena));
    return (int)config_parse(VIEW_STR(""), PAGE, arena, &defaults, &why);
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    writer_free(&page);
    return 0;
}

static bool has_limits(const struct field *f)
{
    return f->type == FIELD_U8 || f->type == FIELD_U32;
}

/* The beginning of the row that the page must have. */
static void put_row(const char *inside, const struct field *f, const void *object, struct writer *w)
{
    const struct view *text = (const void *)((const uint8_t *)object + f->offset);
    writer_printf(w, "\n| `%s%s` | ", inside, f->name);
    if (f->type == FIELD_TEXTS || f->type == FIELD_LIST || (f->type == FIELD_TEXT && text->len == 0)) {
        writer_str(w, "none");
    } else {
        writer_u8(w, '`');
        entity_cell(f, object, w);
        writer_u8(w, '`');
    }
    if (has_limits(f))
        writer_printf(w, " | %llu to %llu | ", (unsigned long long)f->min, (unsigned long long)f->max);
    else
        writer_str(w, " | ");
}

static void expect_fields(const struct entity *e, const void *object, const char *inside)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];
        if (f->flags & FIELD_HIDDEN)
            continue;
        if (f->type == FIELD_ENTITY) {
            char below[64];
            (void)snprintf(below, sizeof below, "%s%s.", inside, f->name);
            expect_fields(f->nested, (const uint8_t *)object + f->offset, below);
            continue;
        }
        AUTO_WRITER row = writer_new(4096);
        put_row(inside, f, object, &row);
        writer_u8(&row, 0);
        assert_ok(writer_done(&row));
        if (!strstr((const char *)page.ptr, (const char *)row.ptr))
            fail_msg(PAGE " has no row that begins with:%s", (const char *)row.ptr);
        rows++;
    }
}

static void every_setting_is_on_the_page(void **state)
{
    (void)state;
    expect_fields(&config_entity, &defaults, "");
}

static void nothing_else_is_on_the_page(void **state)
{
    (void)state;
    size_t found = 0;
    for (const char *at = (const char *)page.ptr; (at = strstr(at, "\n| `")); at++)
        found++;
    assert_int_equal(found, rows);
}

/* Its example is a file that is taken as it stands. */
static void the_example_holds(void **state)
{
    (void)state;
    struct config c;
    struct problem why = {0};
    const char *begin = strstr((const char *)page.ptr, "\n```yaml\n"), *end;
    assert_non_null(begin);
    begin += sizeof "\n```yaml\n" - 1;
    assert_non_null((end = strstr(begin, "\n```\n")));
    if (config_parse(VIEW(begin, (size_t)(end - begin) + 1), "example", arena, &c, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_on_the_page),
        cmocka_unit_test(nothing_else_is_on_the_page),
        cmocka_unit_test(the_example_holds),
    };
    return cmocka_run_group_tests_name("configuration page", tests, set_up, tear_down);
}
