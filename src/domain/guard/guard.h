/* The guard's rules as they are asked for each request (SPEC GRD). Threads share one. */
#ifndef HOLDFAST_DOMAIN_GUARD_GUARD_H
#define HOLDFAST_DOMAIN_GUARD_GUARD_H

#include "base/address.h"
#include "base/network.h"
#include "domain/guard/attempts.h"
#include "domain/guard/automatic.h"
#include "domain/guard/blocks.h"
#include "domain/guard/endpoints.h"
#include "domain/guard/kept.h"
#include "domain/guard/netfiles.h"
#include "domain/guard/often.h"

struct guard;

/* Borrows from config, which must outlive it. */
RESULT guard_new(const struct config_guard *config, const struct random *random, struct guard **ret,
                 struct problem *why);
void guard_free(struct guard *g);
/* May it ask for verdicts, and is it believed what it says of its client? */
bool guard_is_proxy(const struct guard *g, const struct network_source *from);
struct networks *guard_networks(const struct guard *g);
struct blocks *guard_blocks(const struct guard *g);
/* What the store has of rules that were said at run time, at start. */
RESULT guard_load(struct guard *g, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                  struct problem *why);
/* The row (hash of its key) of that table was found to be damaged, missing or put back. Who is let in by it is not any
 * longer; who is kept out stays so until it ends, or somebody takes it back. Any thread. */
void guard_distrust(struct guard *g, const struct row_keys *keys, uint16_t table, const uint8_t row[static 32]);
/* Rows of networks that did not open, or were found so, since the start. */
size_t guard_damaged(const struct guard *g);
/* What the store has of this network now, after a commit, comes into force; without a row, what the configuration says.
 * Any thread: the newest row wins. ret: the row; version 0 if there is none. */
RESULT guard_refresh(struct guard *g, struct store *reader, const struct row_keys *keys, const struct prefix *network,
                     struct arena *arena, struct kept *ret);
/* This block is in force, before the store has a row of it. Any thread. */
RESULT guard_note(struct guard *g, const struct kept *block);
/* Why an address is let in, or is not. */
struct guard_answer {
    enum err verdict; /* as of guard_admits */
    struct networks_rule
        rule;   /* that decides; its action is NETWORKS_UNSAID, and nothing else is there, if none does */
    bool asked; /* its country was asked about: */
    struct geo_answer country;
};
/* By the networks first: what the operator says of it decides, then automatic blocks and feeds, then, unless none but
 * those are let in of whom the operator says so, its country. now_ms: since 1970. */
void guard_judge(const struct guard *g, const struct address *from, uint64_t now_ms, struct guard_answer *ret);
/* Is it let in at all: ERR_ADDRESS_BLOCKED, ERR_ADDRESS_NOT_ALLOWED, ERR_COUNTRY_BLOCKED, ERR_COUNTRY_UNKNOWN;
 * ERR_UNAVAILABLE until the files that could say so were read once. */
RESULT guard_admits(const struct guard *g, const struct address *from, uint64_t now_ms);
struct netfiles *guard_netfiles(const struct guard *g);
/* Is there a block of it, by people or automatic? For Holdfast's own doors; now_ms: since 1970. */
bool guard_keeps_out(const struct guard *g, const struct address *from, uint64_t now_ms);
/* Neither limited in signing in nor ever blocked automatically: guard.trusted, and the proxies. */
bool guard_trusts(const struct guard *g, const struct address *a);
/* Is a part of this network trusted, or all of it? */
bool guard_trusts_in(const struct guard *g, const struct prefix *network);
struct attempts *guard_attempts(const struct guard *g);
struct automatic *guard_automatic(const struct guard *g);
const struct endpoints *guard_endpoints(const struct guard *g);
struct often *guard_often(const struct guard *g);

#endif
