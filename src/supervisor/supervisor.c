#include "supervisor/supervisor.h"

#include "base/log.h"
#include "supervisor/state.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void complain(const struct problem *why, enum err e)
{
    log_error("%s%s%s", why->where, *why->where ? ": " : "", *why->detail ? why->detail : err_sentence(e));
}

/* --- the helper that runs on_ready */

static void run_helper(struct supervisor *s)
{
    sigset_t none;
    if (!s->options->on_ready || s->upgraded)
        return;
    pid_t parent = getpid(), pid = fork();
    if (pid != 0) {
        s->helper = pid > 0 ? pid : 0;
        return;
    }
    /* Ends with the supervisor, and must not keep alive what a child takes as the supervisor's sign of life. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    (void)close_range(3, ~0u, 0);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int code = s->options->on_ready(s->options->context, &s->config);
    (void)fflush(stdout);
    _exit(code);
}

static void helper_ended(struct supervisor *s, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    s->helper = 0;
    if (code == 0 || !s->config.dev || s->goal == GOAL_STOP)
        return;
    log_error("setting up the development server failed");
    s->exit_code = code;
    s->goal = GOAL_STOP;
}

/* --- signals */

static void upgrade(struct supervisor *s)
{
    struct problem why = {.code = OK};
    enum err e = upgrade_possible(s, &why);
    if (e != OK)
        complain(&why, e);
    else
        s->goal = GOAL_UPGRADE;
}

static void stop(struct supervisor *s)
{
    if (s->goal != GOAL_STOP)
        notify("STOPPING=1\nSTATUS=stopping");
    s->goal = GOAL_STOP;
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->helper)
            helper_ended(s, status);
        else
            children_ended(s, pid, status);
    }
}

static const struct {
    int number;
    void (*act)(struct supervisor *s);
} signals[] = {{SIGTERM, stop}, {SIGINT, stop}, {SIGHUP, reload_files}, {SIGUSR2, upgrade}, {SIGCHLD, reap}};

static void step(struct supervisor *s)
{
    bool before = s->announced;
    children_step(s);
    if (before || !s->announced)
        return;
    if (!s->upgraded)
        notify_ready_fd(s->options->ready_fd);
    run_helper(s);
}

static void on_signal(void *context, uint32_t events)
{
    struct supervisor *s = context;
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        for (size_t i = 0; i < ARRAY_LEN(signals); i++)
            if ((uint32_t)signals[i].number == info.ssi_signo)
                signals[i].act(s);
}

static void on_turn(void *context)
{
    step(context);
}

static void on_timer(void *context)
{
    (void)context; /* it only ends the sleep: on_turn does the rest */
}

static void on_watchdog(void *context)
{
    (void)context;
    notify("WATCHDOG=1");
}

static enum err watch_signals(struct supervisor *s)
{
    sigset_t set;
    struct loop_source *source;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaddset(&set, signals[i].number);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return ERR_IO;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals < 0)
        return ERR_IO;
    return loop_add(s->loop, s->signals, EPOLLIN, on_signal, s, &source);
}

/* --- start and end */

static enum err make_temporary(struct supervisor *s, struct problem *why)
{
    if (!s->options->dev || s->options->data_dir)
        return OK;
    (void)snprintf(s->temporary, sizeof s->temporary, "/tmp/holdfast-dev-XXXXXX");
    if (mkdtemp(s->temporary))
        return OK;
    *s->temporary = 0;
    return problem_set(why, ERR_IO, "/tmp", "making a temporary directory: %s", strerrordesc_np(errno));
}

static enum err make_loop(struct supervisor *s)
{
    uint64_t watchdog = notify_watchdog_ms();
    TRY(loop_new(clock_system(), &s->loop));
    TRY(loop_timer_new(s->loop, on_timer, NULL, &s->timer));
    TRY(watch_signals(s));
    TRY(loop_each_turn(s->loop, on_turn, s));
    return watchdog > 1 ? loop_every(s->loop, watchdog / 2, on_watchdog, NULL) : OK;
}

static enum err prepare(struct supervisor *s, struct problem *why)
{
    ssize_t n = readlink("/proc/self/exe", s->program, sizeof s->program - 1);
    if (n <= 0)
        return problem_set(why, ERR_IO, "/proc", "/proc must be mounted");
    TRY(arena_new(4096, SUPERVISOR_ARENA, &s->arena));
    TRY(make_temporary(s, why));
    TRY(reload_read_config(s, s->arena, &s->config, why));
    log_init("supervisor", (enum log_level)config_log_level(&s->config));
    children_init(s);
    upgrade_take_descriptors(s);
    TRY(prepare_data_dir(s, why));
    TRY(listen_all(s, why));
    TRY(prepare_identity(&s->config, why));
    TRY(prepare_certificate(&s->config, why));
    TRY(reload_check_files(s, why));
    TRY(compile_patterns(s, &s->patterns, why));
    TRY(make_loop(s));
    TRY(watched_start(s));
    s->sealed = (struct sealed){.cause = SEALED_AT_START, .since_ms = clock_system()->wall_ms(clock_system())};
    if (s->upgraded)
        upgrade_adopt_keeper(s);
    return OK;
}

static void end(struct supervisor *s)
{
    listen_unlink(s);
    if (s->helper > 0)
        (void)kill(s->helper, SIGTERM);
    if (s->loop)
        children_done(s);
    watched_done(s);
    loop_timer_free(s->timer);
    loop_free(s->loop);
    const int fds[] = {s->signals, s->lock, s->anchor, s->patterns.fd, s->listeners.https, s->listeners.api,
                       s->listeners.operator};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    arena_free(s->arena);
    arena_free(s->reload.former_arena);
    if (*s->temporary)
        prepare_remove_tree(s->temporary);
}

int supervisor_main(const struct supervisor_options *options)
{
    struct problem why = {.code = OK};
    struct supervisor *s = calloc(1, sizeof *s);
    if (!s)
        return err_exit(ERR_NO_MEMORY);
    *s = (struct supervisor){
        .options = options,
        .listeners = {
            .https = -1, .api = -1, .operator= - 1 }, .lock = -1, .anchor = -1, .patterns = {.fd = -1}, .signals = -1};
    log_init("supervisor", LOG_INFO);
    umask(077);
    enum err e = prepare(s, &why);
    if (e != OK) {
        complain(&why, e);
        s->exit_code = err_exit(e);
    } else {
        step(s);
        if (loop_run(s->loop) != OK)
            s->exit_code = err_exit(ERR_IO);
    }
    int code = s->exit_code;
    end(s);
    free(s);
    return code;
}
