/* How often a key may be used (KEY-3). Exact counts for each hour and day of UTC, and a token bucket for what comes at
 * once (GCRA: ITU-T I.371, Annex A), filled at the hourly rate. Kept in memory alone: after a restart of the front all
 * begin at nothing. Any thread may take; none waits. */
#ifndef HOLDFAST_DOMAIN_KEYS_LIMITS_H
#define HOLDFAST_DOMAIN_KEYS_LIMITS_H

#include "base/buf.h"

#include <stdatomic.h>

#define LIMITS_PER_HOUR 1000u
#define LIMITS_PER_DAY  10000u
#define LIMITS_BURST    100u
#define LIMITS_MAX      1000000000u

struct limits {
    uint32_t per_hour, per_day, burst; /* 0: no such limit; without an hourly one there is none on bursts either */
};

struct limits_used {
    _Atomic uint64_t hour, day; /* number of the window in the upper half, count in the lower */
    _Atomic uint64_t due_ns;    /* when the bucket will be full again */
    _Atomic uint32_t told;      /* the hour, plus one, for which a refused burst was reported */
};

enum limits_verdict { LIMITS_WITHIN, LIMITS_BURSTING, LIMITS_HOUR_USED, LIMITS_DAY_USED };

struct limits_state {
    enum limits_verdict verdict;
    bool first;                         /* refused, and the first time for this reason in its window: worth a record */
    uint32_t left_hour, left_day;       /* requests; of a limit that there is */
    uint32_t hour_seconds, day_seconds; /* until they begin anew */
    uint32_t wait_seconds;              /* refused: until it can be tried again, at least 1 */
};

/* Counts one request at this wall clock, unless it is beyond a limit: then nothing is counted. After the clock was set
 * back, windows and bucket begin anew, so that nobody is shut out until it has caught up. */
void limits_take(struct limits_used *used, const struct limits *limits, uint64_t now_ms, struct limits_state *ret);
/* Nothing is counted: would the hour's or the day's limit refuse a request now? */
bool limits_used_up(const struct limits_used *used, const struct limits *limits, uint64_t now_ms);
/* to goes on where from is: the key was changed. */
void limits_carry(struct limits_used *to, const struct limits_used *from);

#endif
