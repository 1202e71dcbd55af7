#include "ipc/start.h"

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The test starts itself: run under the name of a role it is the child, and reports on the descriptor it was given
 * whatever a child must find or must not find. */
#define REPORT START_FD_ANCHOR
#define BIG    300000

static int child(void)
{
    static struct start s; /* reachable to the end, for the leak checker */
    char line[160];
    int open_fds = 0, sum = 0, foreign = 0;
    if (start_receive(&s) != OK)
        return 3;
    for (int fd = 0; fd < 64; fd++)
        open_fds += fcntl(fd, F_GETFD) >= 0;
    for (size_t i = 0; i < s.files.len; i++)
        sum += s.files.ptr[i] == 'f';
    for (char **e = environ; e && *e; e++) /* its heap's setting is its only variable */
        foreign += strncmp(*e, "GLIBC_TUNABLES=glibc.malloc.", sizeof "GLIBC_TUNABLES=glibc.malloc." - 1) != 0;
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    (void)snprintf(line, sizeof line, "config=%.*s files=%d fds=%d env=%d which=%d none=%d blocked=%d",
                   (int)s.config.len, (const char *)s.config.ptr, sum, open_fds - 3, foreign,
                   start_fd_of(&s, START_FD_FRONT, 1) >= 0, start_fd_of(&s, START_FD_FRONT, 2),
                   sigismember(&blocked, SIGTERM));
    int fd = start_fd_of(&s, REPORT, 0);
    return write(fd, line, strlen(line)) == (ssize_t)strlen(line) ? 0 : 4;
}

static char dir[] = "/tmp/holdfast-start-XXXXXX";

static void role_is(const char *name, const char *target)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    (void)unlink(path);
    assert_ok(symlink(target, path));
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/holdfast-signer", dir);
    (void)unlink(path);
    return rmdir(dir);
}

static void a_child_gets_what_it_should_and_nothing_else(void **state)
{
    (void)state;
    static uint8_t files[BIG];
    char self[256] = {0}, line[256] = {0};
    int report[2], status;
    pid_t pid = 0;
    sigset_t term;
    memset(files, 'f', sizeof files);
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    role_is("holdfast-signer", self);
    assert_ok(pipe(report));
    assert_true(fcntl(2, F_DUPFD, 40) >= 40); /* must not leak into the child */
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    struct start s = {.config = VIEW_STR("the-config"),
                      .files = VIEW_OF(files),
                      .fds = {{REPORT, 0, report[1]}, {START_FD_FRONT, 1, report[0]}},
                      .fd_count = 2};
    assert_ok(start_process(ROLE_SIGNER, dir, &s, &pid));
    close(report[1]);
    assert_true(read(report[0], line, sizeof line - 1) > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(line, "config=the-config files=300000 fds=2 env=0 which=1 none=-1 blocked=0");
    close(report[0]);
}

static void what_cannot_be_started_is_said(void **state)
{
    (void)state;
    static uint8_t files[BIG];
    pid_t pid = 77;
    struct start s = {.config = VIEW_STR("c"), .files = VIEW_OF(files)};
    assert_int_equal(start_process(ROLE_KEEPER, dir, &s, &pid), ERR_NOT_FOUND);
    assert_int_equal(start_process(ROLE_PATTERNS + 1, dir, &s, &pid), ERR_OUT_OF_RANGE);
    role_is("holdfast-signer", "/bin/true"); /* ends without reading its message */
    assert_int_not_equal(start_process(ROLE_SIGNER, dir, &s, &pid), OK);
    assert_int_equal(pid, 77);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* reaped */
}

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "holdfast-signer") == 0)
        return child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_gets_what_it_should_and_nothing_else),
        cmocka_unit_test(what_cannot_be_started_is_said),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
