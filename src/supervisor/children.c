#include "supervisor/state.h"

#include "base/log.h"
#include "ipc/supervisor_msg.h"
#include "supervisor/wires.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG_BYTES (2u << 20) /* of the whole configuration, encoded */
#define START_MS     30000      /* from fork to READY */
#define GRACE_MS     10000      /* for an orderly end */
#define FAREWELL_MS  1000       /* before it, of a front that another one follows */
#define STEADY_MS    30000      /* serving so long forgives earlier failures */
#define BACKOFF_MS   100
#define BACKOFF_MAX  10000
#define FIRST_TRIES  5 /* before the first start counts as failed */

static uint64_t now_of(const struct supervisor *s)
{
    return loop_clock(s->loop)->mono_ms(loop_clock(s->loop));
}

static uint64_t wall_of(const struct supervisor *s)
{
    return loop_clock(s->loop)->wall_ms(loop_clock(s->loop));
}

static const char *name_of(const struct child *c)
{
    return start_role_names[c->role];
}

bool children_wants(const struct supervisor *s, enum start_role role)
{
    return role != ROLE_WARDEN || config_firewall_wanted(&s->config);
}

void children_init(struct supervisor *s)
{
    for (size_t r = 0; r < ROLE_COUNT; r++)
        s->children[r] = (struct child){.s = s, .role = (enum start_role)r, .spare = -1};
    s->old_keeper = (struct child){.s = s, .role = ROLE_KEEPER, .spare = -1};
    wires_init(s);
}

/* --- what children say */

static enum err on_ready(struct child *c, const struct supervisor_ready *r)
{
    if (c->state != CHILD_STARTING)
        return ERR_MALFORMED;
    c->state = CHILD_SERVING;
    c->serving_ms = now_of(c->s);
    c->due_ms = 0;
    if (r->note.len > 0)
        log_warn("%s: %.*s", name_of(c), (int)r->note.len, (const char *)r->note.ptr);
    if (c->s->handing_over && c == &c->s->children[ROLE_KEEPER])
        upgrade_hand_over(c->s);
    if (c->role == ROLE_FRONT)
        reload_front_ready(c->s);
    return OK;
}

static enum err on_handed_over(struct child *c, const struct supervisor_handed_over *h)
{
    /* The new keeper's word counts: it has the state, or it has not. */
    if (c == &c->s->children[ROLE_KEEPER] && c->s->handing_over)
        upgrade_handed_over(c->s, h->unsealed, h->detail);
    return OK;
}

static enum err on_frame(void *context, struct channel *channel, struct frame *f)
{
    struct child *c = context;
    const struct supervisor_message *m = supervisor_message_find(f->type);
    AUTO(arena_free) struct arena *arena = NULL;
    union {
        struct supervisor_ready ready;
        struct supervisor_status status;
        struct supervisor_handed_over handed_over;
        struct supervisor_file_read file_read;
    } body;
    (void)channel;
    if (!m || m->to_child)
        return ERR_MALFORMED;
    TRY(arena_new(1024, 16384, &arena));
    TRY(entity_decode(m->body, f->body, arena, &body));
    switch (f->type) {
    case SUPERVISOR_READY:
        return on_ready(c, &body.ready);
    case SUPERVISOR_HANDED_OVER:
        return on_handed_over(c, &body.handed_over);
    case SUPERVISOR_FILE_READ:
        if (c == &c->s->children[ROLE_FRONT] && c->state != CHILD_STOPPING)
            watched_read(c->s, &body.file_read);
        return OK;
    default:
        notify_status(c, body.status.text);
        return OK;
    }
}

/* Its end is seen by SIGCHLD; a channel that ends before is a child that has gone wrong. */
static void on_closed(void *context, struct channel *channel)
{
    struct child *c = context;
    channel_free(channel);
    c->channel = NULL;
    /* One that was told to end closes it on its way out and has its own deadline; any other is of no more use. */
    if (c->pid > 0 && c->state != CHILD_STOPPING)
        (void)kill(c->pid, SIGKILL);
}

static enum err open_channel(struct child *c, int fd)
{
    const struct channel_handler handler = {.frame = on_frame, .closed = on_closed, .context = c, .reads_always = true};
    c->spare = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return channel_new(c->s->loop, fd, &handler, &c->channel);
}

RESULT children_tell(struct child *c, uint16_t type, const struct entity *e, const void *object, int fd)
{
    AUTO_WRITER body = writer_new(4096);
    if (!c->channel)
        return ERR_UNAVAILABLE;
    TRY(entity_encode(e, object, &body));
    TRY(channel_send(c->channel, type, 0, writer_view_of(&body), fd));
    return channel_flush(c->channel);
}

/* --- start */

static void add_fd(struct start *start, enum start_fd_kind kind, int fd)
{
    start->fds[start->fd_count++] = (struct start_fd){.kind = (uint8_t)kind, .fd = fd};
}

static void add_own_fds(const struct child *c, struct start *start)
{
    if (c->role == ROLE_KEEPER) {
        add_fd(start, START_FD_OPERATOR, c->s->listeners.operator);
        add_fd(start, START_FD_ANCHOR, c->s->anchor);
    }
    if (c->role == ROLE_FRONT) {
        add_fd(start, START_FD_HTTPS, c->s->listeners.https);
        add_fd(start, START_FD_UNIX, c->s->listeners.api);
        if (c->s->patterns.fd >= 0)
            add_fd(start, START_FD_PATTERNS, c->s->patterns.fd);
    }
}

/* An installed one, or a folder of the build. */
const char *children_program(const struct supervisor *s, enum start_role role, char *out, size_t cap)
{
    const char *dir = s->options->libexec_dir, *name = start_role_names[role];
    const char *const below[] = {"", "/../", "/../libexec/holdfast"};
    char here[4096] = "", path[4096 + 64];
    if (!dir) {
        const char *slash = strrchr(s->program, '/');
        (void)snprintf(here, sizeof here, "%.*s", slash ? (int)(slash - s->program) : 0, s->program);
        dir = here;
    }
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        int n = snprintf(out, cap, "%s%s%s", dir, below[i], i == 1 ? name : "");
        if (n < 0 || (size_t)n >= cap)
            continue;
        (void)snprintf(path, sizeof path, "%s/holdfast-%s", out, name);
        if (access(path, X_OK) == 0)
            return out;
    }
    return NULL;
}

/* Of the guard's settings, which can be long, what somebody but the front has a use for. */
static struct config_guard guard_for(enum start_role role, const struct config_guard *g)
{
    if (role != ROLE_WARDEN)
        return (struct config_guard){0};
    return (struct config_guard){.proxies = g->proxies,
                                 .networks = {.allow = g->networks.allow},
                                 .trusted = g->trusted,
                                 .firewall = g->firewall};
}

static enum err launch(struct child *c, struct start *start, struct problem *why)
{
    char dir[4096];
    const struct supervisor *s = c->s;
    AUTO_WRITER config = writer_new(CONFIG_BYTES);
    struct config told = s->config;
    AUTO_WRITER files = {0};
    if (c->role != ROLE_FRONT)
        told.guard = guard_for(c->role, &s->config.guard);
    TRY(entity_encode(&config_entity, &told, &config));
    TRY(files_of_role(s, c->role, &files, why));
    start->config = writer_view_of(&config);
    start->files = writer_view_of(&files);
    if (!children_program(s, c->role, dir, sizeof dir))
        return problem_set(why, ERR_NOT_FOUND, "", "the program holdfast-%s is not installed", name_of(c));
    enum err e = start_process(c->role, dir, start, &c->pid);
    return e == OK ? OK : problem_set(why, e, "", "starting holdfast-%s: %s", name_of(c), err_sentence(e));
}

static enum err start_child(struct child *c, struct problem *why)
{
    struct start start = {0};
    struct wires wires;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return problem_set(why, ERR_IO, "", "no more sockets");
    enum err e = open_channel(c, pair[0]);
    add_fd(&start, START_FD_SUPERVISOR, pair[1]);
    add_own_fds(c, &start);
    int breached = -1;
    if (e == OK && c->role == ROLE_FRONT)
        e = watched_follow(c->s);
    if (e == OK && c->role == ROLE_FRONT)
        e = files_breached(&c->s->config, &breached, why);
    if (breached >= 0)
        add_fd(&start, START_FD_BREACHED, breached);
    if (e == OK)
        e = wires_make(c, &start, &wires);
    if (e == OK) {
        e = launch(c, &start, why);
        wires_done(c, &wires, e == OK);
    }
    close(pair[1]);
    if (breached >= 0)
        close(breached);
    return e;
}

static uint64_t backoff_ms(unsigned failures)
{
    uint64_t wait = failures < 10 ? (uint64_t)BACKOFF_MS << failures : BACKOFF_MAX;
    return wait < BACKOFF_MAX ? wait : BACKOFF_MAX;
}

static void drop_channel(struct child *c)
{
    channel_free(c->channel);
    c->channel = NULL;
    if (c->spare >= 0)
        close(c->spare);
    c->spare = -1;
}

static void failed(struct child *c)
{
    struct supervisor *s = c->s;
    bool began = c->state == CHILD_SERVING;
    if (c->state == CHILD_SERVING && now_of(s) - c->serving_ms >= STEADY_MS)
        c->failures = 0;
    c->due_ms = now_of(s) + backoff_ms(c->failures++);
    c->state = CHILD_DOWN;
    if (!began && c->role != ROLE_KEEPER && reload_failed(s, name_of(c)))
        return;
    if (s->announced || c->failures < FIRST_TRIES || s->goal == GOAL_STOP)
        return;
    log_error("%s does not start: giving up", name_of(c));
    s->exit_code = err_exit(ERR_UNAVAILABLE);
    s->goal = GOAL_STOP;
}

static void try_start(struct child *c)
{
    struct problem why = {.code = OK};
    enum err e = start_child(c, &why);
    if (e == OK) {
        c->state = CHILD_STARTING;
        c->due_ms = now_of(c->s) + START_MS;
        if (c->role == ROLE_FRONT)
            watched_offer(c->s);
        return;
    }
    log_error("%s: %s%s%s", name_of(c), why.where, *why.where ? ": " : "", *why.detail ? why.detail : err_sentence(e));
    drop_channel(c);
    failed(c);
}

/* --- end */

void children_stop(struct child *c)
{
    if (c->pid == 0 || c->state == CHILD_STOPPING)
        return;
    bool followed = c->role == ROLE_FRONT && (c->s->goal == GOAL_RELOAD || c->s->goal == GOAL_UPGRADE);
    const struct supervisor_shutdown body = {.grace_ms = GRACE_MS,
                                             .farewell_ms = followed ? FAREWELL_MS : 0,
                                             .for_good = c->s->goal == GOAL_STOP || !children_wants(c->s, c->role)};
    c->state = CHILD_STOPPING;
    c->due_ms = now_of(c->s) + body.farewell_ms + GRACE_MS + 1000;
    if (children_tell(c, SUPERVISOR_SHUTDOWN, &supervisor_shutdown_entity, &body, -1) != OK)
        (void)kill(c->pid, SIGKILL);
}

static void log_end(const struct child *c, int status)
{
    if (WIFSIGNALED(status))
        log_error("%s ended by signal %d%s", name_of(c), WTERMSIG(status),
                  WTERMSIG(status) == SIGSYS ? ": it tried what its sandbox forbids" : "");
    else if (WEXITSTATUS(status) != 0)
        log_error("%s ended with code %d", name_of(c), WEXITSTATUS(status));
    else if (c->state != CHILD_STOPPING)
        log_info("%s ended, and starts anew", name_of(c)); /* it said why: a front that is sealed leaves its keys so */
    if (c->role == ROLE_KEEPER && c->state != CHILD_STOPPING)
        log_error("the keeper took the unsealed state along: run 'holdfast operator unseal'");
}

/* For the next keeper to say. The end of one that never served tells nothing about where the unsealed state went. */
static void note_keeper_end(const struct child *c, int status)
{
    if (c->state == CHILD_SERVING)
        c->s->sealed = (struct sealed){
            .cause = SEALED_KEEPER_ENDED, .since_ms = wall_of(c->s), .wait_status = (uint32_t)status};
}

static struct child *by_pid(struct supervisor *s, pid_t pid)
{
    for (size_t r = ROLE_KEEPER; r < ROLE_COUNT; r++)
        if (s->children[r].pid == pid)
            return &s->children[r];
    return s->old_keeper.pid == pid ? &s->old_keeper : NULL;
}

void children_ended(struct supervisor *s, pid_t pid, int status)
{
    struct child *c = by_pid(s, pid), *signer = &s->children[ROLE_SIGNER];
    if (!c)
        return;
    log_end(c, status);
    drop_channel(c);
    c->pid = 0;
    if (c == &s->old_keeper) {
        c->state = CHILD_DOWN;
        return;
    }
    wires_drop(c);
    bool asked = c->state == CHILD_STOPPING;
    if (asked) {
        c->state = CHILD_DOWN;
        c->due_ms = 0;
        return;
    }
    if (c->role == ROLE_KEEPER)
        note_keeper_end(c, status);
    failed(c);
    /* What the signer holds was unwrapped by a keeper that is no more. */
    if (c->role == ROLE_KEEPER && signer->pid > 0 && signer->state != CHILD_STOPPING) {
        signer->state = CHILD_STOPPING;
        signer->due_ms = 0;
        (void)kill(signer->pid, SIGKILL);
    }
    if (c->role == ROLE_KEEPER && s->handing_over)
        upgrade_handed_over(s, false, VIEW_STR("the new keeper ended"));
}

void children_done(struct supervisor *s)
{
    for (size_t r = ROLE_KEEPER; r < ROLE_COUNT; r++) {
        drop_channel(&s->children[r]);
        wires_drop(&s->children[r]);
    }
    drop_channel(&s->old_keeper);
}

RESULT children_adopt(struct supervisor *s, pid_t pid, int channel)
{
    s->old_keeper.pid = pid;
    s->old_keeper.state = CHILD_SERVING;
    return open_channel(&s->old_keeper, channel);
}

/* --- one step towards the goal */

static void announce(struct supervisor *s)
{
    s->announced = true;
    log_info("serving on %.*s", (int)s->config.listen.len, (const char *)s->config.listen.ptr);
    notify("READY=1\nMAINPID=%d\nSTATUS=serving on %.*s", (int)getpid(), (int)s->config.listen.len,
           (const char *)s->config.listen.ptr);
}

static void towards_serving(struct supervisor *s, uint64_t now)
{
    for (size_t r = ROLE_KEEPER; r < ROLE_COUNT; r++) {
        struct child *c = &s->children[r];
        if (r > ROLE_KEEPER && s->handing_over)
            return;
        if (!children_wants(s, c->role))
            continue;
        if (c->state == CHILD_DOWN && c->due_ms <= now)
            try_start(c);
        /* A warden that died later holds up nobody: the guard refuses without it. A new configuration needs it once. */
        if (c->state != CHILD_SERVING && !(r == ROLE_WARDEN && s->announced && !s->reload.former_arena))
            return;
    }
    if (!s->announced)
        announce(s);
}

/* Front first, which drains; the keeper stays unless this is the end. */
static bool all_stopped(struct supervisor *s)
{
    size_t floor = s->goal == GOAL_STOP ? ROLE_KEEPER : ROLE_SIGNER;
    for (size_t r = ROLE_COUNT; r-- > floor;) {
        children_stop(&s->children[r]);
        if (s->children[r].pid != 0)
            return false;
    }
    if (s->goal == GOAL_STOP)
        children_stop(&s->old_keeper);
    return s->goal != GOAL_STOP || s->old_keeper.pid == 0;
}

static void kill_overdue(struct child *c, uint64_t now)
{
    if (c->pid == 0 || c->due_ms == 0 || c->due_ms > now)
        return;
    log_error("%s takes too long to %s", name_of(c), c->state == CHILD_STOPPING ? "end" : "start");
    c->due_ms = 0;
    (void)kill(c->pid, SIGKILL);
}

static void arm(struct supervisor *s, uint64_t now)
{
    uint64_t next = s->old_keeper.due_ms ? s->old_keeper.due_ms : UINT64_MAX;
    for (size_t r = ROLE_KEEPER; r < ROLE_COUNT; r++) {
        uint64_t due = s->children[r].due_ms;
        next = due > now && due < next ? due : next;
    }
    if (next != UINT64_MAX)
        loop_timer_arm(s->timer, next > now ? next - now : 0);
}

void children_step(struct supervisor *s)
{
    uint64_t now = now_of(s);
    for (size_t r = ROLE_KEEPER; r < ROLE_COUNT; r++)
        kill_overdue(&s->children[r], now);
    kill_overdue(&s->old_keeper, now);
    if (s->goal == GOAL_SERVE)
        towards_serving(s, now);
    if (s->goal != GOAL_SERVE && all_stopped(s)) {
        enum goal reached = s->goal;
        if (reached == GOAL_STOP) {
            loop_stop(s->loop);
            return;
        }
        s->goal = GOAL_SERVE;
        if (reached == GOAL_RELOAD) {
            /* The number of front threads may have changed. */
            wires_drop(&s->children[ROLE_FRONT]);
            wires_drop(&s->children[ROLE_SIGNER]);
            wires_drop(&s->children[ROLE_WARDEN]);
            wires_init(s);
        }
        if (reached == GOAL_UPGRADE)
            upgrade_exec(s);
        towards_serving(s, now);
    }
    arm(s, now);
}
