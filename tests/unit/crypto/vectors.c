#include "vectors.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void *held[16];
static size_t held_count;

static void release(void)
{
    while (held_count > 0)
        free(held[--held_count]);
}

uint8_t *vectors_room(size_t n)
{
    assert_true(held_count < ARRAY_LEN(held));
    uint8_t *p = malloc(n);
    assert_true(p || n == 0);
    held[held_count++] = p;
    return p;
}

struct view vectors_hex(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text)
        fail_msg("a vector lacks \"%s\"", name);
    size_t n = strlen(text) / 2;
    uint8_t *p = vectors_room(n);
    assert_int_equal(hex_get(view_str(text), p, n), OK);
    return VIEW(p, n);
}

int vectors_int(const json_t *object, const char *name)
{
    const json_t *n = json_object_get(object, name);
    if (!json_is_integer(n))
        fail_msg("a vector lacks \"%s\"", name);
    return (int)json_integer_value(n);
}

static json_t *load(const char *file)
{
    const char *root = getenv("HOLDFAST_SOURCE");
    if (!root)
        fail_msg("HOLDFAST_SOURCE is not set: run through meson test, or set it to the source directory");
    char path[1024];
    snprintf(path, sizeof(path), "%s/tests/vectors/wycheproof/%s", root, file);
    json_error_t why;
    json_t *root_object = json_load_file(path, 0, &why);
    if (!root_object)
        fail_msg("%s: %s", path, why.text);
    return root_object;
}

struct tally {
    size_t ran, wrong, known, out_of_scope;
};

static void run_one(const struct vectors *v, const json_t *group, const json_t *test, struct tally *t)
{
    const char *result = json_string_value(json_object_get(test, "result"));
    const char *comment = json_string_value(json_object_get(test, "comment"));
    assert_non_null(result);
    assert_non_null(comment);
    bool known = v->refused && strcmp(comment, v->refused) == 0;
    bool want = strcmp(result, "valid") == 0 && !known; /* "acceptable" is refused */
    bool got = v->accepts(group, test);
    release();
    t->ran++;
    t->known += known;
    if (got == want)
        return;
    t->wrong++;
    print_error("# %s, tcId %d (%s): %s, yet %s\n", v->file, vectors_int(test, "tcId"), comment, result,
                got ? "accepted" : "refused");
}

void vectors_run(const struct vectors *v)
{
    struct tally t = {0};
    json_t *root = load(v->file);
    const json_t *groups = json_object_get(root, "testGroups");
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g), *tests = json_object_get(group, "tests");
        bool in_scope = !v->in_scope || v->in_scope(group);
        if (!in_scope)
            t.out_of_scope += json_array_size(tests);
        for (size_t i = 0; in_scope && i < json_array_size(tests); i++)
            run_one(v, group, json_array_get(tests, i), &t);
    }
    size_t stated = (size_t)vectors_int(root, "numberOfTests");
    json_decref(root);
    print_message("# %s: %zu vectors ran, %zu of them refused as stated, %zu out of scope\n", v->file, t.ran, t.known,
                  t.out_of_scope);
    assert_true(t.ran > 0);
    assert_int_equal(t.ran + t.out_of_scope, stated);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.known, v->refused ? 1 : 0); /* exactly the stated one */
}

void vectors_each(const char *file, bool (*accepts)(const json_t *group, const json_t *test), bool wanted)
{
    json_t *root = load(file);
    const json_t *groups = json_object_get(root, "testGroups");
    size_t ran = 0;
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g), *tests = json_object_get(group, "tests");
        for (size_t i = 0; i < json_array_size(tests); i++, ran++) {
            const json_t *test = json_array_get(tests, i);
            if (accepts(group, test) != wanted)
                fail_msg("%s, tcId %d", file, vectors_int(test, "tcId"));
            release();
        }
    }
    assert_int_equal(ran, vectors_int(root, "numberOfTests"));
    json_decref(root);
}
