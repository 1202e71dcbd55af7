#include "base/network.h"

#include "base/prefix.h"

#define UNIX "unix"

/* --- Unix users in their one spelling */

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

static bool unix_get(struct view v, bool *ret_any, uint32_t *ret_uid)
{
    size_t n = sizeof UNIX - 1;
    *ret_any = view_is(v, UNIX);
    if (*ret_any)
        return true;
    return view_starts(v, UNIX ":") && number_get(VIEW(v.ptr + n + 1, v.len - n - 1), UINT32_MAX - 1, ret_uid);
}

/* --- networks */

static bool prefix_get(struct view text, struct network *n)
{
    struct prefix p;
    if (prefix_parse(text, &p, NULL) != OK)
        return false;
    memcpy(n->address, p.base.b, sizeof n->address);
    n->bits = p.bits;
    return true;
}

static bool address_get(struct view text, uint8_t out[static 16])
{
    struct address a;
    if (address_parse(text, &a) != OK)
        return false;
    memcpy(out, a.b, sizeof a.b);
    return true;
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
    bool good = s.is_unix ? unix_get(text, &any, &s.uid) && !any : address_get(text, s.address);
    if (!good)
        return ERR_MALFORMED;
    *ret = s;
    return OK;
}

bool network_holds(const struct network *n, const struct network_source *from)
{
    struct prefix p = {.bits = (uint8_t)n->bits};
    struct address a;
    if (n->is_unix != from->is_unix)
        return false;
    if (n->is_unix)
        return n->any_uid || n->uid == from->uid;
    memcpy(p.base.b, n->address, sizeof p.base.b);
    memcpy(a.b, from->address, sizeof a.b);
    return prefix_holds(&p, &a);
}
