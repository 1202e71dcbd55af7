/* SipHash-1-3 (Aumasson, Bernstein) for tables in memory: with a random seed nobody can choose keys that collide. Not
 * for anything that leaves the process. */
#ifndef HOLDFAST_BASE_SIP_H
#define HOLDFAST_BASE_SIP_H

#include "base/buf.h"

struct sip_seed {
    uint64_t k[2];
};

uint64_t sip_hash(const struct sip_seed *seed, struct view key);

#endif
