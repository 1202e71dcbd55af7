#include "warden/limits.h"

#include "base/network.h"

/* What no block may touch on any host. */
static const char *const never[] = {
    "0.0.0.0/8",   /* this host, RFC 1122 */
    "127.0.0.0/8", /* loopback */
    "224.0.0.0/3", /* multicast and reserved: no sources */
    "::/8",        /* unspecified, loopback, mapped IPv4, RFC 4291 */
    "fe80::/10",   /* link-local: neighbours find each other by these */
    "ff00::/8",    /* multicast */
};

static RESULT protect(struct limits *l, const struct prefix *p)
{
    if (l->count == LIMITS_PROTECTED_MAX)
        return ERR_LIMIT_REACHED;
    l->protected[l->count++] = *p;
    return OK;
}

static RESULT protect_text(struct limits *l, struct view text, struct problem *why)
{
    struct prefix p;
    TRY(prefix_parse(text, &p, why));
    return protect(l, &p);
}

static RESULT protect_proxy(struct limits *l, struct view text)
{
    struct network n;
    TRY(network_parse(text, &n));
    if (n.is_unix)
        return OK;
    struct prefix p = {.bits = (uint8_t)n.bits};
    memcpy(p.base.b, n.address, sizeof p.base.b);
    return protect(l, &p);
}

RESULT limits_init(struct limits *l, const struct config_guard *guard, struct problem *why)
{
    l->count = 0;
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        TRY(protect_text(l, view_str(never[i]), why));
    const struct text_list *const lists[] = {&guard->networks.allow, &guard->trusted};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t k = 0; k < lists[i]->count; k++)
            TRY(protect_text(l, lists[i]->items[k], why));
    for (size_t i = 0; i < guard->proxies.count; i++)
        TRY(protect_proxy(l, guard->proxies.items[i]));
    return OK;
}

static bool overlap(const struct prefix *a, const struct prefix *b)
{
    return a->bits <= b->bits ? prefix_holds(a, &b->base) : prefix_holds(b, &a->base);
}

RESULT limits_check(const struct limits *l, const struct prefix *p)
{
    if (p->bits > ADDRESS_BITS)
        return ERR_MALFORMED;
    struct prefix whole = prefix_around(&p->base, p->bits);
    if (!address_eq(&whole.base, &p->base))
        return ERR_MALFORMED;
    unsigned least = prefix_is_ipv4(p) ? ADDRESS_IPV4_BITS + LIMITS_BITS4 : LIMITS_BITS6;
    if (p->bits < least)
        return ERR_FORBIDDEN;
    for (size_t i = 0; i < l->count; i++)
        if (overlap(&l->protected[i], p))
            return ERR_FORBIDDEN;
    return OK;
}

/* --- how often */

struct budget budget_new(uint32_t per_second, uint32_t burst)
{
    return (struct budget){.per_second = per_second, .burst = burst, .milli = burst * UINT64_C(1000)};
}

bool budget_take(struct budget *b, uint64_t now_ms)
{
    uint64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0, full = b->burst * UINT64_C(1000);
    /* Beyond the time that fills it the product could overflow, and says nothing more. */
    b->milli = passed >= full ? full : b->milli + passed * b->per_second;
    b->milli = b->milli < full ? b->milli : full;
    b->at_ms = now_ms;
    if (b->milli < 1000)
        return false;
    b->milli -= 1000;
    return true;
}
