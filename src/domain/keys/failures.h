/* Wrong secrets shown for a key (KEY-4). Five from one source, with less than an hour between one and the next, suspend
 * the key for that source for an hour: there even the right secret is refused like a wrong one, so that guessing goes
 * on in vain. Other sources are not touched: who only knows a key's id locks nobody out but himself. A source is an
 * IPv4 address, the /64 of an IPv6 address, or a Unix user.
 *
 * Memory is fixed, about 1 MB, for 16,384 pairs of key and source. When a place is needed, one that counts goes before
 * one that suspends, and the oldest first: a flood of sources makes Holdfast forget, never refuse. All calls from any
 * thread. */
#ifndef HOLDFAST_DOMAIN_KEYS_FAILURES_H
#define HOLDFAST_DOMAIN_KEYS_FAILURES_H

#include "base/clock.h"
#include "domain/keys/rules.h"

#define FAILURES_LIMIT   5
#define FAILURES_MS      3600000u
#define FAILURES_ID_SIZE 16

struct failures;
RESULT failures_new(const struct random *random, struct failures **ret);
void failures_free(struct failures *f);

struct failures_try {
    struct view id;                    /* of a key: FAILURES_ID_SIZE bytes */
    const struct network_source *from; /* who showed it */
    struct view via;                   /* on whose word; empty: he is connected to us */
    bool known, right;                 /* there is such a key; its secret was right */
    uint64_t now_ms;                   /* wall clock */
};
enum failures_verdict {
    FAILURES_NONE,      /* the secret was right: former failures are forgotten */
    FAILURES_COUNTED,   /* it was wrong */
    FAILURES_BEGUN,     /* it was wrong, and the suspension begins */
    FAILURES_SUSPENDED, /* no matter what it was */
};
/* The same work for each, also for an id that is nobody's, which takes nobody's place. */
enum failures_verdict failures_judge(struct failures *f, const struct failures_try *t);
/* Sources from which this key is suspended at this time. Looks at every place. */
size_t failures_suspended(struct failures *f, struct view id, uint64_t now_ms);
/* Forgets all of one key. */
void failures_forget(struct failures *f, struct view id);

AUTO_DEFINE(struct failures *, failures_free);

#endif
