/* SipHash (Aumasson, Bernstein) for tables in memory: with a random seed nobody can choose keys that collide. Not for
 * anything that leaves the process. */
#ifndef HOLDFAST_BASE_SIP_H
#define HOLDFAST_BASE_SIP_H

#include "base/buf.h"

struct sip_seed {
    uint64_t k[2];
};

/* SipHash-1-3. */
uint64_t sip_hash(const struct sip_seed *seed, struct view key);

/* SipHash-2-4 with 128 bits, where two keys that collide would mean a wrong answer and not only a slow one. Of what is
 * hashed the 8 bytes of prefix, the lowest first, are the beginning: it keeps keys of different kinds apart. */
void sip_hash128(const struct sip_seed *seed, uint64_t prefix, struct view key, uint64_t ret[static 2]);

#endif
