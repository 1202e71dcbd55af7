#include "http/target.h"

#include "base/text.h"

enum { IN_PATH = 1, IN_QUERY = 2, IN_BOTH = IN_PATH | IN_QUERY };

/* RFC 3986 §3.3 and §3.4: what may stand in a path or a query unencoded, and '%'. */
static const uint8_t stands[256] = {
    ['0' ... '9'] = IN_BOTH, ['A' ... 'Z'] = IN_BOTH, ['a' ... 'z'] = IN_BOTH, ['-'] = IN_BOTH, ['.'] = IN_BOTH,
    ['_'] = IN_BOTH,         ['~'] = IN_BOTH,         ['!'] = IN_BOTH,         ['$'] = IN_BOTH, ['&'] = IN_BOTH,
    ['\''] = IN_BOTH,        ['('] = IN_BOTH,         [')'] = IN_BOTH,         ['*'] = IN_BOTH, ['+'] = IN_BOTH,
    [','] = IN_BOTH,         [';'] = IN_BOTH,         ['='] = IN_BOTH,         [':'] = IN_BOTH, ['@'] = IN_BOTH,
    ['/'] = IN_BOTH,         ['%'] = IN_BOTH,         ['?'] = IN_QUERY,
};

/* Of a target that is somebody else's. White space ends it for some, '#' for others, and '\' is a '/' to some; all
 * else means the same as it does encoded, so those who send it as it is (browsers "[]^|", curl whatever it is given)
 * are understood. */
static const uint8_t stands_foreign[256] = {
    ['!' ... '"'] = IN_BOTH, ['$' ... '['] = IN_BOTH,   ['\\'] = IN_QUERY,
    [']' ... '~'] = IN_BOTH, [0x80 ... 0xff] = IN_BOTH,
};

static enum err refuse(struct problem *why, const char *detail)
{
    return problem_set(why, ERR_BAD_REQUEST, "", "%s", detail);
}

static RESULT check_characters(struct view v, const uint8_t may_stand[static 256], uint8_t where, struct problem *why)
{
    for (size_t i = 0; i < v.len; i++)
        if (!(may_stand[v.ptr[i]] & where))
            return refuse(why, "The request target has a character that must be percent-encoded.");
    return OK;
}

/* As most parts of a target do. */
static bool stands_for_itself(struct view raw, bool plus_is_space)
{
    return !memchr(raw.ptr, '%', raw.len) && !(plus_is_space && memchr(raw.ptr, '+', raw.len));
}

/* Decodes into arena memory, NUL-terminated, and checks that what comes out is plain text. */
static RESULT decode(struct view raw, bool plus_is_space, struct arena *arena, struct view *ret, struct problem *why)
{
    uint8_t *out = arena_alloc(arena, raw.len + 1);
    if (!out)
        return problem_set(why, ERR_NO_MEMORY, "", "The request target is too large.");
    struct writer w = writer_fixed(out, raw.len);
    if (stands_for_itself(raw, plus_is_space))
        writer_view(&w, raw);
    else if (percent_get(raw, plus_is_space, &w) != OK)
        return refuse(why, "The request target has a malformed percent-encoding or %00.");
    struct view text = VIEW(out, w.len);
    if (!text_printable(text))
        return refuse(why, "The request target decodes to control characters or to bytes that are not UTF-8.");
    *ret = text;
    return OK;
}

static RESULT check_segment(struct view segment, bool last, struct problem *why)
{
    if (segment.len == 0 && !last)
        return refuse(why, "The path has an empty segment.");
    if (view_is(segment, ".") || view_is(segment, ".."))
        return refuse(why, "The path has a dot segment.");
    if (segment.len > TARGET_SEGMENT_MAX)
        return refuse(why, "A path segment is too long.");
    return OK;
}

/* An encoded separator means one thing to the proxy in front and another here. */
static bool has_encoded_separator(struct view raw)
{
    const uint8_t *end = raw.ptr + raw.len, *at = raw.ptr;
    while ((at = memchr(at, '%', (size_t)(end - at))) != NULL && end - at > 2) {
        const char *hex = (const char *)++at;
        if (!strncasecmp(hex, "2f", 2) || !strncasecmp(hex, "5c", 2))
            return true;
    }
    return false;
}

/* Its characters were looked at. */
static RESULT parse_path(struct view raw, struct arena *arena, struct view *ret, struct problem *why)
{
    if (has_encoded_separator(raw))
        return refuse(why, "The path has an encoded '/' or '\\'; write the segments of a name as path segments.");
    TRY(decode(raw, false, arena, ret, why));
    size_t start = 1;
    for (size_t i = 1; i <= ret->len; i++)
        if (i == ret->len || ret->ptr[i] == '/') {
            TRY(check_segment(VIEW(ret->ptr + start, i - start), i == ret->len, why));
            start = i + 1;
        }
    return OK;
}

static size_t query_count(struct view raw)
{
    size_t count = 1;
    for (size_t i = 0; i < raw.len; i++)
        count += raw.ptr[i] == '&';
    return count;
}

static RESULT parse_pair(struct view raw, struct arena *arena, struct http_pair *ret, struct problem *why)
{
    const uint8_t *equals = raw.len ? memchr(raw.ptr, '=', raw.len) : NULL;
    size_t name = equals ? (size_t)(equals - raw.ptr) : raw.len;
    if (name == 0)
        return refuse(why, "A query parameter has no name.");
    struct view value = equals ? VIEW(equals + 1, raw.len - name - 1) : VIEW("", 0);
    TRY(decode(VIEW(raw.ptr, name), true, arena, &ret->name, why));
    return decode(value, true, arena, &ret->value, why);
}

static RESULT parse_query(struct view raw, size_t query_max, struct arena *arena, struct http_pairs *ret,
                          struct problem *why)
{
    if (raw.len == 0)
        return OK;
    TRY(check_characters(raw, stands, IN_QUERY, why));
    size_t count = query_count(raw);
    if (count > query_max)
        return refuse(why, "There are too many query parameters.");
    struct http_pair *items = arena_alloc(arena, count * sizeof *items);
    if (!items)
        return problem_set(why, ERR_NO_MEMORY, "", "The query is too large.");
    size_t start = 0, n = 0;
    for (size_t i = 0; i <= raw.len; i++)
        if (i == raw.len || raw.ptr[i] == '&') {
            TRY(parse_pair(VIEW(raw.ptr + start, i - start), arena, &items[n++], why));
            start = i + 1;
        }
    *ret = (struct http_pairs){items, n};
    return OK;
}

/* The path, and what stands behind the first '?' as it was sent. own: of our own, not what a proxy asks about. */
static RESULT split(struct view raw, bool own, struct arena *arena, struct target *ret, struct view *ret_query,
                    struct problem *why)
{
    *ret_query = VIEW("", 0);
    if (view_is(raw, "*")) {
        *ret = (struct target){.path = VIEW("*", 1), .asterisk = true};
        return OK;
    }
    if (raw.len == 0 || raw.ptr[0] != '/')
        return refuse(why, "The request target must be a path that begins with '/'.");
    const uint8_t *mark = memchr(raw.ptr, '?', raw.len);
    size_t path = mark ? (size_t)(mark - raw.ptr) : raw.len;
    if (mark)
        *ret_query = VIEW(mark + 1, raw.len - path - 1);
    *ret = (struct target){0};
    TRY(check_characters(VIEW(raw.ptr, path), own ? stands : stands_foreign, IN_PATH, why));
    return parse_path(VIEW(raw.ptr, path), arena, &ret->path, why);
}

RESULT target_parse(struct view raw, size_t query_max, struct arena *arena, struct target *ret, struct problem *why)
{
    struct target t;
    struct view query;
    TRY(split(raw, true, arena, &t, &query, why));
    TRY(parse_query(query, query_max, arena, &t.query, why));
    *ret = t;
    return OK;
}

RESULT target_parse_foreign(struct view raw, struct arena *arena, struct target *ret, struct problem *why)
{
    struct target t;
    struct view query;
    TRY(split(raw, false, arena, &t, &query, why));
    TRY(check_characters(query, stands_foreign, IN_QUERY, why));
    *ret = t;
    return OK;
}
