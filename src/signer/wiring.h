/* The signer's sockets: one to the keeper, one to each front thread, one to the supervisor. */
#ifndef HOLDFAST_SIGNER_WIRING_H
#define HOLDFAST_SIGNER_WIRING_H

#include "ipc/loop.h"
#include "ipc/sandbox.h"
#include "ipc/start.h"
#include "signer/worker.h"

struct signer_wiring;

/* Reads the venue declarations that start brought: ERR_BAD_CONFIG, logged with file, line and column. Borrows the
 * worker, for nothing else to use. */
RESULT signer_wiring_new(struct loop *loop, const struct start *start, struct worker *worker,
                         struct signer_wiring **ret);
void signer_wiring_free(struct signer_wiring *w); /* stops the worker */
RESULT signer_wiring_ready(struct signer_wiring *w, const struct sandbox_report *report);
AUTO_DEFINE(struct signer_wiring *, signer_wiring_free);

#endif
