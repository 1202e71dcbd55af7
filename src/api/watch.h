/* What the guard and Holdfast's own log-ins decide, for people who look: who comes most often, and each decision as it
 * is made. */
#ifndef HOLDFAST_API_WATCH_H
#define HOLDFAST_API_WATCH_H

#include "api/context.h"

struct watch;
RESULT watch_new(const struct random *random, size_t threads, struct watch **ret);
void watch_free(struct watch *w);
/* How a request ended, in its thread. */
void watch_saw(struct api_thread *t, const struct http_request *req, const struct http_ended *how);

AUTO_DEFINE(struct watch *, watch_free);

#endif
