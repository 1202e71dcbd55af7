/* One epoll loop for one thread: every process and every front thread runs on it. */
#ifndef HOLDFAST_IPC_LOOP_H
#define HOLDFAST_IPC_LOOP_H

#include "base/clock.h"

struct loop;
struct loop_source; /* one watched descriptor */

typedef void (*loop_fn)(void *context, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP … */

RESULT loop_new(const struct clock *clock, struct loop **ret);
void loop_free(struct loop *l);
RESULT loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *context, struct loop_source **ret);
RESULT loop_change(struct loop_source *s, uint32_t events);
void loop_remove(struct loop_source *s); /* also from inside its own callback; does not close the descriptor */
/* Called at the end of every turn, after all ready sources: where a turn's collected work is handed over at once. */
RESULT loop_each_turn(struct loop *l, void (*fn)(void *context), void *context);
/* fn is called about every period_ms. */
RESULT loop_every(struct loop *l, uint64_t period_ms, void (*fn)(void *context), void *context);
/* A timer that its owner arms: fn is called once, delay_ms from now or later; arming again replaces that. May be armed,
 * disarmed and freed from inside its own callback. */
struct loop_timer;
RESULT loop_timer_new(struct loop *l, void (*fn)(void *context), void *context, struct loop_timer **ret);
void loop_timer_arm(struct loop_timer *t, uint64_t delay_ms);
void loop_timer_disarm(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);
/* A thing to do once at the end of this turn, after the functions of loop_each_turn; queued from a task it runs in the
 * next turn. The owner keeps the memory and cancels the task before releasing it; a task is zeroed but for run. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop_task *t);
    bool queued;
};
void loop_defer(struct loop *l, struct loop_task *t);
void loop_cancel(struct loop *l, struct loop_task *t);
const struct clock *loop_clock(const struct loop *l);
/* Until loop_stop. A turn sleeps at most until the next timer. */
RESULT loop_run(struct loop *l);
RESULT loop_turn(struct loop *l, int timeout_ms); /* one turn, for tests */
void loop_stop(struct loop *l);

/* Messages from other threads: an intrusive queue of many writers and one reader, with an eventfd that the reader's
 * loop watches. Posting never blocks and never fails. */
struct mail {
    struct mail *next;
    void (*deliver)(struct mail *m); /* runs in the reader's thread */
};
struct mailbox;
/* Mail is delivered in the order of posting; what a poster posts before another's post that it caused comes first. All
 * posting has ended when mailbox_free is called, and mail that was not delivered stays with whoever allocated it. */
RESULT mailbox_new(struct loop *reader, struct mailbox **ret);
void mailbox_free(struct mailbox *m);
void mailbox_post(struct mailbox *m, struct mail *first, struct mail *last); /* a chain, linked by next */

AUTO_DEFINE(struct loop *, loop_free);
AUTO_DEFINE(struct loop_timer *, loop_timer_free);
AUTO_DEFINE(struct mailbox *, mailbox_free);

#endif
