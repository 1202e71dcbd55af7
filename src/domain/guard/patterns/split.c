#include "domain/guard/patterns/split.h"

#include <strings.h>

struct splitting {
    split_sink *sink;
    void *context;
};

static bool view_is_nocase(struct view v, const char *name)
{
    return v.len == strlen(name) && strncasecmp((const char *)v.ptr, name, v.len) == 0;
}

static struct view part_of(struct view v, size_t from, size_t end)
{
    return VIEW(v.ptr + from, end - from);
}

static bool is_plain(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i], lower = c | 0x20;
        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_.-[]", c))))
            return false;
    }
    return true;
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

/* Passed over: credentials, which are random or encrypted and none of our business; and lists of media types, which are
 * no programs' input. */
static const char *const passed_over[] = {"authorization", "proxy-authorization", "x-api-key",
                                          "accept",        "accept-encoding",     "accept-language",
                                          "connection",    "content-length",      NULL};

static enum err put_header(struct splitting *s, const struct patterns_field *h)
{
    struct split_field f = {PATTERNS_OTHER, NORMALISE_PLAIN, h->name, h->value};
    for (size_t i = 0; passed_over[i]; i++)
        if (view_is_nocase(h->name, passed_over[i]))
            return OK;
    if (view_is_nocase(h->name, "cookie"))
        return put_pairs(s, h->value, ';', (struct split_field){.part = PATTERNS_COOKIE, .source = NORMALISE_URL});
    if (view_is_nocase(h->name, "user-agent"))
        f.part = PATTERNS_AGENT;
    return put(s, f);
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

static bool is_json_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_json_sign(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c && strchr("{}[]:,+-.eE \t\r\ntrufalsn", c));
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
            strange |= !is_json_sign(body.ptr[at]);
            continue;
        }
        end = string_end(body, at + 1);
        for (next = end + 1; next < body.len && is_json_space(body.ptr[next]);)
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
