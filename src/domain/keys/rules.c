#include "domain/keys/rules.h"

#include <arpa/inet.h>

#define IPV4_BITS 96u /* of ::ffff:0:0/96 */
#define UNIX      "unix"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct network {
    bool is_unix, any_uid;
    uint32_t uid;
    uint8_t address[16];
    unsigned bits;
};

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

static bool network_get(struct view rule, struct network *ret)
{
    struct network n = {0};
    uint32_t bits = 0;
    unsigned first = 0;
    n.is_unix = view_starts(rule, UNIX);
    if (n.is_unix) {
        bool good = unix_get(rule, &n.any_uid, &n.uid);
        *ret = n;
        return good;
    }
    const uint8_t *slash = rule.len ? memchr(rule.ptr, '/', rule.len) : NULL;
    size_t len = slash ? (size_t)(slash - rule.ptr) : rule.len;
    if (!address_get(VIEW(rule.ptr, len), n.address, &first))
        return false;
    n.bits = 128;
    if (slash && !number_get(VIEW(slash + 1, rule.len - len - 1), 128 - first, &bits))
        return false;
    if (slash)
        n.bits = first + bits;
    *ret = n;
    return is_base(&n);
}

bool rules_network_valid(struct view rule)
{
    struct network n;
    return rule.len <= RULES_TEXT_MAX && network_get(rule, &n);
}

RESULT rules_source_parse(struct view text, struct rules_source *ret)
{
    struct rules_source s = {.is_unix = view_starts(text, UNIX)};
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

static bool holds(struct view rule, const struct rules_source *from)
{
    struct network n;
    if (!network_get(rule, &n) || n.is_unix != from->is_unix)
        return false;
    if (n.is_unix)
        return n.any_uid || n.uid == from->uid;
    bool four = n.bits >= IPV4_BITS && is_ipv4(n.address);
    return four == is_ipv4(from->address) && same_prefix(n.address, from->address, n.bits);
}

static bool any_holds(const struct text_list *rules, const struct rules_source *from)
{
    for (size_t i = 0; i < rules->count; i++)
        if (holds(rules->items[i], from))
            return true;
    return false;
}

bool rules_allow_source(const struct text_list *allowed, const struct text_list *blocked,
                        const struct rules_source *from)
{
    if (allowed->count == 0 && blocked->count == 0)
        return true;
    if (!from || any_holds(blocked, from))
        return false;
    return allowed->count == 0 || any_holds(allowed, from);
}

/* --- endpoints */

struct endpoint {
    struct view method, path; /* path without a slash at its end */
};

static bool method_valid(struct view m)
{
    if (view_is(m, "*"))
        return true;
    for (size_t i = 0; i < m.len; i++)
        if (m.ptr[i] < 'A' || m.ptr[i] > 'Z')
            return false;
    return m.len > 0 && m.len <= 16 && !view_is(m, "HEAD"); /* counts as GET */
}

static bool path_valid(struct view p)
{
    for (size_t i = 0; i < p.len; i++)
        if (p.ptr[i] <= ' ' || p.ptr[i] >= 0x7f || p.ptr[i] == '?' || p.ptr[i] == '#' || p.ptr[i] == '%')
            return false;
    return p.len > 0 && p.ptr[0] == '/';
}

static bool endpoint_get(struct view rule, struct endpoint *ret)
{
    const uint8_t *space = rule.len ? memchr(rule.ptr, ' ', rule.len) : NULL;
    if (!space)
        return false;
    size_t n = (size_t)(space - rule.ptr);
    struct endpoint e = {VIEW(rule.ptr, n), VIEW(space + 1, rule.len - n - 1)};
    if (!method_valid(e.method) || !path_valid(e.path))
        return false;
    if (e.path.ptr[e.path.len - 1] == '/')
        e.path.len--;
    *ret = e;
    return true;
}

bool rules_endpoint_valid(struct view rule)
{
    struct endpoint e;
    return rule.len <= RULES_TEXT_MAX && endpoint_get(rule, &e);
}

static bool any_covers(const struct text_list *rules, struct view method, struct view path)
{
    struct endpoint e;
    for (size_t i = 0; i < rules->count; i++) {
        if (!endpoint_get(rules->items[i], &e) || (!view_is(e.method, "*") && !view_eq(e.method, method)))
            continue;
        bool under = path.len >= e.path.len && view_eq(VIEW(path.ptr, e.path.len), e.path);
        if (under && (path.len == e.path.len || path.ptr[e.path.len] == '/'))
            return true;
    }
    return false;
}

bool rules_allow_endpoint(const struct text_list *allowed, const struct text_list *blocked, struct view method,
                          struct view path)
{
    if (allowed->count == 0 && blocked->count == 0)
        return true;
    if (view_is(method, "HEAD"))
        method = VIEW_STR("GET");
    if (method.len == 0 || path.len == 0 || any_covers(blocked, method, path))
        return false;
    return allowed->count == 0 || any_covers(allowed, method, path);
}
