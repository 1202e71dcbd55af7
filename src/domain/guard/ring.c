#include "domain/guard/ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct ring {
    _Atomic uint64_t watched_ms; /* until then */
    pthread_mutex_t lock;
    uint64_t newest; /* its number */
    struct ring_decision at[RING_SIZE];
};

RESULT ring_new(struct ring **ret)
{
    struct ring *r = calloc(1, sizeof *r); /* of the kernel, page by page, once somebody watches */
    if (!r)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&r->lock, NULL);
    r->newest = 1; /* so that 0 is nobody's place to go on */
    *ret = r;
    return OK;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

bool ring_is_watched(const struct ring *r, uint64_t now_ms)
{
    return now_ms < atomic_load_explicit(&r->watched_ms, memory_order_relaxed);
}

void ring_put(struct ring *r, const struct ring_decision *d)
{
    pthread_mutex_lock(&r->lock);
    struct ring_decision *place = &r->at[++r->newest % RING_SIZE];
    *place = *d;
    place->number = r->newest;
    pthread_mutex_unlock(&r->lock);
}

size_t ring_read(struct ring *r, uint64_t after, uint64_t now_ms, struct ring_decision *ret, size_t room,
                 uint64_t *ret_next, uint64_t *ret_lost)
{
    size_t n = 0;
    atomic_store_explicit(&r->watched_ms, now_ms + RING_WATCH_MS, memory_order_relaxed);
    pthread_mutex_lock(&r->lock);
    uint64_t oldest = r->newest > RING_SIZE ? r->newest - RING_SIZE + 1 : 1;
    if (after == 0 || after > r->newest)
        after = r->newest;
    *ret_lost = after + 1 < oldest ? oldest - after - 1 : 0;
    after += *ret_lost;
    for (; n < room && after < r->newest; n++)
        ret[n] = r->at[++after % RING_SIZE];
    pthread_mutex_unlock(&r->lock);
    *ret_next = after;
    return n;
}
