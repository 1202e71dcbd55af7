/* From where, and for what, a key may be used (KEY-3): lists of networks and of endpoints. A block beats an allow; an
 * empty list of what is allowed allows all. */
#ifndef HOLDFAST_DOMAIN_KEYS_RULES_H
#define HOLDFAST_DOMAIN_KEYS_RULES_H

#include "base/entity.h"
#include "base/network.h"

#define RULES_MAX           32  /* of one list */
#define RULES_TEXT_MAX      128 /* bytes of one rule */
#define RULES_ENDPOINT_TEXT "a method or *, a space, and the beginning of a path, such as GET /api/v1/secrets"

/* An endpoint is a method of letters, or a star, and a path without a query. */
bool rules_endpoint_valid(struct view rule);

/* from NULL: not known, which fails wherever there is a rule to judge by. An IPv6 network holds no IPv4 address. */
bool rules_allow_source(const struct text_list *allowed, const struct text_list *blocked,
                        const struct network_source *from);
/* A rule's path covers itself and what lies below it. HEAD counts as GET, also where GET is blocked. path is decoded;
 * an empty one is not known. */
bool rules_allow_endpoint(const struct text_list *allowed, const struct text_list *blocked, struct view method,
                          struct view path);

#endif
