#include "domain/guard/patterns/normalise.h"

#include "domain/guard/patterns/decode.h"
#include "domain/guard/patterns/sql_shape.h"

#define BREAK_MAX 64 /* of a line break, this many bytes begin a line of their own */

/* Classes of bytes. What no byte of the value needs is not done. */
enum {
    HAS_PERCENT = 1,
    HAS_PLUS = 2,
    HAS_AMPERSAND = 4,
    HAS_BACKSLASH = 8,
    HAS_HIGH = 16,
    HAS_UPPER = 32,
    HAS_CONTROL = 64, /* without white space */
    HAS_SPACE = 128,  /* a blank, or other white space */
    HAS_BREAK = 256,  /* CR, LF */
    HAS_SLASH = 512,
    HAS_SINGLE = 1024, /* ' */
    HAS_DOUBLE = 2048, /* " */
    HAS_JOINER = 4096, /* falls out of a word for a shell, a concatenation or a browser's URI */
    HAS_SQL = 8192,    /* punctuation that SQL gives a meaning */
    HAS_WHITE = 16384, /* white space other than a blank */
    ANY_CLASS = 32767,
};

static const uint16_t classes[256] = {
    [0x00 ... 0x08] = HAS_CONTROL,
    [0x0e ... 0x1f] = HAS_CONTROL,
    [0x7f] = HAS_CONTROL,
    ['\t'] = HAS_SPACE | HAS_WHITE | HAS_JOINER,
    [0x0b] = HAS_SPACE | HAS_WHITE,
    [0x0c] = HAS_SPACE | HAS_WHITE,
    [' '] = HAS_SPACE,
    ['\n'] = HAS_SPACE | HAS_WHITE | HAS_BREAK | HAS_JOINER,
    ['\r'] = HAS_SPACE | HAS_WHITE | HAS_BREAK | HAS_JOINER,
    ['%'] = HAS_PERCENT | HAS_SQL,
    ['+'] = HAS_PLUS,
    ['&'] = HAS_AMPERSAND | HAS_SQL,
    ['\\'] = HAS_BACKSLASH | HAS_JOINER,
    ['/'] = HAS_SLASH,
    ['\''] = HAS_SINGLE | HAS_JOINER | HAS_SQL,
    ['"'] = HAS_DOUBLE | HAS_JOINER | HAS_SQL,
    ['`'] = HAS_JOINER | HAS_SQL,
    ['^'] = HAS_JOINER,
    ['$'] = HAS_JOINER,
    ['='] = HAS_SQL,
    ['<'] = HAS_SQL,
    ['>'] = HAS_SQL,
    ['('] = HAS_SQL,
    ['@'] = HAS_SQL,
    ['#'] = HAS_SQL,
    ['|'] = HAS_SQL,
    ['*'] = HAS_SQL,
    ['!'] = HAS_SQL,
    [';'] = HAS_SQL,
    ['-'] = HAS_SQL,
    ['A' ... 'Z'] = HAS_UPPER,
    [0x80 ... 0xff] = HAS_HIGH,
};

static unsigned classes_of(const uint8_t *p, size_t n)
{
    unsigned has = 0;
    for (size_t i = 0; i < n; i++)
        has |= classes[p[i]];
    return has;
}

/* --- layers of encoding */

static size_t percent_again(uint8_t *p, size_t n)
{
    return decode_percent(p, n);
}

static size_t entities_twice(uint8_t *p, size_t n)
{
    return decode_entities(p, decode_entities(p, n));
}

/* Which step a value of this source needs when it has such bytes. */
struct layer {
    enum normalise_step step;
    unsigned sources; /* mask of 1 << enum normalise_source */
    unsigned needs;
    size_t (*decode)(uint8_t *p, size_t n);
};

#define ANY_SOURCE (~0u)
#define ENCODED    (1u << NORMALISE_URL | 1u << NORMALISE_FORM)

static const struct layer layers[] = {
    {NORMALISE_STEP_JSON, 1u << NORMALISE_JSON, HAS_BACKSLASH, decode_json},
    {NORMALISE_STEP_PERCENT, 1u << NORMALISE_FORM, HAS_PLUS, decode_plus},
    {NORMALISE_STEP_PERCENT, ENCODED, HAS_PERCENT, decode_percent},
    {NORMALISE_STEP_PERCENT_TWICE, ANY_SOURCE, HAS_PERCENT, percent_again},
    {NORMALISE_STEP_ENTITIES, ANY_SOURCE, HAS_AMPERSAND, entities_twice},
    {NORMALISE_STEP_ESCAPES, ANY_SOURCE, HAS_BACKSLASH, decode_escapes},
    {NORMALISE_STEP_UTF8, ANY_SOURCE, HAS_HIGH, decode_utf8},
};

/* Takes the layers off in place. */
static size_t decode(uint8_t *p, size_t n, enum normalise_source source, unsigned skip, unsigned *has)
{
    *has = classes_of(p, n);
    for (size_t i = 0; i < ARRAY_LEN(layers); i++) {
        const struct layer *l = &layers[i];
        if (!(*has & l->needs) || !(l->sources >> source & 1) || skip >> l->step & 1)
            continue;
        n = l->decode(p, n);
        *has = classes_of(p, n);
    }
    return n;
}

/* --- one spelling */

static void lower(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] |= (uint8_t)((uint8_t)(p[i] - 'A') < 26 ? 0x20 : 0);
}

/* Drops control characters, in place. */
static size_t drop_controls(uint8_t *p, size_t n, unsigned skip)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(classes[p[i]] & HAS_CONTROL))
            p[out++] = p[i];
        else if (skip >> NORMALISE_STEP_CONTROL & 1)
            p[out++] = 1; /* any that no rule speaks of */
    }
    return out;
}

/* Does a stand before b anywhere? Most texts have no such pair, and then a step that takes them out has nothing to do.
 * Without a branch, so that compilers compare many bytes at a time. */
static bool has_pair(const uint8_t *p, size_t n, uint8_t a, uint8_t b)
{
    uint8_t found = 0;
    for (size_t i = 1; i < n; i++)
        found |= (uint8_t)((p[i - 1] == a) & (p[i] == b));
    return found;
}

/* White space becomes one blank, at the ends none. A line never holds '\n'. */
static size_t blanks(uint8_t *p, size_t n, unsigned has, unsigned skip)
{
    size_t out = 0;
    if (!(has & HAS_WHITE) && !(n && (p[0] == ' ' || p[n - 1] == ' ')) && !has_pair(p, n, ' ', ' '))
        return n;
    for (size_t i = 0; i < n; i++) {
        if (!(classes[p[i]] & HAS_SPACE))
            p[out++] = p[i];
        else if (skip >> NORMALISE_STEP_SPACE & 1)
            p[out++] = p[i] == '\n' ? '\r' : p[i];
        else if (out && p[out - 1] != ' ')
            p[out++] = ' ';
    }
    while (out && p[out - 1] == ' ')
        out--;
    return out;
}

/* "/./" and "//" behind a name are one "/". Behind anything else "//" may begin a host. */
static size_t segments(uint8_t *p, size_t n)
{
    size_t out = 0;
    if (!has_pair(p, n, '/', '/') && !has_pair(p, n, '/', '.'))
        return n;
    for (size_t i = 0; i < n; i++) {
        bool in_path = out >= 2 && p[out - 1] == '/' &&
                       ((p[out - 2] >= 'a' && p[out - 2] <= 'z') || p[out - 2] == '.' || p[out - 2] == '_');
        if (in_path && p[i] == '/')
            continue;
        if (in_path && p[i] == '.' && i + 1 < n && p[i + 1] == '/') {
            i++;
            continue;
        }
        p[out++] = p[i];
    }
    return out;
}

/* --- further lines, appended to out */

struct lines {
    uint8_t *out;
    size_t len, begin; /* begin: of the line that is being written */
};

static void end_line(struct lines *l, unsigned skip)
{
    l->len = l->begin + blanks(l->out + l->begin, l->len - l->begin, ANY_CLASS, skip);
    if (l->len > l->begin)
        l->out[l->len++] = '\n';
    l->begin = l->len;
}

/* What follows a line break in the value. The mark '\r' is no white space that blanks() would take: it is put in
 * behind. */
static void put_breaks(struct lines *l, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t from, end;
        if (!(classes[p[i]] & HAS_BREAK))
            continue;
        while (i < n && classes[p[i]] & HAS_SPACE)
            i++;
        from = i;
        for (end = from; end < n && end - from < BREAK_MAX && !(classes[p[end]] & HAS_BREAK);)
            end++;
        if (end - from < 2)
            continue;
        l->out[l->len++] = '\r';
        for (size_t j = from; j < end; j++)
            l->out[l->len++] = classes[p[j]] & HAS_SPACE ? ' ' : p[j];
        l->out[l->len++] = '\n';
        l->begin = l->len;
        i = end - 1;
    }
}

/* Takes comments out of the value in place; each one's text is a line. What runs from -- or # to a line break is one,
 * too; an unclosed one stays. */
static size_t comments(struct lines *l, uint8_t *p, size_t n, unsigned skip)
{
    size_t out = 0, versioned = 0;
    if (!(n && memchr(p, '#', n)) && !has_pair(p, n, '-', '-') && !has_pair(p, n, '/', '*'))
        return n;
    for (size_t i = 0; i < n;) {
        const uint8_t *end = NULL;
        size_t open = 0, close = 0;
        if (p[i] == '/' && n - i > 2 && p[i + 1] == '*' && p[i + 2] == '!') {
            for (i += 3; i < n && p[i] >= '0' && p[i] <= '9';)
                i++;
            versioned++;
            p[out++] = ' ';
            continue;
        }
        if (p[i] == '*' && n - i > 1 && p[i + 1] == '/' && versioned) {
            versioned--;
            i += 2;
            p[out++] = ' ';
            continue;
        }
        if (p[i] == '/' && n - i > 3 && p[i + 1] == '*') {
            end = memmem(p + i + 2, n - i - 2, "*/", 2);
            open = close = 2;
        } else if (p[i] == '#' || (p[i] == '-' && n - i > 1 && p[i + 1] == '-')) {
            open = p[i] == '#' ? 1 : 2;
            end = memchr(p + i + open, '\n', n - i - open);
            close = 1;
        }
        if (!end) {
            p[out++] = p[i++];
            continue;
        }
        memcpy(l->out + l->len, p + i + open, (size_t)(end - p) - i - open);
        l->len += (size_t)(end - p) - i - open;
        end_line(l, skip);
        p[out++] = ' ';
        i = (size_t)(end - p) + close;
    }
    return out;
}

static bool is_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' || c == ':' || c == '-';
}

/* The length of what a shell drops from a word or reads as a blank: $IFS, ${IFS}, $IFS$9, $@, $1. */
static size_t shell_variable(const uint8_t *p, size_t n, bool *ret_blank)
{
    static const char *const blanks_too[] = {"$ifs$9", "${ifs}", "$ifs"};
    for (size_t i = 0; i < ARRAY_LEN(blanks_too); i++) {
        size_t length = strlen(blanks_too[i]);
        if (n >= length && memcmp(p, blanks_too[i], length) == 0) {
            *ret_blank = true;
            return length;
        }
    }
    *ret_blank = false;
    return n >= 2 && p[0] == '$' && (p[1] == '@' || p[1] == '*' || (p[1] >= '0' && p[1] <= '9')) ? 2 : 0;
}

/* The run at p of what falls out of a word: quotes, backslashes, carets, white space but blanks, and between quotes
 * what joins strings. */
static size_t joiner_run(const uint8_t *p, size_t n, bool *ret_blank)
{
    size_t i = 0;
    bool quoted = false, blank = false;
    for (; i < n; i++) {
        bool quote = p[i] == '\'' || p[i] == '"' || p[i] == '`';
        size_t variable = p[i] == '$' ? shell_variable(p + i, n - i, &blank) : 0;
        if (variable) {
            *ret_blank |= blank;
            i += variable - 1;
        } else if (quote) {
            quoted = true;
        } else if (p[i] != '\\' && p[i] != '^' && !(quoted && strchr("+|&.", p[i]) && p[i]) &&
                   !(classes[p[i]] & HAS_SPACE && p[i] != ' ')) {
            break;
        }
    }
    return i;
}

static void put_squeezed(struct lines *l, const uint8_t *p, size_t n)
{
    bool inside = false;
    for (size_t i = 0; i < n;) {
        bool blank = false;
        size_t run = joiner_run(p + i, n - i, &blank);
        if (run == 0) {
            l->out[l->len++] = p[i++];
            continue;
        }
        inside |= blank || (i > 0 && is_name(p[i - 1]) && i + run < n && is_name(p[i + run]));
        if (blank)
            l->out[l->len++] = ' ';
        i += run;
    }
    if (!inside)
        l->len = l->begin;
}

/* A shape of one letter says nothing, but for a call. */
static void put_shape(struct lines *l, struct view value, uint8_t quote)
{
    size_t n = sql_shape(value, quote, l->out + l->len);
    if (n < 2 && l->out[l->len] != 'F')
        return;
    l->len += n;
    l->out[l->len++] = '\n';
    l->begin = l->len;
}

static bool wants(unsigned has, unsigned needs, unsigned skip, enum normalise_step step)
{
    return has & needs && !(skip >> step & 1);
}

/* The decoded value is at the begin of out, n bytes; the lines derived from it are written behind it, and in the end
 * the value's own line moves up to them. */
size_t normalise(struct view value, enum normalise_source source, unsigned skip, uint8_t *out)
{
    unsigned has = 0;
    size_t n = value.len, decoded;
    struct lines l = {.out = out};
    if (n)
        memcpy(out, value.ptr, n);
    n = decode(out, n, source, skip, &has);
    if (has & HAS_CONTROL)
        n = drop_controls(out, n, skip);
    if (wants(has, HAS_UPPER, skip, NORMALISE_STEP_CASE))
        lower(out, n);
    decoded = n;
    l.len = l.begin = n + 1;
    if (wants(has, HAS_BREAK, skip, NORMALISE_STEP_BREAKS))
        put_breaks(&l, out, n);
    if (wants(has, HAS_JOINER, skip, NORMALISE_STEP_SQUEEZE)) {
        put_squeezed(&l, out, n);
        end_line(&l, skip);
    }
    if (wants(has, HAS_SLASH | HAS_SQL, skip, NORMALISE_STEP_COMMENTS))
        n = comments(&l, out, n, skip);
    if (has & HAS_SPACE || n != decoded)
        n = blanks(out, n, n != decoded ? ANY_CLASS : has, skip);
    if (wants(has, HAS_SLASH, skip, NORMALISE_STEP_SEGMENTS))
        n = segments(out, n);
    if (wants(has, HAS_SQL | HAS_SPACE, skip, NORMALISE_STEP_SQL)) {
        put_shape(&l, VIEW(out, n), 0);
        if (has & HAS_SINGLE)
            put_shape(&l, VIEW(out, n), '\'');
        if (has & HAS_DOUBLE)
            put_shape(&l, VIEW(out, n), '"');
    }
    out[n] = '\n';
    memmove(out + n + 1, out + decoded + 1, l.len - decoded - 1);
    return l.len - (decoded - n);
}
