/* Addresses that are refused again and again are blocked, where the configuration says so (guard.automatic): counted in
 * every thread, blocked by thread 0, as rows with their records. Never Unix users, guard.trusted, the proxies, what
 * people let in, and addresses at which somebody is signed in who may lift blocks.
 *
 * A flood is bounded: STRIKES_WAITING addresses wait at most, what comes meanwhile is counted again with its next
 * refusal; STRIKES_BLOCKS blocks are in force at most; and beyond a budget, the records of many are one. */
#ifndef HOLDFAST_API_STRIKES_H
#define HOLDFAST_API_STRIKES_H

#include "api/context.h"

#define STRIKES_WAITING 256
#define STRIKES_BLOCKS  50000u

struct strikes;
/* For s->first, once it is set; before the threads run. */
RESULT strikes_new(struct api_shared *s, struct strikes **ret);
void strikes_free(struct strikes *x); /* after the ledger was closed */

/* How a request ended, in its thread. */
void strikes_saw(struct api_thread *t, const struct http_request *req, const struct http_ended *how);

/* What would become of this address: in words, for people. */
RESULT strikes_explain(struct api_thread *t, const struct address *a, struct arena *arena, struct view *ret);

AUTO_DEFINE(struct strikes *, strikes_free);

#endif
