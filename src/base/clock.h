/* Time and randomness are passed in, so that tests are deterministic. */
#ifndef HOLDFAST_BASE_CLOCK_H
#define HOLDFAST_BASE_CLOCK_H

#include "base/buf.h"

#include <stdatomic.h>

struct clock {
    uint64_t (*wall_ms)(const struct clock *c); /* milliseconds since 1970-01-01 UTC */
    uint64_t (*mono_ms)(const struct clock *c); /* milliseconds that never go back (CLOCK_BOOTTIME) */
    void *context;
};

const struct clock *clock_system(void);

/* A clock whose wall time never goes back while it lives: when source's does, time stands still until source has caught
 * up, so that nothing that is over begins again. For any number of threads; mono_ms is source's. */
struct clock_forward {
    struct clock clock;
    const struct clock *source;
    _Atomic uint64_t highest_ms;
};
void clock_forward_init(struct clock_forward *f, const struct clock *source);
uint64_t clock_forward_behind_ms(const struct clock_forward *f); /* how far source went back; 0: it did not */

struct random {
    RESULT (*fill)(const struct random *r, void *out, size_t n);
    void *context;
};

const struct random *random_system(void); /* getrandom(2); works after the sandbox */

/* Draws from source in larger pieces, one system call for many nonces and salts; what was handed out is gone from it.
 * For one thread of a process that does not fork. Not for keys: what comes next lies in ordinary memory. */
#define RANDOM_POOL_SIZE 2048
struct random_pool {
    struct random random; /* what is passed on */
    const struct random *source;
    size_t left; /* at the front of bytes */
    uint8_t bytes[RANDOM_POOL_SIZE];
};
void random_pool_init(struct random_pool *p, const struct random *source);

/* RFC 3339 in UTC with milliseconds: "2026-11-22T00:43:22.123Z". */
#define TIME_TEXT_SIZE 25
void time_format(uint64_t wall_ms, char out[static TIME_TEXT_SIZE]);
/* Any RFC 3339 time: fraction of up to 9 digits (cut to milliseconds) or none, "Z" or an offset. ERR_MALFORMED, or
 * ERR_OUT_OF_RANGE before 1970. time_format writes the end of the year 9999 for what is later. */
RESULT time_parse(struct view text, uint64_t *ret_wall_ms);

#endif
