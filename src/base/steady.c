#include "base/steady.h"

#define SLACK_MS 60000 /* clocks drift, and are set right by a little now and then */

void steady_begin(struct steady *s, uint64_t wall_ms, uint64_t mono_ms)
{
    *s = (struct steady){.wall_ms = wall_ms, .mono_ms = mono_ms};
}

uint64_t steady_now(struct steady *s, uint64_t wall_ms, uint64_t mono_ms)
{
    uint64_t expected = s->wall_ms + (mono_ms - s->mono_ms);
    if (wall_ms <= expected + SLACK_MS) {
        s->ahead = false;
        return wall_ms;
    }
    bool goes_on = s->ahead && wall_ms + SLACK_MS >= s->ahead_wall_ms + (mono_ms - s->ahead_mono_ms);
    if (!goes_on) {
        s->ahead = true;
        s->ahead_wall_ms = wall_ms;
        s->ahead_mono_ms = mono_ms;
    }
    if (mono_ms - s->ahead_mono_ms < STEADY_BELIEVE_MS)
        return expected;
    steady_begin(s, wall_ms, mono_ms);
    return wall_ms;
}
