#include "ipc/channel.h"

#include "ipc/channel_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_BATCH     8  /* frames a system call takes in */
#define OUT_BATCH    32 /* frames a system call sends */
#define ASKED_FRAMES 12 /* requests that don't wait for the turn's end: the peer begins while more of them are made */
#define TURN_FRAMES  64 /* frames one channel may have handled in a turn, so that a flood leaves the others theirs */
#define QUEUE_BYTES  (8u * 1024 * 1024)
#define PAUSE_FRAMES 256 /* answers waiting for the peer above which its requests are no longer read … */
#define PAUSE_BYTES  (1024u * 1024)
#define RESUME_PART  2 /* … until they are down to this part of it */

struct out {
    uint8_t *bytes;
    size_t len;
    int fd;
};

struct in_batch {
    struct mmsghdr messages[IN_BATCH];
    struct iovec parts[IN_BATCH];
    union channel_fds control[IN_BATCH];
    uint8_t bytes[IN_BATCH][CHANNEL_FRAME_MAX];
};

struct channel {
    struct loop *loop;
    struct loop_source *source;
    struct loop_task flush, gone;
    struct channel_handler handler;
    int fd;
    uint32_t watched;  /* events the loop watches for */
    bool blocked;      /* the last send would have waited */
    bool paused;       /* not reading: the peer does not take its answers */
    bool deaf;         /* the peer closed: what it sent is still read, nothing is sent */
    bool reset;        /* the error of a peer that closed with answers unread has been seen */
    bool broken;       /* over; closed was or will be called */
    bool reading;      /* in the frame callback: the batch is in use */
    bool freed;        /* by its owner from inside a callback */
    struct out *queue; /* a ring of CHANNEL_QUEUE_MAX */
    size_t first, count, bytes;
    struct in_batch *in;
};

static void out_done(struct channel *c)
{
    struct out *o = &c->queue[c->first];
    explicit_bzero(o->bytes, o->len);
    free(o->bytes);
    if (o->fd >= 0)
        close(o->fd);
    c->bytes -= o->len;
    c->first = (c->first + 1) % CHANNEL_QUEUE_MAX;
    c->count--;
}

static void drop_queue(struct channel *c)
{
    while (c->count > 0)
        out_done(c);
}

static void destroy(struct channel *c)
{
    free(c->queue);
    free(c->in);
    free(c);
}

static void watch(struct channel *c)
{
    uint32_t events = (c->paused ? 0 : EPOLLIN) | (c->blocked ? EPOLLOUT : 0);
    if (c->broken || events == c->watched)
        return;
    c->watched = events;
    if (loop_change(c->source, events) != OK)
        loop_defer(c->loop, &c->gone);
}

/* The end: nothing is read or sent any more, and the owner is told at the end of the turn. */
static void break_off(struct channel *c)
{
    if (c->broken)
        return;
    c->broken = true;
    loop_remove(c->source);
    loop_cancel(c->loop, &c->flush);
    drop_queue(c);
    loop_defer(c->loop, &c->gone);
}

static void on_gone(struct loop_task *t)
{
    struct channel *c = (struct channel *)((uint8_t *)t - offsetof(struct channel, gone));
    break_off(c);
    loop_cancel(c->loop, &c->gone);
    if (c->handler.closed)
        c->handler.closed(c->handler.context, c);
}

static void peer_left(struct channel *c)
{
    c->deaf = true;
    c->blocked = c->paused = false;
    drop_queue(c);
    watch(c);
}

/* --- sending */

static void pause_or_resume(struct channel *c)
{
    if (c->handler.reads_always || c->broken)
        return;
    bool much = c->count > PAUSE_FRAMES || c->bytes > PAUSE_BYTES;
    bool little = c->count <= PAUSE_FRAMES / RESUME_PART && c->bytes <= PAUSE_BYTES / RESUME_PART;
    if (much)
        c->paused = true;
    else if (little)
        c->paused = false;
    watch(c);
}

/* Sends up to a batch; how many went, or -1. */
static int send_batch(struct channel *c)
{
    struct mmsghdr messages[OUT_BATCH] = {0};
    struct iovec parts[OUT_BATCH];
    union channel_fds control[OUT_BATCH];
    unsigned n = 0;
    for (; n < OUT_BATCH && n < c->count; n++) {
        struct out *o = &c->queue[(c->first + n) % CHANNEL_QUEUE_MAX];
        parts[n] = (struct iovec){.iov_base = o->bytes, .iov_len = o->len};
        messages[n].msg_hdr = (struct msghdr){.msg_iov = &parts[n], .msg_iovlen = 1};
        if (o->fd >= 0)
            channel_fds_put(&messages[n].msg_hdr, &control[n], o->fd);
    }
    int sent;
    do
        sent = sendmmsg(c->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

RESULT channel_flush(struct channel *c)
{
    if (c->broken || c->deaf)
        return ERR_UNAVAILABLE;
    c->blocked = false;
    while (c->count > 0) {
        int sent = send_batch(c);
        if (sent < 0) {
            c->blocked = errno == EAGAIN;
            break;
        }
        for (int i = 0; i < sent; i++)
            out_done(c);
    }
    if (c->count > 0 && !c->blocked) {
        peer_left(c); /* EPIPE, ECONNRESET: reading on finds the end */
        return ERR_UNAVAILABLE;
    }
    watch(c);
    pause_or_resume(c);
    return OK;
}

static void on_flush(struct loop_task *t)
{
    struct channel *c = (struct channel *)((uint8_t *)t - offsetof(struct channel, flush));
    if (!c->blocked && channel_flush(c) != OK)
        return; /* reading tells the owner */
}

/* Takes the bytes. */
static enum err enqueue(struct channel *c, uint8_t *bytes, size_t len, int fd)
{
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd >= 0 && copy < 0)
        return ERR_IO;
    c->queue[(c->first + c->count) % CHANNEL_QUEUE_MAX] = (struct out){.bytes = bytes, .len = len, .fd = copy};
    c->count++;
    c->bytes += len;
    loop_defer(c->loop, &c->flush);
    if (c->handler.reads_always && c->count >= ASKED_FRAMES)
        on_flush(&c->flush);
    pause_or_resume(c);
    return OK;
}

/* A frame of head, the u16 error where there is one, and the body, in one copy. */
static enum err send_frame(struct channel *c, struct view head, struct view body, int fd)
{
    if (c->broken || c->deaf)
        return ERR_UNAVAILABLE;
    size_t len = head.len + body.len;
    if (len > CHANNEL_FRAME_MAX)
        return ERR_TOO_LONG;
    if (c->count == CHANNEL_QUEUE_MAX || c->bytes + len > QUEUE_BYTES)
        return ERR_BUSY;
    uint8_t *bytes = malloc(len);
    if (!bytes)
        return ERR_NO_MEMORY;
    memcpy(bytes, head.ptr, head.len);
    if (body.len > 0)
        memcpy(bytes + head.len, body.ptr, body.len);
    enum err e = enqueue(c, bytes, len, fd);
    if (e != OK) {
        explicit_bzero(bytes, len);
        free(bytes);
    }
    return e;
}

RESULT channel_send(struct channel *c, uint16_t type, uint64_t id, struct view body, int fd)
{
    uint8_t head[CHANNEL_HEADER];
    struct writer w = writer_fixed(head, sizeof head);
    writer_u16(&w, type);
    writer_u16(&w, 0);
    writer_u64(&w, id);
    return send_frame(c, writer_view_of(&w), body, fd);
}

static void await(const struct channel *c, short events, uint64_t ms)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    (void)poll(&p, 1, (int)(ms < INT32_MAX ? ms : INT32_MAX));
}

void channel_await(struct channel *c, uint64_t ms)
{
    if (!c->broken)
        await(c, POLLIN, ms);
}

RESULT channel_flush_within(struct channel *c, uint64_t ms)
{
    const struct clock *clock = loop_clock(c->loop);
    uint64_t end = clock->mono_ms(clock) + ms;
    for (;;) {
        TRY(channel_flush(c));
        uint64_t now = clock->mono_ms(clock);
        if (c->count == 0)
            return OK;
        if (now >= end)
            return ERR_TIMEOUT;
        await(c, POLLOUT, end - now);
    }
}

RESULT channel_send_now(struct channel *c, uint16_t type, uint64_t id, struct view body, uint64_t patience_ms)
{
    if (c->count > 0 && channel_flush_within(c, patience_ms) != OK)
        return ERR_BUSY;
    TRY(channel_send(c, type, id, body, -1));
    enum err e = channel_flush_within(c, patience_ms);
    if (e != ERR_TIMEOUT)
        return e;
    out_done(c); /* the only one there is */
    return ERR_BUSY;
}

static enum err send_answer(struct channel *c, uint16_t type, uint64_t id, enum err code, struct view body)
{
    uint8_t head[CHANNEL_HEADER + 2];
    struct writer w = writer_fixed(head, sizeof head);
    writer_u16(&w, type | CHANNEL_ANSWER);
    writer_u16(&w, 0);
    writer_u64(&w, id);
    writer_u16(&w, (uint16_t)code);
    return send_frame(c, writer_view_of(&w), body, -1);
}

RESULT channel_answer(struct channel *c, const struct frame *request, const struct entity *e, const void *object)
{
    AUTO_WRITER body = writer_new(CHANNEL_FRAME_MAX);
    if (e)
        TRY(entity_encode(e, object, &body));
    TRY(writer_done(&body));
    return send_answer(c, request->type, request->id, OK, writer_view_of(&body));
}

RESULT channel_answer_bytes(struct channel *c, const struct frame *request, struct view entity)
{
    return send_answer(c, request->type, request->id, OK, entity);
}

RESULT channel_refuse(struct channel *c, uint16_t type, uint64_t id, enum err code, const char *detail)
{
    AUTO_WRITER body = writer_new(sizeof((struct problem *)0)->detail + 4);
    struct view text = view_str(detail);
    if (text.len >= sizeof((struct problem *)0)->detail)
        text.len = sizeof((struct problem *)0)->detail - 1;
    writer_var(&body, text);
    TRY(writer_done(&body));
    return send_answer(c, type, id, code, writer_view_of(&body));
}

RESULT channel_result(struct view body, struct view *ret_entity, struct problem *why)
{
    struct reader r = reader_new(body);
    uint16_t code;
    TRY(reader_u16(&r, &code));
    if (code == OK) {
        *ret_entity = VIEW(r.ptr, r.left);
        return OK;
    }
    struct view detail;
    TRY(reader_var(&r, sizeof why->detail - 1, &detail));
    TRY(reader_end(&r));
    enum err e = code < ERR_COUNT ? (enum err)code : ERR_INTERNAL;
    return problem_set(why, e, "", "%.*s", (int)detail.len, (const char *)detail.ptr);
}

/* --- receiving */

/* One message of the batch; false ends the channel. */
static bool handle(struct channel *c, struct mmsghdr *m)
{
    struct frame f;
    uint16_t zero;
    if (!channel_fds_take(&m->msg_hdr, &f.fd))
        return false;
    struct reader r = reader_new(VIEW(m->msg_hdr.msg_iov->iov_base, m->msg_len));
    bool whole = !(m->msg_hdr.msg_flags & MSG_TRUNC) && reader_u16(&r, &f.type) == OK && reader_u16(&r, &zero) == OK &&
                 zero == 0 && reader_u64(&r, &f.id) == OK;
    bool fine = false;
    if (whole && !c->broken && !c->freed) {
        f.body = VIEW(r.ptr, r.left);
        fine = c->handler.frame && c->handler.frame(c->handler.context, c, &f) == OK;
    }
    if (f.fd >= 0)
        close(f.fd);
    return fine;
}

static int receive(struct channel *c)
{
    struct in_batch *in = c->in;
    for (size_t i = 0; i < IN_BATCH; i++) {
        in->parts[i] = (struct iovec){.iov_base = in->bytes[i], .iov_len = CHANNEL_FRAME_MAX};
        in->messages[i].msg_hdr = (struct msghdr){.msg_iov = &in->parts[i], .msg_iovlen = 1};
        /* Without a control buffer the kernel itself throws descriptors away and says so in MSG_CTRUNC. */
        if (c->handler.accepts_fds) {
            in->messages[i].msg_hdr.msg_control = in->control[i].bytes;
            in->messages[i].msg_hdr.msg_controllen = sizeof in->control[i].bytes;
        }
    }
    int n;
    do
        n = recvmmsg(c->fd, in->messages, IN_BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    while (n < 0 && errno == EINTR);
    return n;
}

enum read_end { READ_MORE, READ_EMPTY, READ_OVER };

static enum read_end read_error(struct channel *c)
{
    if (errno == EAGAIN)
        return READ_EMPTY;
    /* A peer that closed without reading everything gives ECONNRESET once, ahead of what it had sent. */
    if (errno != ECONNRESET || c->reset)
        return READ_OVER;
    c->reset = true;
    peer_left(c);
    return READ_MORE;
}

static enum read_end read_batch(struct channel *c, size_t *handled)
{
    int n = receive(c);
    if (n < 0)
        return read_error(c);
    enum read_end end = n < IN_BATCH ? READ_EMPTY : READ_MORE;
    c->reading = true;
    if (c->handler.arrived && c->handler.arrived(c->handler.context) != OK)
        break_off(c);
    for (int i = 0; i < n; i++) {
        struct mmsghdr *m = &c->in->messages[i];
        /* After the first wrong one the rest is only closed and wiped. An empty message is the end of the stream. */
        if (!handle(c, m) || c->broken || c->freed)
            break_off(c);
        explicit_bzero(c->in->bytes[i], m->msg_len);
    }
    c->reading = false;
    *handled += (size_t)n;
    return c->broken ? READ_OVER : end;
}

/* Frees c if its owner wished so in between. */
static enum read_end read_up_to(struct channel *c, size_t max, bool even_paused)
{
    enum read_end end = READ_MORE;
    size_t handled = 0;
    while (end == READ_MORE && handled < max && (even_paused || !c->paused))
        end = read_batch(c, &handled);
    if (c->freed)
        destroy(c);
    else if (end == READ_OVER)
        break_off(c);
    return end;
}

static void on_ready(void *context, uint32_t events)
{
    struct channel *c = context;
    if ((events & (EPOLLHUP | EPOLLERR)) && !c->deaf)
        peer_left(c);
    if (events & EPOLLOUT)
        c->blocked = false;
    if ((events & EPOLLOUT) && channel_flush(c) != OK)
        c->blocked = false; /* reading finds the end */
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        (void)read_up_to(c, TURN_FRAMES, false);
}

RESULT channel_drain(struct channel *c, size_t max_frames, bool *ret_drained)
{
    if (c->reading)
        return ERR_BUSY;
    if (c->broken) {
        *ret_drained = true;
        return OK;
    }
    *ret_drained = read_up_to(c, max_frames, true) != READ_MORE;
    return OK;
}

/* --- life */

static enum err open_channel(struct channel *c)
{
    c->queue = calloc(CHANNEL_QUEUE_MAX, sizeof *c->queue);
    c->in = calloc(1, sizeof *c->in);
    if (!c->queue || !c->in)
        return ERR_NO_MEMORY;
    c->watched = EPOLLIN;
    return loop_add(c->loop, c->fd, EPOLLIN, on_ready, c, &c->source);
}

RESULT channel_new(struct loop *loop, int fd, const struct channel_handler *handler, struct channel **ret)
{
    struct channel *c = calloc(1, sizeof *c);
    enum err e = c ? OK : ERR_NO_MEMORY;
    if (c) {
        *c = (struct channel){.loop = loop, .fd = fd, .handler = *handler};
        c->flush.run = on_flush;
        c->gone.run = on_gone;
        e = open_channel(c);
    }
    if (e != OK) {
        close(fd);
        if (c)
            destroy(c);
        return e;
    }
    *ret = c;
    return OK;
}

void channel_break(struct channel *c)
{
    if (c->broken)
        return;
    (void)shutdown(c->fd, SHUT_RDWR);
    break_off(c);
}

bool channel_alive(const struct channel *c)
{
    return !c->broken && !c->deaf;
}

void channel_free(struct channel *c)
{
    if (!c)
        return;
    break_off(c);
    loop_cancel(c->loop, &c->gone);
    close(c->fd);
    c->freed = true;
    if (!c->reading)
        destroy(c);
}
