#include "ipc/sandbox.h"

#include "ipc/landlock.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define K    (1u << SANDBOX_KEEPER)
#define S    (1u << SANDBOX_SIGNER)
#define F    (1u << SANDBOX_FRONT)
#define W    (1u << SANDBOX_WARDEN)
#define EACH (K | S | F | W)

static char data_dir[] = "/tmp/holdfast-sandbox-XXXXXX";
static int file = -1, listener = -1, pair[2];
static char listener_path[100], inside[160];

/* --- what a process tries; 0 when it worked */

static int open_outside(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}
static int make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}
static int netlink(int protocol)
{
    int fd = socket(AF_NETLINK, SOCK_RAW, protocol), size = 65536;
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0 ? 0 : errno;
}
static int talk_to_netfilter(void)
{
    return netlink(NETLINK_NETFILTER);
}
static int talk_to_routing(void)
{
    return netlink(NETLINK_ROUTE);
}
static int make_other_socket(void)
{
    return socket(AF_INET, SOCK_RAW, NETLINK_NETFILTER) >= 0 ? 0 : errno;
}
static int make_pair(void)
{
    int p[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, p);
}
static int connect_pair(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    return connect(pair[0], (struct sockaddr *)&a, sizeof a) == 0 ? 0 : errno;
}
static int set_option(int level, int option)
{
    int on = 1;
    return setsockopt(pair[0], level, option, &on, sizeof on) == 0 ? 0 : errno;
}
static int set_socket_option(void)
{
    return set_option(SOL_SOCKET, SO_RCVLOWAT);
}
/* What the HTTP library takes for "has none", and doesn't try again. */
static int be_told_of_no_tcp_option(void)
{
    return set_option(IPPROTO_TCP, TCP_NODELAY) != ENOPROTOOPT;
}
static int set_ip_option(void)
{
    return set_option(IPPROTO_IP, IP_TTL);
}
static int run_program(void)
{
    char *const none[] = {NULL};
    return execve("/bin/true", none, none);
}
static int trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : errno;
}
static int protect_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}
static int fork_process(void)
{
    return fork() < 0;
}
static int clone_process(void)
{
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) < 0;
}
static int kill_parent(void)
{
    return kill(getppid(), 0);
}
static int unshare_all(void)
{
    return syscall(SYS_unshare, 0x10000000) == 0 ? 0 : errno;
}
static int read_other_memory(void)
{
    return syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0) == 0 ? 0 : errno;
}
static int io_ring(void)
{
    return syscall(SYS_io_uring_setup, 1, 0) >= 0 ? 0 : errno;
}
static int become_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 ? 0 : errno;
}
static int bind_socket(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/holdfast-must-not-be"};
    return bind(pair[0], (struct sockaddr *)&a, sizeof a);
}
static int write_anchor(void)
{
    return pwrite(file, "x", 1, 0) == 1 && fdatasync(file) == 0 ? 0 : errno;
}
static int read_anchor(void)
{
    char c;
    return pread(file, &c, 1, 0) >= 0 ? 0 : errno;
}
static int take_connection(void)
{
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0 ? 0 : errno;
}
static int talk(void)
{
    char c = 'x';
    struct iovec part = {.iov_base = &c, .iov_len = 1};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    struct epoll_event event = {.events = EPOLLIN};
    int e = epoll_create1(EPOLL_CLOEXEC), wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return e < 0 || wake < 0 || epoll_ctl(e, EPOLL_CTL_ADD, pair[1], &event) < 0 ||
           sendmmsg(pair[0], &m, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1 || epoll_wait(e, &event, 1, 1000) != 1 ||
           recvmmsg(pair[1], &m, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL) != 1;
}
static int use_memory(void)
{
    size_t n = 8u << 20;
    uint8_t *big = malloc(n), *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!big || page == MAP_FAILED)
        return 1;
    memset(big, 1, n);
    big = realloc(big, 2 * n);
    free(big);
    (void)mlock(page, 4096);
    if (mprotect(page, 4096, PROT_NONE) < 0 || mprotect(page, 4096, PROT_READ | PROT_WRITE) < 0)
        return 2;
    return madvise(page, 4096, MADV_DONTDUMP) < 0 || munlock(page, 4096) < 0 || munmap(page, 8192) < 0;
}
static int time_and_chance(void)
{
    struct timespec t;
    uint8_t bytes[32];
    return clock_gettime(CLOCK_REALTIME, &t) < 0 || syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &t) < 0 ||
           getrandom(bytes, sizeof bytes, 0) != sizeof bytes || fcntl(2, F_DUPFD_CLOEXEC, 3) < 0 ||
           fprintf(stderr, "# a line for the log\n") < 0;
}
static int stop_itself(void)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}
static int open_inside(void)
{
    int fd = open(inside, O_RDWR | O_CREAT, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    struct stat s;
    return fd < 0 || write(fd, "x", 1) != 1 || fcntl(fd, F_SETLK, &lock) < 0 || fstat(fd, &s) < 0 || fsync(fd) < 0 ||
           ftruncate(fd, 4096) < 0 || unlink(inside) < 0;
}
static void *thread_main(void *context)
{
    free(malloc(100));
    *(int *)context = 0;
    return NULL;
}
static int start_thread(void)
{
    pthread_t t;
    int worked = 1;
    return pthread_create(&t, NULL, thread_main, &worked) != 0 || pthread_join(t, NULL) != 0 || worked;
}

static const struct attempt {
    const char *name;
    int (*run)(void);
    unsigned allowed; /* profiles in which it works; in all others the process is killed */
    unsigned refused; /* profiles in which it fails with an error */
} attempts[] = {
    {"open a file outside", open_outside, 0, F},
    {"make a socket", make_socket, 0, 0},
    {"talk to netfilter", talk_to_netfilter, W, 0},
    {"talk to routing", talk_to_routing, 0, 0},
    {"make another socket of that number", make_other_socket, 0, 0},
    {"make a socket pair", make_pair, 0, 0},
    {"connect a socket", connect_pair, 0, 0},
    {"bind a socket", bind_socket, 0, 0},
    {"set an option of a socket", set_socket_option, F | W, 0},
    {"be told of no option of TCP", be_told_of_no_tcp_option, F, W},
    {"set an option of IP", set_ip_option, 0, W},
    {"run a program", run_program, 0, 0},
    {"trace", trace, 0, 0},
    {"make memory executable", protect_code, 0, 0},
    {"map executable memory", map_code, 0, 0},
    {"fork", fork_process, 0, 0},
    {"clone without sharing", clone_process, 0, 0},
    {"signal another process", kill_parent, 0, 0},
    {"make a user namespace", unshare_all, 0, 0},
    {"read another process", read_other_memory, 0, 0},
    {"set up an io_uring", io_ring, 0, 0},
    {"become dumpable again", become_dumpable, 0, F},
    {"write and sync the anchor", write_anchor, K | F, 0},
    {"read the anchor", read_anchor, K | F, 0},
    {"accept a connection", take_connection, K | F, 0},
    {"send, receive, wait", talk, EACH, 0},
    {"use and lock memory", use_memory, EACH, 0},
    {"time, chance, log", time_and_chance, EACH, 0},
    {"work below the data directory", open_inside, F, 0},
    {"start a thread", start_thread, F, 0},
};

static int in_child(enum sandbox_profile profile, int (*run)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox_report report;
        if (sandbox_enter(profile, profile == SANDBOX_FRONT ? data_dir : NULL, &report) != OK)
            _exit(99);
        _exit(run() == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void connect_listener(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", listener_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_ok(connect(fd, (struct sockaddr *)&a, sizeof a));
    close(fd);
}

static void try_all(enum sandbox_profile profile)
{
    unsigned bit = 1u << profile;
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        const struct attempt *a = &attempts[i];
        if (a->run == take_connection)
            connect_listener();
        /* Without Landlock only the file's own permissions refuse the front; the filter lets it ask. */
        if (a->run == open_outside && profile == SANDBOX_FRONT && landlock_abi() == 0)
            continue;
        int status = in_child(profile, a->run);
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        bool as_said = a->allowed & bit   ? status == 0
                       : a->refused & bit ? WIFEXITED(status) && WEXITSTATUS(status) == 1
                                          : killed;
        if (!as_said)
            fail_msg("profile %u, %s: status 0x%x", profile, a->name, status);
    }
}

static void the_keeper_is_held(void **state)
{
    (void)state;
    try_all(SANDBOX_KEEPER);
}
static void the_signer_is_held(void **state)
{
    (void)state;
    try_all(SANDBOX_SIGNER);
}
static void the_front_is_held(void **state)
{
    (void)state;
    try_all(SANDBOX_FRONT);
}

static void the_warden_is_held(void **state)
{
    (void)state;
    try_all(SANDBOX_WARDEN);
}

static void an_abort_is_an_abort(void **state)
{
    (void)state;
    int status = in_child(SANDBOX_KEEPER, stop_itself);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
}

/* What can only be looked at by calls the sandbox forbids is looked at after the first half of it. */
static int look_around(void)
{
    struct rlimit core;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2] = {0};
    (void)head;
    (void)caps;
    if (sandbox_prepare() != OK)
        return 1;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur || core.rlim_max)
        return 2;
    if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 3;
    return umask(0) == 077 ? 0 : 4;
}

static void every_process_prepares_itself(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(look_around());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int hello[2];

static void *wait_for_ever(void *context)
{
    (void)context;
    if (write(hello[1], "h", 1) != 1)
        return NULL;
    for (;;)
        poll(NULL, 0, -1);
}

static enum err begin_thread(void *context)
{
    char there;
    assert_int_equal(pthread_create(context, NULL, wait_for_ever, NULL), 0);
    return read(hello[0], &there, 1) == 1 ? OK : ERR_UNAVAILABLE;
}

static void expect_nothing_left(const char *text)
{
    static const char *const lines[] = {"CapInh:\t0000000000000000",
                                        "CapPrm:\t0000000000000000",
                                        "CapEff:\t0000000000000000",
                                        "CapAmb:\t0000000000000000",
                                        "NoNewPrivs:\t1",
                                        "Seccomp:\t2"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(text, lines[i]))
            fail_msg("%s is not in %s", lines[i], text);
    if (geteuid() == 0)
        assert_non_null(strstr(text, "CapBnd:\t0000000000000000"));
}

/* /proc says what the kernel holds against each thread of a sandboxed process; it is read from outside. */
static size_t read_threads(pid_t pid, char texts[2][4096])
{
    char path[320];
    size_t count = 0;
    texts[0][0] = texts[1][0] = '\0';
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (const struct dirent *t; (t = readdir(tasks));) {
        if (t->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, t->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t n = count < 2 ? read(fd, texts[count], sizeof texts[count] - 1) : 0;
        close(fd);
        if (n > 0)
            texts[count][n] = '\0';
        count++;
    }
    closedir(tasks);
    return count;
}

static void no_capability_is_left_to_any_thread(void **state)
{
    (void)state;
    char go;
    int gate[2], ready[2];
    assert_ok(pipe(gate));
    assert_ok(pipe(ready));
    assert_ok(pipe(hello));
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_report report;
        pthread_t thread;
        enum err e = sandbox_enter_with(SANDBOX_SIGNER, begin_thread, &thread, &report);
        _exit(write(ready[1], "r", 1) == 1 && read(gate[0], &go, 1) == 1 && e == OK ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &go, 1), 1);
    char texts[2][4096];
    size_t threads = read_threads(pid, texts);
    assert_int_equal(write(gate[1], "g", 1), 1);
    assert_int_equal(threads, 2);
    expect_nothing_left(texts[0]);
    expect_nothing_left(texts[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        close(gate[i]);
        close(ready[i]);
        close(hello[i]);
    }
}

static void a_second_entry_and_wrong_directories_are_refused(void **state)
{
    (void)state;
    struct sandbox_report r;
    assert_int_equal(sandbox_enter(SANDBOX_FRONT, NULL, &r), ERR_OUT_OF_RANGE);
    assert_int_equal(sandbox_enter(SANDBOX_KEEPER, data_dir, &r), ERR_OUT_OF_RANGE);
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(sandbox_enter(SANDBOX_KEEPER, NULL, &r) == OK && sandbox_enter(SANDBOX_KEEPER, NULL, &r) == ERR_EXISTS
                  ? 0
                  : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Each version of Landlock is entered as an older kernel would offer it; version 0 leaves the filter alone. */
static void older_landlocks_hold_files_too(void **state)
{
    (void)state;
    int newest = landlock_abi();
    assert_int_equal(landlock_enter(0, data_dir), ERR_UNAVAILABLE);
    for (int abi = 1; abi <= newest; abi++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            bool fine = sandbox_prepare() == OK && landlock_enter(abi, data_dir) == OK && open_inside() == 0 &&
                        open_outside() == EACCES;
            _exit(fine ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("version %d: status 0x%x", abi, status);
    }
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!mkdtemp(data_dir))
        return -1;
    (void)snprintf(listener_path, sizeof listener_path, "%s/listen", data_dir);
    (void)snprintf(inside, sizeof inside, "%s/file", data_dir);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", listener_path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    file = open(data_dir, O_TMPFILE | O_RDWR, 0600);
    if (file < 0)
        file = memfd_create("anchor", 0);
    return bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 16) ||
           socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(listener_path);
    return rmdir(data_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keeper_is_held),
        cmocka_unit_test(the_signer_is_held),
        cmocka_unit_test(the_front_is_held),
        cmocka_unit_test(the_warden_is_held),
        cmocka_unit_test(an_abort_is_an_abort),
        cmocka_unit_test(every_process_prepares_itself),
        cmocka_unit_test(no_capability_is_left_to_any_thread),
        cmocka_unit_test(a_second_entry_and_wrong_directories_are_refused),
        cmocka_unit_test(older_landlocks_hold_files_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
