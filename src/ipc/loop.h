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
RESULT mailbox_new(struct loop *reader, struct mailbox **ret);
void mailbox_free(struct mailbox *m);
void mailbox_post(struct mailbox *m, struct mail *first, struct mail *last); /* a chain, linked by next */

AUTO_DEFINE(struct loop *, loop_free);
AUTO_DEFINE(struct mailbox *, mailbox_free);

#endif
