/* What is remembered of harmless texts changes no verdict: not of the same text elsewhere, nor under other rules, nor
 * where it is not excluded. */
#include "domain/guard/patterns/clean.h"
#include "domain/guard/patterns/rule_file.h"

#include "base/text.h"
#include "pattern_files.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FILES_MAX 32

static struct patterns_file files[FILES_MAX];
static size_t file_count;
static struct patterns *all;
static struct patterns_scratch *remembers, *forgets;

static int set_up(void **state)
{
    struct problem why = {0};
    (void)state;
    file_count = pattern_files_read(files, FILES_MAX);
    if (patterns_new(files, file_count, NULL, &all, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    assert_int_equal(patterns_scratch_new(all, random_system(), &remembers), OK);
    assert_int_equal(patterns_scratch_new(all, NULL, &forgets), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    patterns_scratch_free(remembers);
    patterns_scratch_free(forgets);
    patterns_free(all);
    pattern_files_free(files, file_count);
    return 0;
}

static struct patterns_verdict verdict_of(const struct patterns *p, struct patterns_scratch *s,
                                          const struct patterns_request *r)
{
    struct patterns_verdict v;
    assert_int_equal(patterns_check(p, r, s, &v), OK);
    return v;
}

static bool same(const struct patterns_verdict *a, const struct patterns_verdict *b)
{
    bool equal = a->blocked == b->blocked && a->longer == b->longer && a->score == b->score &&
                 a->classes == b->classes && a->hit_count == b->hit_count;
    for (size_t i = 0; equal && i < a->hit_count; i++)
        equal = a->hits[i].id == b->hits[i].id && a->hits[i].part == b->hits[i].part &&
                a->hits[i].name_len == b->hits[i].name_len &&
                memcmp(a->hits[i].name, b->hits[i].name, a->hits[i].name_len) == 0;
    return equal;
}

/* --- every text everywhere, again and again */

enum place { IN_PATH, IN_QUERY, AS_NAME, IN_COOKIE, IN_AGENT, IN_HEADER, IN_FORM, IN_TEXT, PLACES };

static void check_text(struct view text)
{
    AUTO_WRITER encoded = writer_new(65536);
    AUTO_WRITER target = writer_new(65536);
    percent_put(&encoded, text);
    const struct view inside = writer_view_of(&encoded);
    for (int place = 0; place < PLACES; place++) {
        static const char *const names[PLACES] = {
            [IN_COOKIE] = "Cookie", [IN_AGENT] = "User-Agent", [IN_HEADER] = "X-Item"};
        struct patterns_field headers[] = {{VIEW_STR("Host"), VIEW_STR("desk.example.com")},
                                           {view_str(names[place] ? names[place] : "X-No"), text}};
        struct patterns_request r = {.headers = headers, .header_count = names[place] ? 2 : 1};
        writer_reset(&target);
        writer_str(&target, place == IN_PATH ? "/x/" : place == IN_QUERY ? "/x?limit=50&id=" : "/x?");
        if (place <= AS_NAME)
            writer_view(&target, inside);
        writer_str(&target, place == AS_NAME ? "=1" : "");
        r.target = writer_view_of(&target);
        if (place == IN_FORM || place == IN_TEXT) {
            r.kind = place == IN_FORM ? PATTERNS_BODY_FORM : PATTERNS_BODY_TEXT;
            r.body = place == IN_FORM ? inside : text;
        }
        const struct patterns_verdict before = verdict_of(all, forgets, &r);
        for (unsigned again = 0; again < 3; again++) {
            const struct patterns_verdict v = verdict_of(all, remembers, &r);
            if (!same(&v, &before))
                fail_msg("time %u at place %d: score %u, not %u: %.*s", again, place, (unsigned)v.score,
                         (unsigned)before.score, (int)text.len, (const char *)text.ptr);
        }
    }
}

static void what_is_remembered_changes_no_verdict(void **state)
{
    const struct view ordinary = pattern_file("tests/vectors/ordinary/values.txt");
    size_t lines = 0;
    (void)state;
    for (size_t i = 0; i < patterns_count(all); i++) {
        const struct rule *rule = patterns_rule(all, i);
        for (size_t j = 0; j < rule->hits.count; j++)
            check_text(rule->hits.items[j]);
        for (size_t j = 0; j < rule->misses.count; j++)
            check_text(rule->misses.items[j]);
    }
    for (const uint8_t *at = ordinary.ptr, *end = at + ordinary.len; at < end; lines++) {
        const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(line_end);
        check_text(VIEW(at, (size_t)(line_end - at)));
        at = line_end + 1;
    }
    assert_true(lines > 400);
    free((void *)(uintptr_t)ordinary.ptr);
}

/* --- the same text where it counts */

static void a_text_that_is_harmless_in_a_header_is_searched_in_another(void **state)
{
    static const char rule[] = "class: xss\nrules:\n  - {id: a, score: 5, description: x, in: [agent], pattern: "
                               "'scanner', hits: [scanner], misses: [y]}\n";
    struct patterns_file file = {"x.yaml", VIEW_STR(rule)};
    struct patterns_field header = {VIEW_STR("X-Item"), VIEW_STR("scanner")};
    struct patterns_field agent = {VIEW_STR("User-Agent"), VIEW_STR("scanner")};
    struct patterns_request harmless = {.target = VIEW_STR("/x"), .headers = &header, .header_count = 1};
    struct patterns_request attack = {.target = VIEW_STR("/x"), .headers = &agent, .header_count = 1};
    AUTO(patterns_free) struct patterns *p = NULL;
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    (void)state;
    assert_int_equal(patterns_new(&file, 1, NULL, &p, NULL), OK);
    assert_int_equal(patterns_scratch_new(p, random_system(), &s), OK);
    for (int i = 0; i < 2; i++) {
        assert_false(verdict_of(p, s, &harmless).blocked);
        assert_true(verdict_of(p, s, &attack).blocked);
    }
}

static void what_was_excluded_is_searched_elsewhere(void **state)
{
    struct patterns_exclusion x = {VIEW_STR("/notes"), VIEW_STR("text"), VIEW_STR("xss")};
    struct patterns_options o = {.exclusions = &x, .exclusion_count = 1};
    struct patterns_request excluded = {.endpoint = VIEW_STR("/notes"),
                                        .target = VIEW_STR("/notes?text=<script>alert(1)</script>")};
    struct patterns_request other = {.endpoint = VIEW_STR("/notes"),
                                     .target = VIEW_STR("/notes?name=<script>alert(1)</script>")};
    struct patterns_request elsewhere = {.endpoint = VIEW_STR("/x"), .target = excluded.target};
    AUTO(patterns_free) struct patterns *p = NULL;
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    (void)state;
    assert_int_equal(patterns_new(files, file_count, &o, &p, NULL), OK);
    assert_int_equal(patterns_scratch_new(p, random_system(), &s), OK);
    for (int i = 0; i < 2; i++) {
        assert_false(verdict_of(p, s, &excluded).blocked);
        assert_true(verdict_of(p, s, &other).blocked);
        assert_true(verdict_of(p, s, &elsewhere).blocked);
    }
}

static void other_signatures_search_anew(void **state)
{
    AUTO_WRITER saved = writer_new(64u << 20);
    struct patterns_setting off = {VIEW_STR("xss"), PATTERNS_OFF, 0};
    struct patterns_options o = {.settings = &off, .setting_count = 1};
    struct patterns_request r = {.target = VIEW_STR("/x?q=<script>alert(1)</script>")};
    AUTO(patterns_free) struct patterns *lenient = NULL;
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    struct problem why = {0};
    (void)state;
    assert_int_equal(patterns_save(all, &saved), OK);
    assert_int_equal(patterns_load(writer_view_of(&saved), &o, &lenient, &why), OK);
    assert_int_equal(patterns_scratch_new(lenient, random_system(), &s), OK);
    for (int i = 0; i < 2; i++) {
        assert_false(verdict_of(lenient, s, &r).blocked);
        assert_false(verdict_of(lenient, s, &r).blocked);
        assert_true(verdict_of(all, s, &r).blocked);
    }
}

/* --- the table */

static struct clean_tag name_of(const struct clean *c, const char *text)
{
    const struct split_field f = {PATTERNS_QUERY, NORMALISE_FORM, {NULL, 0}, view_str(text)};
    struct clean_tag tag;
    clean_name(c, &f, &tag);
    return tag;
}

static bool find_or_put(struct clean *c, const char *text)
{
    const struct clean_tag tag = name_of(c, text);
    bool found = clean_has(c, &tag);
    if (!found)
        clean_put(c, &tag);
    return found;
}

static void flood(struct clean *c, unsigned from)
{
    for (unsigned i = from; i < from + 4 * CLEAN_TEXTS; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%u", i);
        assert_false(find_or_put(c, text));
    }
}

static void a_flood_of_texts_leaves_those_that_come_again(void **state)
{
    static const char *const regular[] = {"BTC-USDT", "ETH-USDT"};
    AUTO(clean_free) struct clean *c = NULL;
    (void)state;
    assert_int_equal(clean_new(random_system(), &c), OK);
    flood(c, 0);
    for (unsigned time = 0; time < 3; time++)
        for (size_t i = 0; i < ARRAY_LEN(regular); i++)
            assert_true(find_or_put(c, regular[i]) == (time > 0));
    flood(c, 4 * CLEAN_TEXTS);
    for (size_t i = 0; i < ARRAY_LEN(regular); i++)
        assert_true(find_or_put(c, regular[i]));
    clean_forget(c);
    for (size_t i = 0; i < ARRAY_LEN(regular); i++)
        assert_false(find_or_put(c, regular[i]));
}

static void nobody_knows_a_text_s_name(void **state)
{
    AUTO(clean_free) struct clean *a = NULL, *b = NULL;
    (void)state;
    assert_int_equal(clean_new(random_system(), &a), OK);
    assert_int_equal(clean_new(random_system(), &b), OK);
    const struct clean_tag x = name_of(a, "BTC-USDT"), y = name_of(b, "BTC-USDT"), z = name_of(a, "BTC-USDT");
    assert_memory_equal(&x, &z, sizeof x);
    assert_true(x.w[0] != y.w[0] && x.w[1] != y.w[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_remembered_changes_no_verdict),
        cmocka_unit_test(a_text_that_is_harmless_in_a_header_is_searched_in_another),
        cmocka_unit_test(what_was_excluded_is_searched_elsewhere),
        cmocka_unit_test(other_signatures_search_anew),
        cmocka_unit_test(a_flood_of_texts_leaves_those_that_come_again),
        cmocka_unit_test(nobody_knows_a_text_s_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
