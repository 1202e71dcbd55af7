/* What the warden never blocks, whoever asks for it: what the configuration lets in, what a host needs to work, and
 * prefixes so wide that a mistake would shut out half of the world. And how often it may be asked. */
#ifndef HOLDFAST_WARDEN_LIMITS_H
#define HOLDFAST_WARDEN_LIMITS_H

#include "base/prefix.h"
#include "ipc/config.h"

#define LIMITS_BITS4         8u  /* the shortest IPv4 prefix, */
#define LIMITS_BITS6         16u /* and the shortest IPv6 one */
#define LIMITS_PROTECTED_MAX 1024u

struct limits {
    struct prefix protected[LIMITS_PROTECTED_MAX]; /* nothing that has an address in common with one of these */
    size_t count;
};

/* guard: its networks.allow, trusted and proxies are protected. ERR_BAD_CONFIG, ERR_LIMIT_REACHED. */
RESULT limits_init(struct limits *l, const struct config_guard *guard, struct problem *why);
/* ERR_MALFORMED: no prefix at all; ERR_FORBIDDEN: never blocked. */
RESULT limits_check(const struct limits *l, const struct prefix *p);

/* A bucket of tokens. */
struct budget {
    uint32_t per_second, burst;
    uint64_t at_ms; /* monotonic; when it was last looked at */
    uint64_t milli; /* thousandths of tokens that are left */
};
struct budget budget_new(uint32_t per_second, uint32_t burst);
bool budget_take(struct budget *b, uint64_t now_ms); /* false: none is left */

#endif
