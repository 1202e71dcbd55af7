/* The socket pairs between children, and who gets which end when. */
#ifndef HOLDFAST_SUPERVISOR_WIRES_H
#define HOLDFAST_SUPERVISOR_WIRES_H

#include "supervisor/state.h"

/* The far ends of pairs that were made for a child about to start. */
struct wires {
    int far[LINKS_MAX]; /* by link; -1: the pair was there, and its other process has its end */
};

void wires_init(struct supervisor *s);
/* Adds c's end of each of its links to start, making pairs where none waits. */
RESULT wires_make(struct child *c, struct start *start, struct wires *ret);
/* Closes what was given to c, and hands the far ends to their processes, or keeps them until those start. With started
 * false everything is closed. */
void wires_done(struct child *c, struct wires *w, bool started);
/* c has ended: what waits of its links leads nowhere. */
void wires_drop(struct child *c);

#endif
