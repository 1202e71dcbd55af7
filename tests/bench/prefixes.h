/* Random networks and addresses as feeds and clients have them, the same in each run. */
#ifndef HOLDFAST_BENCH_PREFIXES_H
#define HOLDFAST_BENCH_PREFIXES_H

#include "domain/guard/networks.h"

uint64_t prefixes_dice(void);
/* As feeds have them: mostly single addresses, some networks; IPv6 in 2000::/3, mostly a subscriber's. */
struct prefix prefixes_random(bool six);
/* An address of one of them, or any of the same kind. */
struct address prefixes_address(const struct prefix *all, size_t count, bool listed);
/* As a feed, which must be taken; seconds. */
double prefixes_load(struct networks *n, const struct prefix *all, size_t count);

#endif
