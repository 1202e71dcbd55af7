/* How often the guard lets somebody through (SPEC GRD-3): the limits of the configuration, by address, by identity, and
 * of each endpoint by identity. What one of them refuses costs none of them anything. */
#ifndef HOLDFAST_DOMAIN_GUARD_OFTEN_H
#define HOLDFAST_DOMAIN_GUARD_OFTEN_H

#include "domain/guard/rates.h"
#include "ipc/config.h"

struct often;

/* config must outlive it. */
RESULT often_new(const struct config_guard *config, const struct random *random, struct often **ret,
                 struct problem *why);
void often_free(struct often *o);

struct often_ask {
    struct address from;
    struct view actor;                       /* "user:alice"; empty for nobody in particular, who counts by address */
    const struct config_guard_endpoint *row; /* that named the request; NULL: none did */
    uint64_t now_ns;                         /* monotonic */
};
/* True: let through. ret_policy, ret_state: what the headers RateLimit-Policy and RateLimit say, empty where no limit
 * is set; ret_retry: seconds for Retry-After, 0 if let through. */
bool often_take(struct often *o, const struct often_ask *ask, struct writer *ret_policy, struct writer *ret_state,
                uint64_t *ret_retry);

/* One of them, and how many clients have spent something of it (rates_live). */
struct often_limit {
    const struct rates_limit *limit;
    uint8_t by;                              /* enum config_guard_by */
    const struct config_guard_endpoint *row; /* whose limit it is; NULL: everybody's */
    size_t taken;
};
/* Takes a millisecond for each at most. */
void often_each(const struct often *o, uint64_t now_ns, void (*visit)(void *context, const struct often_limit *limit),
                void *context);

#endif
