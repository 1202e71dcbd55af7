/* Which client a request comes from that passed through proxies (GRD-2). What a header says is believed only as far as
 * each of those who wrote it is a proxy of ours: the walk begins at the peer, goes through the header from the right,
 * and ends at the first address that is none. What stands further left anybody can have written, and is not looked at.
 */
#ifndef HOLDFAST_DOMAIN_GUARD_FORWARDED_H
#define HOLDFAST_DOMAIN_GUARD_FORWARDED_H

#include "base/address.h"

#define FORWARDED_MAX      8192 /* bytes of the header, over all its lines */
#define FORWARDED_HOPS_MAX 32

/* The one header that the proxies set; all others are the client's own words. */
enum forwarded_header {
    FORWARDED_FOR,     /* X-Forwarded-For: addresses, separated by commas */
    FORWARDED_RFC7239, /* Forwarded: the for parameters */
    FORWARDED_REAL_IP, /* X-Real-IP: one address */
};

struct forwarded_ask {
    struct address peer; /* who is connected to us */
    enum forwarded_header header;
    const struct view *lines; /* values of all the headers of this name, in their order */
    size_t count;
    bool (*is_proxy)(const void *context, const struct address *a);
    const void *context;
};

/* The client: the peer itself, where it is no proxy; else the first address from the right that is none, or the
 * leftmost one where all are. ERR_ADDRESS_UNREADABLE, and why says what the proxy should do, when a proxy says nothing,
 * or when an address that the walk comes to can't be read ("unknown", an obfuscated name, a name): it is never skipped.
 * So is a Forwarded whose quotation marks do not fit, wherever that is, since nobody knows where its elements end, and
 * X-Real-IP twice. A port behind an address is read and dropped. */
RESULT forwarded_client(const struct forwarded_ask *ask, struct address *ret, struct problem *why);

#endif
