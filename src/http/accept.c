/* Everything that makes the loop turn: the listeners, the library's epoll descriptors, a wake-up and a timer, all
 * behind one epoll descriptor. */
#include "http/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define SLEEP_MAX_MS   1000

/* What is watched: one of these with an index, or the address of a connection, which is larger than any of them. */
enum source { SOURCE_LISTENER = 1, SOURCE_WAKE, SOURCE_TIMER, SOURCE_LIBRARY, SOURCE_COUNT };
#define SOURCE_SHIFT 8

static RESULT watch(struct http_server *s, int fd, enum source source, uint32_t index, uint32_t flags)
{
    struct epoll_event e = {.events = EPOLLIN | flags, .data.u64 = (uint64_t)source << SOURCE_SHIFT | index};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? OK : ERR_IO;
}

static RESULT open_listener(struct http_server *s, uint32_t index)
{
    int fd = s->listeners[index].fd;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return ERR_IO;
    return watch(s, fd, SOURCE_LISTENER, index, EPOLLEXCLUSIVE);
}

RESULT accept_open(struct http_server *s, const struct http_config *config, struct problem *why)
{
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->epoll < 0 || s->wake < 0 || s->timer < 0)
        return problem_set(why, ERR_IO, "", "epoll, eventfd or timerfd: %s", strerrordesc_np(errno));
    s->reserve = fcntl(s->wake, F_DUPFD_CLOEXEC, 3);
    if (watch(s, s->wake, SOURCE_WAKE, 0, 0) != OK || watch(s, s->timer, SOURCE_TIMER, 0, 0) != OK)
        return problem_set(why, ERR_IO, "", "epoll: %s", strerrordesc_np(errno));
    for (uint32_t i = 0; i < config->listener_count; i++) {
        s->listeners[i] = config->listeners[i];
        s->listener_count = i + 1;
        if (open_listener(s, i) != OK)
            return problem_set(why, ERR_IO, "listeners", "listener %u: %s", (unsigned)i, strerrordesc_np(errno));
    }
    return OK;
}

static void close_one(int fd)
{
    if (fd >= 0)
        close(fd);
}

void accept_close(struct http_server *s)
{
    accept_stop(s);
    close_one(s->reserve);
    close_one(s->timer);
    close_one(s->wake);
    close_one(s->epoll);
}

void accept_stop(struct http_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listeners[i].fd, NULL);
    s->listener_count = 0;
}

RESULT accept_watch(struct http_server *s, int fd)
{
    return watch(s, fd, SOURCE_LIBRARY, 0, 0);
}

RESULT accept_watch_conn(struct http_server *s, struct conn *c, bool writing)
{
    struct epoll_event e = {.events = (writing ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT, .data.ptr = c};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0 ? OK : ERR_IO;
}

void accept_unwatch_conn(struct http_server *s, struct conn *c)
{
    (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
}

void accept_wake(struct http_server *s)
{
    uint64_t one = 1;
    if (!s->woken && write(s->wake, &one, sizeof one) == sizeof one)
        s->woken = true;
}

/* --- accepting */

static void serve_socket(struct http_server *s, const struct http_accepted *a)
{
    int fd = a->fd;
    struct http_peer peer;
    struct conn *c = NULL;
    if (s->conns.count >= s->config.limits.connections) {
        s->stats.refused_all++;
        close(fd);
        return;
    }
    if (conn_peer(fd, a->kind, &a->address, &peer) != OK) {
        close(fd);
        return;
    }
    if (conn_add(&s->conns, &peer, s->config.limits.connections_per_peer, &c) != OK) {
        s->stats.refused_peer++;
        close(fd);
        return;
    }
    c->server = s;
    c->fd = fd;
    conn_phase(&s->conns, c, CONN_HEAD, s->now_ms + (s->draining ? DRAIN_HEAD_MS : s->config.limits.header_ms));
    if (library_take(s, c, (const struct sockaddr *)&a->address, a->length))
        s->stats.accepted++;
}

void http_server_adopt(struct http_server *s, const struct http_accepted *a)
{
    s->now_ms = s->config.clock->mono_ms(s->config.clock);
    serve_socket(s, a);
    accept_wake(s);
}

/* Out of descriptors: the waiting connection would keep the loop spinning, so it is taken and dropped with the help of
 * the one descriptor kept for that. */
static void drop_one(struct http_server *s, int listener)
{
    close_one(s->reserve);
    close_one(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    s->reserve = fcntl(s->wake, F_DUPFD_CLOEXEC, 3);
    s->stats.refused_all++;
}

static void accept_some(struct http_server *s, const struct http_listener *l)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct http_accepted a = {.kind = l->kind, .length = sizeof a.address};
        a.fd = accept4(l->fd, (struct sockaddr *)&a.address, &a.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (a.fd >= 0) {
            if (!s->config.elsewhere || !s->config.elsewhere(s->config.context, &a))
                serve_socket(s, &a);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            drop_one(s, l->fd);
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void source_ready(struct http_server *s, enum source source, uint32_t index)
{
    uint64_t count;
    switch (source) {
    case SOURCE_LISTENER:
        if (index < s->listener_count)
            accept_some(s, &s->listeners[index]);
        break;
    case SOURCE_WAKE:
        if (read(s->wake, &count, sizeof count) == sizeof count)
            s->woken = false;
        break;
    case SOURCE_TIMER:
        if (read(s->timer, &count, sizeof count) == sizeof count)
            s->timer_at_ms = UINT64_MAX;
        break;
    case SOURCE_LIBRARY:
    case SOURCE_COUNT:
        break;
    }
}

/* A parked connection can't be closed before it is unparked, so the addresses in events are good. */
void accept_turn(struct http_server *s)
{
    struct epoll_event events[128];
    int n = epoll_wait(s->epoll, events, ARRAY_LEN(events), 0);
    for (int i = 0; i < n; i++) {
        uint64_t what = events[i].data.u64;
        if (what < (uint64_t)SOURCE_COUNT << SOURCE_SHIFT)
            source_ready(s, (enum source)(what >> SOURCE_SHIFT), (uint32_t)what & ((1u << SOURCE_SHIFT) - 1));
        else
            library_unpark(s, events[i].data.ptr);
    }
}

/* --- the timer */

static uint64_t next_ms(const struct http_server *s)
{
    uint64_t next = s->conns.next_ms;
    if (s->lingering.count && s->linger_at_ms < next)
        next = s->linger_at_ms;
    return next;
}

void accept_timer(struct http_server *s)
{
    uint64_t next = next_ms(s);
    if (next >= s->timer_at_ms)
        return;
    uint64_t wait = next > s->now_ms ? next - s->now_ms : 1;
    struct itimerspec t = {.it_value = {(time_t)(wait / 1000), (long)(wait % 1000) * 1000000}};
    if (timerfd_settime(s->timer, 0, &t, NULL) == 0)
        s->timer_at_ms = next;
}

int http_server_timeout_ms(const struct http_server *s)
{
    uint64_t now = s->config.clock->mono_ms(s->config.clock), next = next_ms(s);
    if (s->woken || next <= now)
        return 0;
    return next - now < SLEEP_MAX_MS ? (int)(next - now) : SLEEP_MAX_MS;
}
