/* A thread for what takes long, so that the thread that serves the sockets never does. Jobs run one after the other, in
 * the order of submission, and come back as mail. All calls are from the thread of the loop. */
#ifndef HOLDFAST_SIGNER_WORKER_H
#define HOLDFAST_SIGNER_WORKER_H

#include "ipc/loop.h"

struct worker;

/* The owner keeps the memory, and leaves it alone until mail.deliver is called or worker_cancel has taken it back. */
struct worker_job {
    struct mail mail; /* deliver runs in the loop's thread once the job is done */
    struct worker_job *next;
    void (*run)(struct worker_job *j); /* in the worker's thread */
};

/* Returns once the thread runs and has made the system calls of its start, which a sandbox need not allow. It is to be
 * started between the sandbox's other restrictions, which a thread inherits, and its filter: sandbox_enter_with(). */
RESULT worker_new(struct loop *loop, struct worker **ret);
void worker_submit(struct worker *w, struct worker_job *j);
/* True if it had not begun and never will. */
bool worker_cancel(struct worker *w, struct worker_job *j);
/* Waits for the end of the job that runs; none runs after it, and none is delivered. May be called again. */
void worker_stop(struct worker *w);
void worker_free(struct worker *w); /* stops it */
AUTO_DEFINE(struct worker *, worker_free);

#endif
