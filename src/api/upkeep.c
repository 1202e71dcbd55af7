#include "api/upkeep.h"

#include "api/inside.h"
#include "api/key_notices.h"

#include <pthread.h>
#include <time.h>

#define REST_MS       500 /* so that no count is lost that is older than a second */
#define NOTICES_RESTS 120 /* between looks at all keys */

struct upkeep {
    struct api_thread *first;
    struct key_notices *notices;
    struct store *reader;
    pthread_t thread;
    bool runs; /* to be joined */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* under lock */
};

/* False when it is to end. */
static bool rest(struct upkeep *u)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += REST_MS * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    pthread_mutex_lock(&u->lock);
    while (!u->stop && pthread_cond_timedwait(&u->wake, &u->lock, &t) == 0)
        ;
    bool go_on = !u->stop;
    pthread_mutex_unlock(&u->lock);
    return go_on;
}

/* What can't be written now, since the disk is full for example, is written when it can. */
static void write_usage(struct upkeep *u)
{
    struct api_shared *s = u->first->shared;

    (void)!usages_write(s->usages, s->ledger, u->reader, atomic_load(&s->keys));
}

static void *run(void *context)
{
    struct upkeep *u = context;
    unsigned next = 0; /* rests until the next look */

    do {
        write_usage(u);
        if (next > 0)
            next--;
        else
            next = key_notices_look(u->notices) ? 0 : NOTICES_RESTS;
    } while (rest(u));
    write_usage(u);
    return NULL;
}

static RESULT start(struct api_thread *t, struct upkeep *u)
{
    pthread_condattr_t monotonic;

    u->first = t;
    pthread_mutex_init(&u->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&u->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    TRY(ledger_reader(t->shared->ledger, &u->reader));
    TRY(key_notices_new(t, &u->notices));
    u->runs = pthread_create(&u->thread, NULL, run, u) == 0;
    return u->runs ? OK : ERR_NO_MEMORY;
}

void upkeep_begin(struct api_thread *t)
{
    struct api_shared *s = t->shared;

    if (t != s->first || t->inside->upkeep || !s->ledger || atomic_load(&s->state) != API_SERVING)
        return;
    struct upkeep *u = calloc(1, sizeof *u);
    if (u && start(t, u) != OK) {
        upkeep_free(u); /* tried again in a second */
        u = NULL;
    }
    t->inside->upkeep = u;
}

void upkeep_end(struct api_thread *t)
{
    struct upkeep *u = t->inside ? t->inside->upkeep : NULL;

    if (!u || !u->runs)
        return;
    pthread_mutex_lock(&u->lock);
    u->stop = true;
    pthread_cond_signal(&u->wake);
    pthread_mutex_unlock(&u->lock);
    (void)pthread_join(u->thread, NULL);
    u->runs = false;
    store_close(u->reader);
    u->reader = NULL;
}

void upkeep_free(struct upkeep *u)
{
    if (!u)
        return;
    store_close(u->reader);
    key_notices_free(u->notices);
    pthread_cond_destroy(&u->wake);
    pthread_mutex_destroy(&u->lock);
    free(u);
}
