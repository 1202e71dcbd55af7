/* The newest decisions, for who watches them: written only while somebody does, so that nobody pays for what nobody
 * looks at. Who reads too slowly loses the oldest, and is told how many. Any thread. */
#ifndef HOLDFAST_DOMAIN_GUARD_RING_H
#define HOLDFAST_DOMAIN_GUARD_RING_H

#include "base/address.h"

#define RING_SIZE     8192  /* decisions */
#define RING_WATCH_MS 10000 /* so long after the last look they are written */

struct ring_decision {
    uint64_t number; /* rising by one */
    uint64_t wall_ms;
    enum err code;     /* OK: allowed */
    char method[17];   /* "GET" */
    char address[56];  /* of the client, or "unix:1000" */
    char identity[80]; /* "user:alice", "key:<id>"; empty for nobody */
    char path[128];    /* its beginning */
};

struct ring;
RESULT ring_new(struct ring **ret);
void ring_free(struct ring *r);
/* now_ms: monotonic. */
bool ring_is_watched(const struct ring *r, uint64_t now_ms);
void ring_put(struct ring *r, const struct ring_decision *d); /* numbers it */

/* Somebody looks: those after this number (0: from now on), up to room. ret_next: the number to go on after; ret_lost:
 * how many he missed; how many he gets. */
size_t ring_read(struct ring *r, uint64_t after, uint64_t now_ms, struct ring_decision *ret, size_t room,
                 uint64_t *ret_next, uint64_t *ret_lost);

AUTO_DEFINE(struct ring *, ring_free);

#endif
