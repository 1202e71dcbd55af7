/* How often one address may try to sign in, at Holdfast's own doors and with credentials that a proxy passes on
 * (GRD-3). Unix users, guard.trusted and the proxies may as often as they like: their address tells nobody apart. */
#ifndef HOLDFAST_API_TRIES_H
#define HOLDFAST_API_TRIES_H

#include "api/context.h"

/* Before anything is looked at: true if it may be tried. Otherwise the answer is set: ERR_TOO_MANY_ATTEMPTS, or
 * ERR_ADDRESS_BLOCKED where the address is kept out. kind: the route's rate. */
bool tries_admit(struct http_request *req, enum attempts_kind kind);
/* After the answer: a try that was no failure counts as none. */
void tries_ended(struct api_thread *t, const struct http_request *req, const struct http_ended *how);
/* A credential was wrong that nobody could have guessed, so right ones are let through all the same: false if there
 * were too many; then Retry-After is set. */
bool tries_failed(struct http_request *req);

#endif
