#include "counter.h"

#include "bench.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

static int instructions = -1;

bool counter_open(void)
{
    /* Pinned: if somebody else has the processor's counters, reading fails, and nothing is estimated. */
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1,
                                   .pinned = 1};
    instructions = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return instructions >= 0;
}

struct counter counter_now(void)
{
    struct counter c = {.ns = bench_cpu() * 1e9};
    uint64_t n;
    if (instructions >= 0 && read(instructions, &n, sizeof n) == sizeof n)
        c.instructions = (double)n;
    return c;
}
