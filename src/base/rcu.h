/* Memory that many threads read while a writer changes it (liburcu, membarrier(2)): what a reader has found stays valid
 * until its section ends, also if it is thrown away meanwhile. Readers never wait and never write to shared memory; a
 * section costs them no barrier, since the one who waits for them makes their processors pass one. */
#ifndef HOLDFAST_BASE_RCU_H
#define HOLDFAST_BASE_RCU_H

#include <stdbool.h>

/* A reader's section. Sections nest; any thread may read, and needs to announce itself nowhere else. Inside nothing may
 * block or take a lock: all memory that was thrown away waits for the section's end. */
void rcu_enter(void);
void rcu_leave(void);
bool rcu_inside(void);

/* What a writer, outside of sections, took out of readers' reach: free()d when all sections of now have ended. A zeroed
 * bin is empty; one writer at a time. */
struct rcu_pile;
struct rcu_bin {
    struct rcu_pile *pile;
};
void rcu_bin_put(struct rcu_bin *bin, void *memory); /* without memory for the bin itself, waits for the readers */
void rcu_bin_empty(struct rcu_bin *bin);             /* ends a batch; does not wait */
void rcu_synchronise(void);                          /* outside of sections: waits until all of now have ended */
void rcu_wait(void);                                 /* the same: until all that was emptied before is freed */

/* liburcu synchronises where TSan does not look; what is true there is said to it. Nothing without TSan. */
#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#ifdef RCU_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define RCU_SEES(p)  __tsan_acquire(p)
#define RCU_SHOWS(p) __tsan_release(p)
#else
#define RCU_SEES(p)  (void)(p)
#define RCU_SHOWS(p) (void)(p)
#endif
/* In a callback of liburcu: all readers' sections of then have ended. */
void rcu_readers_ended(void);

#endif
