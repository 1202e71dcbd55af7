/* docs/policy.md and docs/venues.md name every field in the words of its schema, and their examples hold. */
#include "ipc/file.h"
#include "rest_case.h"
#include "signer/venue_model.h"

struct page {
    const char *path, *fence;
    const struct entity *entity;
    void (*example)(struct view text, size_t number);
    bool shows_all; /* the examples together show each field */
    struct writer text;
    size_t rows;
};

static void is_policy(struct view text, size_t number)
{
    AUTO(policy_free) struct policy *p = NULL;
    struct problem why = {0};
    if (policy_parse(text, &p, &why) != OK)
        fail_msg("example %zu: %s %s", number, why.where, why.detail);
}

static void is_venue(struct view text, size_t number)
{
    AUTO(venue_free) struct venue *v = NULL;
    struct problem why = {0};
    (void)number;
    if (venue_parse("example", text, &v, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
}

static struct page pages[] = {
    {.path = "docs/policy.md",
     .fence = "\n```json\n",
     .entity = &policy_entity,
     .example = is_policy,
     .shows_all = true},
    {.path = "docs/venues.md", .fence = "\n```yaml\n", .entity = &venue_decl_entity, .example = is_venue},
};

static const char *text_of(const struct writer *w)
{
    return (const char *)w->ptr;
}

static int read_page(void **state)
{
    struct page *p = *state;
    char path[4096];
    struct problem why = {0};
    const char *source = getenv("HOLDFAST_SOURCE");
    assert_non_null(source);
    snprintf(path, sizeof path, "%s/%s", source, p->path);
    p->text = writer_new(1u << 20);
    if (file_read(path, 1u << 20, &p->text, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    writer_u8(&p->text, 0);
    p->rows = 0;
    return (int)writer_done(&p->text);
}

static int free_page(void **state)
{
    struct page *p = *state;
    writer_free(&p->text);
    return 0;
}

static void expect_fields(struct page *p, const struct entity *e, const char *inside)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct field *f = &e->fields[i];
        char name[128], row[512];
        snprintf(name, sizeof name, "%s%s", inside, f->name);
        snprintf(row, sizeof row, "\n| `%s` | %s |", name, f->doc);
        if (!strstr(text_of(&p->text), row))
            fail_msg("%s has no row:%s", p->path, row);
        p->rows++;
        if (!f->nested)
            continue;
        snprintf(name + strlen(name), sizeof name - strlen(name), f->type == FIELD_LIST ? "[]." : ".");
        expect_fields(p, f->nested, name);
    }
}

static void every_field_is_on_the_page(void **state)
{
    struct page *p = *state;
    size_t found = 0;
    expect_fields(p, p->entity, "");
    for (const char *at = text_of(&p->text); (at = strstr(at, "\n| `")); at++)
        found++;
    assert_int_equal(found, p->rows);
}

static void expect_shown(const struct page *p, const char *examples)
{
    for (size_t i = 0; i < p->entity->count; i++) {
        char key[64];
        snprintf(key, sizeof key, "\"%s\":", p->entity->fields[i].name);
        if (!strstr(examples, key))
            fail_msg("%s: no example shows %s", p->path, p->entity->fields[i].name);
    }
}

static void the_examples_hold(void **state)
{
    const struct page *p = *state;
    AUTO_WRITER all = writer_new(1u << 20);
    size_t examples = 0;
    for (const char *at = text_of(&p->text); (at = strstr(at, p->fence));) {
        at += strlen(p->fence);
        const char *end = strstr(at, "\n```\n");
        assert_non_null(end);
        p->example(VIEW(at, (size_t)(end - at) + 1), ++examples);
        writer_bytes(&all, at, (size_t)(end - at));
    }
    assert_true(examples > 0);
    writer_u8(&all, 0);
    assert_int_equal(writer_done(&all), OK);
    if (p->shows_all)
        expect_shown(p, text_of(&all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(every_field_is_on_the_page, read_page, free_page, &pages[0]),
        cmocka_unit_test_prestate_setup_teardown(the_examples_hold, read_page, free_page, &pages[0]),
        cmocka_unit_test_prestate_setup_teardown(every_field_is_on_the_page, read_page, free_page, &pages[1]),
        cmocka_unit_test_prestate_setup_teardown(the_examples_hold, read_page, free_page, &pages[1]),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
