/* A clock that jumps is noticed by comparing it with the one that can't (SGN-4). */
#include "signer/signer_core.h"

#define JUMP_MS 5000u
#define HOLD_MS 30000u

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

RESULT watch_check(struct clock_watch *w, const struct clock *clock, bool *ret_noticed)
{
    uint64_t wall = clock->wall_ms(clock), mono = clock->mono_ms(clock);
    bool jumped = w->started && distance(wall, w->wall_ms + (mono - w->mono_ms)) > JUMP_MS;

    *ret_noticed = jumped;
    if (jumped) { /* believed again when it has run evenly for a while */
        w->held = true;
        w->held_until_mono_ms = mono + HOLD_MS;
    }
    if (w->held && mono >= w->held_until_mono_ms)
        w->held = false;
    w->started = true;
    w->wall_ms = wall;
    w->mono_ms = mono;
    return w->held ? ERR_CLOCK_JUMPED : OK;
}
