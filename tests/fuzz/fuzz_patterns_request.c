/* A request's head and body, taken apart and judged: the input is the target, a line each for headers, an empty line,
 * and the body, whose kind its first byte says. The verdict is the same whatever is remembered of former requests. */
#include "domain/guard/patterns/patterns.h"

#define HEADERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct patterns *signatures(void)
{
    static const char rules[] =
        "class: xss\nrules:\n"
        "  - {id: a, score: 5, description: x, pattern: '<script', hits: [<script], misses: [y]}\n"
        "  - {id: b, score: 2, description: x, pattern: '[^a-z]on[a-z]+=', hits: [/onx=], misses: [y]}\n"
        "  - {id: c, score: 3, description: x, on: sql, pattern: '0A', hits: [\"x' or y\"], misses: [y]}\n"
        "  - {id: d, score: 1, description: x, pattern: '[a-z]', hits: [x], misses: ['5']}\n"
        "  - {id: e, score: 4, description: x, in: [path, json], pattern: '\\.\\./', hits: [../], misses: [y]}\n";
    static struct patterns *p;
    struct patterns_file file = {"rules.yaml", VIEW_STR(rules)};
    struct patterns_exclusion x = {VIEW_STR("/a"), VIEW_STR("b"), VIEW_STR("d")};
    struct patterns_options o = {.body_limit = 4096, .pass_longer = true, .exclusions = &x, .exclusion_count = 1};
    if (!p && patterns_new(&file, 1, &o, &p, NULL) != OK)
        abort();
    return p;
}

static struct view take_line(const uint8_t **at, size_t *left)
{
    const uint8_t *end = *left ? memchr(*at, '\n', *left) : NULL;
    struct view line = VIEW(*at, end ? (size_t)(end - *at) : *left);
    *at += line.len + (end != NULL);
    *left -= line.len + (end != NULL);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct patterns_scratch *s, *remembers;
    struct patterns_field headers[HEADERS_MAX];
    struct patterns_request r = {.endpoint = VIEW_STR("/a/b"), .headers = headers};
    struct patterns_verdict v = {0};
    struct patterns *p = signatures();
    if (!s && (patterns_scratch_new(p, NULL, &s) != OK || patterns_scratch_new(p, random_system(), &remembers) != OK))
        abort();
    r.target = take_line(&data, &size);
    for (;;) {
        struct view line = take_line(&data, &size);
        const uint8_t *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
        if (!colon || r.header_count == HEADERS_MAX)
            break;
        headers[r.header_count].name = VIEW(line.ptr, (size_t)(colon - line.ptr));
        headers[r.header_count++].value = VIEW(colon + 1, line.len - (size_t)(colon - line.ptr) - 1);
    }
    if (size) {
        r.kind = (enum patterns_body)(data[0] & 3);
        r.body = VIEW(data + 1, size - 1);
    }
    if (patterns_check(p, &r, s, &v) != OK)
        abort();
    for (int again = 0; again < 2; again++) {
        struct patterns_verdict w;
        if (patterns_check(p, &r, remembers, &w) != OK || w.blocked != v.blocked || w.longer != v.longer ||
            w.score != v.score || w.classes != v.classes || w.hit_count != v.hit_count)
            abort();
    }
    if (v.hit_count > PATTERNS_HITS_MAX || (v.score && !v.hit_count) || (v.score >= 5) != v.blocked)
        abort();
    for (size_t i = 0; i < v.hit_count; i++)
        if (v.hits[i].name_len > PATTERNS_NAME_MAX || v.hits[i].part >= PATTERNS_PARTS)
            abort();
    return 0;
}
