#include "ledger/scan.h"

bool scan_literal(struct scan *s, const char *text, size_t len)
{
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, text, len) != 0)
        return false;
    s->p += len;
    return true;
}

bool scan_number(struct scan *s, uint64_t *ret)
{
    uint64_t n = 0;
    const uint8_t *start = s->p;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*s->p - '0'), &n))
            return false;
    *ret = n;
    return s->p > start && (*start != '0' || s->p == start + 1);
}

/* --- base64 (RFC 4648 §4); nothing here is secret, so a table may be indexed by it */

/* Value + 1 of each character, 0 for what is none. */
#define ROW8(c, v)                                                                                                     \
    [(c)] = (v) + 1, [(c) + 1] = (v) + 2, [(c) + 2] = (v) + 3, [(c) + 3] = (v) + 4, [(c) + 4] = (v) + 5,               \
    [(c) + 5] = (v) + 6, [(c) + 6] = (v) + 7, [(c) + 7] = (v) + 8
#define ROW2(c, v) [(c)] = (v) + 1, [(c) + 1] = (v) + 2
static const uint8_t values[256] = {
    ROW8('A', 0),  ROW8('I', 8),  ROW8('Q', 16), ROW2('Y', 24), ROW8('a', 26), ROW8('i', 34),
    ROW8('q', 42), ROW2('y', 50), ROW8('0', 52), ROW2('8', 60), ['+'] = 63,    ['/'] = 64,
};

static bool group(const uint8_t *in, uint32_t *ret)
{
    uint32_t a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
    *ret = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    return a && b && c && d;
}

/* The last group, where there may be padding, whose unused bits must be zero. */
static bool last_group(const uint8_t *in, uint8_t *out, size_t *n)
{
    uint8_t whole[4] = {in[0], in[1], in[2] == '=' ? 'A' : in[2], in[3] == '=' ? 'A' : in[3]};
    size_t pad = in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
    uint32_t v = 0;
    if (!group(whole, &v) || (pad == 0 && in[2] == '=') || (v & (pad == 2 ? 0xffff : pad == 1 ? 0xff : 0)))
        return false;
    for (size_t i = 0; i < 3 - pad; i++)
        out[(*n)++] = (uint8_t)(v >> (16 - 8 * i));
    return true;
}

bool scan_base64(struct scan *s, uint8_t *out, size_t cap, size_t *ret_len)
{
    const uint8_t *quote = s->p < s->end ? memchr(s->p, '"', (size_t)(s->end - s->p)) : NULL;
    size_t len = quote ? (size_t)(quote - s->p) : 0, n = 0;
    if (!quote || len % 4 != 0 || len / 4 * 3 > cap + 2)
        return false;
    for (size_t i = 0; i + 4 < len; i += 4) {
        uint32_t v = 0;
        if (n + 3 > cap || !group(s->p + i, &v))
            return false;
        out[n++] = (uint8_t)(v >> 16);
        out[n++] = (uint8_t)(v >> 8);
        out[n++] = (uint8_t)v;
    }
    uint8_t tail[3];
    size_t tail_len = 0;
    if (len > 0 && (!last_group(quote - 4, tail, &tail_len) || n + tail_len > cap))
        return false;
    memcpy(out + n, tail, tail_len);
    *ret_len = n + tail_len;
    s->p = quote + 1;
    return true;
}

/* --- texts */

static bool hex_digit(uint8_t c, uint8_t *ret)
{
    bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    *ret = (uint8_t)(digit ? c - '0' : c - 'a' + 10);
    return digit || letter;
}

/* Those that our own writer makes; \u only below 0x80. */
static bool escape(struct scan *s, struct writer *w)
{
    static const char from[] = "\"\\bfnrt", to[] = "\"\\\b\f\n\r\t";
    uint8_t high = 0, low = 0;
    if (s->end - s->p < 2)
        return false;
    const char *at = s->p[1] ? strchr(from, s->p[1]) : NULL;
    if (at) {
        writer_u8(w, (uint8_t)to[at - from]);
        s->p += 2;
        return true;
    }
    if (s->end - s->p < 6 || memcmp(s->p, "\\u00", 4) != 0 || !hex_digit(s->p[4], &high) || !hex_digit(s->p[5], &low))
        return false;
    writer_u8(w, (uint8_t)(high << 4 | low));
    s->p += 6;
    return high < 8;
}

static bool text(struct scan *s, struct writer *w)
{
    if (!SCAN(s, "\""))
        return false;
    for (;;) {
        const uint8_t *quote = s->p < s->end ? memchr(s->p, '"', (size_t)(s->end - s->p)) : NULL;
        if (!quote)
            return false;
        const uint8_t *slash = quote > s->p ? memchr(s->p, '\\', (size_t)(quote - s->p)) : NULL;
        const uint8_t *stop = slash ? slash : quote;
        writer_bytes(w, s->p, (size_t)(stop - s->p));
        s->p = stop;
        if (!slash)
            break;
        if (!escape(s, w))
            return false;
    }
    s->p++;
    return true;
}

static bool value(struct scan *s, const struct field *f, struct writer *w)
{
    size_t at = w->len + 2;
    writer_u16(w, f->no);
    writer_u32(w, 0);
    if (f->type == FIELD_BOOL) {
        if (!SCAN(s, "true"))
            return false;
        writer_u8(w, 1);
    } else if (f->type != FIELD_TEXT || !text(s, w)) {
        return false;
    }
    if (writer_done(w) != OK)
        return false;
    struct writer length = writer_fixed(w->ptr + at, 4);
    writer_u32(&length, (uint32_t)(w->len - at - 4));
    return w->len > at + 4; /* what is empty is left out */
}

static bool name_is(struct scan *s, const struct field *f)
{
    size_t n = strlen(f->name);
    if ((size_t)(s->end - s->p) < n + 3 || s->p[0] != '"' || memcmp(s->p + 1, f->name, n) != 0 || s->p[n + 1] != '"' ||
        s->p[n + 2] != ':')
        return false;
    s->p += n + 3;
    return true;
}

bool scan_entity(struct scan *s, const struct entity *e, struct writer *w)
{
    bool first = true;
    writer_u16(w, e->schema);
    writer_u16(w, e->version);
    if (!SCAN(s, "{"))
        return false;
    for (size_t i = 0; i < e->count; i++) {
        struct scan ahead = *s;
        if ((!first && !SCAN(&ahead, ",")) || !name_is(&ahead, &e->fields[i]))
            continue;
        if (!value(&ahead, &e->fields[i], w))
            return false;
        *s = ahead;
        first = false;
    }
    return SCAN(s, "}");
}
