#include "supervisor/supervisor.h"

#include "../ipc/test.h"
#include "base/clock.h"
#include "child.h"
#include "place.h"

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

/* --- this executable as the server */

static int helper(void *context, const struct config *c)
{
    char dir[256];
    (void)context;
    if (view_to_str(c->data_dir, dir, sizeof dir) != OK)
        return 1;
    child_event(dir, "helper sees %.*s", (int)c->listen.len, (const char *)c->listen.ptr);
    return 0;
}

static int serve(int argc, char **argv)
{
    struct supervisor_options o = {.ready_fd = -1, .argv = argv, .on_ready = helper};
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--config") == 0)
            o.config_file = argv[i + 1];
        else if (strcmp(argv[i], "--data-dir") == 0)
            o.data_dir = argv[i + 1];
        else if (strcmp(argv[i], "--libexec") == 0)
            o.libexec_dir = argv[i + 1];
        else if (strcmp(argv[i], "--ready-fd") == 0)
            o.ready_fd = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--dev") == 0)
            o.dev = true;
    }
    return supervisor_main(&o);
}

/* --- tests */

static void children_start_in_order_with_what_is_theirs(void **state)
{
    (void)state;
    struct place p;
    char all[16384], path[160];
    struct stat s;
    place_serving(&p, "");
    place_wait(&p, "helper sees 127.0.0.1:", 1);
    assert_int_equal(place_events(&p, "helper sees 127.0.0.1:0\n"), 0);
    place_wait(&p, " hears ", 10);
    assert_int_equal(place_events(&p, "keeper has anchor=1 operator=1 https=0 unix=0 sealed\n"), 1);
    assert_int_equal(place_events(&p, "signer has anchor=0 operator=0 https=0 unix=0 one.yaml\n"), 1);
    assert_int_equal(place_events(&p, "front has anchor=0 operator=0 https=1 unix=1 server.crt server.key\n"), 1);
    static const char *const heard[] = {"keeper hears signer 0", "keeper hears front 0", "keeper hears front 1",
                                        "signer hears keeper 0", "signer hears front 0", "signer hears front 1",
                                        "front hears keeper 0",  "front hears keeper 1", "front hears signer 0",
                                        "front hears signer 1"};
    for (size_t i = 0; i < ARRAY_LEN(heard); i++)
        assert_int_equal(place_events(&p, heard[i]), 1);
    (void)snprintf(path, sizeof path, "%s/events", p.data);
    place_get(path, all, sizeof all);
    assert_true(strstr(all, "keeper serves") < strstr(all, "signer starts"));
    assert_true(strstr(all, "signer serves") < strstr(all, "front starts"));
    assert_ok(stat(p.data, &s));
    assert_int_equal(s.st_mode & 0777, 0700);
    static const struct {
        const char *name;
        unsigned mode;
    } files[] = {{"anchor", 0600},
                 {"lock", 0600},
                 {"tls/server.key", 0600},
                 {"run/operator.sock", 0600},
                 {"run/api.sock", 0666}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", p.data, files[i].name);
        assert_ok(stat(path, &s));
        assert_int_equal(s.st_mode & 0777, files[i].mode);
    }
    kill(p.server, SIGTERM);
    assert_int_equal(place_end(&p), 0);
    (void)snprintf(path, sizeof path, "%s/events", p.data);
    place_get(path, all, sizeof all);
    assert_true(strstr(all, "front stops") < strstr(all, "signer stops"));
    assert_true(strstr(all, "signer stops") < strstr(all, "keeper stops"));
    assert_non_null(strstr(all, "keeper stops"));
    place_done(&p);
}

static void a_dead_front_comes_back_and_the_others_stay(void **state)
{
    (void)state;
    struct place p;
    place_serving(&p, "");
    pid_t keeper = place_pid(&p, "keeper"), signer = place_pid(&p, "signer");
    kill(place_pid(&p, "front"), SIGKILL);
    place_wait(&p, "front serves", 2);
    place_wait(&p, "front hears keeper 1", 2);
    place_wait(&p, "front hears signer 1", 2);
    place_wait(&p, "keeper hears front 0", 2);
    place_wait(&p, "signer hears front 1", 2);
    assert_int_equal(place_pid(&p, "keeper"), keeper);
    assert_int_equal(place_pid(&p, "signer"), signer);
    place_done(&p);
}

static void a_dead_signer_comes_back(void **state)
{
    (void)state;
    struct place p;
    place_serving(&p, "front_threads: 1\n");
    kill(place_pid(&p, "signer"), SIGKILL);
    place_wait(&p, "signer serves", 2);
    place_wait(&p, "signer hears keeper 0", 2);
    place_wait(&p, "signer hears front 0", 2);
    place_wait(&p, "front hears signer 0", 2);
    assert_int_equal(place_events(&p, "front serves"), 1);
    assert_int_equal(place_events(&p, "keeper serves"), 1);
    place_done(&p);
}

static void a_dead_keeper_takes_the_signer_along(void **state)
{
    (void)state;
    struct place p;
    place_serving(&p, "front_threads: 1\n");
    kill(place_pid(&p, "keeper"), SIGSEGV);
    place_wait(&p, "keeper serves", 2);
    place_wait(&p, "signer serves", 2);
    place_wait(&p, "front hears keeper 0", 2);
    place_wait(&p, "front hears signer 0", 2);
    place_wait(&p, "keeper hears signer 0", 2);
    assert_int_equal(place_events(&p, "front serves"), 1);
    assert_true(place_logged(&p, "unseal"));
    place_done(&p);
}

static void children_end_with_the_supervisor(void **state)
{
    (void)state;
    struct place p;
    place_serving(&p, "");
    pid_t pids[] = {place_pid(&p, "keeper"), place_pid(&p, "signer"), place_pid(&p, "front")};
    kill(p.server, SIGKILL);
    assert_int_equal(place_end(&p), 1000 + SIGKILL);
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        char path[64], text[512];
        (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pids[i]);
        for (int k = 0; k < 500; k++) {
            place_get(path, text, sizeof text);
            if (!*text || strstr(text, ") Z "))
                break;
            poll(NULL, 0, 10);
        }
        assert_true(!*text || strstr(text, ") Z "));
    }
    /* And its directory can be used again at once. */
    place_start(&p, NULL, -1);
    assert_true(place_ready(&p));
    place_done(&p);
}

static void a_child_that_never_starts_is_given_up(void **state)
{
    (void)state;
    struct place p;
    char path[160];
    place_open(&p, "");
    assert_ok(mkdir(p.data, 0700));
    (void)snprintf(path, sizeof path, "%s/fail-signer", p.data);
    place_put(path, "");
    place_start(&p, NULL, -1);
    assert_int_equal(place_end(&p), 7);
    assert_int_equal(place_events(&p, "signer starts"), 5);
    assert_true(place_logged(&p, "signer does not start"));
    assert_int_equal(place_events(&p, "front starts"), 0);
    place_done(&p);
}

static void two_servers_never_share_a_directory(void **state)
{
    (void)state;
    struct place p, q;
    place_serving(&p, "");
    q = p;
    place_start(&q, NULL, -1);
    assert_int_equal(place_end(&q), 6);
    assert_true(place_logged(&p, "another server (process"));
    /* The first one's sockets are still there. */
    char path[160];
    (void)snprintf(path, sizeof path, "%s/run/operator.sock", p.data);
    assert_ok(access(path, F_OK));
    place_done(&p);
}

static bool answers(const char *path, int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);
    assert_ok(view_to_str(view_str(path), a.sun_path, sizeof a.sun_path));
    bool good = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return good;
}

/* Else who starts a second one by mistake takes bots and operator their way to the first one, until it is stopped. */
static void no_server_takes_the_sockets_of_another_one(void **state)
{
    (void)state;
    struct place p, q;
    char api[160], operator[160], more[512];
    place_serving(&p, "front_threads: 1\n");
    (void)snprintf(api, sizeof api, "%s/run/api.sock", p.data);
    (void)snprintf(operator, sizeof operator, "%s/run/operator.sock", p.data);
    (void)snprintf(more, sizeof more, "unix_socket: %s\noperator_socket: %s\n", api, operator);
    place_open(&q, more);
    place_start(&q, NULL, -1);
    assert_int_not_equal(place_end(&q), 0);
    assert_true(place_logged(&q, "another program listens there"));
    assert_true(answers(api, SOCK_STREAM));
    assert_true(answers(operator, SOCK_SEQPACKET));
    place_done(&q);
    /* One that nobody listens on was left by a server that was killed. */
    kill(p.server, SIGKILL);
    assert_int_equal(place_end(&p), 1000 + SIGKILL);
    for (int i = 0; i < 500 && answers(api, SOCK_STREAM); i++)
        poll(NULL, 0, 10);
    place_start(&p, NULL, -1);
    assert_true(place_ready(&p));
    assert_true(answers(operator, SOCK_SEQPACKET));
    place_done(&p);
}

static void a_directory_that_others_can_enter_is_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = {0755, 0710, 0702};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct place p;
        place_open(&p, "");
        assert_ok(mkdir(p.data, 0700));
        assert_ok(chmod(p.data, modes[i]));
        place_start(&p, NULL, -1);
        assert_int_equal(place_end(&p), 2);
        assert_true(place_logged(&p, "chmod 700"));
        place_done(&p);
    }
    if (geteuid() != 0)
        return;
    struct place p;
    place_open(&p, "");
    assert_ok(mkdir(p.data, 0700));
    assert_ok(chown(p.data, 12345, 12345));
    place_start(&p, NULL, -1);
    assert_int_equal(place_end(&p), 2);
    assert_true(place_logged(&p, "belongs to user 12345"));
    place_done(&p);
}

static void mistakes_in_the_configuration_stop_the_start(void **state)
{
    (void)state;
    static const struct {
        const char *more, *said;
    } cases[] = {
        {"front_threads: 99\n", "config.yaml:4:16"},
        {"frontthreads: 2\n", "config.yaml:4:1"},
        {"tls: {key: /nonexistent/key.pem}\n", "/nonexistent"},
        {"user: no such user\n", "user"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct place p;
        if (i == 3 && geteuid() != 0)
            continue;
        place_open(&p, cases[i].more);
        place_start(&p, NULL, -1);
        int code = place_end(&p);
        if (code == 0 || !place_logged(&p, cases[i].said)) {
            place_show(&p, cases[i].more);
            fail_msg("code %d", code);
        }
        place_done(&p);
    }
}

static void sockets_can_be_handed_in(void **state)
{
    (void)state;
    struct place p;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char more[256];
    place_open(&p, "");
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/given.sock", p.root);
    (void)snprintf(more, sizeof more, "operator_socket: %s\n", a.sun_path);
    place_config(&p, more);
    int given = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_ok(bind(given, (struct sockaddr *)&a, sizeof a));
    assert_ok(listen(given, 5));
    char count[] = "LISTEN_FDS=1", name[] = "LISTEN_FDNAMES=operator";
    char *const environment[] = {count, name, NULL};
    place_start(&p, environment, given);
    assert_true(place_ready(&p));
    char path[160];
    (void)snprintf(path, sizeof path, "%s/run/operator.sock", p.data);
    assert_int_equal(access(path, F_OK), -1);
    (void)snprintf(path, sizeof path, "%s/run/api.sock", p.data);
    assert_ok(access(path, F_OK));
    /* What the service manager made is the service manager's to remove: it goes on listening there. */
    kill(p.server, SIGTERM);
    assert_int_equal(place_end(&p), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(access(a.sun_path, F_OK));
    place_done(&p);

    place_open(&p, "");
    char wrong[] = "LISTEN_FDNAMES=https";
    char *const mistaken[] = {count, wrong, NULL};
    place_start(&p, mistaken, given);
    assert_int_equal(place_end(&p), 2);
    assert_true(place_logged(&p, "must be a listening stream socket"));
    place_done(&p);
    close(given);
}

static int notify_socket(struct place *p, char *variable, size_t cap)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/notify", p->root);
    (void)snprintf(variable, cap, "NOTIFY_SOCKET=%s", a.sun_path);
    assert_ok(bind(fd, (struct sockaddr *)&a, sizeof a));
    return fd;
}

static void wait_notice(int fd, const char *text)
{
    char got[600];
    for (int i = 0; i < 50; i++) {
        struct pollfd f = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&f, 1, 5000), 1);
        ssize_t n = recv(fd, got, sizeof got - 1, 0);
        got[n > 0 ? n : 0] = 0;
        if (strstr(got, text))
            return;
    }
    fail_msg("no %s", text);
}

static void the_service_manager_is_told(void **state)
{
    (void)state;
    struct place p;
    char variable[160], watchdog[] = "WATCHDOG_USEC=200000";
    place_open(&p, "");
    int fd = notify_socket(&p, variable, sizeof variable);
    char *const environment[] = {variable, watchdog, NULL};
    place_start(&p, environment, -1);
    wait_notice(fd, "READY=1");
    assert_int_equal(place_events(&p, "front serves"), 1);
    wait_notice(fd, "WATCHDOG=1");
    kill(p.server, SIGTERM);
    wait_notice(fd, "STOPPING=1");
    assert_int_equal(place_end(&p), 0);
    close(fd);
    place_done(&p);
}

/* Whoever owns the front could have the service manager kill the keeper, which then comes back sealed. */
static void a_child_tells_the_service_manager_a_status_and_nothing_else(void **state)
{
    (void)state;
    struct place p;
    char variable[160], path[160], got[600] = {0};
    place_open(&p, "front_threads: 1\n");
    assert_ok(mkdir(p.data, 0700));
    (void)snprintf(path, sizeof path, "%s/forge-front", p.data);
    place_put(path, "");
    int fd = notify_socket(&p, variable, sizeof variable);
    char *const environment[] = {variable, NULL};
    place_start(&p, environment, -1);
    int forged = 0;
    for (struct pollfd f = {.fd = fd, .events = POLLIN}; poll(&f, 1, forged ? 500 : 5000) == 1;) {
        ssize_t n = recv(fd, got, sizeof got - 1, 0);
        got[n > 0 ? n : 0] = 0;
        if (strstr(got, "WATCHDOG=trigger"))
            assert_string_equal(got, "STATUS=front: fine\xef\xbf\xbdWATCHDOG=trigger");
        forged += strncmp(got, "STATUS=front: fine", 18) == 0;
    }
    assert_true(place_ready(&p));
    assert_in_range(forged, 1, 20); /* of 200: nobody keeps the service manager busy */
    close(fd);
    place_done(&p);
}

static void hangup_reads_the_configuration_again(void **state)
{
    (void)state;
    struct place p;
    place_serving(&p, "front_threads: 1\n");
    pid_t keeper = place_pid(&p, "keeper");
    place_config(&p, "front_threads: three\n");
    kill(p.server, SIGHUP);
    for (int i = 0; i < 500 && !place_logged(&p, "was not taken over"); i++)
        poll(NULL, 0, 10);
    assert_true(place_logged(&p, "config.yaml:4:16"));
    place_wait(&p, "front is told reloaded=0 again=0 ", 1);
    assert_int_equal(place_events(&p, "front stops"), 0);
    kill(place_pid(&p, "front"), SIGKILL); /* the next one is told as well */
    place_wait(&p, "front is told reloaded=0 again=1 ", 1);
    place_config(&p, "front_threads: 3\n");
    kill(p.server, SIGHUP);
    place_wait(&p, "front serves", 3);
    place_wait(&p, "front is told reloaded=1 again=", 1);
    place_wait(&p, "front hears keeper 2", 1);
    place_wait(&p, "signer hears front 2", 1);
    place_wait(&p, "keeper hears signer 0", 2);
    assert_int_equal(place_pid(&p, "keeper"), keeper);
    place_done(&p);
}

static void an_upgrade_hands_the_state_over(void **state)
{
    (void)state;
    struct place p;
    char path[160];
    place_open(&p, "front_threads: 1\n");
    assert_ok(mkdir(p.data, 0700));
    (void)snprintf(path, sizeof path, "%s/unsealed", p.data);
    place_put(path, "");
    place_start(&p, NULL, -1);
    assert_true(place_ready(&p));
    place_wait(&p, " hears ", 6);
    pid_t keeper = place_pid(&p, "keeper");
    unlink(path); /* only the old keeper has it */
    for (int round = 1; round <= 2; round++) {
        kill(p.server, SIGUSR2);
        place_wait(&p, "keeper takes 1", round);
        place_wait(&p, "front serves", round + 1);
        place_wait(&p, "front hears keeper 0", round + 1);
        place_wait(&p, "signer hears front 0", round + 1);
        place_wait(&p, "keeper stops", round);
        place_wait(&p, " hears ", 6 * (round + 1));
    }
    assert_int_not_equal(place_pid(&p, "keeper"), keeper);
    assert_int_equal(waitpid(p.server, NULL, WNOHANG), 0);
    assert_int_equal(place_events(&p, "helper sees"), 1);
    kill(p.server, SIGTERM);
    assert_int_equal(place_end(&p), 0);
    (void)snprintf(path, sizeof path, "%s/run/api.sock", p.data);
    assert_int_equal(access(path, F_OK), -1);
    place_done(&p);
}

static void an_upgrade_without_state_ends_sealed(void **state)
{
    (void)state;
    struct place p;
    place_serving(&p, "front_threads: 1\n");
    kill(p.server, SIGUSR2);
    place_wait(&p, "keeper takes 0", 1);
    place_wait(&p, "front serves", 2);
    assert_true(place_logged(&p, "run 'holdfast operator unseal'"));
    place_done(&p);
}

static void hangup_during_an_upgrade_is_not_forgotten(void **state)
{
    (void)state;
    struct place p;
    char path[160];
    place_open(&p, "front_threads: 1\n");
    assert_ok(mkdir(p.data, 0700));
    (void)snprintf(path, sizeof path, "%s/slow-handover", p.data);
    place_put(path, "");
    place_start(&p, NULL, -1);
    assert_true(place_ready(&p));
    kill(p.server, SIGUSR2);
    place_wait(&p, "keeper serves", 2);
    place_config(&p, "front_threads: 2\n");
    kill(p.server, SIGHUP);
    place_wait(&p, "front hears keeper 1", 1);
    place_wait(&p, "front is told reloaded=1", 1);
    place_done(&p);
}

/* --- rules against attack patterns, with a compiler that does what the test says */

static void patterns_open(struct place *p, unsigned threshold)
{
    char more[256];
    (void)snprintf(more, sizeof more, "patterns_dir: %s/venues\nguard: {patterns: {mode: block, threshold: %u}}\n",
                   p->root, threshold);
    place_config(p, more);
}

static void patterns_serve(struct place *p)
{
    place_open(p, "");
    patterns_open(p, 5);
    place_start(p, NULL, -1);
    assert_true(place_ready(p));
}

static void patterns_do(struct place *p, const char *what)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s-patterns", p->data, what);
    place_put(path, "");
}

static void rules_that_can_not_be_compiled_change_nothing(void **state)
{
    (void)state;
    struct place p;
    patterns_serve(&p);
    patterns_do(&p, "bad");
    patterns_open(&p, 6);
    kill(p.server, SIGHUP);
    place_wait(&p, "front is told reloaded=0 again=0 rule.yaml:1:1: this is no rule", 1);
    /* Of one that was killed nothing is believed: it may have been in the middle of the rules. */
    patterns_do(&p, "killed");
    kill(p.server, SIGHUP);
    place_wait(&p, "front is told reloaded=0 again=0 guard.patterns: compiling the rules failed", 1);
    place_done(&p);
}

static void a_stop_does_not_wait_for_rules(void **state)
{
    (void)state;
    struct place p;
    patterns_serve(&p);
    patterns_do(&p, "slow");
    patterns_open(&p, 6);
    kill(p.server, SIGHUP);
    place_wait(&p, "patterns starts", 2);
    kill(p.server, SIGTERM);
    assert_int_equal(place_end(&p), 0);
    place_done(&p);
}

static void a_dev_server_leaves_nothing_behind(void **state)
{
    (void)state;
    struct place p;
    char text[16384], dir[64] = {0};
    place_open(&p, "");
    char *const argv[] = {place_self, (char[]){"--serve"}, (char[]){"--config"}, p.config, (char[]){"--libexec"},
                          p.bin,      (char[]){"--dev"},   (char[]){"1"},        NULL};
    p.server = fork();
    if (p.server == 0) {
        int errors = open(p.errors, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(errors, 1);
        dup2(errors, 2);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that failed leaves no server behind */
        execv(place_self, argv);
        _exit(9);
    }
    for (int i = 0; i < 1000 && !place_logged(&p, "serving on"); i++)
        poll(NULL, 0, 10);
    /* It is found by the supervisor's lock, which names the process. */
    (void)snprintf(text, sizeof text, "/proc/%d/fd", (int)p.server);
    for (int fd = 3; fd < 64 && !*dir; fd++) {
        char link[64], target[256] = {0};
        (void)snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)p.server, fd);
        if (readlink(link, target, sizeof target - 1) > 0 && strstr(target, "/tmp/holdfast-dev-") == target &&
            strstr(target, "/lock"))
            (void)snprintf(dir, sizeof dir, "%.*s", (int)(strstr(target, "/lock") - target), target);
    }
    assert_string_not_equal(dir, "");
    assert_ok(access(dir, F_OK));
    kill(p.server, SIGINT);
    assert_int_equal(place_end(&p), 0);
    assert_int_equal(access(dir, F_OK), -1);
    place_done(&p);
}

/* --- files of the guard */

static void put_list(struct place *p, const char *text)
{
    char path[160], next[160];
    (void)snprintf(path, sizeof path, "%s/list", p->root);
    (void)snprintf(next, sizeof next, "%s/next", p->root);
    place_put(next, text);
    assert_ok(rename(next, path));
}

/* A front that is started anew gets what the one before took last, and then what lies there now. */
static void the_front_gets_files_and_their_successors(void **state)
{
    (void)state;
    struct place p;
    char more[512], path[160];
    place_open(&p, "");
    (void)snprintf(path, sizeof path, "%s/list", p.root);
    (void)snprintf(more, sizeof more,
                   "guard: {networks: {others: allow}, feeds: [{name: a, file: %s/none}, {name: b, file: %s}]}\n",
                   p.root, path);
    place_config(&p, more);
    put_list(&p, "good 1\n");
    place_start(&p, NULL, -1);
    assert_true(place_ready(&p));
    place_wait(&p, "front has no file 0: The file can't be opened: No such file or directory", 1);
    place_wait(&p, "front reads file 1: good 1", 1);
    put_list(&p, "good 2\n");
    place_wait(&p, "front reads file 1: good 2", 1);
    put_list(&p, "bad 3\n");
    place_wait(&p, "front reads file 1: bad 3", 1);
    kill(place_pid(&p, "front"), SIGKILL);
    place_wait(&p, "front serves", 2);
    place_wait(&p, "front reads file 1: good 2", 2);
    place_wait(&p, "front reads file 1: bad 3", 2);
    place_wait(&p, "front has no file 0", 2);
    assert_ok(unlink(path));
    place_wait(&p, "front has no file 1", 1);
    kill(place_pid(&p, "front"), SIGKILL);
    place_wait(&p, "front reads file 1: good 2", 3);
    put_list(&p, "good 4\n");
    place_wait(&p, "front reads file 1: good 4", 1);
    /* Another configuration keeps what is known of the same file. */
    (void)snprintf(more, sizeof more, "guard: {networks: {others: allow}, feeds: [{name: c, file: %s}]}\n", path);
    place_config(&p, more);
    put_list(&p, "bad 5\n");
    kill(p.server, SIGHUP);
    place_wait(&p, "front reads file 0: good 4", 1);
    place_wait(&p, "front reads file 0: bad 5", 1);
    assert_int_equal(place_events(&p, "front reads file 1: good 1"), 1);
    /* What is no file is refused, and the configuration before stays in force. */
    (void)snprintf(more, sizeof more, "guard: {networks: {others: allow}, feeds: [{name: c, file: %s}]}\n", p.data);
    place_config(&p, more);
    kill(p.server, SIGHUP);
    for (int i = 0; i < 500 && !place_logged(&p, "is not a file"); i++)
        poll(NULL, 0, 10);
    assert_true(place_logged(&p, "is not a file"));
    place_done(&p);
}

/* A list that is replaced while the front still reads the one before: what it then takes must not be lost, and what it
 * has to read must not pile up. */
static void the_front_reads_one_version_of_a_file_at_a_time(void **state)
{
    (void)state;
    struct place p;
    char more[512], all[16384], path[160];
    place_open(&p, "");
    (void)snprintf(more, sizeof more,
                   "guard: {networks: {others: allow}, feeds: [{name: a, file: %s/list}, {name: b, file: %s/list}]}\n",
                   p.root, p.root);
    place_config(&p, more);
    put_list(&p, "good 1\n");
    place_start(&p, NULL, -1);
    assert_true(place_ready(&p));
    place_wait(&p, "front reads file 1: good 1", 1);
    put_list(&p, "slow good 2\n");
    place_wait(&p, "front reads file 1: slow good 2", 1);
    put_list(&p, "bad 3\n");
    place_wait(&p, "front reads file 1: bad 3", 1);
    (void)snprintf(path, sizeof path, "%s/events", p.data);
    place_get(path, all, sizeof all);
    assert_non_null(strstr(all, "front has read file 1"));
    assert_true(strstr(all, "front has read file 1") < strstr(all, "front reads file 1: bad 3"));
    kill(place_pid(&p, "front"), SIGKILL);
    place_wait(&p, "front reads file 1: bad 3", 2);
    assert_int_equal(place_events(&p, "front reads file 0: slow good 2"), 2);
    assert_int_equal(place_events(&p, "front reads file 1: slow good 2"), 2);
    assert_int_equal(place_events(&p, "front reads file 1: good 1"), 1);
    place_done(&p);
}

int main(int argc, char **argv)
{
    if (argc > 0 && strncmp(argv[0], "holdfast-", 9) == 0)
        return child_main(argv[0]);
    if (argc > 1 && strcmp(argv[1], "--serve") == 0)
        return serve(argc, argv);
    if (readlink("/proc/self/exe", place_self, sizeof place_self - 1) <= 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_start_in_order_with_what_is_theirs),
        cmocka_unit_test(a_dead_front_comes_back_and_the_others_stay),
        cmocka_unit_test(a_dead_signer_comes_back),
        cmocka_unit_test(a_dead_keeper_takes_the_signer_along),
        cmocka_unit_test(children_end_with_the_supervisor),
        cmocka_unit_test(a_child_that_never_starts_is_given_up),
        cmocka_unit_test(two_servers_never_share_a_directory),
        cmocka_unit_test(no_server_takes_the_sockets_of_another_one),
        cmocka_unit_test(a_directory_that_others_can_enter_is_refused),
        cmocka_unit_test(mistakes_in_the_configuration_stop_the_start),
        cmocka_unit_test(sockets_can_be_handed_in),
        cmocka_unit_test(the_service_manager_is_told),
        cmocka_unit_test(a_child_tells_the_service_manager_a_status_and_nothing_else),
        cmocka_unit_test(hangup_reads_the_configuration_again),
        cmocka_unit_test(an_upgrade_hands_the_state_over),
        cmocka_unit_test(an_upgrade_without_state_ends_sealed),
        cmocka_unit_test(hangup_during_an_upgrade_is_not_forgotten),
        cmocka_unit_test(rules_that_can_not_be_compiled_change_nothing),
        cmocka_unit_test(a_stop_does_not_wait_for_rules),
        cmocka_unit_test(a_dev_server_leaves_nothing_behind),
        cmocka_unit_test(the_front_gets_files_and_their_successors),
        cmocka_unit_test(the_front_reads_one_version_of_a_file_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
