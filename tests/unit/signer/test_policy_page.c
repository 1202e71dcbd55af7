/* docs/policy.md names every field of a policy in the words of its schema, and its examples are policies. */
#include "ipc/file.h"
#include "rest_case.h"

#define PAGE  "docs/policy.md"
#define FENCE "\n```json\n"

static struct writer page;
static size_t rows;

static int set_up(void **state)
{
    (void)state;
    char path[4096];
    struct problem why = {0};
    const char *source = getenv("HOLDFAST_SOURCE");
    assert_non_null(source);
    snprintf(path, sizeof path, "%s/%s", source, PAGE);
    page = writer_new(1u << 20);
    if (file_read(path, 1u << 20, &page, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    writer_u8(&page, 0);
    return (int)writer_done(&page);
}

static int tear_down(void **state)
{
    (void)state;
    writer_free(&page);
    return 0;
}

static const char *text_of(const struct writer *w)
{
    return (const char *)w->ptr;
}

static void expect_fields(const struct entity *e, const char *inside)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];
        char name[128], row[512];
        snprintf(name, sizeof name, "%s%s", inside, f->name);
        snprintf(row, sizeof row, "\n| `%s` | %s |", name, f->doc);
        if (!strstr(text_of(&page), row))
            fail_msg(PAGE " has no row:%s", row);
        rows++;
        if (!f->nested)
            continue;
        snprintf(name + strlen(name), sizeof name - strlen(name), f->type == FIELD_LIST ? "[]." : ".");
        expect_fields(f->nested, name);
    }
}

static void every_field_is_on_the_page(void **state)
{
    (void)state;
    size_t found = 0;
    expect_fields(&policy_entity, "");
    for (const char *at = text_of(&page); (at = strstr(at, "\n| `")); at++)
        found++;
    assert_int_equal(found, rows);
}

/* Every example is taken as it stands; together they show each field. */
static void the_examples_hold(void **state)
{
    (void)state;
    AUTO_WRITER all = writer_new(1u << 20);
    size_t examples = 0;
    for (const char *at = text_of(&page); (at = strstr(at, FENCE)); examples++) {
        at += sizeof FENCE - 1;
        const char *end = strstr(at, "\n```\n");
        assert_non_null(end);
        AUTO(policy_free) struct policy *p = NULL;
        struct problem why = {0};
        if (policy_parse(VIEW(at, (size_t)(end - at)), &p, &why) != OK)
            fail_msg("example %zu: %s %s", examples + 1, why.where, why.detail);
        writer_bytes(&all, at, (size_t)(end - at));
    }
    assert_true(examples > 0);
    writer_u8(&all, 0);
    assert_int_equal(writer_done(&all), OK);
    for (size_t i = 0; i < policy_entity.count; i++) {
        char key[64];
        snprintf(key, sizeof key, "\"%s\":", policy_entity.fields[i].name);
        if (!strstr(text_of(&all), key))
            fail_msg("no example shows %s", policy_entity.fields[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_on_the_page),
        cmocka_unit_test(the_examples_hold),
    };
    return cmocka_run_group_tests_name("policy page", tests, set_up, tear_down);
}
