#include "ipc/sandbox_calls.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/sched.h>
#include <sys/mman.h>

#define K          (1u << SANDBOX_KEEPER)
#define S          (1u << SANDBOX_SIGNER)
#define F          (1u << SANDBOX_FRONT)
#define W          (1u << SANDBOX_WARDEN)
#define EACH       (K | S | F | W)
#define ALL64      UINT64_MAX
#define NO_CODE    .test = CALL_ARG, .argument = 2, .mask = PROT_EXEC, .value = 0
#define LEVEL(n)   .test = CALL_ARG, .argument = 1, .mask = UINT32_MAX, .value = (n)
#define COMMAND(n) .test = CALL_ARG, .argument = 1, .mask = UINT32_MAX, .value = (n)

/* Commands of fcntl(2), here by number since <fcntl.h> and <linux/fcntl.h> exclude each other with the above. */
enum { DUPFD = 0, GETFD = 1, SETFD = 2, GETFL = 3, SETFL = 4, GETLK = 5, SETLK = 6, SETLKW = 7, DUPFD_CLOEXEC = 1030 };
/* The same with <sys/socket.h> and <linux/netlink.h>. */
enum { NETLINK_FAMILY = 16, NETFILTER_PROTOCOL = 12, SOCKET_LEVEL = 1, TCP_LEVEL = 6 };

const struct sandbox_call sandbox_calls[] = {
    /* what is open already */
    {"read", EACH},
    {"readv", EACH},
    {"write", EACH},
    {"writev", EACH},
    {"close", EACH},
    {"lseek", EACH},
    {"recvmsg", EACH},
    {"recvmmsg", EACH},
    {"recvfrom", EACH},
    {"sendmsg", EACH},
    {"sendmmsg", EACH},
    {"sendto", EACH},
    {"shutdown", EACH},
    {"getsockopt", EACH},
    {"fcntl", EACH, COMMAND(GETFD)},
    {"fcntl", EACH, COMMAND(SETFD)},
    {"fcntl", EACH, COMMAND(GETFL)},
    {"fcntl", EACH, COMMAND(SETFL)},
    {"fcntl", EACH, COMMAND(DUPFD_CLOEXEC)},
    {"epoll_create1", EACH},
    {"epoll_ctl", EACH},
    {"epoll_wait", EACH},
    {"epoll_pwait", EACH},
    {"epoll_pwait2", EACH},
    {"eventfd2", EACH},
    {"poll", EACH},
    {"ppoll", EACH},

    /* memory without code; guarded memory is locked and protected */
    {"mmap", EACH, NO_CODE},
    {"mprotect", EACH, NO_CODE},
    {"munmap", EACH},
    {"mremap", EACH},
    {"madvise", EACH},
    {"brk", EACH},
    {"mlock", EACH},
    {"mlock2", EACH},
    {"munlock", EACH},

    /* time, chance, signals, threads' waiting, the end */
    {"clock_gettime", EACH},
    {"clock_getres", EACH},
    {"clock_nanosleep", EACH},
    {"nanosleep", EACH},
    {"gettimeofday", EACH},
    {"time", EACH},
    {"getrandom", EACH},
    {"futex", EACH},
    {"sched_yield", EACH},
    {"getpid", EACH},
    {"gettid", EACH},
    {"rt_sigreturn", EACH},
    {"rt_sigaction", EACH},
    {"rt_sigprocmask", EACH},
    {"restart_syscall", EACH},
    {"tgkill", EACH, .test = CALL_ARG, .argument = 0, .mask = ALL64, .value = CALL_OWN_PID}, /* abort() */
    {"exit", EACH},
    {"exit_group", EACH},

    /* the anchor, and operators who connect */
    {"accept4", K | F},
    {"pread64", K | F},
    {"pwrite64", K | F},
    {"fdatasync", K | F},
    {"fsync", K | F},

    /* the warden: libnftables talks to the kernel, and opens its socket anew when somebody else changes rules meanwhile
     */
    {"socket", W, .test = CALL_BOTH, .argument = 0, .mask = UINT32_MAX, .value = NETLINK_FAMILY, .argument2 = 2,
     .value2 = NETFILTER_PROTOCOL},
    {"setsockopt", W},
    {"pselect6", W},
    {"select", W},

    /* the front: files below its data directory (Landlock), where SQLite works */
    {"openat", F},
    {"open", F},
    {"newfstatat", F},
    {"stat", F},
    {"lstat", F},
    {"fstat", F},
    {"statx", F},
    {"statfs", F},
    {"fstatfs", F},
    {"access", F},
    {"faccessat", F},
    {"faccessat2", F},
    {"readlink", F},
    {"readlinkat", F},
    {"getcwd", F},
    {"getdents64", F},
    {"ftruncate", F},
    {"fallocate", F},
    {"preadv", F},
    {"pwritev", F},
    {"unlink", F},
    {"unlinkat", F},
    {"rename", F},
    {"renameat", F},
    {"renameat2", F},
    {"mkdir", F},
    {"mkdirat", F},
    {"rmdir", F},
    {"fchmod", F},
    {"fchown", F},
    {"umask", F},
    {"msync", F},
    {"fcntl", F, COMMAND(DUPFD)},
    {"fcntl", F, COMMAND(GETLK)},
    {"fcntl", F, COMMAND(SETLK)},
    {"fcntl", F, COMMAND(SETLKW)},
    {"geteuid", F},
    {"getuid", F},
    {"getegid", F},
    {"getgid", F},
    {"uname", F},
    {"sysinfo", F},
    {"getrusage", F},
    {"ioctl", F, COMMAND(TCGETS)}, /* isatty(), which answers ENOTTY */

    /* the front: connections that its listeners bring */
    {"accept", F},
    {"setsockopt", F, LEVEL(SOCKET_LEVEL)},
    /* Listeners hand TCP_NODELAY on to what they accept. Not knowing that, libmicrohttpd sets it behind each answer,
     * also on Unix sockets, until it is told that a socket has no such options. */
    {"setsockopt", F, LEVEL(TCP_LEVEL), .error = ENOPROTOOPT},
    {"getsockname", F},
    {"getpeername", F},
    {"sendfile", F},
    {"timerfd_create", F},
    {"timerfd_settime", F},
    {"pipe2", F},

    /* the front: threads, never processes. clone3 passes its flags by pointer, where no filter sees them: the C library
     * falls back to clone. */
    {"clone3", F, .error = ENOSYS},
    {"clone", F, .test = CALL_ARG, .argument = 0, .mask = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND,
     .value = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND},
    {"set_robust_list", F},
    {"rseq", F},
    {"sched_getaffinity", F},
    {"sched_setscheduler", F, .error = EPERM},
    {"sched_getparam", F},
    {"sched_getscheduler", F},
    {"getcpu", F},
    {"membarrier", F},
    {"prctl", F, .error = EINVAL}, /* names of threads and memory: done without */
    {"prlimit64", F, .test = CALL_ARG, .argument = 2, .mask = ALL64, .value = 0}, /* reading a limit: stack size */

#if SANDBOX_SANITIZED
    /* What the sanitizers' runtime does when it reports or ends; builds with it are for tests. */
    {"sigaltstack", EACH},
    {"openat", K | S | W},
    {"newfstatat", K | S | W},
    {"readlink", K | S | W},
    {"ioctl", EACH, COMMAND(TCGETS)},
    {"prctl", K | S | W, .error = EINVAL},
    {"prlimit64", K | S | W, .test = CALL_ARG, .argument = 2, .mask = ALL64, .value = 0},
    {"sched_getaffinity", K | S | W},
    {"getuid", K | S | W},
    {"msync", K | S | W},
    {"set_robust_list", K | S | W},
    {"rseq", K | S | W},
#endif
};
const size_t sandbox_call_count = sizeof sandbox_calls / sizeof sandbox_calls[0];
