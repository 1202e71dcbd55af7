/* What was said of networks for a while, and has ended, leaves the store. */
#ifndef HOLDFAST_API_NETWORKS_OVER_H
#define HOLDFAST_API_NETWORKS_OVER_H

#include "api/context.h"
#include "base/steady.h"

#define NETWORKS_OVER_MAX      64              /* rows in one transaction */
#define NETWORKS_OVER_GRACE_MS (10ull * 60000) /* after the end, and after the start of this process */

struct networks_over {
    bool begun;
    struct steady clock;
    uint64_t begun_ms; /* monotonic */
    struct prefix networks[NETWORKS_OVER_MAX];
    size_t count;
};
/* Looks at some of the networks, and goes on there the next time. The changes into t, in its arena; ERR_NOT_FOUND if
 * there are none. What the clock's jump ahead alone made end is left: the clock may be set right again. */
RESULT networks_over_fill(struct networks_over *o, struct api_thread *first, struct txn *t);
void networks_over_applied(struct networks_over *o, struct api_thread *first); /* they are committed */

#endif
