#include "ipc/start.h"

#include "ipc/capabilities.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* START on the wire: one packet of u32 config length, u32 files length, u8 count and count × (u8 kind, u8 which), with
 * the descriptors in the same order; then both texts in packets of CHUNK bytes. */
#define CHUNK    (64u * 1024)
#define TEXT_MAX (32u * 1024 * 1024)
#define HEAD_MAX (9 + 2 * START_FDS_MAX)
#define PATIENCE ((struct timeval){.tv_sec = 10})

const char *const start_role_names[] = {[ROLE_KEEPER] = "keeper",
                                        [ROLE_SIGNER] = "signer",
                                        [ROLE_WARDEN] = "warden",
                                        [ROLE_FRONT] = "front",
                                        [ROLE_PATTERNS] = "patterns"};

union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(START_FDS_MAX * sizeof(int))];
};

int start_fd_of(const struct start *s, enum start_fd_kind kind, uint8_t which)
{
    for (size_t i = 0; i < s->fd_count; i++)
        if (s->fds[i].kind == kind && s->fds[i].which == which)
            return s->fds[i].fd;
    return -1;
}

/* --- the child between fork and exec: only async-signal-safe calls */

static void become(const char *path, const char *name, int socket, pid_t parent)
{
    char *const argv[] = {(char *)(uintptr_t)name, NULL};
    /* Nothing of the parent's. For how many freed blocks of a size glibc keeps at hand for each thread, the default of
     * 7 is made for programs that answer one thing at a time. */
    static char tunables[] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=127";
    char *const environment[] = {tunables, NULL};
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* Ctrl-C at a terminal is for the supervisor, which stops the others in order. */
    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    /* Out of the way first: any of 0 to 3 may be closed in the parent, and so be the socket's own number. */
    int high = fcntl(socket, F_DUPFD, START_FD + 1);
    int nothing = open("/dev/null", O_RDWR);
    if (high < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0)
        _exit(127);
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(nothing, STDERR_FILENO) < 0)
        _exit(127);
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(high, START_FD) < 0)
        _exit(127);
    if (close_range(START_FD + 1, ~0u, 0) < 0)
        _exit(127);
    execve(path, argv, environment);
    _exit(127);
}

/* --- supervisor side */

static enum err send_packet(int fd, const void *bytes, size_t len, const struct start *with_fds)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    union control control = {0};
    if (with_fds && with_fds->fd_count > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(with_fds->fd_count * sizeof(int));
        struct cmsghdr *h = &control.align;
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(with_fds->fd_count * sizeof(int));
        for (size_t i = 0; i < with_fds->fd_count; i++)
            memcpy(CMSG_DATA(h) + i * sizeof(int), &with_fds->fds[i].fd, sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return OK;
    if (errno == EAGAIN)
        return ERR_TIMEOUT;
    return errno == EPIPE || errno == ECONNRESET ? ERR_UNAVAILABLE : ERR_IO;
}

static enum err send_text(int fd, struct view text)
{
    for (size_t at = 0; at < text.len;) {
        size_t n = text.len - at < CHUNK ? text.len - at : CHUNK;
        TRY(send_packet(fd, text.ptr + at, n, NULL));
        at += n;
    }
    return OK;
}

static enum err send_start(int fd, const struct start *s)
{
    uint8_t head[HEAD_MAX];
    struct writer w = writer_fixed(head, sizeof head);
    writer_u32(&w, (uint32_t)s->config.len);
    writer_u32(&w, (uint32_t)s->files.len);
    writer_u8(&w, (uint8_t)s->fd_count);
    for (size_t i = 0; i < s->fd_count; i++) {
        writer_u8(&w, s->fds[i].kind);
        writer_u8(&w, s->fds[i].which);
    }
    TRY(writer_done(&w));
    TRY(send_packet(fd, w.ptr, w.len, s));
    TRY(send_text(fd, s->config));
    return send_text(fd, s->files);
}

RESULT start_process(enum start_role role, const char *libexec_dir, const struct start *start, pid_t *ret_pid)
{
    char path[4096], name[32];
    int pair[2];
    struct timeval patience = PATIENCE;
    if (role < ROLE_KEEPER || role > ROLE_PATTERNS || start->fd_count > START_FDS_MAX)
        return ERR_OUT_OF_RANGE;
    if (start->config.len > TEXT_MAX || start->files.len > TEXT_MAX)
        return ERR_TOO_LONG;
    (void)snprintf(name, sizeof name, "holdfast-%s", start_role_names[role]);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", libexec_dir, name) >= sizeof path)
        return ERR_TOO_LONG;
    if (access(path, X_OK) < 0)
        return ERR_NOT_FOUND;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return ERR_IO;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        /* Without it the warden starts as well, and says what is missing. */
        if (role == ROLE_WARDEN)
            (void)capabilities_pass(CAPABILITY(CAP_NET_ADMIN));
        become(path, name, pair[1], parent);
    }
    close(pair[1]);
    enum err e = pid < 0 ? ERR_IO : OK;
    /* A child that never takes its message must not hold up the supervisor. */
    if (e == OK && setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        e = ERR_IO;
    if (e == OK)
        e = send_start(pair[0], start);
    close(pair[0]);
    if (e != OK && pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    if (e == OK)
        *ret_pid = pid;
    return e;
}

/* --- child side */

static size_t take_fds(struct msghdr *m, int out[static START_FDS_MAX])
{
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || (m->msg_flags & MSG_CTRUNC))
        return 0;
    size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    n = n < START_FDS_MAX ? n : START_FDS_MAX;
    memcpy(out, CMSG_DATA(h), n * sizeof(int));
    return n;
}

static enum err receive_head(int fd, struct start *s, size_t ret_lengths[static 2])
{
    uint8_t head[HEAD_MAX], count;
    uint32_t config_len, files_len;
    int fds[START_FDS_MAX];
    struct iovec part = {.iov_base = head, .iov_len = sizeof head};
    union control control;
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return ERR_UNAVAILABLE;
    struct reader r = reader_new(VIEW(head, (size_t)n));
    TRY(reader_u32(&r, &config_len));
    TRY(reader_u32(&r, &files_len));
    TRY(reader_u8(&r, &count));
    if (count > START_FDS_MAX || take_fds(&m, fds) != count || config_len > TEXT_MAX || files_len > TEXT_MAX)
        return ERR_MALFORMED;
    for (s->fd_count = 0; s->fd_count < count; s->fd_count++) {
        struct start_fd *out = &s->fds[s->fd_count];
        TRY(reader_u8(&r, &out->kind));
        TRY(reader_u8(&r, &out->which));
        out->fd = fds[s->fd_count];
    }
    ret_lengths[0] = config_len;
    ret_lengths[1] = files_len;
    return reader_end(&r);
}

static enum err receive_text(int fd, size_t len, struct view *ret)
{
    uint8_t *bytes = malloc(len + 1);
    if (!bytes)
        return ERR_NO_MEMORY;
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, bytes + at, len - at, MSG_TRUNC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || (size_t)n > len - at) {
            free(bytes);
            return n <= 0 ? ERR_UNAVAILABLE : ERR_MALFORMED;
        }
        at += (size_t)n;
    }
    bytes[len] = 0;
    *ret = VIEW(bytes, len);
    return OK;
}

RESULT start_receive(struct start *ret)
{
    size_t lengths[2];
    struct start s = {0};
    enum err e = receive_head(START_FD, &s, lengths);
    if (e == OK)
        e = receive_text(START_FD, lengths[0], &s.config);
    if (e == OK)
        e = receive_text(START_FD, lengths[1], &s.files);
    close(START_FD);
    if (e != OK) {
        free((void *)(uintptr_t)s.config.ptr);
        return e;
    }
    *ret = s;
    return OK;
}
