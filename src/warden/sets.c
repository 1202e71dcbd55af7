#include "warden/sets.h"

#include <inttypes.h>

#define DAY 86400u /* seconds */

const struct sets_form sets_forms[SETS_COUNT] = {
    [SETS_HOSTS4] = {"hosts4", "ipv4_addr", "timeout", "ip saddr", WARDEN_HOSTS_MAX},
    [SETS_HOSTS6] = {"hosts6", "ipv6_addr", "timeout", "ip6 saddr", WARDEN_HOSTS_MAX},
    [SETS_SUBSCRIBERS6] = {"subscribers6", "ipv6_addr", "timeout",
                           "ip6 saddr & ffff:ffff:ffff:ffff::", WARDEN_HOSTS_MAX},
    [SETS_NETWORKS4] = {"networks4", "ipv4_addr", "interval, timeout", "ip saddr", 4 * WARDEN_NETWORKS_MAX},
    [SETS_NETWORKS6] = {"networks6", "ipv6_addr", "interval, timeout", "ip6 saddr", 4 * WARDEN_NETWORKS_MAX},
};

enum sets_which sets_of(const struct prefix *p)
{
    if (prefix_is_ipv4(p))
        return p->bits == ADDRESS_BITS ? SETS_HOSTS4 : SETS_NETWORKS4;
    if (p->bits == ADDRESS_BITS)
        return SETS_HOSTS6;
    return p->bits == PREFIX_SUBSCRIBER6 ? SETS_SUBSCRIBERS6 : SETS_NETWORKS6;
}

void sets_put_element(const struct sets_block *b, uint64_t now_ms, struct writer *w)
{
    char text[PREFIX_TEXT_SIZE];
    if (sets_of(&b->network) >= SETS_NETWORKS4)
        prefix_format(&b->network, text);
    else
        address_format(&b->network.base, text); /* a subscriber's set is asked for what is left of a mask */
    writer_str(w, text);
    if (b->ends_ms == UINT64_MAX)
        return;
    /* The clock goes on between two looks at it, and far when the process was stopped. */
    uint64_t seconds = b->ends_ms > now_ms ? (b->ends_ms - now_ms + 999) / 1000 : 1;
    writer_str(w, " timeout ");
    if (seconds >= DAY) /* nine digits of seconds are too many for nftables */
        writer_printf(w, "%" PRIu64 "d", seconds / DAY);
    writer_printf(w, "%" PRIu64 "s", seconds % DAY);
}

/* --- prefixes */

static int order(const struct prefix *a, const struct prefix *b)
{
    int c = memcmp(a->base.b, b->base.b, sizeof a->base.b);
    return c ? c : (int)a->bits - (int)b->bits;
}

/* The place of p, or where it would be. */
static size_t find(const struct sets_networks *b, const struct prefix *p, bool *ret_there)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(&b->items[middle].network, p) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = low < b->count && order(&b->items[low].network, p) == 0;
    return low;
}

RESULT sets_add(struct sets_networks *b, const struct sets_block *one)
{
    bool there;
    size_t at = find(b, &one->network, &there);
    if (!there) {
        if (b->count == ARRAY_LEN(b->items))
            return ERR_LIMIT_REACHED;
        memmove(&b->items[at + 1], &b->items[at], (b->count - at) * sizeof b->items[0]);
        b->count++;
    }
    b->items[at] = *one;
    return OK;
}

bool sets_remove(struct sets_networks *b, const struct prefix *p)
{
    bool there;
    size_t at = find(b, p, &there);
    if (!there)
        return false;
    b->count--;
    memmove(&b->items[at], &b->items[at + 1], (b->count - at) * sizeof b->items[0]);
    return true;
}

unsigned sets_expire(struct sets_networks *b, uint64_t now_ms)
{
    size_t kept = 0, before = b->count;
    unsigned ended = 0;
    for (size_t i = 0; i < before; i++) {
        if (b->items[i].ends_ms > now_ms)
            b->items[kept++] = b->items[i];
        else
            ended |= 1u << sets_of(&b->items[i].network);
    }
    b->count = kept;
    return ended & b->hides;
}

size_t sets_put(struct sets_networks *b, enum sets_which set, uint64_t now_ms, struct writer *w)
{
    const struct prefix *cover = NULL;
    size_t count = 0;
    b->hides &= ~(1u << set);
    for (size_t i = 0; i < b->count; i++) {
        const struct sets_block *one = &b->items[i];
        if (sets_of(&one->network) != set || one->ends_ms <= now_ms)
            continue;
        /* What lies in another one follows it, before anything that does not. */
        if (cover && prefix_holds(cover, &one->network.base)) {
            b->hides |= 1u << set;
            continue;
        }
        cover = &one->network;
        writer_str(w, count++ ? ", " : "");
        sets_put_element(one, now_ms, w);
    }
    return count;
}
