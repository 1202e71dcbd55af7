/* Says in the record which API keys will expire (14, 7 and 1 day ahead, each once) and which have: those are marked as
 * expired in the same commit. What was missed while nothing ran is said at the next look. */
#ifndef HOLDFAST_API_KEY_NOTICES_H
#define HOLDFAST_API_KEY_NOTICES_H

#include "api/context.h"

struct key_notices;
RESULT key_notices_new(struct api_thread *first, struct key_notices **ret);
void key_notices_free(struct key_notices *n); /* after the ledger was closed and its mail delivered */
/* From any one thread: looks at all keys, and has thread 0 commit what is to be said of some of them. True: there may
 * be more, look again soon. */
bool key_notices_look(struct key_notices *n);

AUTO_DEFINE(struct key_notices *, key_notices_free);

#endif
