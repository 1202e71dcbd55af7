/* Addresses and networks in their one spelling: IPv4 in four decimal numbers, IPv6 as RFC 4291 §2.2, no zone, no bits
 * beyond the prefix (RFC 4632 §3.1); and Unix users, who come over a local socket. */
#ifndef HOLDFAST_BASE_NETWORK_H
#define HOLDFAST_BASE_NETWORK_H

#include "base/buf.h"

#define NETWORK_TEXT_MAX 128 /* bytes */
#define NETWORK_RULE     "an address, a network such as 192.0.2.0/24 or 2001:db8::/32, unix, or unix:UID"

/* Where somebody is. */
struct network_source {
    bool is_unix;
    uint32_t uid;        /* with is_unix */
    uint8_t address[16]; /* else: IPv6; IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2) */
};
/* An address, or unix:UID; ERR_MALFORMED. */
RESULT network_source_parse(struct view text, struct network_source *ret);

struct network {
    bool is_unix, any_uid; /* "unix" is every Unix user */
    uint32_t uid;
    uint8_t address[16]; /* as above; zero beyond bits */
    unsigned bits;       /* of 128 */
};
RESULT network_parse(struct view text, struct network *ret); /* NETWORK_RULE; ERR_MALFORMED */
bool network_valid(struct view text);                        /* the same, as a field's check */
/* An IPv6 network holds no IPv4 address. */
bool network_holds(const struct network *n, const struct network_source *from);

#endif
