/* A venue is a declaration, spec/venues/<name>.yaml, read by the supervisor and handed on in its text form: hosts, how
 * a signature is put together and what it covers, and for each endpoint its class and the closed set of parameters with
 * their meaning. */
#ifndef HOLDFAST_SIGNER_VENUE_H
#define HOLDFAST_SIGNER_VENUE_H

#include "base/buf.h"

struct venue; /* immutable */

/* ERR_BAD_CONFIG with "file:line:column" in why->where. name is the file's, for messages. */
RESULT venue_parse(const char *name, struct view yaml, struct venue **ret, struct problem *why);
void venue_free(struct venue *v);
struct view venue_name(const struct venue *v);
bool venue_has_scheme(const struct venue *v, struct view scheme);

/* The host that serves path on that network: the first, or the one the caller names. ERR_NOT_FOUND. */
RESULT venue_network_host(const struct venue *v, struct view network, struct view host, struct view path,
                          struct view *ret);

AUTO_DEFINE(struct venue *, venue_free);

#endif
