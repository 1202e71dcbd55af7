/* Channels to keeper and signer, one of each for every thread; the supervisor brings new ones when a peer starts anew.
 */
#include "front/front.h"

#include "base/log.h"

#include <unistd.h>

/* --- events of the keeper */

static void on_unsealed(struct front *f)
{
    life_hello(f);
}

static void on_pending(struct front *f)
{
    if (atomic_load(&f->shared.state) == API_SERVING)
        pending_ask(f, false, NULL); /* else it is asked for on the way to serving */
}

static const struct {
    uint16_t type;
    void (*handle)(struct front *f);
} events[] = {
    {KEEPER_EVENT_UNSEALED, on_unsealed}, {KEEPER_EVENT_ROTATED, life_hello},        {KEEPER_EVENT_SEALED, life_sealed},
    {KEEPER_EVENT_PENDING, on_pending},   {KEEPER_EVENT_TOKEN_KEYS, token_keys_ask},
};

static RESULT on_frame(void *context, struct channel *c, struct frame *frame)
{
    struct peer *p = context;

    (void)c;
    /* Every thread is told; one acts. */
    if (p->kind != START_FD_KEEPER || p->thread->api.number != 0)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (events[i].type == frame->type)
            events[i].handle(p->thread->front);
    return OK;
}

/* --- open and closed */

static void show(struct peer *p)
{
    struct api_thread *t = &p->thread->api;

    if (p->kind == START_FD_KEEPER)
        t->keeper = p->caller;
    else
        t->signer = p->caller;
    if (p->kind == START_FD_SIGNER && t->number == 0)
        atomic_store(&t->shared->health.signer, p->caller != NULL);
}

void peer_close(struct peer *p)
{
    struct caller *gone = TAKE(p->caller);

    if (!gone)
        return;
    show(p); /* before its calls end: what they go on with must not be sent there */
    caller_free(gone);
}

static void on_closed(void *context, struct channel *c)
{
    struct peer *p = context;
    struct front *f = p->thread->front;
    bool first = p->thread->api.number == 0;

    (void)c;
    peer_close(p);
    atomic_store(&f->shared.health.look_for_lost, true);
    if (first && f->stop_by_ms == 0)
        log_warn("the %s is gone", p->kind == START_FD_KEEPER ? "keeper" : "signer");
    if (first && p->kind == START_FD_KEEPER)
        life_gone(f);
}

RESULT peer_open(struct front_thread *t, uint8_t kind, int fd)
{
    struct peer *p = kind == START_FD_KEEPER ? &t->keeper : &t->signer;
    const struct channel_handler handler = {.frame = on_frame, .closed = on_closed, .context = p};

    peer_close(p);
    TRY(caller_new(t->api.loop, fd, &handler, &p->caller));
    show(p);
    return OK;
}

/* --- to another thread */

struct handed {
    struct mail mail;
    struct front_thread *thread;
    uint8_t kind;
    int fd;
};

static void on_handed(struct mail *m)
{
    struct handed *h = (struct handed *)(void *)((uint8_t *)m - offsetof(struct handed, mail));
    struct front_thread *t = h->thread;
    bool keeper = h->kind == START_FD_KEEPER;

    if (peer_open(t, h->kind, h->fd) != OK)
        log_error("front thread %u can't take its channel to the %s", t->api.number, keeper ? "keeper" : "signer");
    free(h);
    if (keeper && t->api.number == 0) {
        feed_pause(t->front);
        life_look(t->front);
    }
}

RESULT peer_hand(struct front *f, uint8_t kind, uint8_t which, int fd)
{
    struct handed *h;

    if (kind == START_FD_WARDEN && f->firewall)
        return firewall_open(f, fd);
    if ((kind != START_FD_KEEPER && kind != START_FD_SIGNER) || which >= f->thread_count) {
        close(fd);
        return ERR_MALFORMED;
    }
    h = calloc(1, sizeof *h);
    if (!h) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    *h = (struct handed){.mail.deliver = on_handed, .thread = &f->threads[which], .kind = kind, .fd = fd};
    mailbox_post(h->thread->api.mailbox, &h->mail, &h->mail);
    return OK;
}
