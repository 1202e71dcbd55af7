/* What is stored after the answer, so that its time tells nothing. What can't be stored for want of memory or of room
 * in the ledger's queue is dropped; the lock itself is in memory already. */
#ifndef HOLDFAST_API_BEHIND_H
#define HOLDFAST_API_BEHIND_H

#include "api/context.h"

/* The lock of this user, as the tables have it, into his row, with its record. */
void behind_lock(struct http_request *req, struct view name);
/* A refusal, of this type. What `what` points to is copied. */
void behind_refusal(struct http_request *req, uint16_t type, const struct record_object *what);

/* What was noticed of a request that goes on, of this type, by who asks. What `what` points to is copied. */
void behind_note(struct http_request *req, uint16_t type, const struct record_object *what);

#endif
