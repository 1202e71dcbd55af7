/* What the files of networks share. */
#ifndef HOLDFAST_DOMAIN_GUARD_NETWORKS_INSIDE_H
#define HOLDFAST_DOMAIN_GUARD_NETWORKS_INSIDE_H

#include "domain/guard/networks.h"
#include "domain/guard/trie.h"

#include <pthread.h>

#define NETWORKS_BATCH 512 /* prefixes under one lock */
#define NETWORKS_SLOTS 32  /* of feeds: one more than feeds, for the new version of one */

/* The feeds in force; replaced as a whole. */
struct networks_feeds {
    uint32_t active; /* by bit of trie_item.feeds */
    struct {
        char name[NETWORKS_FEED_NAME_MAX + 1];
        uint64_t ends_ms;
    } slot[NETWORKS_SLOTS];
};

struct networks {
    pthread_mutex_t lock; /* writers */
    struct trie four, six;
    size_t max; /* prefixes of both, beyond which feeds get no more: NETWORKS_MAX */
    /* The prefixes alone of which others than feeds say something: the few among the many, for who goes through them.
     * A prefix too much does no harm. */
    struct trie said_four, said_six;
    struct rcu_bin bin;
    struct networks_feeds *_Atomic feeds;
    uint32_t taken;               /* slots that are in force or being filled */
    uint32_t soiled;              /* slots that are neither, but bits of theirs may be left */
    struct networks_count count;  /* automatic, and what the operator says; the rest is counted elsewhere */
    struct trie_item ended_after; /* the last one that networks_ended looked at */
    bool ended_six, ended_goes_on;
};

struct trie *networks_trie(struct networks *n, bool six);
/* With the lock: what is said of up to max prefixes behind `after` (NULL: from the first), as trie_after, but without
 * those that feeds alone name; *ret_last is the place where to go on. 0 at the end. */
size_t networks_after(struct networks *n, bool six, const struct trie_item *after, struct trie_item *ret, size_t max,
                      struct trie_item *ret_last);
/* Prefixes to keys and back. */
trie_key networks_key(const struct prefix *p, unsigned *ret_bits);
struct prefix networks_prefix(const struct trie_item *i, bool six);

/* With the lock, from here on. */
void networks_lock(struct networks *n);
void networks_unlock(struct networks *n); /* what was taken away goes when its readers are done */
/* Puts made in the place of old (NULL: there was none), or takes old away when nothing is said in made. */
RESULT networks_change(struct networks *n, bool six, const struct trie_item *old, const struct trie_item *made);

#endif
