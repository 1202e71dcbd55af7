/* IP addresses. One is always 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so that one address has one form
 * however it was written. */
#ifndef HOLDFAST_BASE_ADDRESS_H
#define HOLDFAST_BASE_ADDRESS_H

#include "base/buf.h"

#define ADDRESS_TEXT_SIZE 46 /* with the NUL */
#define ADDRESS_IPV4_BITS 96 /* of ::ffff:0:0/96 */
#define ADDRESS_BITS      128

struct address {
    uint8_t b[16];
};

/* As inet_pton reads it: four decimal numbers without leading zeros, or RFC 4291 §2.2 without a zone. ERR_MALFORMED. */
RESULT address_parse(struct view text, struct address *ret);
/* IPv4 as a.b.c.d, IPv6 as RFC 5952 wants it. */
void address_format(const struct address *a, char out[static ADDRESS_TEXT_SIZE]);
bool address_is_ipv4(const struct address *a);
bool address_eq(const struct address *a, const struct address *b);

#endif
