/* Requests that come in the moment between unsealed and serving, such as the first one after 'holdfast operator
 * unseal': they wait for it, without a thread. */
#include "api/inside.h"

#define PARKED_MAX 1024
#define LOOK_MS    10
#define LONGEST_MS 10000

struct api_parked {
    struct api_parked *next;
    struct http_request *req;
    uint64_t until_ms;
};

static uint64_t now_of(const struct api_thread *t)
{
    const struct clock *c = loop_clock(t->loop);

    return c->mono_ms(c);
}

/* Also before the keeper has been heard at all. */
bool admit_is_starting(const struct api_thread *t)
{
    int state = atomic_load(&t->shared->state);

    return state == API_STARTING ||
           (state == API_SEALED && atomic_load(&t->shared->health.keeper) == API_KEEPER_UNKNOWN);
}

bool admit_wait(struct http_request *req)
{
    struct api_thread *t = api_of(req);
    struct api_inside *in = t->inside;
    struct api_parked *p = in->parked_count < PARKED_MAX ? arena_alloc(req->arena, sizeof *p) : NULL;

    if (!p)
        return false;
    *p = (struct api_parked){.req = req, .until_ms = now_of(t) + LONGEST_MS};
    *in->parked_end = p;
    in->parked_end = &p->next;
    in->parked_count++;
    in->under_way++;
    loop_timer_arm(in->parked_timer, LOOK_MS);
    return true;
}

void admit_retry(void *thread)
{
    struct api_thread *t = thread;
    struct api_inside *in = t->inside;
    bool waits = admit_is_starting(t);

    while (in->parked && (!waits || in->parked->until_ms <= now_of(t))) {
        struct http_request *req = in->parked->req;
        in->parked = in->parked->next;
        if (!in->parked)
            in->parked_end = &in->parked;
        in->parked_count--;
        in->under_way--;
        if (admit_now(req) == HTTP_ANSWER)
            http_request_finish(req);
    }
    if (in->parked)
        loop_timer_arm(in->parked_timer, LOOK_MS);
}
