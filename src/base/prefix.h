/* Prefixes of addresses: IP networks. */
#ifndef HOLDFAST_BASE_PREFIX_H
#define HOLDFAST_BASE_PREFIX_H

#include "base/address.h"

#define PREFIX_TEXT_SIZE   50 /* with the NUL */
#define PREFIX_SUBSCRIBER6 64 /* bits of an IPv6 address that its host does not choose itself */

/* No bit beyond the first `bits` is set. 96 and more bits below ::ffff:0:0/96 are an IPv4 network. */
struct prefix {
    struct address base;
    uint8_t bits; /* 0 to 128, of the 16 bytes: 192.0.2.0/24 has 120 */
};

/* An address, or one with a slash and the length of the prefix (RFC 4632 §3.1, RFC 4291 §2.3). Bits beyond the prefix
 * are refused, and why names the network that was perhaps meant. ERR_MALFORMED; why may be NULL. */
RESULT prefix_parse(struct view text, struct prefix *ret, struct problem *why);
void prefix_format(const struct prefix *n, char out[static PREFIX_TEXT_SIZE]); /* of one address: without a slash */
bool prefix_is_ipv4(const struct prefix *n);
/* An IPv6 network holds no IPv4 address, not even ::/0. */
bool prefix_holds(const struct prefix *n, const struct address *a);
/* The network of this many bits around a; more than 128 count as 128. */
struct prefix prefix_around(const struct address *a, unsigned bits);

#endif
