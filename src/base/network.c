#include "base/network.h"

#include <arpa/inet.h>

#define IPV4_BITS 96u /* of ::ffff:0:0/96 */
#define UNIX      "unix"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* --- numbers and addresses in their one spelling */

static bool number_get(struct view v, uint32_t max, uint32_t *ret)
{
    uint64_t n = 0;
    if (v.len == 0 || v.len > 10 || (v.len > 1 && v.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
        n = n * 10 + (v.ptr[i] - '0');
    }
    *ret = (uint32_t)n;
    return n <= max;
}

static bool address_get(struct view v, uint8_t out[static 16], unsigned *ret_first_bit)
{
    char text[INET6_ADDRSTRLEN];
    if (v.len == 0 || v.len >= sizeof text)
        return false;
    memcpy(text, v.ptr, v.len);
    text[v.len] = '\0';
    if (strlen(text) != v.len)
        return false;
    *ret_first_bit = 0;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memcpy(out, mapped, sizeof mapped);
    *ret_first_bit = IPV4_BITS;
    return inet_pton(AF_INET, text, out + sizeof mapped) == 1;
}

static bool unix_get(struct view v, bool *ret_any, uint32_t *ret_uid)
{
    size_t n = sizeof UNIX - 1;
    *ret_any = view_is(v, UNIX);
    if (*ret_any)
        return true;
    return view_starts(v, UNIX ":") && number_get(VIEW(v.ptr + n + 1, v.len - n - 1), UINT32_MAX - 1, ret_uid);
}

/* --- networks */

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool is_base(const struct network *n)
{
    for (unsigned bit = n->bits; bit < 128; bit++)
        if (n->address[bit / 8] & (0x80u >> (bit % 8)))
            return false;
    return true;
}

static bool prefix_get(struct view text, struct network *n)
{
    const uint8_t *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    size_t len = slash ? (size_t)(slash - text.ptr) : text.len;
    uint32_t bits = 0;
    unsigned first = 0;
    if (!address_get(VIEW(text.ptr, len), n->address, &first))
        return false;
    if (slash && !number_get(VIEW(slash + 1, text.len - len - 1), 128 - first, &bits))
        return false;
    n->bits = slash ? first + bits : 128;
    return is_base(n);
}

RESULT network_parse(struct view text, struct network *ret)
{
    struct network n = {.is_unix = view_starts(text, UNIX)};
    if (text.len > NETWORK_TEXT_MAX || !(n.is_unix ? unix_get(text, &n.any_uid, &n.uid) : prefix_get(text, &n)))
        return ERR_MALFORMED;
    *ret = n;
    return OK;
}

bool network_valid(struct view text)
{
    struct network n;
    return network_parse(text, &n) == OK;
}

RESULT network_source_parse(struct view text, struct network_source *ret)
{
    struct network_source s = {.is_unix = view_starts(text, UNIX)};
    bool any = false;
    unsigned first = 0;
    bool good = s.is_unix ? unix_get(text, &any, &s.uid) && !any : address_get(text, s.address, &first);
    if (!good)
        return ERR_MALFORMED;
    *ret = s;
    return OK;
}

static bool is_ipv4(const uint8_t *address)
{
    return memcmp(address, mapped, sizeof mapped) == 0;
}

bool network_holds(const struct network *n, const struct network_source *from)
{
    if (n->is_unix != from->is_unix)
        return false;
    if (n->is_unix)
        return n->any_uid || n->uid == from->uid;
    bool four = n->bits >= IPV4_BITS && is_ipv4(n->address);
    return four == is_ipv4(from->address) && same_prefix(n->address, from->address, n->bits);
}
