/* Records that keeper and signer authored and that no request brings into the log. */
#ifndef HOLDFAST_API_CHANGE_ORPHAN_H
#define HOLDFAST_API_CHANGE_ORPHAN_H

#include "api/context.h"

/* A record of the keeper's list of pending ones: logs it, with the credential's row if one came along, unless the gate
 * says that it is logged or under way. Thread 0 only. */
RESULT orphan_pending(struct api_thread *first, const struct keeper_pending_record *r);

#endif
