/* JSONTestSuite against the reader and against the scanner, which must be of one mind. */
#include "support.h"

#include "base/json.h"
#include "base/text.h"

#include <dirent.h>

/* The only documents marked "accept" that are refused: contracts of base/json.h say why. */
static const char *const refused_on_purpose[] = {
    "y_object_duplicated_key.json",           /* which one counts? readers differ */
    "y_object_duplicated_key_and_value.json", /* the same */
    "y_object_escaped_null_in_key.json",      /* U+0000 ends a text for too many programs */
    "y_string_null_escape.json",
};

/* The documents left to the reader that are taken; all others are refused. */
static const char *const taken_by_choice[] = {
    "i_number_double_huge_neg_exp.json", /* comes out as 0: amounts are sent as text */
    "i_number_real_underflow.json",
};

/* Where reading refuses a value that has the form of JSON: numbers that do not fit, names that appear twice. */
static const char *const well_formed_only[] = {
    "i_number_huge_exp.json",
    "i_number_neg_int_huge_exp.json",
    "i_number_pos_double_huge_exp.json",
    "i_number_real_neg_overflow.json",
    "i_number_real_pos_overflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
};

static bool listed(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

#define LISTED(list, name) listed((list), ARRAY_LEN(list), (name))

static bool scanner_takes(struct view text)
{
    size_t end;

    if (json_scan(text, &end))
        return false;
    while (end < text.len && text.ptr[end] && strchr(" \t\r\n", text.ptr[end]))
        end++;
    return end == text.len;
}

static void judge(const char *name)
{
    char path[300];
    struct problem why = {0};
    json_t *json = NULL;

    (void)snprintf(path, sizeof path, "tests/vectors/json/%s", name);
    struct view text = support_file(path);
    bool wanted = name[0] == 'y' ? !LISTED(refused_on_purpose, name) : LISTED(taken_by_choice, name);
    enum err err = json_read(text, &json, &why);

    if (json_check(text, NULL) != err)
        fail_msg("%s: checked otherwise than read", name);

    if ((err == OK) != wanted)
        fail_msg("%s: %s (%s)", name, err_code(err), why.detail);
    if (scanner_takes(text) != (wanted || LISTED(well_formed_only, name)))
        fail_msg("%s: the scanner sees it otherwise", name);
    if (err) {
        assert_null(json);
        assert_int_equal(why.code, err);
        assert_true(strncmp(why.where, "line ", 5) == 0);
        assert_true(utf8_valid(view_str(why.detail)));
    }
    json_wipe(json);
    free((void *)(uintptr_t)text.ptr);
}

static void every_document_is_judged_as_stated(void **state)
{
    char folder[1024];
    size_t documents = 0;

    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/tests/vectors/json", getenv("HOLDFAST_SOURCE"));
    DIR *d = opendir(folder);

    assert_non_null(d);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        assert_non_null(strchr("yni", entry->d_name[0]));
        judge(entry->d_name);
        documents++;
    }
    (void)closedir(d);
    assert_int_equal(documents, 318);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_document_is_judged_as_stated)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
