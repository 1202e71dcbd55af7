/* Networks that are let in or kept out (GRD-2), for an address the answer of the longest prefix. Look-ups never wait;
 * all calls from any thread.
 *
 * Who says something of a prefix is kept apart: the operator at run time, his configuration, Holdfast itself
 * (automatic), and up to 31 feeds. What the operator said comes first, the configuration's as well: his longest prefix
 * decides, what he said at run time of a prefix instead of what his configuration says of the same one, until it ends.
 * Only where he said nothing, the longest prefix of the others counts, which can only block. So no feed and no
 * automatic block shuts out what the operator lets in.
 *
 * Memory: 40 bytes for each prefix and its part of the nodes above it; for a million random ones about 80 bytes each
 * with the allocator's own (docs/performance.md), and 2 MiB for the first levels. NETWORKS_MAX prefixes at most; where
 * feeds take up all of them, the operator's and automatic ones find room all the same. */
#ifndef HOLDFAST_DOMAIN_GUARD_NETWORKS_H
#define HOLDFAST_DOMAIN_GUARD_NETWORKS_H

#include "base/entity.h"
#include "base/prefix.h"

#define NETWORKS_MAX           4000000u /* prefixes */
#define NETWORKS_AUTOMATIC_MAX 250000u  /* of them with an automatic block: a flood does not fill the memory */
#define NETWORKS_FEEDS_MAX     31u
#define NETWORKS_FEED_NAME_MAX 63u
#define NETWORKS_FEED_BITS4    8u        /* the shortest IPv4 prefix that a feed may block, */
#define NETWORKS_FEED_BITS6    16u       /* and the shortest IPv6 one */
#define NETWORKS_BLOCK_MS      86400000u /* how long a block lasts if nothing else is said */

enum networks_action { NETWORKS_UNSAID, NETWORKS_ALLOW, NETWORKS_BLOCK };
enum networks_origin { NETWORKS_OPERATOR, NETWORKS_AUTOMATIC, NETWORKS_FEED, NETWORKS_CONFIGURED };

/* Why Holdfast itself blocks: requests of this address were refused too often, or too many hosts of this network are
 * blocked. */
enum networks_reason {
    NETWORKS_NO_REASON,
    NETWORKS_CREDENTIALS,
    NETWORKS_ATTACKS,
    NETWORKS_LIMITS,
    NETWORKS_HOSTS,
    NETWORKS_REASONS
};

/* What one of them said. */
struct networks_rule {
    struct prefix network;
    enum networks_action action;
    enum networks_origin origin;
    uint64_t ends_ms;                      /* milliseconds since 1970; 0: never */
    char feed[NETWORKS_FEED_NAME_MAX + 1]; /* with NETWORKS_FEED */
};

struct networks;
RESULT networks_new(struct networks **ret); /* empty */
void networks_free(struct networks *n);     /* nobody uses it any more */

/* The rule that decides; action NETWORKS_UNSAID, and nothing else in it, where there is none. One that has ended at
 * now_ms counts no more, also before it is swept. */
void networks_look_up(struct networks *n, const struct address *a, uint64_t now_ms, struct networks_rule *ret);

/* The same for a whole network: what decides for those of its addresses of which no longer prefix says anything. */
void networks_look_up_network(struct networks *n, const struct prefix *p, uint64_t now_ms, struct networks_rule *ret);

/* What is in force at now_ms of what the operator (at run time, or else his configuration) and Holdfast itself said of
 * exactly this prefix, in this order; how many. */
size_t networks_said(struct networks *n, const struct prefix *network, uint64_t now_ms,
                     struct networks_rule ret[static 2]);

/* Of the operator, of the configuration (which never ends), or automatic: a block. Instead of what the same one said of
 * the same prefix. ERR_BAD_VALUE: of a feed, an automatic one that does not block, or no action; ERR_LIMIT_REACHED,
 * ERR_NO_MEMORY. */
RESULT networks_put(struct networks *n, const struct networks_rule *rule);
RESULT networks_remove(struct networks *n, const struct prefix *network,
                       enum networks_origin origin); /* ERR_NOT_FOUND */

/* Finds what the operator or Holdfast said and what has ended at now_ms, up to `room` rules; looks at up to max
 * prefixes, and goes on there with the next call. They stay, since a clock can jump back: networks_remove takes them
 * out. */
size_t networks_ended(struct networks *n, uint64_t now_ms, size_t max, struct networks_rule *ret, size_t room);

/* All rules but those of feeds, also those that have ended and were not taken out yet; those of one prefix one after
 * the other. visit returns false to stop, and may change n. What changes meanwhile may be missed. Takes no longer for
 * what feeds list. */
void networks_each(struct networks *n, bool (*visit)(void *context, const struct networks_rule *rule), void *context);

/* Also what has ended and was not taken out yet. */
struct networks_count {
    size_t prefixes, automatic, feeds;
    size_t let_in, kept_out;                       /* by the operator at run time */
    size_t configured_let_in, configured_kept_out; /* by his configuration */
    size_t bytes;                                  /* without the allocator's own, 8 for each piece */
};
struct networks_count networks_count(struct networks *n);

/* --- feeds */

struct networks_feed_report {
    size_t prefixes;       /* that the feed lists; a prefix that is there twice counts once */
    size_t bad, first_bad; /* lines that are not a network; number of the first one */
};
/* All that the feed of this name lists, instead of what it listed before: at once for every reader, or not at all. A
 * line is an address or a network, then nothing or what does not matter behind a space, a comma, ';' or '#'. Lines that
 * are no network, or one shorter than the shortest prefix, are counted; a text with as many of those as others is no
 * feed. Takes a second for a million lines and waits for readers, so not in a loop's thread. ERR_MALFORMED,
 * ERR_BAD_VALUE (the name), ERR_LIMIT_REACHED, ERR_NO_MEMORY; then what it listed before stays in force. ends_ms 0:
 * until it is replaced. */
RESULT networks_feed_load(struct networks *n, const char *name, struct view text, uint64_t ends_ms,
                          struct networks_feed_report *ret, struct problem *why);
RESULT networks_feed_drop(struct networks *n, const char *name); /* ERR_NOT_FOUND */

/* --- rows: what the operator and Holdfast said, to be kept. What feeds list comes back with their files. */

struct networks_row {
    struct view network; /* as prefix_format writes it */
    uint8_t action, origin;
    uint64_t ends_ms, since_ms;
    uint32_t times; /* an automatic block: how often in a row, this one included */
    uint8_t reason; /* enum networks_reason */
};
extern const struct entity networks_row_entity;
/* As rows and answers have it. */
extern const char *const networks_reasons[];
/* network borrows from text; what a rule does not know is left zero. */
struct networks_row networks_row_of(const struct networks_rule *rule, char text[static PREFIX_TEXT_SIZE]);
RESULT networks_row_rule(const struct networks_row *row, struct networks_rule *ret); /* ERR_MALFORMED, ERR_BAD_VALUE */

AUTO_DEFINE(struct networks *, networks_free);

#endif
