/* From where, and for what, a key may be used (KEY-3): lists of networks and of endpoints. A block beats an allow; an
 * empty list of what is allowed allows all. */
#ifndef HOLDFAST_DOMAIN_KEYS_RULES_H
#define HOLDFAST_DOMAIN_KEYS_RULES_H

#include "base/entity.h"

#define RULES_MAX           32  /* of one list */
#define RULES_TEXT_MAX      128 /* bytes of one rule */
#define RULES_NETWORK_TEXT  "an address, a network such as 192.0.2.0/24 or 2001:db8::/32, unix, or unix:UID"
#define RULES_ENDPOINT_TEXT "a method or *, a space, and the beginning of a path, such as GET /api/v1/secrets"

/* Networks have no bits beyond their prefix (RFC 4632 §3.1). An endpoint is a method of letters, or a star, and a path
 * without a query. */
bool rules_network_valid(struct view rule);
bool rules_endpoint_valid(struct view rule);

struct rules_source {
    bool is_unix;
    uint32_t uid;        /* with is_unix */
    uint8_t address[16]; /* else: IPv6; IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2) */
};
/* An address, or unix:UID; ERR_MALFORMED. */
RESULT rules_source_parse(struct view text, struct rules_source *ret);

/* from NULL: not known, which fails wherever there is a rule to judge by. An IPv6 network holds no IPv4 address. */
bool rules_allow_source(const struct text_list *allowed, const struct text_list *blocked,
                        const struct rules_source *from);
/* A rule's path covers itself and what lies below it. HEAD counts as GET, also where GET is blocked. path is decoded;
 * an empty one is not known. */
bool rules_allow_endpoint(const struct text_list *allowed, const struct text_list *blocked, struct view method,
                          struct view path);

#endif
