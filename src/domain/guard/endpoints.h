/* Which permission a request needs (SPEC GRD-4): the rows of the configuration, found by the longest path that covers
 * the request's, in whole segments. That path decides about the methods, too, so a shorter one never answers for it,
 * and what no row names has none. */
#ifndef HOLDFAST_DOMAIN_GUARD_ENDPOINTS_H
#define HOLDFAST_DOMAIN_GUARD_ENDPOINTS_H

#include "domain/identity/permission.h"
#include "ipc/config.h"

struct endpoints;

/* Borrows from config, which must outlive it. Immutable, so threads may share one. */
RESULT endpoints_new(const struct config_guard *config, struct endpoints **ret);
void endpoints_free(struct endpoints *e);

/* path: decoded, clean, as a row's is, but for a slash that may end it; method: as sent, HEAD counts as GET.
 * ERR_NO_RULE; ERR_METHOD_NOT_NAMED. */
RESULT endpoints_find(const struct endpoints *e, struct view method, struct view path,
                      const struct config_guard_endpoint **ret);

#endif
