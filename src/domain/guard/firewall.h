/* Which blocks of the guard a firewall may know: those of the operator and automatic ones, under which nobody is let
 * in. The kernel has no "longest prefix of the operator": so a block is left out, and kept in user space alone, when
 * the operator lets in something inside it, or, of an automatic one, something around it. */
#ifndef HOLDFAST_DOMAIN_GUARD_FIREWALL_H
#define HOLDFAST_DOMAIN_GUARD_FIREWALL_H

#include "domain/guard/networks.h"

struct firewall_block {
    struct prefix network;
    uint64_t ends_ms; /* milliseconds since 1970; 0: never */
};

struct firewall_plan {
    struct prefix *allows; /* what the operator lets in, sorted */
    size_t allow_count, allow_room;
    bool allow_bits[ADDRESS_BITS + 1]; /* lengths of which there are some */
    struct firewall_block *blocks;
    size_t block_count, block_room;
    size_t left_out; /* blocks beyond max, or with somebody in or around them who is let in */
};

/* All at now_ms, of max blocks at most. Goes through all networks, also of feeds. ERR_NO_MEMORY. */
RESULT firewall_plan_new(struct networks *n, uint64_t now_ms, size_t max, struct firewall_plan *ret);
void firewall_plan_free(struct firewall_plan *p); /* zeroes it */
/* Of one network, against what the plan knows of who is let in. False: it is not blocked, or must be left out. */
bool firewall_plan_wants(const struct firewall_plan *p, struct networks *n, const struct prefix *network,
                         uint64_t now_ms, struct firewall_block *ret);
/* Something was said of this network: does it change what is to be left out of others? Then the plan is made anew. */
bool firewall_plan_is_shaken(const struct firewall_plan *p, struct networks *n, const struct prefix *network,
                             uint64_t now_ms);

#endif
