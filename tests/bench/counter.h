/* What this thread spent: CPU time, and instructions in user space as the processor counts them. */
#ifndef HOLDFAST_BENCH_COUNTER_H
#define HOLDFAST_BENCH_COUNTER_H

#include <stdbool.h>

struct counter {
    double ns;
    double instructions; /* 0 where the kernel or the machine does not let us count (perf_event_open(2)) */
};
bool counter_open(void); /* true: instructions are counted from now on */
struct counter counter_now(void);

#endif
