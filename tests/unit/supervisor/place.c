#include "place.h"

#include "../ipc/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

char place_self[512];

void place_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

void place_get(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, cap - 1) : 0;
    out[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
}

void place_config(struct place *p, const char *more)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "data_dir: %s\nlisten: 127.0.0.1:0\nvenues_dir: %s/venues\n%s", p->data, p->root,
                   more);
    place_put(p->config, text);
}

void place_open(struct place *p, const char *more)
{
    char path[160];
    *p = (struct place){.root = "/tmp/holdfast-super-XXXXXX", .ready = -1};
    assert_non_null(mkdtemp(p->root));
    (void)snprintf(p->data, sizeof p->data, "%s/data", p->root);
    (void)snprintf(p->bin, sizeof p->bin, "%s/bin", p->root);
    (void)snprintf(p->config, sizeof p->config, "%s/config.yaml", p->root);
    (void)snprintf(p->errors, sizeof p->errors, "%s/errors", p->root);
    (void)snprintf(path, sizeof path, "%s/venues", p->root);
    assert_int_equal(mkdir(path, 0700) | mkdir(p->bin, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/venues/one.yaml", p->root);
    place_put(path, "venue: one\n");
    static const char *const roles[] = {"keeper", "signer", "front", "patterns"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        (void)snprintf(path, sizeof path, "%s/holdfast-%s", p->bin, roles[i]);
        assert_ok(symlink(place_self, path));
    }
    place_config(p, more);
}

void place_start(struct place *p, char *const *environment, int listener)
{
    int ready[2];
    char number[16];
    assert_ok(pipe(ready));
    (void)snprintf(number, sizeof number, "%d", ready[1]);
    char *const argv[] = {place_self,
                          (char[]){"--serve"},
                          (char[]){"--config"},
                          p->config,
                          (char[]){"--libexec"},
                          p->bin,
                          (char[]){"--ready-fd"},
                          number,
                          NULL};
    p->server = fork();
    if (p->server == 0) {
        char pid[32];
        int errors = open(p->errors, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(errors, 1);
        dup2(errors, 2);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that failed leaves no server behind */
        close(ready[0]);
        if (listener >= 0)
            dup2(listener, 3);
        (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
        for (size_t i = 0; environment && environment[i]; i++)
            putenv(environment[i]);
        setenv("LISTEN_PID", pid, 1);
        execv(place_self, argv);
        _exit(9);
    }
    close(ready[1]);
    p->ready = ready[0];
}

bool place_ready(struct place *p)
{
    char text[16] = {0};
    struct pollfd f = {.fd = p->ready, .events = POLLIN};
    return poll(&f, 1, 10000) == 1 && read(p->ready, text, sizeof text) == 6 && strcmp(text, "ready\n") == 0;
}

void place_show(struct place *p, const char *what)
{
    char text[8192];
    place_get(p->errors, text, sizeof text);
    print_error("%s\n%s", what, text);
}

int place_events(struct place *p, const char *text)
{
    char path[160], all[16384];
    int n = 0;
    (void)snprintf(path, sizeof path, "%s/events", p->data);
    place_get(path, all, sizeof all);
    for (const char *at = all; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

void place_wait(struct place *p, const char *text, int count)
{
    for (int i = 0; i < 1000; i++) {
        if (place_events(p, text) >= count)
            return;
        poll(NULL, 0, 10);
    }
    place_show(p, "the server's log:");
    fail_msg("\"%s\" came %d times instead of %d", text, place_events(p, text), count);
}

pid_t place_pid(struct place *p, const char *role)
{
    char path[160], all[16384], key[64];
    long pid = 0;
    (void)snprintf(path, sizeof path, "%s/events", p->data);
    (void)snprintf(key, sizeof key, "%s serves ", role);
    place_get(path, all, sizeof all);
    for (const char *at = all; (at = strstr(at, key)); at += strlen(key))
        pid = strtol(at + strlen(key), NULL, 10);
    assert_true(pid > 1);
    return (pid_t)pid;
}

int place_end(struct place *p)
{
    int status = -1;
    for (int i = 0; i < 1500; i++) {
        if (waitpid(p->server, &status, WNOHANG) == p->server) {
            p->server = 0;
            close(p->ready);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        poll(NULL, 0, 10);
    }
    place_show(p, "the server does not end; its log:");
    return -1;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
    (void)s;
    (void)type;
    (void)f;
    return remove(path);
}

void place_done(struct place *p)
{
    if (p->server > 0) {
        kill(p->server, SIGTERM);
        assert_int_equal(place_end(p), 0);
    }
    assert_ok(nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS));
}

void place_serving(struct place *p, const char *more)
{
    place_open(p, more);
    place_start(p, NULL, -1);
    if (!place_ready(p)) {
        place_show(p, "not ready:");
        fail();
    }
    /* All have greeted each other: what comes later is the doing of the test. */
    place_wait(p, " hears ", strstr(more, "front_threads: 1\n") ? 6 : 10);
}

bool place_logged(struct place *p, const char *text)
{
    char all[16384];
    place_get(p->errors, all, sizeof all);
    return strstr(all, text) != NULL;
}
