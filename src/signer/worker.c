#include "signer/worker.h"

#include <pthread.h>

struct worker {
    struct mailbox *back;
    pthread_t thread;
    bool running; /* there is a thread to join */
    pthread_mutex_t lock;
    pthread_cond_t wake; /* what follows has changed */
    bool started, stopping;
    struct worker_job *first, **end;
};

static struct worker_job *take(struct worker *w)
{
    struct worker_job *j;

    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping)
        pthread_cond_wait(&w->wake, &w->lock);
    j = w->stopping ? NULL : w->first;
    if (j) {
        w->first = j->next;
        if (!w->first)
            w->end = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *serve(void *context)
{
    struct worker *w = context;
    struct worker_job *j;

    /* A thread's first allocation looks at the machine's processors, which the filter does not allow later. */
    free(malloc(1));
    pthread_mutex_lock(&w->lock);
    w->started = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    while ((j = take(w))) {
        j->run(j);
        mailbox_post(w->back, &j->mail, &j->mail);
    }
    return NULL;
}

static RESULT start(struct worker *w)
{
    if (pthread_create(&w->thread, NULL, serve, w) != 0)
        return ERR_UNAVAILABLE;
    w->running = true;
    pthread_mutex_lock(&w->lock);
    while (!w->started)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return OK;
}

RESULT worker_new(struct loop *loop, struct worker **ret)
{
    AUTO(worker_free) struct worker *w = calloc(1, sizeof *w);

    if (!w)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->end = &w->first;
    TRY(mailbox_new(loop, &w->back));
    TRY(start(w));
    *ret = TAKE(w);
    return OK;
}

void worker_submit(struct worker *w, struct worker_job *j)
{
    pthread_mutex_lock(&w->lock);
    j->next = NULL;
    *w->end = j;
    w->end = &j->next;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

bool worker_cancel(struct worker *w, struct worker_job *j)
{
    struct worker_job **at;
    bool found;

    pthread_mutex_lock(&w->lock);
    for (at = &w->first; *at && *at != j;)
        at = &(*at)->next;
    found = *at != NULL;
    if (*at) {
        *at = (*at)->next;
        if (!*at)
            w->end = at;
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}

void worker_stop(struct worker *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->running = false;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    worker_stop(w);
    mailbox_free(w->back);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
