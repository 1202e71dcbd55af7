#include "warden/wiring.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/supervisor_msg.h"

#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MAX  1024
#define TICK_MS     1000
#define LOOK_TICKS  5 /* between two looks whether the table is still there */
#define ARENA_BYTES 4096

struct wiring {
    struct loop *loop;
    struct warden *warden;
    struct table *table;
    struct channel *supervisor, *front;
    bool keep;
    bool restored; /* by this front: what it is told that it lost, it had */
    unsigned ticks;
};

/* --- the front */

static RESULT on_front(void *context, struct channel *c, struct frame *f)
{
    struct wiring *w = context;
    AUTO_WRITER answer = writer_new(ANSWER_MAX);
    struct problem why = {0};
    enum err e = warden_message(w->warden, f->type, f->body, &answer, &why);
    w->restored = w->restored || (e == OK && f->type == WARDEN_RESTORE_END);
    if (e != OK)
        return channel_refuse(c, f->type, f->id, e, why.detail);
    return channel_answer_bytes(c, f, writer_view_of(&answer));
}

/* What is blocked stays: the next front says anew what is. */
static void front_gone(void *context, struct channel *c)
{
    struct wiring *w = context;
    channel_free(c);
    w->front = NULL;
}

static RESULT take_front(struct wiring *w, int fd)
{
    const struct channel_handler handler = {.frame = on_front, .closed = front_gone, .context = w};
    channel_free(w->front);
    w->front = NULL;
    w->restored = false;
    return channel_new(w->loop, fd, &handler, &w->front);
}

/* --- now and then */

static void look(struct wiring *w)
{
    if (!w->front || !w->restored || table_is_there(w->table))
        return;
    log_warn("somebody removed the table from the kernel's rules: it is made anew");
    w->restored = false;
    if (channel_send(w->front, WARDEN_EVENT_LOST, 0, (struct view){0}, -1) != OK)
        channel_break(w->front);
}

static void on_tick(void *context)
{
    struct wiring *w = context;
    struct problem why = {0};
    enum err e = warden_tick(w->warden, &why);
    if (e != OK && e != ERR_NOT_FOUND)
        log_error("%s", *why.detail ? why.detail : err_sentence(e));
    if (++w->ticks % LOOK_TICKS == 0)
        look(w);
}

/* --- the supervisor */

static RESULT on_new_channel(struct wiring *w, struct frame *f, struct arena *arena)
{
    struct supervisor_new_channel q = {0};
    int fd = f->fd;
    TRY(entity_decode(&supervisor_new_channel_entity, f->body, arena, &q));
    if (fd < 0)
        return ERR_MALFORMED;
    f->fd = -1;
    if (q.kind == START_FD_FRONT)
        return take_front(w, fd);
    close(fd);
    return ERR_MALFORMED;
}

static RESULT on_shutdown(struct wiring *w, struct frame *f, struct arena *arena)
{
    struct supervisor_shutdown q = {0};
    struct problem why = {0};
    TRY(entity_decode(&supervisor_shutdown_entity, f->body, arena, &q));
    loop_stop(w->loop);
    if (!q.for_good || w->keep)
        return OK;
    enum err e = table_drop(w->table, &why);
    if (e != OK)
        log_error("the table stays in the kernel's rules: %s", *why.detail ? why.detail : err_sentence(e));
    return OK;
}

static RESULT on_supervisor(void *context, struct channel *c, struct frame *f)
{
    struct wiring *w = context;
    AUTO(arena_free) struct arena *arena = NULL;
    (void)c;
    TRY(arena_new(ARENA_BYTES, ARENA_BYTES, &arena));
    if (f->type == SUPERVISOR_NEW_CHANNEL)
        return on_new_channel(w, f, arena);
    return f->type == SUPERVISOR_SHUTDOWN ? on_shutdown(w, f, arena) : ERR_MALFORMED;
}

static void supervisor_gone(void *context, struct channel *c)
{
    struct wiring *w = context;
    (void)c;
    loop_stop(w->loop);
}

/* --- start */

RESULT wiring_new(struct loop *loop, const struct start *start, struct warden *warden, struct table *table, bool keep,
                  struct wiring **ret)
{
    AUTO(wiring_free) struct wiring *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    *w = (struct wiring){.loop = loop, .warden = warden, .table = table, .keep = keep};
    const struct channel_handler supervisor = {
        .frame = on_supervisor, .closed = supervisor_gone, .context = w, .accepts_fds = true};
    TRY(channel_new(loop, start_fd_of(start, START_FD_SUPERVISOR, 0), &supervisor, &w->supervisor));
    int front = start_fd_of(start, START_FD_FRONT, 0);
    if (front >= 0)
        TRY(take_front(w, front));
    TRY(loop_every(loop, TICK_MS, on_tick, w));
    *ret = TAKE(w);
    return OK;
}

void wiring_free(struct wiring *w)
{
    if (!w)
        return;
    channel_free(w->front);
    channel_free(w->supervisor);
    free(w);
}

RESULT wiring_ready(struct wiring *w, const struct sandbox_report *report)
{
    struct supervisor_ready ready = {.memory_locked = report->locked_memory,
                                     .landlock = report->landlock,
                                     .landlock_abi = (uint8_t)report->landlock_abi};
    AUTO_WRITER body = writer_new(ANSWER_MAX);
    TRY(entity_encode(&supervisor_ready_entity, &ready, &body));
    return channel_send(w->supervisor, SUPERVISOR_READY, 0, writer_view_of(&body), -1);
}
