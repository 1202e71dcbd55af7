/* Addresses that are refused again and again are blocked, where the configuration says so (guard.automatic): counted in
 * every thread, blocked by thread 0: at once, and then as rows with their records (unsaved.h). Never Unix users,
 * guard.trusted, the proxies, what people let in, and addresses at which somebody is signed in who may lift blocks.
 *
 * A flood is bounded: STRIKES_WAITING addresses wait at most for a place among those that have no row yet, and
 * STRIKES_BLOCKS blocks are in force or remembered at most. What finds no room is counted, and counts again with its
 * next refusal. */
#ifndef HOLDFAST_API_STRIKES_H
#define HOLDFAST_API_STRIKES_H

#include "api/context.h"

#define STRIKES_WAITING 256
#define STRIKES_BLOCKS  50000u

struct strikes;
/* For s->first, once it is set; before the threads run. *ret is set, and to be freed, on failure as well. */
RESULT strikes_new(struct api_shared *s, struct strikes **ret);
void strikes_free(struct strikes *x); /* after the ledger was closed */

/* How a request ended, in its thread. */
void strikes_saw(struct api_thread *t, const struct http_request *req, const struct http_ended *how);

/* How often a block found no room, since the start. */
uint64_t strikes_put_off(const struct strikes *x);
/* Somebody takes back a block of exactly this network that has no row yet: as unsaved_withdraw. */
RESULT strikes_withdraw(struct strikes *x, const struct prefix *network, struct kept *ret);

/* What would become of this address: in words, for people. */
RESULT strikes_explain(struct api_thread *t, const struct address *a, struct arena *arena, struct view *ret);

AUTO_DEFINE(struct strikes *, strikes_free);

#endif
