#include "http/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void linger_add(struct lingering *l, int fd, uint64_t now_ms)
{
    if (l->count == LINGER_MAX)
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return;
    (void)shutdown(copy, SHUT_WR);
    l->all[l->count++] = (struct linger_one){copy, now_ms + LINGER_MS, 0};
}

static bool still_talking(struct linger_one *o, uint64_t now_ms)
{
    uint8_t waste[4096];
    for (int i = 0; i < 8 && o->read < LINGER_BYTES; i++) {
        ssize_t n = recv(o->fd, waste, sizeof waste, MSG_DONTWAIT);
        if (n < 0)
            return (errno == EAGAIN || errno == EINTR) && now_ms < o->until_ms;
        if (n == 0)
            return false;
        o->read += (size_t)n;
    }
    return o->read < LINGER_BYTES && now_ms < o->until_ms;
}

void linger_turn(struct lingering *l, uint64_t now_ms)
{
    for (uint32_t i = 0; i < l->count;) {
        if (still_talking(&l->all[i], now_ms)) {
            i++;
            continue;
        }
        close(l->all[i].fd);
        l->all[i] = l->all[--l->count];
    }
}

void linger_end(struct lingering *l)
{
    while (l->count > 0)
        close(l->all[--l->count].fd);
}
