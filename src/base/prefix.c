#include "base/prefix.h"

bool prefix_is_ipv4(const struct prefix *n)
{
    return n->bits >= ADDRESS_IPV4_BITS && address_is_ipv4(&n->base);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool prefix_holds(const struct prefix *n, const struct address *a)
{
    return prefix_is_ipv4(n) == address_is_ipv4(a) && same_bits(n->base.b, a->b, n->bits);
}

struct prefix prefix_around(const struct address *a, unsigned bits)
{
    struct prefix n = {.bits = (uint8_t)(bits < ADDRESS_BITS ? bits : ADDRESS_BITS)};
    unsigned whole = n.bits / 8, rest = n.bits % 8;
    memcpy(n.base.b, a->b, whole);
    if (rest)
        n.base.b[whole] = (uint8_t)(a->b[whole] & (0xff00u >> rest));
    return n;
}

/* --- text */

void prefix_format(const struct prefix *n, char out[static PREFIX_TEXT_SIZE])
{
    unsigned first = prefix_is_ipv4(n) ? ADDRESS_IPV4_BITS : 0;
    address_format(&n->base, out);
    size_t len = strlen(out);
    if (n->bits != ADDRESS_BITS)
        (void)snprintf(out + len, PREFIX_TEXT_SIZE - len, "/%u", n->bits - first);
}

static bool bits_get(struct view v, unsigned max, unsigned *ret)
{
    unsigned n = 0;
    if (v.len == 0 || v.len > 3 || (v.len > 1 && v.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
        n = n * 10 + (unsigned)(v.ptr[i] - '0');
    }
    *ret = n;
    return n <= max;
}

RESULT prefix_parse(struct view text, struct prefix *ret, struct problem *why)
{
    const uint8_t *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    size_t len = slash ? (size_t)(slash - text.ptr) : text.len;
    struct address a;
    unsigned bits = ADDRESS_BITS;
    if (address_parse(VIEW(text.ptr, len), &a) != OK)
        return problem_set(why, ERR_MALFORMED, "",
                           "Give an address, or a network such as 192.0.2.0/24 or 2001:db8::/32.");
    /* The form in which it was written says how its prefix is counted: ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
    unsigned first = memchr(text.ptr, ':', len) ? 0 : ADDRESS_IPV4_BITS;
    if (slash && !bits_get(VIEW(slash + 1, text.len - len - 1), ADDRESS_BITS - first, &bits))
        return problem_set(why, ERR_MALFORMED, "", "Behind the slash goes the length of the prefix, 0 to %u.",
                           ADDRESS_BITS - first);
    struct prefix n = prefix_around(&a, slash ? bits + first : ADDRESS_BITS);
    if (!address_eq(&n.base, &a)) {
        char meant[PREFIX_TEXT_SIZE];
        prefix_format(&n, meant);
        return problem_set(why, ERR_MALFORMED, "", "The address has bits beyond its prefix; the network is %s.", meant);
    }
    *ret = n;
    return OK;
}
