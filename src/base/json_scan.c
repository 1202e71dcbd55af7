/* RFC 8259 as a scanner that builds nothing: it checks the grammar and finds where a value ends. What it accepts is
 * what json_read accepts, but for duplicate names and numbers that do not fit, which need values to be seen. */
#include "base/json.h"

#include "base/text.h"

#define NAMES_MAX  32 /* members of an object that are compared here */
#define DIGITS_MAX 15 /* so many make a number that always fits */

struct scan {
    struct view text;
    size_t at;
    bool *plain; /* NULL: nobody asks */
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

static void not_plain(struct scan *s)
{
    if (s->plain)
        *s->plain = false;
}

static enum err scan_number(struct scan *s)
{
    size_t from = s->at;

    (void)take(s, '-');
    if (!take(s, '0') && skip_digits(s) == 0)
        return ERR_BAD_JSON;
    if (take(s, '.') && skip_digits(s) == 0)
        return ERR_BAD_JSON;
    if (s->at - from > DIGITS_MAX || peek(s) == 'e' || peek(s) == 'E')
        not_plain(s);
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

/* Nearly all of any text: printable ASCII but for quote and backslash. */
static bool is_ordinary(uint8_t b)
{
    return b >= ' ' && b < 0x7f && b != '"' && b != '\\';
}

static enum err scan_text(struct scan *s)
{
    if (!take(s, '"'))
        return ERR_BAD_JSON;
    for (;;) {
        uint32_t c;

        while (s->at < s->text.len && is_ordinary(s->text.ptr[s->at]))
            s->at++;
        if (take(s, '"'))
            return OK;
        size_t n = utf8_next(VIEW(s->text.ptr + s->at, s->text.len - s->at), &c);

        if (n == 0 && s->at < s->text.len)
            return s->text.ptr[s->at] == 0 ? ERR_NUL_BYTE : ERR_BAD_UTF8;
        if (n == 0 || c < 0x20)
            return ERR_BAD_JSON;
        s->at += n;
        if (c == '\\')
            TRY(scan_escape(s));
    }
}

static enum err scan_value(struct scan *s, unsigned depth);

/* The name of a member, with its quotes, and the colon. */
static enum err scan_name(struct scan *s, struct view *ret)
{
    skip_space(s);
    size_t from = s->at;

    TRY(scan_text(s));
    *ret = VIEW(s->text.ptr + from, s->at - from);
    skip_space(s);
    return take(s, ':') ? OK : ERR_BAD_JSON;
}

static bool is_among(struct view name, const struct view *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (view_eq(name, names[i]))
            return true;
    return false;
}

/* The members of an object, to the closing brace. With an escape in it, a name may be another one's twin unseen. */
static enum err scan_members(struct scan *s, unsigned depth)
{
    struct view names[NAMES_MAX];
    size_t count = 0;

    do {
        struct view name;

        TRY(scan_name(s, &name));
        if (s->plain && (count == NAMES_MAX || memchr(name.ptr, '\\', name.len) || is_among(name, names, count)))
            not_plain(s);
        else if (s->plain)
            names[count++] = name;
        TRY(scan_value(s, depth));
        skip_space(s);
    } while (take(s, ','));
    return take(s, '}') ? OK : ERR_BAD_JSON;
}

static enum err scan_items(struct scan *s, unsigned depth)
{
    do {
        TRY(scan_value(s, depth));
        skip_space(s);
    } while (take(s, ','));
    return take(s, ']') ? OK : ERR_BAD_JSON;
}

static enum err scan_container(struct scan *s, unsigned depth)
{
    bool object = peek(s) == '{';

    s->at++;
    skip_space(s);
    if (take(s, object ? '}' : ']'))
        return OK;
    return object ? scan_members(s, depth) : scan_items(s, depth);
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
    struct scan s = {.text = text};
    enum err e = scan_value(&s, 0);

    *ret_end = s.at;
    return e;
}

enum err json_scan_plain(struct view text, size_t *ret_end, bool *ret_plain)
{
    struct scan s = {.text = text, .plain = ret_plain};

    *ret_plain = true;
    enum err e = scan_value(&s, 0);

    *ret_end = s.at;
    return e;
}

bool json_next(struct view *rest, struct view *ret_name, struct view *ret_value)
{
    struct scan s = {.text = *rest};
    struct view name;

    skip_space(&s);
    if (take(&s, '[') || take(&s, '{') || take(&s, ','))
        skip_space(&s);
    if (peek(&s) < 0 || peek(&s) == ']' || peek(&s) == '}')
        return false;
    if (ret_name && scan_name(&s, &name) != OK)
        return false;
    skip_space(&s);
    size_t from = s.at;

    if (scan_value(&s, 0) != OK)
        return false;
    if (ret_name)
        *ret_name = name;
    *ret_value = VIEW(s.text.ptr + from, s.at - from);
    *rest = VIEW(s.text.ptr + s.at, s.text.len - s.at);
    return true;
}
