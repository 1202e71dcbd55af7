#include "signer/policy_model.h"

#include <arpa/inet.h>

bool policy_glob(struct view pattern, struct view text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool policy_glob_any(const struct text_list *patterns, struct view text)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (policy_glob(patterns->items[i], text))
            return true;
    return false;
}

struct prefix {
    uint8_t bytes[16];
    unsigned bits; /* of 128; IPv4 is mapped into ::ffff:0:0/96 */
};

static bool address_of(const char *text, uint8_t out[static 16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (inet_pton(AF_INET, text, out + 12) == 1) {
        memcpy(out, mapped, sizeof(mapped));
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

static bool prefix_of(struct view text, struct prefix *ret)
{
    char copy[64];
    if (view_to_str(text, copy, sizeof(copy)) != OK)
        return false;
    char *slash = strchr(copy, '/');
    unsigned offset = strchr(copy, ':') ? 0 : 96, bits = 0;
    if (slash) {
        *slash++ = 0;
        size_t digits = strspn(slash, "0123456789");
        if (digits == 0 || digits > 3 || slash[digits] || (digits > 1 && slash[0] == '0'))
            return false;
        bits = (unsigned)strtoul(slash, NULL, 10);
        if (bits > 128 - offset)
            return false;
    }
    ret->bits = slash ? bits + offset : 128;
    return address_of(copy, ret->bytes);
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool policy_source_valid(struct view prefix)
{
    struct prefix p;
    if (!view_starts(prefix, "unix:"))
        return prefix_of(prefix, &p);
    for (size_t i = 5; i < prefix.len; i++)
        if (prefix.ptr[i] < '0' || prefix.ptr[i] > '9')
            return false;
    return prefix.len > 5 && prefix.len <= 15 && (prefix.ptr[5] != '0' || prefix.len == 6);
}

bool policy_source_in(struct view prefix, struct view source)
{
    struct prefix p, s;
    if (view_starts(prefix, "unix:") || view_starts(source, "unix:"))
        return view_eq(prefix, source);
    return prefix_of(prefix, &p) && prefix_of(source, &s) && s.bits == 128 && bits_equal(p.bytes, s.bytes, p.bits);
}
