#include "domain/guard/patterns/split.h"

#include <strings.h>

struct splitting {
    split_sink *sink;
    void *context;
};

/* Signs that a name may have without being looked at itself, and those that stand between the strings of JSON. */
enum { NAME_SIGN = 1, JSON_SIGN = 2, JSON_SPACE = 4 };

static const uint8_t signs[256] = {
    ['0' ... '9'] = NAME_SIGN | JSON_SIGN,
    ['A' ... 'D'] = NAME_SIGN,
    ['E'] = NAME_SIGN | JSON_SIGN,
    ['F' ... 'Z'] = NAME_SIGN,
    ['a'] = NAME_SIGN | JSON_SIGN, /* the letters of true, false and null, and an exponent's */
    ['b' ... 'd'] = NAME_SIGN,
    ['e'] = NAME_SIGN | JSON_SIGN,
    ['f'] = NAME_SIGN | JSON_SIGN,
    ['g' ... 'k'] = NAME_SIGN,
    ['l'] = NAME_SIGN | JSON_SIGN,
    ['m'] = NAME_SIGN,
    ['n'] = NAME_SIGN | JSON_SIGN,
    ['o' ... 'q'] = NAME_SIGN,
    ['r' ... 'u'] = NAME_SIGN | JSON_SIGN,
    ['v' ... 'z'] = NAME_SIGN,
    ['_'] = NAME_SIGN,
    ['.'] = NAME_SIGN | JSON_SIGN,
    ['-'] = NAME_SIGN | JSON_SIGN,
    ['['] = NAME_SIGN | JSON_SIGN,
    [']'] = NAME_SIGN | JSON_SIGN,
    ['{'] = JSON_SIGN,
    ['}'] = JSON_SIGN,
    [':'] = JSON_SIGN,
    [','] = JSON_SIGN,
    ['+'] = JSON_SIGN,
    [' '] = JSON_SIGN | JSON_SPACE,
    ['\t'] = JSON_SIGN | JSON_SPACE,
    ['\r'] = JSON_SIGN | JSON_SPACE,
    ['\n'] = JSON_SIGN | JSON_SPACE,
};

static struct view part_of(struct view v, size_t from, size_t end)
{
    return VIEW(v.ptr + from, end - from);
}

static bool is_plain(struct view name)
{
    unsigned all = NAME_SIGN;
    for (size_t i = 0; i < name.len; i++)
        all &= signs[name.ptr[i]];
    return all != 0;
}

static enum err put(struct splitting *s, struct split_field f)
{
    if (!is_plain(f.name)) {
        struct split_field name = {f.part, f.source, f.name, f.name};
        TRY(s->sink(s->context, &name));
    }
    return f.value.len ? s->sink(s->context, &f) : OK;
}

/* name=value pairs with a sign between them. What has no "=" is a value without a name. */
static enum err put_pairs(struct splitting *s, struct view text, uint8_t between, struct split_field f)
{
    for (size_t at = 0; at < text.len;) {
        const uint8_t *sign = memchr(text.ptr + at, between, text.len - at);
        size_t end = sign ? (size_t)(sign - text.ptr) : text.len;
        const uint8_t *equals;
        while (f.part == PATTERNS_COOKIE && at < end && text.ptr[at] == ' ')
            at++;
        equals = end > at ? memchr(text.ptr + at, '=', end - at) : NULL;
        f.name = equals ? part_of(text, at, (size_t)(equals - text.ptr)) : (struct view){NULL, 0};
        f.value = equals ? part_of(text, (size_t)(equals - text.ptr) + 1, end) : part_of(text, at, end);
        TRY(put(s, f));
        at = end + 1;
    }
    return OK;
}

static enum err put_target(struct splitting *s, struct view target)
{
    const uint8_t *mark = target.len ? memchr(target.ptr, '?', target.len) : NULL;
    size_t end = mark ? (size_t)(mark - target.ptr) : target.len;
    TRY(put(s, (struct split_field){PATTERNS_PATH, NORMALISE_URL, {NULL, 0}, part_of(target, 0, end)}));
    if (!mark)
        return OK;
    return put_pairs(s, part_of(target, end + 1, target.len), '&',
                     (struct split_field){.part = PATTERNS_QUERY, .source = NORMALISE_FORM});
}

/* --- headers */

enum header_kind { HEADER_OTHER, HEADER_PASSED_OVER, HEADER_COOKIE, HEADER_AGENT };

/* Passed over: credentials, which are random or encrypted and none of our business; and lists of media types, which are
 * no programs' input. */
static const struct {
    struct view name;
    enum header_kind kind;
} header_kinds[] = {
    {VIEW_STR("authorization"), HEADER_PASSED_OVER},
    {VIEW_STR("proxy-authorization"), HEADER_PASSED_OVER},
    {VIEW_STR("x-api-key"), HEADER_PASSED_OVER},
    {VIEW_STR("accept"), HEADER_PASSED_OVER},
    {VIEW_STR("accept-encoding"), HEADER_PASSED_OVER},
    {VIEW_STR("accept-language"), HEADER_PASSED_OVER},
    {VIEW_STR("connection"), HEADER_PASSED_OVER},
    {VIEW_STR("content-length"), HEADER_PASSED_OVER},
    {VIEW_STR("cookie"), HEADER_COOKIE},
    {VIEW_STR("user-agent"), HEADER_AGENT},
};

static enum header_kind kind_of(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(header_kinds); i++)
        if (header_kinds[i].name.len == name.len &&
            strncasecmp((const char *)name.ptr, (const char *)header_kinds[i].name.ptr, name.len) == 0)
            return header_kinds[i].kind;
    return HEADER_OTHER;
}

static enum err put_header(struct splitting *s, const struct patterns_field *h)
{
    enum header_kind kind = kind_of(h->name);
    if (kind == HEADER_PASSED_OVER)
        return OK;
    if (kind == HEADER_COOKIE)
        return put_pairs(s, h->value, ';', (struct split_field){.part = PATTERNS_COOKIE, .source = NORMALISE_URL});
    return put(s, (struct split_field){kind == HEADER_AGENT ? PATTERNS_AGENT : PATTERNS_OTHER, NORMALISE_PLAIN, h->name,
                                       h->value});
}

/* --- JSON */

static size_t string_end(struct view v, size_t at)
{
    for (; at < v.len; at++) {
        if (v.ptr[at] == '"')
            return at;
        if (v.ptr[at] == '\\')
            at++;
    }
    return v.len;
}

/* Every string is a value, or a name if a colon follows. A text with anything else between them is no JSON, or none
 * that this knows: then it is looked at as a whole, too. */
static enum err put_json(struct splitting *s, struct view body)
{
    struct split_field f = {.part = PATTERNS_JSON, .source = NORMALISE_JSON};
    bool strange = false;
    for (size_t at = 0; at < body.len; at++) {
        size_t end, next;
        if (body.ptr[at] != '"') {
            strange |= !(signs[body.ptr[at]] & JSON_SIGN);
            continue;
        }
        end = string_end(body, at + 1);
        for (next = end + 1; next < body.len && signs[body.ptr[next]] & JSON_SPACE;)
            next++;
        strange |= end == body.len;
        f.value = part_of(body, at + 1, end);
        at = end;
        if (next < body.len && body.ptr[next] == ':') {
            f.name = f.value;
            if (is_plain(f.name))
                continue;
        }
        TRY(s->sink(s->context, &f));
    }
    if (!strange)
        return OK;
    return s->sink(s->context, &(struct split_field){PATTERNS_TEXT, NORMALISE_PLAIN, {NULL, 0}, body});
}

enum err split_request(const struct patterns_request *r, split_sink *sink, void *context)
{
    struct splitting s = {sink, context};
    TRY(put_target(&s, r->target));
    for (size_t i = 0; i < r->header_count; i++)
        TRY(put_header(&s, &r->headers[i]));
    if (r->body.len == 0)
        return OK;
    switch (r->kind) {
    case PATTERNS_BODY_FORM:
        return put_pairs(&s, r->body, '&', (struct split_field){.part = PATTERNS_FORM, .source = NORMALISE_FORM});
    case PATTERNS_BODY_JSON:
        return put_json(&s, r->body);
    case PATTERNS_BODY_TEXT:
        return put(&s, (struct split_field){PATTERNS_TEXT, NORMALISE_PLAIN, {NULL, 0}, r->body});
    case PATTERNS_BODY_NONE:
        break;
    }
    return OK;
}
