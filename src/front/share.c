/* One thread accepts a burst of connections faster than the others wake up. Kept where they were accepted, one thread
 * would serve all bots of a desk while the other cores sleep. */
#include "front/front.h"

struct handed {
    struct mail mail;
    struct front_thread *thread;
    struct http_accepted accepted;
};

static uint32_t load_of(const struct front_thread *t)
{
    return http_server_load(t->http) + atomic_load(&t->coming);
}

static struct front_thread *least_loaded(struct front_thread *here)
{
    struct front_thread *best = here;
    uint32_t least = load_of(here);

    for (size_t i = 0; i < here->front->thread_count; i++) {
        struct front_thread *t = &here->front->threads[i];
        uint32_t load = load_of(t);

        if (load < least) {
            best = t;
            least = load;
        }
    }
    return best;
}

static void on_handed(struct mail *m)
{
    struct handed *h = (struct handed *)(void *)((uint8_t *)m - offsetof(struct handed, mail));

    http_server_adopt(h->thread->http, &h->accepted);
    atomic_fetch_sub(&h->thread->coming, 1);
    free(h);
}

bool share_connection(void *api, const struct http_accepted *a)
{
    struct front_thread *here = (struct front_thread *)(void *)((uint8_t *)api - offsetof(struct front_thread, api));
    struct front_thread *there = least_loaded(here);
    struct handed *h;

    if (there == here || atomic_load(&here->front->draining))
        return false;
    h = malloc(sizeof *h);
    if (!h)
        return false;
    *h = (struct handed){.mail.deliver = on_handed, .thread = there, .accepted = *a};
    atomic_fetch_add(&there->coming, 1);
    mailbox_post(there->api.mailbox, &h->mail, &h->mail);
    return true;
}
