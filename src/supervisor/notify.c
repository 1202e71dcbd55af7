#include "supervisor/state.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_BURST 10
#define STATUS_MS    1000 /* behind so many, one status of a child each second */

/* The protocol of sd_notify(3): one datagram to the Unix socket in NOTIFY_SOCKET; '@' stands for the abstract space. */
void notify(const char *format, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char text[512];
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof text)
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    (void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&to, size);
    close(fd);
}

/* The service manager takes what we send in turn with all else that it does, and makes us wait. */
static bool may_say(struct child *c)
{
    const struct clock *clock = loop_clock(c->s->loop);
    uint64_t now = clock->mono_ms(clock);
    if (c->said_ms < now)
        c->said_ms = now;
    if (c->said_ms >= now + STATUS_BURST * STATUS_MS)
        return false;
    c->said_ms += STATUS_MS;
    return true;
}

void notify_status(struct child *c, struct view text)
{
    AUTO_WRITER line = writer_new(1024);
    /* What stands behind a line's end is a command, such as WATCHDOG=trigger, which ends us and the unsealed keeper. */
    text_put_safe(&line, text);
    if (writer_done(&line) == OK && may_say(c))
        notify("STATUS=%s: %.*s", start_role_names[c->role], (int)line.len, line.ptr ? (const char *)line.ptr : "");
}

uint64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    return strtoull(usec, NULL, 10) / 1000;
}

void notify_ready_fd(int fd)
{
    static const char text[] = "ready\n";
    if (fd < 0)
        return;
    while (write(fd, text, sizeof text - 1) < 0 && errno == EINTR)
        ;
    close(fd);
}
