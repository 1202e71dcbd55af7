/* RFC 8259 as a scanner that builds nothing: it checks the grammar and finds where a value ends. What it accepts is
 * what json_read accepts, but for duplicate names and numbers that do not fit, which need values to be seen. */
#include "base/json.h"

#include "base/text.h"

struct scan {
    struct view text;
    size_t at;
};

static int peek(const struct scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : -1;
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != (uint8_t)c)
        return false;
    s->at++;
    return true;
}

static void skip_space(struct scan *s)
{
    while (take(s, ' ') || take(s, '\t') || take(s, '\n') || take(s, '\r'))
        ;
}

static enum err scan_word(struct scan *s, const char *word)
{
    for (; *word; word++)
        if (!take(s, *word))
            return ERR_BAD_JSON;
    return OK;
}

static size_t skip_digits(struct scan *s)
{
    size_t from = s->at;

    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at - from;
}

static enum err scan_number(struct scan *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && skip_digits(s) == 0)
        return ERR_BAD_JSON;
    if (take(s, '.') && skip_digits(s) == 0)
        return ERR_BAD_JSON;
    if (!take(s, 'e') && !take(s, 'E'))
        return OK;
    if (!take(s, '+'))
        (void)take(s, '-');
    return skip_digits(s) ? OK : ERR_BAD_JSON;
}

static enum err scan_hex4(struct scan *s, unsigned *ret)
{
    uint8_t b[2];

    if (s->text.len - s->at < 4)
        return ERR_BAD_JSON;
    if (hex_get(VIEW(s->text.ptr + s->at, 4), b, 2) != OK)
        return ERR_BAD_JSON;
    s->at += 4;
    *ret = (unsigned)b[0] << 8 | b[1];
    return OK;
}

/* After the backslash. A surrogate needs its partner; U+0000 is no text here. */
static enum err scan_escape(struct scan *s)
{
    unsigned unit, low;
    int c = peek(s);

    if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == 0)
        return ERR_BAD_JSON;
    s->at++;
    if (c != 'u')
        return OK;
    TRY(scan_hex4(s, &unit));
    if (unit == 0)
        return ERR_NUL_BYTE;
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return ERR_BAD_UTF8;
    if (unit < 0xd800 || unit > 0xdbff)
        return OK;
    if (!take(s, '\\') || !take(s, 'u'))
        return ERR_BAD_UTF8;
    TRY(scan_hex4(s, &low));
    return low >= 0xdc00 && low <= 0xdfff ? OK : ERR_BAD_UTF8;
}

static enum err scan_text(struct scan *s)
{
    if (!take(s, '"'))
        return ERR_BAD_JSON;
    while (!take(s, '"')) {
        uint32_t c;
        size_t n = utf8_next(VIEW(s->text.ptr + s->at, s->text.len - s->at), &c);

        if (n == 0 && s->at < s->text.len)
            return s->text.ptr[s->at] == 0 ? ERR_NUL_BYTE : ERR_BAD_UTF8;
        if (n == 0 || c < 0x20)
            return ERR_BAD_JSON;
        s->at += n;
        if (c == '\\')
            TRY(scan_escape(s));
    }
    return OK;
}

static enum err scan_value(struct scan *s, unsigned depth);

/* The members of an object or the items of an array, from the opening bracket to the closing one. */
static enum err scan_container(struct scan *s, unsigned depth)
{
    bool object = take(s, '{');
    char close = object ? '}' : ']';

    if (!object)
        s->at++;
    skip_space(s);
    if (take(s, close))
        return OK;
    do {
        if (object) {
            skip_space(s);
            TRY(scan_text(s));
            skip_space(s);
            if (!take(s, ':'))
                return ERR_BAD_JSON;
        }
        TRY(scan_value(s, depth));
        skip_space(s);
    } while (take(s, ','));
    return take(s, close) ? OK : ERR_BAD_JSON;
}

static enum err scan_value(struct scan *s, unsigned depth)
{
    skip_space(s);
    switch (peek(s)) {
    case '{':
    case '[':
        return depth < JSON_MAX_DEPTH ? scan_container(s, depth + 1) : ERR_OUT_OF_RANGE;
    case '"':
        return scan_text(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return scan_number(s);
    }
}

enum err json_scan(struct view text, size_t *ret_end)
{
    struct scan s = {text, 0};
    enum err e = scan_value(&s, 0);

    *ret_end = s.at;
    return e;
}

static size_t space_at(struct view v, size_t at)
{
    struct scan s = {v, at};

    skip_space(&s);
    return s.at;
}

enum err json_next(struct view *rest, struct view *ret_value)
{
    struct view v = *rest;
    size_t from = space_at(v, 0), end;

    /* Past the bracket or comma, and past the name of a member. */
    if (from < v.len && strchr("[{,", v.ptr[from]))
        from++;
    struct scan s = {v, space_at(v, from)};

    if (s.at < v.len && v.ptr[s.at] == '"' && scan_text(&s) == OK) {
        skip_space(&s);
        if (take(&s, ':'))
            from = s.at;
    }
    from = space_at(v, from);
    struct view tail = VIEW(v.ptr + from, v.len - from);

    TRY(json_scan(tail, &end));
    *ret_value = VIEW(tail.ptr, end);
    *rest = VIEW(tail.ptr + end, tail.len - end);
    return OK;
}
