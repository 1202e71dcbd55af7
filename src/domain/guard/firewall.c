#include "domain/guard/firewall.h"

#include <stdlib.h>

/* --- what is collected */

struct collecting {
    struct firewall_plan *plan;
    struct networks *networks;
    uint64_t now_ms;
    size_t max;
    enum err error;
};

/* Room for one more, behind the others. */
static void *grow(void **items, size_t count, size_t *room, size_t size)
{
    if (count == *room) {
        size_t wanted = *room ? 2 * *room : 64;
        void *more = realloc(*items, wanted * size); /* of what is in memory already */
        if (!more)
            return NULL;
        *items = more;
        *room = wanted;
    }
    return (uint8_t *)*items + count * size;
}

static RESULT add_allow(struct firewall_plan *p, const struct prefix *network)
{
    void *items = p->allows;
    struct prefix *to = grow(&items, p->allow_count, &p->allow_room, sizeof *to);
    p->allows = items;
    if (!to)
        return ERR_NO_MEMORY;
    *to = *network;
    p->allow_count++;
    return OK;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

static RESULT add_block(struct collecting *c, const struct networks_rule *rule)
{
    struct firewall_plan *p = c->plan;
    struct firewall_block *last = p->block_count ? &p->blocks[p->block_count - 1] : NULL;
    /* Two say it of one network, one after the other. */
    if (last && memcmp(&last->network, &rule->network, sizeof last->network) == 0) {
        last->ends_ms = later(last->ends_ms, rule->ends_ms);
        return OK;
    }
    if (p->block_count == c->max) {
        p->left_out++;
        return OK;
    }
    void *items = p->blocks;
    struct firewall_block *to = grow(&items, p->block_count, &p->block_room, sizeof *to);
    p->blocks = items;
    if (!to)
        return ERR_NO_MEMORY;
    *to = (struct firewall_block){rule->network, rule->ends_ms};
    p->block_count++;
    return OK;
}

static bool in_force(const struct networks_rule *rule, uint64_t now_ms)
{
    return rule->ends_ms == 0 || now_ms < rule->ends_ms;
}

/* What is said at run time of a network is instead of what the configuration says of it. */
static bool counts(struct networks *n, const struct networks_rule *rule, uint64_t now_ms)
{
    struct networks_rule said[2];
    return rule->origin != NETWORKS_CONFIGURED ||
           (networks_said(n, &rule->network, now_ms, said) > 0 && said[0].origin == NETWORKS_CONFIGURED);
}

static bool collect(void *context, const struct networks_rule *rule)
{
    struct collecting *c = context;
    if (rule->origin == NETWORKS_FEED || !in_force(rule, c->now_ms) || !counts(c->networks, rule, c->now_ms))
        return true;
    c->error = rule->action == NETWORKS_ALLOW ? add_allow(c->plan, &rule->network) : add_block(c, rule);
    return c->error == OK;
}

/* --- what is left out */

/* By address; of those that begin alike the wider one first. */
static int order(const void *a, const void *b)
{
    const struct prefix *x = a, *y = b;
    int c = memcmp(x->base.b, y->base.b, sizeof x->base.b);
    return c ? c : (int)x->bits - (int)y->bits;
}

static void sort_allows(struct firewall_plan *p)
{
    if (p->allow_count > 1)
        qsort(p->allows, p->allow_count, sizeof *p->allows, order);
    for (size_t i = 0; i < p->allow_count; i++)
        p->allow_bits[p->allows[i].bits] = true;
}

/* The first one that is not before the network; allow_count if there is none. */
static size_t first_from(const struct firewall_plan *p, const struct prefix *network)
{
    size_t low = 0, high = p->allow_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(&p->allows[middle], network) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_allow(const struct firewall_plan *p, const struct prefix *network)
{
    size_t at = first_from(p, network);
    return at < p->allow_count && order(&p->allows[at], network) == 0;
}

static bool let_in(const struct firewall_plan *p, const struct prefix *network, bool automatic)
{
    size_t inside = first_from(p, network);
    if (inside < p->allow_count && prefix_holds(network, &p->allows[inside].base))
        return true;
    for (unsigned bits = 0; automatic && bits < network->bits; bits++) {
        struct prefix around = prefix_around(&network->base, bits);
        if (p->allow_bits[bits] && is_allow(p, &around))
            return true;
    }
    return false;
}

/* What the operator and Holdfast say of exactly this network. */
static bool find(struct networks *n, const struct prefix *network, uint64_t now_ms, struct firewall_block *ret,
                 bool *ret_automatic)
{
    struct networks_rule rules[2];
    size_t count = networks_said(n, network, now_ms, rules);
    bool found = false;
    *ret_automatic = true;
    for (size_t i = 0; i < count; i++) {
        if (rules[i].action != NETWORKS_BLOCK)
            return false;
        *ret = (struct firewall_block){*network, found ? later(ret->ends_ms, rules[i].ends_ms) : rules[i].ends_ms};
        *ret_automatic = *ret_automatic && rules[i].origin == NETWORKS_AUTOMATIC;
        found = true;
    }
    return found;
}

bool firewall_plan_wants(const struct firewall_plan *p, struct networks *n, const struct prefix *network,
                         uint64_t now_ms, struct firewall_block *ret)
{
    struct firewall_block block;
    bool automatic;
    if (!find(n, network, now_ms, &block, &automatic) || let_in(p, network, automatic))
        return false;
    *ret = block;
    return true;
}

bool firewall_plan_is_shaken(const struct firewall_plan *p, struct networks *n, const struct prefix *network,
                             uint64_t now_ms)
{
    struct networks_rule said[2];
    return is_allow(p, network) || (networks_said(n, network, now_ms, said) > 0 && said[0].action == NETWORKS_ALLOW);
}

RESULT firewall_plan_new(struct networks *n, uint64_t now_ms, size_t max, struct firewall_plan *ret)
{
    struct firewall_plan plan = {0};
    struct collecting c = {.plan = &plan, .networks = n, .now_ms = now_ms, .max = max};
    size_t kept = 0;
    networks_each(n, collect, &c);
    if (c.error != OK) {
        firewall_plan_free(&plan);
        return c.error;
    }
    sort_allows(&plan);
    for (size_t i = 0; i < plan.block_count; i++)
        if (firewall_plan_wants(&plan, n, &plan.blocks[i].network, now_ms, &plan.blocks[kept]))
            kept++;
    plan.left_out += plan.block_count - kept;
    plan.block_count = kept;
    *ret = plan;
    return OK;
}

void firewall_plan_free(struct firewall_plan *p)
{
    free(p->allows);
    free(p->blocks);
    *p = (struct firewall_plan){0};
}
