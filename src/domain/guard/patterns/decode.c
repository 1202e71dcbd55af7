#include "domain/guard/patterns/decode.h"

#include <string.h>

#define REPLACEMENT '?' /* for a character beyond ASCII that was written as an escape: no rule speaks of one */
#define DROPPED     0xffffffffu

static unsigned hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16u;
}

/* Exactly digits hex digits at p, of which n bytes are there. */
static bool hex_number(const uint8_t *p, size_t n, size_t digits, uint32_t *ret)
{
    uint32_t value = 0;
    if (n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        unsigned d = hex_digit(p[i]);
        if (d > 15)
            return false;
        value = value << 4 | d;
    }
    *ret = value;
    return true;
}

/* As UTF-8, but at most room bytes of it: an escape is never shorter than what it stands for. */
static size_t put_character(uint8_t *out, uint32_t c, size_t room)
{
    if (c < 0x80 || (c >= 0xd800 && c <= 0xdfff) || c > 0xffff || room < 3) {
        out[0] = c < 0x80 ? (uint8_t)c : REPLACEMENT;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    out[0] = (uint8_t)(0xe0 | c >> 12);
    out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
}

size_t decode_plus(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == '+')
            p[i] = ' ';
    return n;
}

size_t decode_percent(uint8_t *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        if (p[i] != '%') {
            p[out++] = p[i++];
        } else if (hex_number(p + i + 1, n - i - 1, 2, &c)) {
            p[out++] = (uint8_t)c;
            i += 3;
        } else if (n - i > 1 && (p[i + 1] | 0x20) == 'u' && hex_number(p + i + 2, n - i - 2, 4, &c)) {
            out += put_character(p + out, c, 6);
            i += 6;
        } else {
            p[out++] = p[i++];
        }
    }
    return out;
}

/* \uXXXX, \u{X…} or \xXX at p, which begins with the backslash: its length, 0 if it is none. */
static size_t escape_at(const uint8_t *p, size_t n, uint32_t *ret)
{
    size_t i = 3;
    uint32_t c = 0;
    if (n < 4)
        return 0;
    if (p[1] == 'x')
        return hex_number(p + 2, n - 2, 2, ret) ? 4 : 0;
    if (p[1] != 'u')
        return 0;
    if (hex_number(p + 2, n - 2, 4, ret))
        return 6;
    if (p[2] != '{')
        return 0;
    for (; i < n && hex_digit(p[i]) < 16 && c < 0x110000; i++)
        c = c << 4 | hex_digit(p[i]);
    *ret = c;
    return i > 3 && i < n && p[i] == '}' ? i + 1 : 0;
}

size_t decode_escapes(uint8_t *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        size_t length = p[i] == '\\' ? escape_at(p + i, n - i, &c) : 0;
        if (length) {
            out += put_character(p + out, c, length);
            i += length;
        } else {
            p[out++] = p[i++];
        }
    }
    return out;
}

size_t decode_json(uint8_t *p, size_t n)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        const char *at;
        if (p[i] != '\\' || i + 1 == n) {
            p[out++] = p[i++];
        } else if (p[i + 1] == 'u' && hex_number(p + i + 2, n - i - 2, 4, &c)) {
            out += put_character(p + out, c, 6);
            i += 6;
        } else {
            at = p[i + 1] ? strchr(from, p[i + 1]) : NULL;
            p[out++] = at ? (uint8_t)to[at - from] : p[i + 1];
            i += 2;
        }
    }
    return out;
}

/* --- HTML */

#define ENTITY_NAME_MAX 7

struct entity_name {
    char name[ENTITY_NAME_MAX + 1];
    char means;
};

/* Those that stand for what has a meaning in a script, a tag, a path or a query. */
static const struct entity_name entity_names[] = {
    {"lt", '<'},     {"gt", '>'},     {"amp", '&'},    {"quot", '"'},   {"apos", '\''},   {"lpar", '('},
    {"rpar", ')'},   {"colon", ':'},  {"semi", ';'},   {"tab", '\t'},   {"newline", ' '}, {"sol", '/'},
    {"bsol", '\\'},  {"equals", '='}, {"nbsp", ' '},   {"excl", '!'},   {"num", '#'},     {"dollar", '$'},
    {"percnt", '%'}, {"grave", '`'},  {"comma", ','},  {"plus", '+'},   {"period", '.'},  {"ast", '*'},
    {"lcub", '{'},   {"lbrace", '{'}, {"rcub", '}'},   {"rbrace", '}'}, {"lsqb", '['},    {"lbrack", '['},
    {"rsqb", ']'},   {"rbrack", ']'}, {"lowbar", '_'}, {"hat", '^'},    {"verbar", '|'},  {"vert", '|'},
    {"quest", '?'},  {"commat", '@'},
};

/* &#60; &#x3c; with any number of leading zeros; the semicolon may be missing. Length of it, or 0. */
static size_t numeric_entity(const uint8_t *p, size_t n, uint32_t *ret)
{
    bool hex = n > 2 && (p[2] | 0x20) == 'x';
    size_t i = hex ? 3 : 2, first = i;
    uint32_t c = 0;
    for (; i < n && hex_digit(p[i]) < (hex ? 16u : 10u) && c < 0x110000; i++)
        c = c * (hex ? 16 : 10) + hex_digit(p[i]);
    if (i == first)
        return 0;
    *ret = c;
    return i < n && p[i] == ';' ? i + 1 : i;
}

/* A browser takes "&lt" without its semicolon also before further letters, but only some names; names here are taken
 * when they end in ';' or when no letter follows. */
static size_t named_entity(const uint8_t *p, size_t n, uint32_t *ret)
{
    char name[ENTITY_NAME_MAX + 1];
    size_t length = 0;
    while (length + 1 < n && length <= ENTITY_NAME_MAX && (p[length + 1] | 0x20) >= 'a' &&
           (p[length + 1] | 0x20) <= 'z')
        length++;
    if (length == 0 || length > ENTITY_NAME_MAX)
        return 0;
    for (size_t i = 0; i < length; i++)
        name[i] = (char)(p[i + 1] | 0x20);
    name[length] = '\0';
    for (size_t i = 0; i < sizeof entity_names / sizeof entity_names[0]; i++) {
        if (strcmp(name, entity_names[i].name) != 0)
            continue;
        *ret = (uint8_t)entity_names[i].means;
        return length + 1 < n && p[length + 1] == ';' ? length + 2 : length + 1;
    }
    return 0;
}

size_t decode_entities(uint8_t *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        size_t length = 0;
        if (p[i] == '&' && n - i > 2)
            length = p[i + 1] == '#' ? numeric_entity(p + i, n - i, &c) : named_entity(p + i, n - i, &c);
        if (length) {
            out += put_character(p + out, c, length);
            i += length;
        } else {
            p[out++] = p[i++];
        }
    }
    return out;
}

/* --- UTF-8 */

/* Ranges that are taken for ASCII: first, last, what first becomes; a step of 0 maps the whole range to one. */
struct fold {
    uint32_t first, last, to, step;
};

static const struct fold folds[] = {
    {0xa0, 0xa0, ' ', 0},         {0xad, 0xad, DROPPED, 0},     {0x131, 0x131, 'i', 0},    {0x17f, 0x17f, 's', 0},
    {0x2000, 0x200a, ' ', 0},     {0x200b, 0x200f, DROPPED, 0}, {0x2028, 0x2029, '\n', 0}, {0x202f, 0x202f, ' ', 0},
    {0x2060, 0x2064, DROPPED, 0}, {0x212a, 0x212a, 'k', 0},     {0x24b6, 0x24cf, 'a', 1},  {0x24d0, 0x24e9, 'a', 1},
    {0x3000, 0x3000, ' ', 0},     {0x3002, 0x3002, '.', 0},     {0x560a, 0x560a, '\n', 0}, /* cut to a byte: LF, CR */
    {0x560d, 0x560d, '\r', 0},    {0xfe64, 0xfe64, '<', 0},     {0xfe65, 0xfe65, '>', 0},  {0xfeff, 0xfeff, DROPPED, 0},
    {0xff01, 0xff5e, '!', 1},
};

static uint32_t fold_character(uint32_t c)
{
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++)
        if (c >= folds[i].first && c <= folds[i].last)
            return folds[i].to + (folds[i].step ? c - folds[i].first : 0);
    return c;
}

/* One character, overlong or not; 0 if p begins with none. */
static size_t character_at(const uint8_t *p, size_t n, uint32_t *ret)
{
    size_t length = p[0] >= 0xf0 && p[0] < 0xf8 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    uint32_t c = p[0] & (0xffu >> (length + 1));
    if (p[0] < 0xc0 || p[0] >= 0xf8 || n < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    *ret = c;
    return length;
}

size_t decode_utf8(uint8_t *p, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c = 0, folded;
        size_t length = p[i] >= 0x80 ? character_at(p + i, n - i, &c) : 0;
        if (length == 0) { /* a lone A0 is a blank to MySQL */
            p[out++] = p[i] == 0xa0 ? ' ' : p[i];
            i++;
            continue;
        }
        folded = fold_character(c);
        if (folded < 0x80) {
            p[out++] = (uint8_t)folded;
        } else if (folded != DROPPED) {
            memmove(p + out, p + i, length);
            out += length;
        }
        i += length;
    }
    return out;
}
