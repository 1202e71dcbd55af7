/* What the supervisor says, and the orderly end. */
#include "ipc/supervisor_msg.h"

#include "base/log.h"
#include "front/front.h"
#include "ipc/sandbox.h"

#define LOOK_MS    20
#define RESERVE_MS 500 /* of the grace, for closing the ledger */

static RESULT on_new_channel(struct front *f, struct frame *frame, struct arena *arena)
{
    struct supervisor_new_channel q = {0};
    int fd = frame->fd;

    TRY(entity_decode(&supervisor_new_channel_entity, frame->body, arena, &q));
    if (fd < 0)
        return ERR_MALFORMED;
    frame->fd = -1;
    return peer_hand(f, q.kind, q.which, fd);
}

static RESULT on_file(struct front *f, struct frame *frame, struct arena *arena)
{
    struct supervisor_file q = {0};
    int fd = frame->fd;

    TRY(entity_decode(&supervisor_file_entity, frame->body, arena, &q));
    if (fd < 0)
        return ERR_MALFORMED;
    frame->fd = -1;
    return loader_take(f, q.which, q.number, fd);
}

static RESULT on_file_missing(struct front *f, struct frame *frame, struct arena *arena)
{
    struct supervisor_file_missing q = {0};

    TRY(entity_decode(&supervisor_file_missing_entity, frame->body, arena, &q));
    return loader_missing(f, q.which, q.why);
}

static RESULT on_shutdown(struct front *f, struct frame *frame, struct arena *arena)
{
    struct supervisor_shutdown q = {0};

    TRY(entity_decode(&supervisor_shutdown_entity, frame->body, arena, &q));
    if (q.farewell_ms)
        front_leave(f, q.farewell_ms, q.grace_ms);
    else
        front_stop(f, q.grace_ms);
    return OK;
}

static RESULT on_config(struct front *f, struct frame *frame, struct arena *arena)
{
    struct supervisor_config q = {0};

    TRY(entity_decode(&supervisor_config_entity, frame->body, arena, &q));
    news_take(f, &q);
    return OK;
}

static RESULT on_frame(void *context, struct channel *c, struct frame *frame)
{
    AUTO(arena_free) struct arena *arena = NULL;

    (void)c;
    TRY(arena_new(1024, 65536, &arena));
    switch (frame->type) {
    case SUPERVISOR_NEW_CHANNEL:
        return on_new_channel(context, frame, arena);
    case SUPERVISOR_FILE:
        return on_file(context, frame, arena);
    case SUPERVISOR_FILE_MISSING:
        return on_file_missing(context, frame, arena);
    case SUPERVISOR_SHUTDOWN:
        return on_shutdown(context, frame, arena);
    case SUPERVISOR_CONFIG:
        return on_config(context, frame, arena);
    default:
        return ERR_MALFORMED;
    }
}

/* Nobody is left to restart us, or to tell us anything. */
static void on_closed(void *context, struct channel *c)
{
    struct front *f = context;

    channel_free(c);
    f->supervisor = NULL;
    front_stop(f, 5000);
}

RESULT supervisor_open(struct front *f)
{
    const struct channel_handler handler = {
        .frame = on_frame, .closed = on_closed, .context = f, .accepts_fds = true, .reads_always = true};
    int fd = start_fd_of(&f->start, START_FD_SUPERVISOR, 0);

    if (fd < 0)
        return ERR_MALFORMED;
    return channel_new(front_loop(f), fd, &handler, &f->supervisor);
}

RESULT supervisor_ready(struct front *f, const struct sandbox_report *report)
{
    struct supervisor_ready ready = {.memory_locked = report->locked_memory,
                                     .landlock = report->landlock,
                                     .landlock_abi = (uint8_t)report->landlock_abi,
                                     .note = view_str(report->note)};
    AUTO_WRITER body = writer_new(1024);

    TRY(entity_encode(&supervisor_ready_entity, &ready, &body));
    return channel_send(f->supervisor, SUPERVISOR_READY, 0, writer_view_of(&body), -1);
}

void supervisor_status(struct front *f, const char *text)
{
    struct supervisor_status status = {.text = view_str(text)};
    AUTO_WRITER body = writer_new(1024);

    if (!f->supervisor || entity_encode(&supervisor_status_entity, &status, &body) != OK)
        return;
    /* For the service manager's display only. */
    (void)!channel_send(f->supervisor, SUPERVISOR_STATUS, 0, writer_view_of(&body), -1);
}

/* --- the end */

static bool all_drained(const struct front *f)
{
    for (size_t i = 0; i < f->thread_count; i++)
        if (!atomic_load(&f->threads[i].drained))
            return false;
    return true;
}

static void look(void *context)
{
    struct front *f = context;
    const struct clock *clock = loop_clock(front_loop(f));

    if (!all_drained(f) && clock->mono_ms(clock) < f->stop_by_ms) {
        loop_timer_arm(f->stop_timer, LOOK_MS);
        return;
    }
    if (!all_drained(f))
        log_warn("requests were still under way when time was up");
    loop_stop(front_loop(f));
}

void front_stop(struct front *f, uint32_t grace_ms)
{
    const struct clock *clock = loop_clock(front_loop(f));
    uint64_t by_ms = clock->mono_ms(clock) + (grace_ms > RESERVE_MS ? grace_ms - RESERVE_MS : 0);

    if (f->stop_by_ms) {
        f->stop_by_ms = by_ms < f->stop_by_ms ? by_ms : f->stop_by_ms;
        return;
    }
    f->stop_by_ms = by_ms;
    if (!f->leaving)
        atomic_store(&f->shared.state, API_STOPPING);
    atomic_store(&f->draining, true);
    for (size_t i = 0; i < f->thread_count; i++)
        thread_drain(&f->threads[i]);
    if (loop_timer_new(front_loop(f), look, f, &f->stop_timer) != OK) {
        loop_stop(front_loop(f));
        return;
    }
    loop_timer_arm(f->stop_timer, LOOK_MS);
}

static void on_farewell_over(void *context)
{
    struct front *f = context;

    front_stop(f, f->grace_ms);
}

void front_leave(struct front *f, uint32_t farewell_ms, uint32_t grace_ms)
{
    struct loop_timer *timer; /* goes with the loop */

    if (f->stop_by_ms || f->leaving)
        return;
    f->leaving = true;
    f->grace_ms = grace_ms;
    for (size_t i = 0; i < f->thread_count; i++)
        thread_wind_down(&f->threads[i]);
    if (loop_timer_new(front_loop(f), on_farewell_over, f, &timer) != OK) {
        front_stop(f, grace_ms);
        return;
    }
    loop_timer_arm(timer, farewell_ms);
}
