#include "supervisor/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG          1024
#define ACTIVATION_FIRST 3 /* SD_LISTEN_FDS_START */
#define ENDING_MS        1000

/* The sockets by the names that socket activation gives them (FileDescriptorName=). */
static const struct {
    const char *name;
    size_t offset;
    int type;
} kinds[] = {
    {"https", offsetof(struct listeners, https), SOCK_STREAM},
    {"api", offsetof(struct listeners, api), SOCK_STREAM},
    {"operator", offsetof(struct listeners, operator), SOCK_SEQPACKET},
};

static int *slot(struct listeners *l, size_t kind)
{
    return (int *)((uint8_t *)l + kinds[kind].offset);
}

/* Answers leave at once; accepted connections inherit it. The front relies on it: its sandbox can't. */
static void send_at_once(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a Unix socket has no such option */
}

/* --- handed over by a service manager */

static enum err take(struct listeners *l, const char *name, int fd, struct problem *why)
{
    int type = 0, listens = 0;
    socklen_t len = sizeof type;
    size_t kind = 0;
    while (kind < ARRAY_LEN(kinds) && strcmp(kinds[kind].name, name) != 0)
        kind++;
    if (kind == ARRAY_LEN(kinds) || *slot(l, kind) >= 0)
        return problem_set(why, ERR_BAD_CONFIG, "LISTEN_FDNAMES",
                           "the socket named %.40s is not one of https, api, operator, each once: set "
                           "FileDescriptorName= in the socket unit",
                           name);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != kinds[kind].type ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens)
        return problem_set(why, ERR_BAD_CONFIG, "LISTEN_FDS", "the socket named %s must be a listening %s socket", name,
                           kinds[kind].type == SOCK_STREAM ? "stream" : "sequential packet");
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return problem_set(why, ERR_IO, "LISTEN_FDS", "the socket named %s can't be set up", name);
    send_at_once(fd);
    *slot(l, kind) = fd;
    return OK;
}

static enum err take_activated(struct listeners *l, struct problem *why)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    char name[64];
    if (!pid || !count || strtoll(pid, NULL, 10) != getpid())
        return OK;
    long n = strtol(count, NULL, 10);
    for (long i = 0; i < n; i++) {
        size_t len = names ? strcspn(names, ":") : 0;
        if (view_to_str(VIEW(names, len), name, sizeof name) != OK)
            return problem_set(why, ERR_BAD_CONFIG, "LISTEN_FDNAMES", "a name is too long");
        TRY(take(l, name, ACTIVATION_FIRST + (int)i, why));
        names = names && names[len] ? names + len + 1 : NULL;
    }
    /* Neither for a helper nor for the program that an upgrade runs. */
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return OK;
}

/* --- bound here */

static enum err failed(struct problem *why, const char *doing, struct view what)
{
    return problem_set(why, ERR_IO, "", "%s %.*s: %s", doing, (int)what.len, (const char *)what.ptr,
                       strerrordesc_np(errno));
}

static enum err bind_https(const struct config *c, int *ret, struct problem *why)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;
    TRY(config_address(c->listen, &address, &len));
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failed(why, "making a socket for", c->listen);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    send_at_once(fd);
    if (address.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0) {
        enum err e = failed(why, "listening on", c->listen);
        close(fd);
        return e;
    }
    *ret = fd;
    return OK;
}

/* EPROTOTYPE: a socket of another type. */
static bool is_listened_on(const struct sockaddr_un *a, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answers = fd >= 0 &&
                   (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN || errno == EPROTOTYPE);
    if (fd >= 0)
        close(fd);
    return answers;
}

/* The lock is of the data directory alone: another server's configuration may name the same path. One that nobody
 * listens on was left by a server that was killed. */
static enum err make_room(const struct sockaddr_un *a, int type, struct problem *why)
{
    struct stat old;
    if (lstat(a->sun_path, &old) < 0 || !S_ISSOCK(old.st_mode))
        return OK;
    bool taken = is_listened_on(a, type);
    for (int waited = 0; taken && waited < ENDING_MS; waited += 50) {
        (void)poll(NULL, 0, 50); /* the children of a server that was killed just now are about to end */
        taken = is_listened_on(a, type);
    }
    if (taken)
        return problem_set(why, ERR_CONFLICT, a->sun_path,
                           "another program listens there: stop it, or name another path in the configuration");
    (void)unlink(a->sun_path);
    return OK;
}

static enum err bind_unix(struct view path, int type, mode_t mode, int *ret, struct problem *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    TRY(view_to_str(path, address.sun_path, sizeof address.sun_path));
    TRY(make_room(&address, type, why));
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failed(why, "making a socket for", path);
    mode_t before = umask(0777 & ~mode);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(before);
    if (bound < 0 || listen(fd, BACKLOG) < 0) {
        enum err e = failed(why, "listening on", path);
        close(fd);
        return e;
    }
    *ret = fd;
    return OK;
}

/* With port 0 the kernel chose: from here on the configuration says which. */
static enum err learn_address(struct supervisor *s)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    char host[INET6_ADDRSTRLEN];
    AUTO_WRITER w = writer_new(80);
    if (getsockname(s->listeners.https, (struct sockaddr *)&a, &len) < 0)
        return ERR_IO;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a;
    if (a.ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host))
        writer_printf(&w, "%s:%u", host, ntohs(v4->sin_port));
    else if (a.ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host))
        writer_printf(&w, "[%s]:%u", host, ntohs(v6->sin6_port));
    else
        return OK; /* a Unix socket by activation: behind a proxy of the user's */
    TRY(writer_done(&w));
    return arena_copy(s->arena, writer_view_of(&w), &s->config.listen);
}

RESULT listen_all(struct supervisor *s, struct problem *why)
{
    struct listeners *l = &s->listeners;
    const struct config *c = &s->config;
    TRY(take_activated(l, why));
    if (l->https < 0)
        TRY(bind_https(c, &l->https, why));
    /* Whoever can reach the path may ask; who he is tells his key or the kernel. */
    if (l->api < 0) {
        TRY(prepare_socket_dir(c, c->unix_socket, "unix_socket", why));
        TRY(bind_unix(c->unix_socket, SOCK_STREAM, 0666, &l->api, why));
        l->api_made = true;
    }
    if (l->operator<0) {
        TRY(prepare_socket_dir(c, c->operator_socket, "operator_socket", why));
        TRY(bind_unix(c->operator_socket, SOCK_SEQPACKET, 0600, &l->operator, why));
        l->operator_made = true;
    }
    return learn_address(s);
}

static void remove_path(struct view socket)
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    if (view_to_str(socket, path, sizeof path) == OK)
        (void)unlink(path);
}

void listen_unlink(const struct supervisor *s)
{
    if (s->listeners.api_made)
        remove_path(s->config.unix_socket);
    if (s->listeners.operator_made)
        remove_path(s->config.operator_socket);
}
