/* How often one address may try to sign in (SPEC GRD-3), by GCRA: log-ins, and failed ones. An IPv6 client is its /64.
 * A try takes one of the failures beforehand and gives it back when it was none, so that many at once are no way around
 * it. Threads share one. */
#ifndef HOLDFAST_DOMAIN_GUARD_ATTEMPTS_H
#define HOLDFAST_DOMAIN_GUARD_ATTEMPTS_H

#include "domain/guard/rates.h"
#include "ipc/config.h"

enum attempts_kind {
    ATTEMPTS_NONE,
    ATTEMPTS_LOG_IN, /* counts as a log-in, and as a failure until it is known to be none */
    ATTEMPTS_PROOF,  /* as a failure until then, alone: what programs repeat, and second steps */
};

struct attempts;
RESULT attempts_new(const struct config_guard *config, const struct random *random, struct attempts **ret,
                    struct problem *why);
void attempts_free(struct attempts *a);

/* What is to be said of the limits. */
struct attempts_said {
    struct writer *policy, *state; /* RateLimit-Policy, RateLimit */
    uint64_t retry;                /* seconds for Retry-After */
};
/* True: counted, may be tried. False: nothing is counted. now_ns: monotonic. */
bool attempts_take(struct attempts *a, enum attempts_kind kind, const struct address *from, uint64_t now_ns,
                   struct attempts_said *ret);
/* The try was no failure. */
void attempts_give(struct attempts *a, const struct address *from, uint64_t now_ns);

AUTO_DEFINE(struct attempts *, attempts_free);

#endif
