/* Rules against attack patterns are made into automata ahead of the front: what is wrong with them is known before
 * anything is changed, and a front that is started anew has not to wait for it. A process of its own reads
 * them, which can open nothing; what it wrote is sealed, so that no front can change it for the next one. */
#include "supervisor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG_BYTES (2u << 20)
#define PATIENCE_MS  60000
#define SLICE_MS     1000
#define SEALS        (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static enum err launch(const struct supervisor *s, struct view files, int out, pid_t *ret, struct problem *why)
{
    char dir[4096];
    AUTO_WRITER config = writer_new(CONFIG_BYTES);
    struct start start = {.files = files, .fds = {{.kind = START_FD_PATTERNS, .fd = out}}, .fd_count = 1};
    TRY(entity_encode(&config_entity, &s->config, &config));
    start.config = writer_view_of(&config);
    if (!children_program(s, ROLE_PATTERNS, dir, sizeof dir))
        return problem_set(why, ERR_NOT_FOUND, "", "the program holdfast-patterns is not installed");
    enum err e = start_process(ROLE_PATTERNS, dir, &start, ret);
    return e == OK ? OK : problem_set(why, e, "", "starting holdfast-patterns: %s", err_sentence(e));
}

/* These are blocked, and are seen to when we are back in the loop. */
static bool is_told_to_stop(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 && (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1);
}

/* True once it has ended; the service manager's watchdog is told meanwhile that we are alive. */
static bool wait_for(pid_t pid)
{
    int fd = pidfd_open(pid, 0), n = 0;
    for (int waited = 0; fd >= 0 && waited < PATIENCE_MS && n == 0 && !is_told_to_stop(); waited += SLICE_MS) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        do
            n = poll(&p, 1, SLICE_MS);
        while (n < 0 && errno == EINTR);
        if (notify_watchdog_ms())
            notify("WATCHDOG=1");
    }
    if (fd >= 0)
        close(fd);
    return n == 1;
}

/* What the compiler says of what is wrong: a line with the place, and the sentence. */
static enum err refused(int out, struct problem *why)
{
    char text[sizeof why->where + sizeof why->detail];
    ssize_t n = pread(out, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    char *detail = strchr(text, '\n');
    if (!detail)
        return problem_set(why, ERR_UNAVAILABLE, "guard.patterns", "compiling the rules failed");
    *detail++ = '\0';
    return problem_set(why, ERR_BAD_CONFIG, *text ? text : "guard.patterns", "%s", detail);
}

static enum err finish(pid_t pid, int out, struct problem *why)
{
    int status = 0;
    bool in_time = wait_for(pid);
    if (!in_time)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time && is_told_to_stop())
        return problem_set(why, ERR_UNAVAILABLE, "guard.patterns", "the server stops before the rules are compiled");
    if (!in_time)
        return problem_set(why, ERR_TIMEOUT, "guard.patterns", "compiling the rules takes longer than %d s",
                           PATIENCE_MS / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == START_PATTERNS_WRONG)
        return refused(out, why);
    if (status != 0)
        return problem_set(why, ERR_UNAVAILABLE, "guard.patterns", "compiling the rules failed");
    if (fcntl(out, F_ADD_SEALS, SEALS) < 0)
        return problem_set(why, ERR_IO, "guard.patterns", "sealing the compiled rules: %s", strerrordesc_np(errno));
    return OK;
}

static enum err compile(const struct supervisor *s, struct view files, int *ret, struct problem *why)
{
    pid_t pid = 0;
    int out = memfd_create("patterns", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (out < 0)
        return problem_set(why, ERR_IO, "guard.patterns", "room for the compiled rules: %s", strerrordesc_np(errno));
    enum err e = launch(s, files, out, &pid, why);
    if (e == OK)
        e = finish(pid, out, why);
    if (e != OK) {
        close(out);
        return e;
    }
    *ret = out;
    return OK;
}

static enum err hash_source(const struct config_patterns *c, struct view files, uint8_t ret[static SHA256_SIZE])
{
    AUTO_WRITER w = writer_new(CONFIG_BYTES + files.len);
    TRY(entity_encode(&config_patterns_entity, c, &w));
    writer_view(&w, files);
    TRY(writer_done(&w));
    sha256(writer_view_of(&w), ret);
    return OK;
}

static enum err make(const struct supervisor *s, struct compiled *ret, struct problem *why)
{
    AUTO_WRITER files = {0};
    struct compiled c = {.fd = -1};
    if (s->config.guard.patterns.mode == CONFIG_PATTERNS_OFF) {
        TRY(config_policy_hash(&s->config.guard, (struct view){0}, c.policy));
        *ret = c;
        return OK;
    }
    TRY(files_patterns(&s->config, s->program, &files, why));
    TRY(config_policy_hash(&s->config.guard, writer_view_of(&files), c.policy));
    TRY(hash_source(&s->config.guard.patterns, writer_view_of(&files), c.source));
    if (s->patterns.fd >= 0 && memcmp(c.source, s->patterns.source, sizeof c.source) == 0)
        c.fd = fcntl(s->patterns.fd, F_DUPFD_CLOEXEC, 3);
    if (c.fd < 0)
        TRY(compile(s, writer_view_of(&files), &c.fd, why));
    *ret = c;
    return OK;
}

RESULT compile_patterns(const struct supervisor *s, struct compiled *ret, struct problem *why)
{
    enum err e = make(s, ret, why);
    if (e != OK)
        config_place(&s->config, why);
    return e;
}

RESULT compile_check(const struct config *c, const char *program, uint8_t ret_policy[static CONFIG_POLICY_HASH],
                     struct problem *why)
{
    const struct supervisor_options options = {.ready_fd = -1};
    struct supervisor s = {.options = &options, .config = *c, .patterns = {.fd = -1}};
    struct compiled made;
    TRY(view_to_str(view_str(program), s.program, sizeof s.program));
    TRY(compile_patterns(&s, &made, why));
    if (made.fd >= 0)
        close(made.fd);
    memcpy(ret_policy, made.policy, sizeof made.policy);
    return OK;
}
