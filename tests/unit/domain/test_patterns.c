/* The check for attack patterns: the rules' own tests, each step that undoes an evasion, where a hit is, what is left
 * out. */
#include "domain/guard/patterns/configured.h"
#include "domain/guard/patterns/normalise.h"
#include "domain/guard/patterns/patterns.h"
#include "domain/guard/patterns/rule_file.h"

#include "base/text.h"
#include "pattern_files.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FILES_MAX 32

static struct patterns_file files[FILES_MAX];
static size_t file_count;
static struct patterns *all;
static struct writer saved; /* of all */
static struct patterns_scratch *scratch;

static int set_up(void **state)
{
    struct problem why = {0};
    (void)state;
    file_count = pattern_files_read(files, FILES_MAX);
    if (patterns_new(files, file_count, NULL, &all, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    assert_int_equal(patterns_scratch_new(all, random_system(), &scratch), OK);
    saved = writer_new(64u << 20);
    assert_int_equal(patterns_save(all, &saved), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    patterns_scratch_free(scratch);
    patterns_free(all);
    writer_free(&saved);
    pattern_files_free(files, file_count);
    return 0;
}

/* --- requests */

static struct patterns_verdict check_with(const struct patterns *p, const struct patterns_request *r)
{
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    struct patterns_verdict v;
    assert_int_equal(patterns_scratch_new(p, NULL, &s), OK);
    assert_int_equal(patterns_check(p, r, s, &v), OK);
    return v;
}

static struct patterns_verdict check(const struct patterns_request *r)
{
    struct patterns_verdict v;
    assert_int_equal(patterns_check(all, r, scratch, &v), OK);
    return v;
}

static struct patterns_verdict check_target(const char *target)
{
    return check(&(struct patterns_request){.target = view_str(target)});
}

static struct patterns_verdict check_body(enum patterns_body kind, struct view body)
{
    return check(&(struct patterns_request){.target = VIEW_STR("/x"), .kind = kind, .body = body});
}

static bool has_hit(const struct patterns_verdict *v, const char *id)
{
    for (size_t i = 0; i < v->hit_count; i++)
        if (strcmp(v->hits[i].id, id) == 0)
            return true;
    return false;
}

/* A text as one value at the first part that the rule reads. */
static struct patterns_verdict check_at(const struct rule *rule, struct view text)
{
    AUTO_WRITER w = writer_new(65536);
    struct patterns_field header = {VIEW_STR("X-Item"), text};
    struct patterns_request r = {.target = VIEW_STR("/x")};
    unsigned part = (unsigned)__builtin_ctz(rule->parts & ~(1u << PATTERNS_PATH) ? rule->parts & ~(1u << PATTERNS_PATH)
                                                                                 : 1u);
    switch (part) {
    case PATTERNS_PATH:
        r.target = text;
        break;
    case PATTERNS_AGENT:
        header.name = VIEW_STR("User-Agent");
        r.headers = &header;
        r.header_count = 1;
        break;
    default:
        writer_str(&w, "/x?id=");
        percent_put(&w, text);
        r.target = writer_view_of(&w);
        break;
    }
    return check(&r);
}

static void every_rule_hits_what_it_must_and_misses_what_it_must(void **state)
{
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < patterns_count(all); i++) {
        const struct rule *rule = patterns_rule(all, i);
        for (size_t j = 0; j < rule->hits.count + rule->misses.count; j++) {
            bool must = j < rule->hits.count;
            struct view text = must ? rule->hits.items[j] : rule->misses.items[j - rule->hits.count];
            struct patterns_verdict v = check_at(rule, text);
            if (has_hit(&v, rule->name) == must)
                continue;
            wrong++;
            print_error("%s %s: %.*s\n", rule->name, must ? "must hit" : "must not hit", (int)text.len, text.ptr);
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- evasions */

static bool scores(const uint8_t *lines, size_t len, const char *wanted)
{
    return memmem(lines, len, wanted, strlen(wanted)) != NULL;
}

/* For each step one spelling that only this step brings into the form that rules know. */
static const struct {
    enum normalise_step step;
    enum normalise_source source;
    const char *spelling;
    size_t len;
    const char *form;
} ladder[] = {
#define RUNG(step, source, text, form)                                                                                 \
    {                                                                                                                  \
        NORMALISE_STEP_##step, NORMALISE_##source, text, sizeof(text) - 1, form                                        \
    }
    RUNG(JSON, JSON, "\\u003cscript\\u003e\\/", "<script>/"),
    RUNG(PERCENT, FORM, "1+union%20select+2", "1 union select 2\n"),
    RUNG(PERCENT, URL, "%252e%252e%252fetc", "../etc"),
    RUNG(PERCENT_TWICE, FORM, "%252e%252e%252fetc", "../etc"),
    RUNG(PERCENT_TWICE, JSON, "%3cscript%3e", "<script>"),
    RUNG(PERCENT_TWICE, PLAIN, "%u003cscript", "<script"),
    RUNG(ENTITIES, PLAIN, "&lt;svg/onload&equals;alert&lpar;1&rpar;", "<svg/onload=alert(1)"),
    RUNG(ENTITIES, PLAIN, "j&#X41vascript&#0000058;x", "javascript:x"),
    RUNG(ENTITIES, PLAIN, "&amp;lt;svg", "<svg"),
    RUNG(ESCAPES, PLAIN, "\\u0061lert\\x28\\u{31})", "alert(1)"),
    RUNG(UTF8, FORM, "%c0%ae%c0%ae%c0%afetc%e0%80%afpasswd", "../etc/passwd"),
    RUNG(UTF8, FORM, "%EF%BC%9Cscript%ef%bc%9e", "<script>"),
    RUNG(UTF8, FORM, "java%e2%80%8bscript:", "javascript:"),
    RUNG(UTF8, FORM, "1%a0union%a0select", "1 union select"),
    RUNG(CONTROL, FORM, "<scr%00ipt>", "<script>"),
    RUNG(CONTROL, PLAIN, "\x01java\x06script:", "javascript:"),
    RUNG(CASE, PLAIN, "<ScRiPt>", "<script>"),
    RUNG(COMMENTS, PLAIN, "union/**/select/*x*/1", "union select 1\n"),
    RUNG(COMMENTS, PLAIN, "/*!50000union*//*!select*/", " select\n"),
    RUNG(COMMENTS, FORM, "1%23x%0aunion--%20y%0aselect", "1 union select\n"),
    RUNG(COMMENTS, PLAIN, "a/*<script>*/b", "\n<script>\n"),
    RUNG(SPACE, FORM, "union%0a%09%0bselect", "union select\n"),
    RUNG(SEGMENTS, PLAIN, "/etc/.//./passwd", "/etc/passwd"),
    RUNG(BREAKS, FORM, "x%0d%0a%20Set-Cookie:y", "\rset-cookie:y\n"),
    RUNG(BREAKS, FORM, "%e5%98%8aSet-Cookie:y", "\rset-cookie:y\n"),
    RUNG(SQUEEZE, PLAIN, "c'a't /et\"\"c/pa\\sswd", "cat /etc/passwd\n"),
    RUNG(SQUEEZE, PLAIN, "cat$IFS$9/etc/hosts", "cat /etc/hosts\n"),
    RUNG(SQUEEZE, PLAIN, "'jav'+'ascript:'", "javascript:"),
    RUNG(SQUEEZE, PLAIN, "java\tscript:x", "javascript:x\n"),
    RUNG(SQL, PLAIN, "((1))or(2)=2", "NANEN\n"),
    RUNG(SQL, PLAIN, "x' or `y`=0x41", "\n0AWEN\n"),
#undef RUNG
};

static void every_evasion_is_undone_by_its_step_and_by_no_other(void **state)
{
    unsigned seen = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ladder); i++) {
        static uint8_t out[NORMALISE_ROOM(256)];
        struct view v = VIEW(ladder[i].spelling, ladder[i].len);
        size_t n = normalise(v, ladder[i].source, 0, out);
        if (!scores(out, n, ladder[i].form))
            fail_msg("%s is not undone: %.*s", ladder[i].spelling, (int)n, out);
        n = normalise(v, ladder[i].source, 1u << ladder[i].step, out);
        if (scores(out, n, ladder[i].form))
            fail_msg("%s is undone without step %u", ladder[i].spelling, (unsigned)ladder[i].step);
        seen |= 1u << ladder[i].step;
    }
    assert_int_equal(seen, (1u << NORMALISE_STEPS) - 1);
}

static void evasions_are_blocked(void **state)
{
    static const char *const targets[] = {
        "/x?id=1%2527%2520union%2520select%25201",
        "/x?id=1/*!50000UnIoN*//**/sEleCt/**/1,2",
        "/x?id=1%00'%20or%20'1'='1",
        "/x?f=%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/x",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/x?q=%253Cscript%253Ealert(1)%253C/script%253E",
        "/x?q=%26lt%3Bimg%20src%3Dx%20onerror%26equals%3Balert(1)%3E",
        "/x?c=;c'a't%20/et'c'/pa%5csswd",
        "/x?n=a%0d%0aSet-Cookie:%20b=c",
        "/x?user%5B%24ne%5D=1",
        "/x?1'or'1'='1=y",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++)
        if (!check_target(targets[i]).blocked)
            fail_msg("%s gets through", targets[i]);
}

/* --- where, and what is excluded */

static void the_verdict_says_where(void **state)
{
    struct patterns_field headers[] = {{VIEW_STR("Host"), VIEW_STR("example.com")},
                                       {VIEW_STR("Cookie"), VIEW_STR("a=b; pref=%3Cscript%3Ealert(1)%3C/script%3E")}};
    struct patterns_request r = {.target = VIEW_STR("/x?a=1&b=2"), .headers = headers, .header_count = 2};
    struct patterns_verdict v = check(&r);
    (void)state;
    assert_true(v.blocked);
    assert_int_equal(v.classes, 1u << PATTERNS_XSS);
    assert_int_equal(v.hits[0].part, PATTERNS_COOKIE);
    assert_memory_equal(v.hits[0].name, "pref", 4);
    assert_int_equal(v.hits[0].name_len, 4);
    v = check_body(PATTERNS_BODY_JSON, VIEW_STR("{\"a\":1,\"list\":[{\"note\":\"x' or 1=1--\"}]}"));
    assert_true(v.blocked);
    assert_int_equal(v.hits[0].part, PATTERNS_JSON);
    assert_memory_equal(v.hits[0].name, "note", 4);
    v = check_body(PATTERNS_BODY_FORM, VIEW_STR("a=b&cmd=%3B+cat+%2Fetc%2Fpasswd"));
    assert_int_equal(v.hits[0].part, PATTERNS_FORM);
    assert_memory_equal(v.hits[0].name, "cmd", 3);
    v = check_body(PATTERNS_BODY_JSON, VIEW_STR("{'a': <script>alert(1)</script>"));
    assert_true(v.blocked); /* what is no JSON is no way round */
    assert_int_equal(v.hits[0].part, PATTERNS_TEXT);
}

static void credentials_are_passed_over(void **state)
{
    struct patterns_field headers[] = {{VIEW_STR("authorization"), VIEW_STR("Basic <script>alert(1)</script>")}};
    struct patterns_request r = {.target = VIEW_STR("/x"), .headers = headers, .header_count = 1};
    (void)state;
    assert_int_equal(check(&r).hit_count, 0);
    headers[0].name = VIEW_STR("X-Note");
    assert_true(check(&r).blocked);
}

static void weak_hits_in_many_parameters_do_not_add_up(void **state)
{
    struct patterns_verdict one = check_target("/x?a=%3Cp%20class%3Dx%3E");
    struct patterns_verdict many = check_target("/x?a=%3Cp%20class%3Dx%3E&b=%3Cp%20class%3Dx%3E&c=%3Cp%20class%3Dx%3E");
    (void)state;
    assert_true(one.score > 0 && !one.blocked);
    assert_int_equal(many.score, one.score);
    assert_int_equal(many.hit_count, 3 * one.hit_count);
}

static struct patterns *with(const struct patterns_options *o)
{
    struct patterns *p = NULL;
    struct problem why = {0};
    if (patterns_new(files, file_count, o, &p, &why) != OK)
        fail_msg("%s: %s", why.where, why.detail);
    return p;
}

static void an_excluded_parameter_does_not_cover_another(void **state)
{
    struct patterns_exclusion x = {VIEW_STR("/notes"), VIEW_STR("text"), VIEW_STR("xss")};
    struct patterns_options o = {.exclusions = &x, .exclusion_count = 1};
    AUTO(patterns_free) struct patterns *p = with(&o);
    struct patterns_request r = {.endpoint = VIEW_STR("/notes/5"),
                                 .target = VIEW_STR("/notes/5?text=<script>alert(1)</script>")};
    (void)state;
    assert_true(check(&r).blocked);
    assert_false(check_with(p, &r).blocked);
    r.target = VIEW_STR("/notes/5?text=<script>alert(1)</script>&id=<script>alert(1)</script>");
    assert_true(check_with(p, &r).blocked);
    r.target = VIEW_STR("/notes/5?text=1'+or+1=1--"); /* another class */
    assert_true(check_with(p, &r).blocked);
    r.target = VIEW_STR("/notes/5?te%78t=<script>alert(1)</script>");
    assert_true(check_with(p, &r).blocked);
    r.endpoint = VIEW_STR("/note");
    r.target = VIEW_STR("/note?text=<script>alert(1)</script>");
    assert_true(check_with(p, &r).blocked);
}

static void an_excluded_endpoint_is_whole_segments(void **state)
{
    static const struct {
        const char *endpoint, *path;
        bool blocked;
    } cases[] = {{"/notes", "/notes", false}, {"/notes", "/notes/5", false}, {"/notes", "/notesx", true},
                 {"/notes", "/note", true},   {"/", "/anything", false},     {"", "/anything", false}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct patterns_exclusion x = {.endpoint = view_str(cases[i].endpoint)};
        struct patterns_options o = {.exclusions = &x, .exclusion_count = 1};
        AUTO(patterns_free) struct patterns *p = NULL;
        struct patterns_request r = {.endpoint = view_str(cases[i].path), .target = VIEW_STR("/x?q=<script>")};
        struct problem why = {0};
        assert_int_equal(patterns_load(writer_view_of(&saved), &o, &p, &why), OK);
        assert_int_equal(check_with(p, &r).blocked, cases[i].blocked);
    }
}

/* What another process compiled judges as what was compiled here, with options of its own. */
static void saved_signatures_are_the_same(void **state)
{
    AUTO(patterns_free) struct patterns *p = NULL, *other = NULL;
    struct patterns_options o = {.threshold = 1000};
    struct problem why = {0};
    (void)state;
    assert_int_equal(patterns_load(writer_view_of(&saved), NULL, &p, &why), OK);
    assert_int_equal(patterns_count(p), patterns_count(all));
    for (size_t i = 0; i < patterns_count(all); i++) {
        const struct rule *rule = patterns_rule(all, i);
        struct patterns_field header = {VIEW_STR("X-Item"), rule->hits.items[0]};
        struct patterns_request r = {.target = VIEW_STR("/x"), .headers = &header, .header_count = 1};
        struct patterns_verdict a = check(&r), b = check_with(p, &r);
        assert_int_equal(a.score, b.score);
        assert_int_equal(a.hit_count, b.hit_count);
        if (a.hit_count)
            assert_string_equal(a.hits[0].id, b.hits[0].id);
    }
    assert_int_equal(patterns_load(writer_view_of(&saved), &o, &other, &why), OK);
    struct patterns_request r = {.target = VIEW_STR("/x?q=<script>alert(1)</script>")};
    assert_true(check_with(p, &r).blocked);
    assert_false(check_with(other, &r).blocked);
}

static void what_was_not_saved_is_not_loaded(void **state)
{
    struct patterns *p = NULL;
    struct view whole = writer_view_of(&saved);
    uint8_t *copy = malloc(whole.len);
    struct problem why = {0};
    (void)state;
    assert_non_null(copy);
    for (size_t n = 0; n < whole.len; n += whole.len / 50 + 1)
        assert_int_not_equal(patterns_load(VIEW(whole.ptr, n), NULL, &p, &why), OK);
    memcpy(copy, whole.ptr, whole.len);
    copy[0] = 9;
    assert_int_equal(patterns_load(VIEW(copy, whole.len), NULL, &p, &why), ERR_MALFORMED);
    copy[0] = 1;
    copy[whole.len - 1000] ^= 1; /* a damaged database has another sum */
    assert_int_equal(patterns_load(VIEW(copy, whole.len), NULL, &p, &why), ERR_MALFORMED);
    assert_null(p);
    free(copy);
}

static void the_configuration_s_modes_are_the_rules_modes(void **state)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(patterns_free) struct patterns *p = NULL;
    struct config_patterns_rule modes[] = {{VIEW_STR("xss-script"), CONFIG_PATTERNS_BLOCK},
                                           {VIEW_STR("xss"), CONFIG_PATTERNS_OFF},
                                           {VIEW_STR("sqli"), CONFIG_PATTERNS_COUNT}};
    struct config_patterns_exclusion x[] = {{.parameter = VIEW_STR("q")}};
    struct config_patterns c = {.threshold = 4, .body_bytes = 1024, .longer = CONFIG_LONGER_PASS};
    struct patterns_options o;
    struct problem why = {0};
    struct patterns_request r = {.target = VIEW_STR("/x?a=<script>alert(1)</script>")};
    (void)state;
    c.rules = (struct entity_list){modes, ARRAY_LEN(modes)};
    c.exclusions = (struct entity_list){x, ARRAY_LEN(x)};
    assert_int_equal(arena_new(1024, 65536, &arena), OK);
    assert_int_equal(patterns_configured(&c, arena, &o), OK);
    assert_int_equal(o.threshold, 4);
    assert_int_equal(o.body_limit, 1024);
    assert_true(o.pass_longer);
    assert_int_equal(patterns_load(writer_view_of(&saved), &o, &p, &why), OK);
    struct patterns_verdict v = check_with(p, &r);
    assert_true(v.blocked);
    for (size_t i = 0; i < v.hit_count; i++)
        assert_string_equal(v.hits[i].id, "xss-script"); /* its class is off */
    r.target = VIEW_STR("/x?q=<script>alert(1)</script>");
    assert_int_equal(check_with(p, &r).hit_count, 0);
    r.target = VIEW_STR("/x?a=1'+union+select+password+from+users--");
    v = check_with(p, &r);
    assert_true(v.hit_count > 0 && v.hits[0].counts_only && !v.blocked);
}

static void a_rule_that_counts_blocks_nothing(void **state)
{
    struct patterns_setting settings[] = {{VIEW_STR("xss"), PATTERNS_COUNT, 0}, {VIEW_STR("header"), PATTERNS_OFF, 1}};
    struct patterns_options o = {.settings = settings, .setting_count = 2};
    AUTO(patterns_free) struct patterns *p = with(&o);
    struct patterns_request r = {.target = VIEW_STR("/x?q=<script>alert(1)</script>")};
    struct patterns_verdict v = check_with(p, &r);
    (void)state;
    assert_false(v.blocked);
    assert_int_equal(v.score, 0);
    assert_int_equal(v.classes, 0);
    assert_true(v.hit_count > 0 && v.hits[0].counts_only);
    r.target = VIEW_STR("/x?q=a%0aSet-Cookie:b");
    assert_int_equal(check_with(p, &r).hit_count, 0);
}

static void options_that_name_no_rule_are_refused(void **state)
{
    struct patterns_setting setting = {VIEW_STR("xss-scrpt"), PATTERNS_OFF, 3};
    struct patterns_exclusion x = {.rule = VIEW_STR("sql")};
    struct patterns *p = NULL;
    struct problem why = {0};
    (void)state;
    assert_int_equal(
        patterns_new(files, file_count, &(struct patterns_options){.settings = &setting, .setting_count = 1}, &p, &why),
        ERR_BAD_CONFIG);
    assert_non_null(strstr(why.detail, "'xss-scrpt': classes are sqli, xss, traversal, command, header; rules"));
    assert_string_equal(why.where, "guard.patterns.rules[3].rule");
    assert_int_equal(
        patterns_new(files, file_count, &(struct patterns_options){.exclusions = &x, .exclusion_count = 1}, &p, &why),
        ERR_BAD_CONFIG);
    assert_string_equal(why.where, "guard.patterns.exclusions[0].rule");
    assert_null(p);
}

/* --- limits */

static void what_lies_beyond_the_limit_is_refused_or_said(void **state)
{
    static char body[PATTERNS_BODY_LIMIT + 100];
    struct patterns_request r = {.target = VIEW_STR("/x"), .kind = PATTERNS_BODY_TEXT, .body = VIEW(body, sizeof body)};
    struct patterns_options o = {.pass_longer = true};
    AUTO(patterns_free) struct patterns *p = with(&o);
    struct patterns_verdict v;
    (void)state;
    memset(body, 'a', sizeof body);
    v = check(&r);
    assert_true(v.blocked && v.longer);
    assert_int_equal(v.score, 0);
    v = check_with(p, &r);
    assert_true(!v.blocked && v.longer);
    r.body.len = 10;
    assert_false(check(&r).longer);
    r.body_cut = true; /* who sent it has more */
    v = check(&r);
    assert_true(v.blocked && v.longer);
    v = check_with(p, &r);
    assert_true(!v.blocked && v.longer);
    r.body_cut = false;
    r.body.len = PATTERNS_BODY_LIMIT;
    v = check(&r);
    assert_true(!v.blocked && !v.longer);
    memcpy(body + PATTERNS_BODY_LIMIT - 9, " <script>", 9); /* the last bytes that are looked at */
    assert_true(check(&r).blocked);
}

/* More values than a batch has room for, and values that fill the buffer: the last one is looked at like the first. */
static void the_last_of_many_values_is_seen(void **state)
{
    AUTO_WRITER many = writer_new(1 << 20), wide = writer_new(1 << 20);
    (void)state;
    for (int i = 0; i < 3000; i++)
        writer_printf(&many, "a%d=%d&", i, i);
    writer_str(&many, "z=<script>alert(1)</script>");
    assert_true(check_body(PATTERNS_BODY_FORM, writer_view_of(&many)).blocked);
    for (int i = 0; i < 40; i++)
        writer_printf(&wide, "a=%01500d&", i);
    writer_str(&wide, "z=<script>alert(1)</script>");
    assert_true(writer_view_of(&wide).len < PATTERNS_BODY_LIMIT);
    assert_true(check_body(PATTERNS_BODY_FORM, writer_view_of(&wide)).blocked);
}

/* A signature sees one value: what is only an attack across two of them is none. */
static void no_rule_reaches_into_the_next_value(void **state)
{
    static const char rule[] =
        "class: command\nrules:\n  - {id: a, score: 5, description: x, pattern: 'a[^x]b|c.d|e[^a-z]+f', hits: [a-b], "
        "misses: [y]}\n";
    struct patterns_file file = {"x.yaml", VIEW_STR(rule)};
    AUTO(patterns_free) struct patterns *p = NULL;
    struct patterns_request r = {.target = VIEW_STR("/x?p=a&q=b&r=c&s=d&t=e&u=f")};
    (void)state;
    assert_int_equal(patterns_new(&file, 1, NULL, &p, NULL), OK);
    assert_int_equal(check_with(p, &r).hit_count, 0);
    r.target = VIEW_STR("/x?p=a-b");
    assert_int_equal(check_with(p, &r).hit_count, 1);
}

/* --- files that are wrong */

static void a_wrong_file_is_refused_with_its_place(void **state)
{
#define HEAD      "class: xss\nrules:\n  - id: a\n    score: 5\n    description: x\n    hits: [x]\n    misses: [y]\n"
#define RULE(pat) HEAD "    pattern: " pat "\n"
    static const struct {
        const char *text, *where;
    } cases[] = {
        {RULE("'a(b'"), "f.yaml:8:14"},
        {RULE("'(a)\\1'"), "f.yaml:8:14"},
        {RULE("'a(?=b)'"), "f.yaml:8:14"},
        {RULE("'a(?s:.)'"), "f.yaml:8:14"},
        {RULE("'a\\sb'"), "f.yaml:8:14"},
        {RULE("'a\\nb'"), "f.yaml:8:14"},
        {RULE("'a\\x0ab'"), "f.yaml:8:14"},
        {RULE("'a[\\W]'"), "f.yaml:8:14"},
        {RULE("'a[[:space:]]'"), "f.yaml:8:14"},
        {RULE("'[^a'"), "f.yaml:8:14"},
        {RULE("'<Script'"), "f.yaml:8:14"},
        {RULE("'a*'"), "f.yaml:8:14"},
        {RULE("'NAN'"), "f.yaml:8:14"},
        {RULE("'z'"), "f.yaml:8:14"},    /* misses what it says it hits */
        {RULE("'[xy]'"), "f.yaml:8:14"}, /* hits what it says it misses */
        {RULE("'nan'\n    on: sql"), "f.yaml:8:14"},
        {RULE("a\n    in: [path, boddy]"), "f.yaml:9:16"},
        {RULE("a\n    colour: red"), "f.yaml:9:5"},
        {"class: spam\nrules: []\n", "f.yaml:1:8"},
        {"class: xss\nrules:\n  - id: a\n    score: 11\n    description: x\n    hits: [x]\n    misses: [y]\n    "
         "pattern: a\n",
         "f.yaml:4:12"},
        {RULE("x") "  - id: a\n    score: 5\n    description: x\n    hits: [x]\n    misses: [y]\n    pattern: x\n",
         "f.yaml:14:14"},
        {"class: xss\nrules:\n  - id: a\n    score: 5\n    description: x\n    hits: []\n    misses: [y]\n    pattern: "
         "a\n",
         "f.yaml:3:5"},
        {"class: xss\n\trules: x", "f.yaml:2:1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct patterns_file file = {"f.yaml", view_str(cases[i].text)};
        struct patterns *p = NULL;
        struct problem why = {0};
        enum err e = patterns_new(&file, 1, NULL, &p, &why);
        if (e == OK || p || strcmp(why.where, cases[i].where) != 0)
            fail_msg("case %zu: %d at %s (%s), not at %s", i, (int)e, why.where, why.detail, cases[i].where);
    }
}

/* --- threads */

static void *check_often(void *context)
{
    AUTO(patterns_scratch_free) struct patterns_scratch *s = NULL;
    struct patterns_request bad = {.target = VIEW_STR("/x?q=<script>alert(1)</script>")};
    struct patterns_request good = {.target = VIEW_STR("/x?q=BTC/USDT;PERP&name=O'Brien")};
    struct patterns_verdict v;
    unsigned *right = context;
    if (patterns_scratch_new(all, random_system(), &s) != OK)
        return NULL;
    for (unsigned i = 0; i < 2000; i++) {
        *right += patterns_check(all, &bad, s, &v) == OK && v.blocked;
        *right += patterns_check(all, &good, s, &v) == OK && !v.blocked;
    }
    return NULL;
}

static void threads_share_the_signatures(void **state)
{
    pthread_t threads[2];
    unsigned right[2] = {0};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, &right[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(right[i], 4000);
    }
}

static void bodies_are_known_by_their_type(void **state)
{
    (void)state;
    assert_int_equal(patterns_body_kind(VIEW_STR("application/json")), PATTERNS_BODY_JSON);
    assert_int_equal(patterns_body_kind(VIEW_STR("Application/Problem+JSON; charset=utf-8")), PATTERNS_BODY_JSON);
    assert_int_equal(patterns_body_kind(VIEW_STR("application/x-www-form-urlencoded;charset=x")), PATTERNS_BODY_FORM);
    assert_int_equal(patterns_body_kind(VIEW_STR("text/html")), PATTERNS_BODY_TEXT);
    assert_int_equal(patterns_body_kind(VIEW_STR("")), PATTERNS_BODY_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_hits_what_it_must_and_misses_what_it_must),
        cmocka_unit_test(every_evasion_is_undone_by_its_step_and_by_no_other),
        cmocka_unit_test(evasions_are_blocked),
        cmocka_unit_test(the_verdict_says_where),
        cmocka_unit_test(credentials_are_passed_over),
        cmocka_unit_test(weak_hits_in_many_parameters_do_not_add_up),
        cmocka_unit_test(an_excluded_parameter_does_not_cover_another),
        cmocka_unit_test(a_rule_that_counts_blocks_nothing),
        cmocka_unit_test(an_excluded_endpoint_is_whole_segments),
        cmocka_unit_test(saved_signatures_are_the_same),
        cmocka_unit_test(what_was_not_saved_is_not_loaded),
        cmocka_unit_test(the_configuration_s_modes_are_the_rules_modes),
        cmocka_unit_test(options_that_name_no_rule_are_refused),
        cmocka_unit_test(what_lies_beyond_the_limit_is_refused_or_said),
        cmocka_unit_test(the_last_of_many_values_is_seen),
        cmocka_unit_test(no_rule_reaches_into_the_next_value),
        cmocka_unit_test(a_wrong_file_is_refused_with_its_place),
        cmocka_unit_test(threads_share_the_signatures),
        cmocka_unit_test(bodies_are_known_by_their_type),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
