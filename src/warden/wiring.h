/* The warden's sockets: one to the front's thread 0, one to the supervisor, and the one to the kernel. */
#ifndef HOLDFAST_WARDEN_WIRING_H
#define HOLDFAST_WARDEN_WIRING_H

#include "ipc/loop.h"
#include "ipc/sandbox.h"
#include "ipc/start.h"
#include "warden/warden.h"

struct wiring;

/* Borrows all. keep: the table stays when the server stops. */
RESULT wiring_new(struct loop *loop, const struct start *start, struct warden *warden, struct table *table, bool keep,
                  struct wiring **ret);
void wiring_free(struct wiring *w);
RESULT wiring_ready(struct wiring *w, const struct sandbox_report *report);
AUTO_DEFINE(struct wiring *, wiring_free);

#endif
