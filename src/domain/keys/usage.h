/* What API keys were used for (KEY-5). Requests are counted in memory, one short lock on the key's own counts each;
 * what was counted is handed to the store in the background, many keys in one commit. A key that was not used since the
 * start takes no memory: what the store has of it is added when it is used or asked about. Any thread. */
#ifndef HOLDFAST_DOMAIN_KEYS_USAGE_H
#define HOLDFAST_DOMAIN_KEYS_USAGE_H

#include "base/entity.h"
#include "ledger/ledger.h"

#define USAGE_HOURS     24
#define USAGE_DAYS      30
#define USAGE_ENDPOINTS 8  /* that are told apart for one key; the least used one gives way */
#define USAGE_TOP       5  /* of them are shown */
#define USAGE_NAME_MAX  64 /* bytes of an endpoint's name */
#define USAGE_FROM_MAX  56 /* bytes of a source */

struct usage_endpoint {
    struct view name;     /* what is counted: the name of a route */
    uint32_t now, before; /* in this half of 30 days, and in the one before */
};

/* As it was at one moment. Hours and days are those of UTC, newest first: [0] is the one of at_ms. */
struct usage {
    uint64_t at_ms;
    uint64_t total; /* ever */
    uint64_t last_ms;
    struct view last_from;
    uint32_t hours[USAGE_HOURS], days[USAGE_DAYS];
    struct usage_endpoint endpoints[USAGE_ENDPOINTS];
    size_t endpoint_count;
};
extern const struct entity usage_entity; /* TABLE_USAGE, key by the id of the API key */

/* Brings it to another moment; hours and days that are too long ago are lost. After a clock was set back by more than a
 * day all of them are, but for the total. */
void usage_advance(struct usage *u, uint64_t now_ms);
/* One request. name and from are kept as they are: they must outlive u. */
void usage_count(struct usage *u, uint64_t now_ms, struct view from, struct view name);
/* Adds what was counted elsewhere, as of the same moment or another. */
void usage_merge(struct usage *u, const struct usage *other);
/* The USAGE_TOP most used, most used first, into ret; how many there are. */
size_t usage_top(const struct usage *u, struct usage_endpoint ret[static USAGE_TOP]);

struct usages;
RESULT usages_new(struct usages **ret);
void usages_free(struct usages *u);
/* One request of this key: endpoint is static text, from is copied. Without memory for a new key it is not counted. */
void usages_count(struct usages *u, struct view id, uint64_t now_ms, const char *from, const char *endpoint);
/* With what the store has, which is read where it was not yet. What does not open there counts as nothing. All zero for
 * a key that was never used. */
RESULT usages_read(struct usages *u, struct view id, struct store *reader, const struct row_keys *keys, uint64_t now_ms,
                   struct arena *arena, struct usage *ret);
/* Writes everything that was counted since the last call. From one thread at a time; blocks. What could not be written
 * is written by a later call. */
RESULT usages_write(struct usages *u, struct ledger *l, struct store *reader, const struct row_keys *keys);

AUTO_DEFINE(struct usages *, usages_free);

#endif
