/* The wall clock, for what can't be undone: a clock that jumps ahead by mistake must not make it look as if everything
 * had ended. A time that jumped ahead is believed when it has gone on from there for a day, and not while it stands
 * still (struct clock_forward in base/clock.h); one that was set back is believed at once. A clock that was wrong from
 * the beginning can't be told from a right one. */
#ifndef HOLDFAST_BASE_STEADY_H
#define HOLDFAST_BASE_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#define STEADY_BELIEVE_MS UINT64_C(86400000)

struct steady {
    uint64_t wall_ms, mono_ms; /* where they stood together */
    bool ahead;                /* the wall clock is, and has gone on from … */
    uint64_t ahead_wall_ms, ahead_mono_ms;
};
void steady_begin(struct steady *s, uint64_t wall_ms, uint64_t mono_ms);
/* The wall clock's time, or the one that it would show had it not jumped ahead. To be asked more than once a day. */
uint64_t steady_now(struct steady *s, uint64_t wall_ms, uint64_t mono_ms);

#endif
