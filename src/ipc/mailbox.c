#include "ipc/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    _Atomic(struct mail *) newest; /* a stack: newest first */
    int wake;
    struct loop_source *source;
};

static struct mail *reversed(struct mail *m)
{
    struct mail *back = NULL;
    while (m) {
        struct mail *next = m->next;
        m->next = back;
        back = m;
        m = next;
    }
    return back;
}

static void on_wake(void *context, uint32_t events)
{
    struct mailbox *box = context;
    uint64_t count;
    (void)events;
    /* Reset before taking: a post in between writes again, so none is missed. */
    if (read(box->wake, &count, sizeof count) < 0)
        return;
    struct mail *m = reversed(atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire));
    while (m) {
        struct mail *next = m->next;
        m->deliver(m);
        m = next;
    }
}

RESULT mailbox_new(struct loop *reader, struct mailbox **ret)
{
    struct mailbox *box = calloc(1, sizeof *box);
    if (!box)
        return ERR_NO_MEMORY;
    box->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (box->wake < 0) {
        free(box);
        return ERR_IO;
    }
    enum err e = loop_add(reader, box->wake, EPOLLIN, on_wake, box, &box->source);
    if (e != OK) {
        close(box->wake);
        free(box);
        return e;
    }
    *ret = box;
    return OK;
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    loop_remove(m->source);
    close(m->wake);
    free(m);
}

void mailbox_post(struct mailbox *m, struct mail *first, struct mail *last)
{
    last->next = NULL;
    struct mail *newest = reversed(first); /* is last; first is now the chain's end */
    struct mail *before = atomic_load_explicit(&m->newest, memory_order_relaxed);
    do
        first->next = before;
    while (!atomic_compare_exchange_weak_explicit(&m->newest, &before, newest, memory_order_release,
                                                  memory_order_relaxed));
    if (before)
        return; /* whoever posted onto the empty stack wakes the reader */
    uint64_t one = 1;
    while (write(m->wake, &one, sizeof one) < 0 && errno == EINTR)
        ; /* the counter can't overflow: it is written once for each emptying */
}
