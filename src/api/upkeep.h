/* What has to be looked after behind the requests, in a thread of its own, since it waits for the disk and looks at all
 * keys: that what they were used for is stored (domain/keys/usage.h), and that they expire (key_notices.h). */
#ifndef HOLDFAST_API_UPKEEP_H
#define HOLDFAST_API_UPKEEP_H

#include "api/context.h"

struct upkeep;
void upkeep_begin(
    struct api_thread *t);          /* each second: on thread 0, as soon as Holdfast serves, it starts the thread */
void upkeep_free(struct upkeep *u); /* after upkeep_end */

#endif
