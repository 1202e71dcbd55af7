/* The keeper's sockets: who is behind which channel, and the checkpoints that wait. */
#ifndef HOLDFAST_KEEPER_WIRING_H
#define HOLDFAST_KEEPER_WIRING_H

#include "ipc/loop.h"
#include "ipc/start.h"

struct wiring;

/* Takes the descriptors of start. */
RESULT wiring_new(struct loop *loop, const struct start *start, bool memory_locked, struct wiring **ret);
void wiring_free(struct wiring *w);
/* Tells the supervisor that the keeper serves; report is what the sandbox found. */
struct sandbox_report;
RESULT wiring_ready(struct wiring *w, const struct sandbox_report *report);
AUTO_DEFINE(struct wiring *, wiring_free);

#endif
