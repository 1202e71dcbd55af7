#include "child.h"

#include "ipc/channel.h"
#include "ipc/config.h"
#include "ipc/start.h"
#include "ipc/supervisor_msg.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELLO 200
#define STATE "the unsealed state"

struct me {
    struct loop *loop;
    struct channel *supervisor;
    const char *role;
    char data_dir[256];
    bool unsealed;
};

struct peer {
    struct me *me;
    uint8_t kind, which;
};

void child_event(const char *data_dir, const char *format, ...)
{
    char path[512], line[256];
    va_list arguments;
    (void)snprintf(path, sizeof path, "%s/events", data_dir);
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[n] = '\n';
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n + 1) < 0)
        _exit(9);
    close(fd);
}

static enum err on_peer(void *context, struct channel *c, struct frame *f)
{
    struct peer *p = context;
    (void)c;
    child_event(p->me->data_dir, "%s hears %.*s %u", p->me->role, (int)f->body.len, (const char *)f->body.ptr,
                p->which);
    return OK;
}

static void on_peer_closed(void *context, struct channel *c)
{
    struct peer *p = context;
    child_event(p->me->data_dir, "%s lost %u %u", p->me->role, p->kind, p->which);
    channel_free(c);
    free(p);
}

static enum err add_peer(struct me *me, uint8_t kind, uint8_t which, int fd)
{
    struct peer *p = calloc(1, sizeof *p);
    struct channel *c = NULL;
    *p = (struct peer){.me = me, .kind = kind, .which = which};
    const struct channel_handler handler = {.frame = on_peer, .closed = on_peer_closed, .context = p};
    TRY(channel_new(me->loop, fd, &handler, &c));
    return channel_send(c, HELLO, 0, view_str(me->role), -1);
}

static enum err say(struct me *me, uint16_t type, const struct entity *e, const void *body)
{
    AUTO_WRITER w = writer_new(1024);
    TRY(entity_encode(e, body, &w));
    TRY(channel_send(me->supervisor, type, 0, writer_view_of(&w), -1));
    return channel_flush(me->supervisor);
}

static bool there(const struct me *me, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", me->data_dir, name);
    return access(path, F_OK) == 0;
}

static enum err hand_over(struct me *me, bool gives, int fd)
{
    char got[64] = {0};
    if (gives) {
        bool sent = me->unsealed && write(fd, STATE, sizeof STATE) == sizeof STATE;
        child_event(me->data_dir, "%s gives %d", me->role, sent);
        close(fd);
        return OK;
    }
    if (there(me, "slow-handover"))
        poll(NULL, 0, 2000);
    bool whole = read(fd, got, sizeof got) == sizeof STATE && strcmp(got, STATE) == 0;
    close(fd);
    me->unsealed = whole;
    child_event(me->data_dir, "%s takes %d", me->role, whole);
    return say(me, SUPERVISOR_HANDED_OVER, &supervisor_handed_over_entity,
               &(struct supervisor_handed_over){.unsealed = whole});
}

#define SLOW_MS 4000

struct answer {
    struct me *me;
    struct supervisor_file_read read;
};

static enum err say_read(struct me *me, const struct supervisor_file_read *read)
{
    return say(me, SUPERVISOR_FILE_READ, &supervisor_file_read_entity, read);
}

static void on_slow(void *context)
{
    struct answer *a = context;
    child_event(a->me->data_dir, "%s has read file %u", a->me->role, a->read.which);
    if (say_read(a->me, &a->read) != OK)
        _exit(8);
    free(a);
}

static enum err say_later(struct me *me, const struct supervisor_file_read *read)
{
    struct loop_timer *timer;
    struct answer *a = calloc(1, sizeof *a);
    *a = (struct answer){me, *read};
    TRY(loop_timer_new(me->loop, on_slow, a, &timer));
    loop_timer_arm(timer, SLOW_MS);
    return OK;
}

/* One that begins with "slow" takes a while, one that goes on with "good" is taken. */
static enum err take_file(struct me *me, const struct supervisor_file *file, int fd)
{
    char text[32] = {0};
    if (pread(fd, text, sizeof text - 1, 0) < 0)
        return ERR_IO;
    close(fd);
    text[strcspn(text, "\n")] = '\0';
    child_event(me->data_dir, "%s reads file %u: %s", me->role, file->which, text);
    bool slow = strncmp(text, "slow ", 5) == 0;
    const struct supervisor_file_read read = {
        .which = file->which, .number = file->number, .taken = strncmp(slow ? text + 5 : text, "good", 4) == 0};
    return slow ? say_later(me, &read) : say_read(me, &read);
}

static enum err on_supervisor(void *context, struct channel *c, struct frame *f)
{
    struct me *me = context;
    AUTO(arena_free) struct arena *arena = NULL;
    union {
        struct supervisor_new_channel channel;
        struct supervisor_shutdown shutdown;
        struct supervisor_handover handover;
        struct supervisor_config config;
        struct supervisor_file file;
        struct supervisor_file_missing missing;
    } body;
    const struct supervisor_message *m = supervisor_message_find(f->type);
    (void)c;
    if (!m || !m->to_child || m->has_fd != (f->fd >= 0))
        return ERR_MALFORMED;
    TRY(arena_new(512, 4096, &arena));
    TRY(entity_decode(m->body, f->body, arena, &body));
    int fd = f->fd;
    f->fd = -1;
    if (f->type == SUPERVISOR_NEW_CHANNEL)
        return add_peer(me, body.channel.kind, body.channel.which, fd);
    if (f->type == SUPERVISOR_HANDOVER)
        return hand_over(me, body.handover.gives, fd);
    if (f->type == SUPERVISOR_CONFIG) {
        child_event(me->data_dir, "%s is told reloaded=%d again=%d %.*s", me->role, body.config.reloaded,
                    body.config.again, (int)body.config.refused.len, (const char *)body.config.refused.ptr);
        return OK;
    }
    if (f->type == SUPERVISOR_FILE)
        return take_file(me, &body.file, fd);
    if (f->type == SUPERVISOR_FILE_MISSING) {
        child_event(me->data_dir, "%s has no file %u: %.*s", me->role, body.missing.which, (int)body.missing.why.len,
                    (const char *)body.missing.why.ptr);
        return OK;
    }
    child_event(me->data_dir, "%s stops", me->role);
    _exit(0);
}

static void on_supervisor_closed(void *context, struct channel *c)
{
    (void)context;
    (void)c;
    _exit(0);
}

static enum err connect_all(struct me *me, const struct start *s)
{
    const struct channel_handler handler = {
        .frame = on_supervisor, .closed = on_supervisor_closed, .context = me, .accepts_fds = true};
    TRY(channel_new(me->loop, start_fd_of(s, START_FD_SUPERVISOR, 0), &handler, &me->supervisor));
    for (size_t i = 0; i < s->fd_count; i++) {
        uint8_t kind = s->fds[i].kind;
        if (kind == START_FD_KEEPER || kind == START_FD_SIGNER || kind == START_FD_FRONT)
            TRY(add_peer(me, kind, s->fds[i].which, s->fds[i].fd));
    }
    return OK;
}

static const char *names_in(struct view files, char *out, size_t cap)
{
    struct reader r = reader_new(files);
    struct view name, text;
    size_t n = 0;
    *out = 0;
    while (r.left > 0 && reader_var(&r, 256, &name) == OK && reader_var(&r, 1u << 20, &text) == OK)
        n += (size_t)snprintf(out + n, cap - n, " %.*s", (int)name.len, (const char *)name.ptr);
    return out;
}

/* In the place of the compiler of rules: what is there for it in the data directory says what becomes of it. */
static int compile(const struct me *me, int out)
{
    static const char why[] = "rule.yaml:1:1\nthis is no rule";
    if (there(me, "slow-patterns"))
        poll(NULL, 0, 30000);
    if (there(me, "killed-patterns")) {
        bool good = write(out, why, sizeof why - 1) > 0;
        return good ? raise(SIGKILL) : 9;
    }
    if (there(me, "bad-patterns"))
        return write(out, why, sizeof why - 1) > 0 ? 1 : 9;
    return write(out, "rules", 5) == 5 ? 0 : 9;
}

int child_main(const char *argv0)
{
    static struct start s;
    static struct me me;
    static struct config c;
    struct arena *arena = NULL;
    char names[256];
    me.role = strchr(argv0, '-') + 1;
    if (start_receive(&s) != OK || arena_new(4096, 65536, &arena) != OK ||
        entity_decode(&config_entity, s.config, arena, &c) != OK ||
        view_to_str(c.data_dir, me.data_dir, sizeof me.data_dir) != OK)
        return 3;
    char fail[64], forge[64];
    (void)snprintf(fail, sizeof fail, "fail-%s", me.role);
    (void)snprintf(forge, sizeof forge, "forge-%s", me.role);
    child_event(me.data_dir, "%s starts", me.role);
    if (there(&me, fail))
        return 4;
    if (strcmp(me.role, "patterns") == 0)
        _exit(compile(&me, start_fd_of(&s, START_FD_PATTERNS, 0)));
    me.unsealed = there(&me, "unsealed");
    child_event(me.data_dir, "%s has anchor=%d operator=%d https=%d unix=%d%s", me.role,
                start_fd_of(&s, START_FD_ANCHOR, 0) >= 0, start_fd_of(&s, START_FD_OPERATOR, 0) >= 0,
                start_fd_of(&s, START_FD_HTTPS, 0) >= 0, start_fd_of(&s, START_FD_UNIX, 0) >= 0,
                names_in(s.files, names, sizeof names));
    if (loop_new(clock_system(), &me.loop) != OK || connect_all(&me, &s) != OK)
        return 5;
    child_event(me.data_dir, "%s serves %d", me.role, (int)getpid());
    if (say(&me, SUPERVISOR_READY, &supervisor_ready_entity, &(struct supervisor_ready){.memory_locked = true}) != OK)
        return 6;
    for (int i = 0; i < 200 && there(&me, forge); i++)
        if (say(&me, SUPERVISOR_STATUS, &supervisor_status_entity,
                &(struct supervisor_status){.text = VIEW_STR("fine\nWATCHDOG=trigger")}) != OK)
            return 7;
    return (int)loop_run(me.loop);
}
