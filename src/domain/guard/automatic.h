/* When an address has been refused so often that it is blocked, for how long, and when its whole network is: by GCRA,
 * so that counting takes a fixed amount of memory however many addresses come, and a flood of new ones never makes it
 * forget what others did (rates.h). Who may not be blocked is the caller's to know. Threads share one. */
#ifndef HOLDFAST_DOMAIN_GUARD_AUTOMATIC_H
#define HOLDFAST_DOMAIN_GUARD_AUTOMATIC_H

#include "domain/guard/kept.h"
#include "domain/guard/rates.h"
#include "ipc/config.h"

struct automatic;
/* config must outlive it. With mode off nothing is counted. */
RESULT automatic_new(const struct config_guard_automatic *config, const struct random *random, struct automatic **ret,
                     struct problem *why);
void automatic_free(struct automatic *a);
bool automatic_is_on(const struct automatic *a);

/* What a refusal counts as; NETWORKS_NO_REASON: as nothing. */
enum networks_reason automatic_reason(enum err refusal);
/* One more refusal of the client, which is what rates_client gives. True: now it is too many. now_ns: monotonic. */
bool automatic_count(struct automatic *a, const struct prefix *client, enum networks_reason reason, uint64_t now_ns);
/* How many more of these it has. */
uint32_t automatic_left(struct automatic *a, const struct prefix *client, enum networks_reason reason, uint64_t now_ns);
/* Nothing is held against it any more. */
void automatic_forget(struct automatic *a, const struct prefix *client, uint64_t now_ns);

/* The network that a client's block counts against; false where that is the client alone. */
bool automatic_network_of(const struct automatic *a, const struct prefix *client, struct prefix *ret);
/* One more client of this network is blocked. True: now it is too many. */
bool automatic_count_host(struct automatic *a, const struct prefix *network, uint64_t now_ns);

/* The block of this network that begins now: the first one lasts block_seconds, each that begins before the one of
 * before is forgotten (kept_is_over) twice as long as that one did, and none longer than longest_seconds. before:
 * version 0 if there is none. */
struct kept automatic_block(const struct automatic *a, const struct prefix *network, enum networks_reason reason,
                            const struct kept *before, uint64_t now_ms);

AUTO_DEFINE(struct automatic *, automatic_free);

#endif
