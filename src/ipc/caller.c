#include "ipc/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUCKETS     1024 /* ids are consecutive, so calls spread evenly */
#define WAITING_MAX 65536
#define TICK_MS     5 /* deadlines that are closer together than this are looked at together */

struct call {
    struct call *next;
    uint64_t id, deadline_ms;
    uint16_t type;
    call_done done;
    void *context;
};

struct caller {
    struct loop *loop;
    struct channel *channel; /* NULL once the peer is gone */
    struct loop_timer *timer;
    uint64_t next_deadline_ms; /* what the timer is armed for; UINT64_MAX: it is not */
    struct channel_handler events;
    uint64_t last_id;
    size_t waiting;
    unsigned depth; /* callbacks under way */
    bool freed;
    struct call *calls[BUCKETS];
};

static uint64_t now_of(const struct caller *c)
{
    const struct clock *clock = loop_clock(c->loop);
    return clock->mono_ms(clock);
}

static void leave(struct caller *c)
{
    if (--c->depth == 0 && c->freed)
        free(c);
}

static struct call *take(struct caller *c, struct call **at)
{
    struct call *call = *at;
    *at = call->next;
    c->waiting--;
    return call;
}

static void finish(struct call *call, enum err error, struct view entity, const struct problem *why)
{
    struct problem none;
    if (!why && error != OK) {
        error = problem_set(&none, error, "", "%s", err_sentence(error));
        why = &none;
    }
    call->done(call->context, error, entity, why);
    free(call);
}

static void fail_all(struct caller *c, enum err error)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (c->calls[i])
            finish(take(c, &c->calls[i]), error, (struct view){0}, NULL);
}

static void arm(struct caller *c, uint64_t deadline_ms)
{
    if (deadline_ms >= c->next_deadline_ms)
        return;
    uint64_t now = now_of(c);
    c->next_deadline_ms = deadline_ms;
    loop_timer_arm(c->timer, deadline_ms > now ? deadline_ms - now + TICK_MS : 0);
}

static struct call **first_overdue(struct call **at, uint64_t now, uint64_t *next)
{
    for (; *at; at = &(*at)->next) {
        if ((*at)->deadline_ms <= now)
            return at;
        *next = (*at)->deadline_ms < *next ? (*at)->deadline_ms : *next;
    }
    return NULL;
}

static void on_timer(void *context)
{
    struct caller *c = context;
    uint64_t now = now_of(c), next = UINT64_MAX;
    c->next_deadline_ms = UINT64_MAX;
    c->depth++;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct call **at;
        /* From the bucket's start each time: done may have added calls. */
        while (c->waiting > 0 && (at = first_overdue(&c->calls[i], now, &next)))
            finish(take(c, at), ERR_TIMEOUT, (struct view){0}, NULL);
    }
    if (!c->freed && next != UINT64_MAX)
        arm(c, next);
    leave(c);
}

static enum err on_answer(struct caller *c, const struct frame *f)
{
    struct call **at = &c->calls[f->id % BUCKETS];
    while (*at && (*at)->id != f->id)
        at = &(*at)->next;
    if (!*at)
        return OK; /* it was given up before */
    if (f->type != ((*at)->type | CHANNEL_ANSWER))
        return ERR_MALFORMED;
    struct problem why = {.code = OK};
    struct view entity = {0};
    enum err e = channel_result(f->body, &entity, &why);
    finish(take(c, at), e, entity, e != OK && why.code == e ? &why : NULL);
    return OK;
}

static enum err on_frame(void *context, struct channel *channel, struct frame *f)
{
    struct caller *c = context;
    enum err e = ERR_MALFORMED;
    c->depth++;
    if (f->type & CHANNEL_ANSWER)
        e = on_answer(c, f);
    else if (c->events.frame)
        e = c->events.frame(c->events.context, channel, f);
    leave(c);
    return e;
}

static void on_closed(void *context, struct channel *channel)
{
    struct caller *c = context;
    (void)channel;
    c->depth++;
    /* The channel object stays until caller_free, so that caller_channel never dangles. */
    fail_all(c, ERR_UNAVAILABLE);
    if (!c->freed && c->events.closed)
        c->events.closed(c->events.context, channel);
    leave(c);
}

RESULT caller_new(struct loop *loop, int fd, const struct channel_handler *events, struct caller **ret)
{
    struct caller *c = calloc(1, sizeof *c);
    enum err e = c ? loop_timer_new(loop, on_timer, c, &c->timer) : ERR_NO_MEMORY;
    if (e != OK) {
        close(fd);
        free(c);
        return e;
    }
    c->loop = loop;
    c->next_deadline_ms = UINT64_MAX;
    if (events)
        c->events = *events;
    struct channel_handler own = {.frame = on_frame,
                                  .closed = on_closed,
                                  .context = c,
                                  .accepts_fds = c->events.accepts_fds,
                                  .reads_always = true};
    e = channel_new(loop, fd, &own, &c->channel);
    if (e != OK) {
        loop_timer_free(c->timer);
        free(c);
        return e;
    }
    *ret = c;
    return OK;
}

void caller_free(struct caller *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    c->depth++;
    loop_timer_free(c->timer);
    channel_free(c->channel);
    fail_all(c, ERR_UNAVAILABLE);
    leave(c);
}

bool caller_alive(const struct caller *c)
{
    return !c->freed && channel_alive(c->channel);
}

struct channel *caller_channel(struct caller *c)
{
    return c->channel;
}

size_t caller_waiting(const struct caller *c)
{
    return c->waiting;
}

RESULT caller_call(struct caller *c, uint16_t type, const struct entity *e, const void *object, uint64_t timeout_ms,
                   call_done done, void *context)
{
    if (c->freed)
        return ERR_UNAVAILABLE;
    if (c->waiting >= WAITING_MAX)
        return ERR_BUSY;
    AUTO_WRITER body = writer_new(CHANNEL_FRAME_MAX);
    if (e)
        TRY(entity_encode(e, object, &body));
    TRY(writer_done(&body));
    struct call *call = malloc(sizeof *call);
    if (!call)
        return ERR_NO_MEMORY;
    enum err sent = channel_send(c->channel, type, c->last_id + 1, writer_view_of(&body), -1);
    if (sent != OK) {
        free(call);
        return sent;
    }
    struct call **bucket = &c->calls[++c->last_id % BUCKETS];
    *call = (struct call){.next = *bucket,
                          .id = c->last_id,
                          .deadline_ms = now_of(c) + timeout_ms,
                          .type = type,
                          .done = done,
                          .context = context};
    *bucket = call;
    c->waiting++;
    arm(c, call->deadline_ms);
    return OK;
}

/* --- blocking */

static enum err wait_for(int fd, short events, uint64_t deadline_ms)
{
    const struct clock *clock = clock_system();
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        uint64_t now = clock->mono_ms(clock);
        if (now >= deadline_ms)
            return ERR_TIMEOUT;
        uint64_t left = deadline_ms - now;
        int n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n > 0)
            return OK;
        if (n < 0 && errno != EINTR)
            return ERR_IO;
    }
}

static enum err send_blocking(int fd, struct view frame, uint64_t deadline_ms)
{
    for (;;) {
        ssize_t n = send(fd, frame.ptr, frame.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0)
            return OK;
        if (errno == EAGAIN)
            TRY(wait_for(fd, POLLOUT, deadline_ms));
        else if (errno != EINTR)
            return errno == EPIPE || errno == ECONNRESET ? ERR_UNAVAILABLE : ERR_IO;
    }
}

/* The body of the answer with this type and id; events and late answers in between are left aside. */
static enum err receive_blocking(int fd, uint16_t type, uint64_t id, uint64_t deadline_ms, uint8_t *buffer,
                                 struct view *ret_body)
{
    for (;;) {
        TRY(wait_for(fd, POLLIN, deadline_ms));
        /* MSG_TRUNC: the true length, so that a frame that did not fit is noticed. No descriptors are taken. */
        ssize_t n = recv(fd, buffer, CHANNEL_FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return ERR_UNAVAILABLE;
        if (n > (ssize_t)CHANNEL_FRAME_MAX)
            return ERR_TOO_LONG;
        struct reader r = reader_new(VIEW(buffer, (size_t)n));
        uint16_t got_type, zero;
        uint64_t got_id;
        TRY(reader_u16(&r, &got_type));
        TRY(reader_u16(&r, &zero));
        TRY(reader_u64(&r, &got_id));
        if (got_type != (type | CHANNEL_ANSWER) || got_id != id)
            continue;
        *ret_body = VIEW(r.ptr, r.left);
        return OK;
    }
}

static enum err exchange(int fd, uint16_t type, struct view request, uint64_t deadline_ms, uint8_t *buffer,
                         struct view *ret_body)
{
    /* Not repeated within the process, so that the late answer to a call that was given up is never taken for ours. */
    static atomic_uint_fast64_t last_id;
    uint64_t id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    AUTO_WRITER frame = writer_new(CHANNEL_FRAME_MAX);
    writer_u16(&frame, type);
    writer_u16(&frame, 0);
    writer_u64(&frame, id);
    writer_view(&frame, request);
    TRY(writer_done(&frame));
    TRY(send_blocking(fd, writer_view_of(&frame), deadline_ms));
    return receive_blocking(fd, type, id, deadline_ms, buffer, ret_body);
}

RESULT call_blocking(int fd, uint16_t type, const struct entity *e, const void *object, uint64_t timeout_ms,
                     struct writer *ret_entity, struct problem *why)
{
    const struct clock *clock = clock_system();
    uint64_t deadline_ms = clock->mono_ms(clock) + timeout_ms;
    AUTO_WRITER request = writer_new(CHANNEL_FRAME_MAX);
    if (e)
        TRY(entity_encode(e, object, &request));
    TRY(writer_done(&request));
    uint8_t *buffer = malloc(CHANNEL_FRAME_MAX);
    if (!buffer)
        return problem_set(why, ERR_NO_MEMORY, "", "%s", err_sentence(ERR_NO_MEMORY));
    struct view body, entity = {0};
    enum err got = exchange(fd, type, writer_view_of(&request), deadline_ms, buffer, &body);
    if (got != OK)
        got = problem_set(why, got, "", "%s", err_sentence(got));
    else
        got = channel_result(body, &entity, why);
    if (got == OK && ret_entity) {
        writer_view(ret_entity, entity);
        got = writer_done(ret_entity);
    }
    explicit_bzero(buffer, CHANNEL_FRAME_MAX);
    free(buffer);
    return got;
}
