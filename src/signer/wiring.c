#include "signer/wiring.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/supervisor_msg.h"
#include "signer/dispatch.h"

#include <unistd.h>

#define FRONTS_MAX        8
#define LOADS_MAX         64    /* unwrappings under way for one front */
#define ORPHAN_MS         5000u /* without a keeper for so long: the supervisor starts us anew, with a channel to it */
#define DRAIN_FRAMES      4096
#define REQUEST_ARENA     (64u * 1024)
#define REQUEST_ARENA_MAX (1u << 20)
#define KEEPER_TIMEOUT_MS 10000u

struct front {
    struct signer_wiring *w;
    struct channel *channel;
    uint8_t which;
    bool used;
    uint64_t generation; /* tells a front from the one that had its place before */
    size_t loads;
};

/* A credential that the keeper is unwrapping for a front. */
struct load {
    struct signer_wiring *w;
    struct front *from;
    uint64_t id, generation;
    size_t len;
    uint8_t descriptor[];
};

struct signer_wiring {
    struct loop *loop;
    struct signer *signer;
    struct channel *supervisor;
    struct caller *keeper;
    struct front fronts[FRONTS_MAX];
    struct arena *arena;
    struct dispatch *dispatch;
    struct worker *worker;
    struct loop_timer *orphaned;
};

static RESULT answer(struct channel *c, uint16_t type, uint64_t id, const struct entity *e, const void *object)
{
    struct frame request = {.type = type, .id = id, .fd = -1};

    return channel_answer(c, &request, e, object);
}

/* --- the keeper */

/* Without a welcome nothing is signed until the keeper tells something new, which may be never. */
static void start_anew(struct signer_wiring *w, enum err e)
{
    log_error("the keeper's welcome is lost (%s): the signer ends, and starts anew", err_code(e));
    loop_stop(w->loop);
}

/* What the keeper will tell the end of, or keeper_gone() deals with. */
static bool passes(enum err e)
{
    return e == ERR_SEALED || e == ERR_NOT_INITIALISED || e == ERR_UNAVAILABLE;
}

static void said_hello(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct signer_wiring *w = context;
    struct keeper_signer_welcome welcome = {0};

    (void)why;
    if (error == OK)
        error = entity_decode(&keeper_signer_welcome_entity, entity, w->arena, &welcome);
    if (error == OK)
        signer_welcome(w->signer, &welcome);
    else if (!passes(error))
        start_anew(w, error);
    explicit_bzero(&welcome, sizeof welcome);
    arena_reset(w->arena);
}

static RESULT say_hello(struct signer_wiring *w)
{
    enum err e = caller_call(w->keeper, KEEPER_SIGNER_HELLO, NULL, NULL, KEEPER_TIMEOUT_MS, said_hello, w);

    return e == ERR_UNAVAILABLE ? OK : e;
}

static RESULT on_keeper(void *context, struct channel *c, struct frame *f)
{
    struct signer_wiring *w = context;
    struct keeper_event_credential changed = {0};
    struct keeper_event_room room = {0};
    enum err e;

    switch (f->type) {
    case KEEPER_EVENT_UNSEALED:
        e = say_hello(w);
        if (e != OK)
            start_anew(w, e);
        return OK;
    case KEEPER_EVENT_SEALED:
        signer_sealed(w->signer);
        dispatch_refuse_all(w->dispatch, ERR_SEALED);
        /* From here on nothing is authored until the next welcome. */
        return channel_send(c, KEEPER_SIGNER_CLOSED, 0, (struct view){0}, -1);
    case KEEPER_EVENT_ROOM:
        TRY(entity_decode(&keeper_event_room_entity, f->body, w->arena, &room));
        signer_room(w->signer, room.limit);
        return OK;
    case KEEPER_EVENT_CREDENTIAL:
        TRY(entity_decode(&keeper_event_credential_entity, f->body, w->arena, &changed));
        signer_changed(w->signer, &changed);
        return OK;
    default:
        return ERR_MALFORMED;
    }
}

/* Without a keeper nothing can be authored, so nothing may be signed: all keys go. */
static void keeper_gone(void *context, struct channel *c)
{
    struct signer_wiring *w = context;

    (void)c;
    signer_sealed(w->signer);
    dispatch_withdraw(w->dispatch, ERR_UNAVAILABLE);
    dispatch_refuse_all(w->dispatch, ERR_UNAVAILABLE);
    loop_timer_arm(w->orphaned, ORPHAN_MS);
}

static void orphaned(void *context)
{
    struct signer_wiring *w = context;

    if (!w->keeper || !caller_alive(w->keeper))
        loop_stop(w->loop);
}

static RESULT take_keeper(struct signer_wiring *w, int fd)
{
    struct channel_handler events = {.frame = on_keeper, .closed = keeper_gone, .context = w};

    caller_free(w->keeper);
    w->keeper = NULL;
    signer_sealed(w->signer);
    dispatch_withdraw(w->dispatch, ERR_UNAVAILABLE);
    dispatch_refuse_all(w->dispatch, ERR_UNAVAILABLE);
    TRY(caller_new(w->loop, fd, &events, &w->keeper));
    return say_hello(w);
}

/* What the keeper said before counts: a changed policy, a freeze, a seal. */
static RESULT listen_to_keeper(void *context)
{
    struct signer_wiring *w = context;
    bool drained = true;

    if (!w->keeper || !caller_alive(w->keeper))
        return OK; /* then nothing is signed */
    return channel_drain(caller_channel(w->keeper), DRAIN_FRAMES, &drained);
}

/* Leaves at the end of the turn, together with the others of this turn, and ahead of its answer. */
static RESULT send_authored(void *context, struct view authored)
{
    struct signer_wiring *w = context;
    struct keeper_authored message = {.authored = authored};
    AUTO_WRITER body = writer_new(20000);

    if (!w->keeper || !caller_alive(w->keeper))
        return ERR_UNAVAILABLE;
    TRY(entity_encode(&keeper_authored_entity, &message, &body));
    return channel_send(caller_channel(w->keeper), KEEPER_AUTHORED, 0, writer_view_of(&body), -1);
}

static RESULT all_recorded(void *context)
{
    struct signer_wiring *w = context;

    return w->keeper ? channel_flush_within(caller_channel(w->keeper), 0) : ERR_UNAVAILABLE;
}

static void end_of_turn(void *context)
{
    struct signer_wiring *w = context;

    dispatch_release(w->dispatch);
}

static void reserved(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct signer_wiring *w = context;

    (void)entity;
    signer_reserved(w->signer, error);
    if (error == OK) {
        dispatch_reserved(w->dispatch);
        return;
    }
    log_warn("marks could not be written to the anchor: %s %s", err_code(error), why ? why->detail : "");
    dispatch_refuse_unmarked(w->dispatch, error); /* rather than ask again and again while they wait */
}

static RESULT ask_reserve(void *context, const struct keeper_reserve *marks)
{
    struct signer_wiring *w = context;

    if (!w->keeper)
        return ERR_UNAVAILABLE;
    return caller_call(w->keeper, KEEPER_RESERVE, &keeper_reserve_entity, marks, KEEPER_TIMEOUT_MS, reserved, w);
}

/* --- loading */

static void unwrapped(void *context, enum err error, struct view entity, const struct problem *why)
{
    struct load *l = context;
    struct signer_wiring *w = l->w;
    struct keeper_unwrapped u = {0};
    struct problem mine = why ? *why : (struct problem){0};

    if (error == OK)
        error = entity_decode(&keeper_unwrapped_entity, entity, w->arena, &u);
    if (error == OK)
        error = signer_load(w->signer, VIEW(l->descriptor, l->len), &u, &mine);
    arena_reset(w->arena); /* wipes the bundle */
    if (l->generation == l->from->generation) {
        l->from->loads--;
        enum err sent = error == OK ? answer(l->from->channel, SIGNER_LOAD, l->id, NULL, NULL)
                                    : channel_refuse(l->from->channel, SIGNER_LOAD, l->id, error, mine.detail);
        if (sent != OK)
            log_warn("a front did not take its answer: %s", err_code(sent));
    }
    free(l);
}

static RESULT load(struct front *from, uint64_t id, struct view body)
{
    struct signer_wiring *w = from->w;
    struct signer_load q = {0};
    struct keeper_unwrap ask;
    struct load *l;
    enum err e;

    TRY(entity_decode(&signer_load_entity, body, w->arena, &q));
    if (!w->keeper || !caller_alive(w->keeper))
        return ERR_UNAVAILABLE;
    if (from->loads == LOADS_MAX)
        return ERR_BUSY;
    l = malloc(sizeof *l + q.descriptor.len);
    if (!l)
        return ERR_NO_MEMORY;
    *l = (struct load){.w = w, .from = from, .id = id, .generation = from->generation, .len = q.descriptor.len};
    if (q.descriptor.len)
        memcpy(l->descriptor, q.descriptor.ptr, q.descriptor.len);
    ask = (struct keeper_unwrap){q.descriptor, q.sealed};
    e = caller_call(w->keeper, KEEPER_UNWRAP, &keeper_unwrap_entity, &ask, KEEPER_TIMEOUT_MS, unwrapped, l);
    if (e != OK) {
        free(l);
        return e;
    }
    from->loads++;
    return OK;
}

static RESULT sign(struct front *from, uint64_t id, struct view body)
{
    return dispatch_sign(from->w->dispatch, from->channel, id, body);
}

static RESULT venues(struct front *from, uint64_t id, struct view body)
{
    struct signer_venues out = {0};

    (void)body;
    TRY(signer_venues_list(from->w->signer, from->w->arena, &out));
    return answer(from->channel, SIGNER_VENUES, id, &signer_venues_entity, &out);
}

static RESULT check(struct front *from, uint64_t id, struct view body)
{
    struct signer_check q = {0};
    struct problem why = {0};
    char text[512];
    struct writer w = writer_fixed(text, sizeof text - 1);
    enum err e = entity_decode(&signer_check_entity, body, from->w->arena, &q);

    if (e == OK)
        e = signer_check(from->w->signer, q.descriptor, &why);
    if (e == OK)
        return answer(from->channel, SIGNER_CHECK, id, NULL, NULL);
    writer_printf(&w, "%s%s%s", why.where, why.where[0] && why.detail[0] ? ": " : "", why.detail);
    text[w.len] = '\0';
    return channel_refuse(from->channel, SIGNER_CHECK, id, e, text);
}

/* --- the fronts */

static const struct {
    uint16_t type;
    RESULT (*handle)(struct front *from, uint64_t id, struct view body);
} handlers[] = {{SIGNER_LOAD, load}, {SIGNER_SIGN, sign}, {SIGNER_VENUES, venues}, {SIGNER_CHECK, check}};

/* Once for all of them: the keeper said it before the front could know of it and send the first. */
static RESULT on_arrival(void *context)
{
    return listen_to_keeper(((struct front *)context)->w);
}

static RESULT on_front(void *context, struct channel *c, struct frame *f)
{
    struct front *from = context;
    enum err e = ERR_MALFORMED;

    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i].type == f->type)
            e = handlers[i].handle(from, f->id, f->body);
    arena_reset(from->w->arena);
    return e == OK ? OK : channel_refuse(c, f->type, f->id, e, "");
}

static void front_gone(void *context, struct channel *c)
{
    struct front *from = context;

    dispatch_forget(from->w->dispatch, c);
    from->used = false;
    from->generation++;
    from->loads = 0;
    from->channel = NULL;
    channel_free(c);
}

static RESULT take_front(struct signer_wiring *w, int fd, uint8_t which)
{
    struct channel_handler handler = {.frame = on_front, .arrived = on_arrival, .closed = front_gone};
    struct front *f;

    if (which >= FRONTS_MAX) {
        close(fd);
        return ERR_OUT_OF_RANGE;
    }
    f = &w->fronts[which];
    if (f->used)
        front_gone(f, f->channel);
    handler.context = f;
    f->w = w;
    f->which = which;
    TRY(channel_new(w->loop, fd, &handler, &f->channel));
    f->used = true;
    return OK;
}

/* --- the supervisor */

static RESULT new_channel(struct signer_wiring *w, struct frame *f)
{
    struct supervisor_new_channel q = {0};
    int fd = f->fd;

    TRY(entity_decode(&supervisor_new_channel_entity, f->body, w->arena, &q));
    if (fd < 0)
        return ERR_MALFORMED;
    f->fd = -1;
    if (q.kind == START_FD_KEEPER)
        return take_keeper(w, fd);
    if (q.kind == START_FD_FRONT)
        return take_front(w, fd, q.which);
    close(fd);
    return ERR_MALFORMED;
}

static RESULT on_supervisor(void *context, struct channel *c, struct frame *f)
{
    struct signer_wiring *w = context;

    (void)c;
    if (f->type == SUPERVISOR_NEW_CHANNEL)
        return new_channel(w, f);
    if (f->type != SUPERVISOR_SHUTDOWN)
        return ERR_MALFORMED;
    loop_stop(w->loop);
    return OK;
}

static void supervisor_gone(void *context, struct channel *c)
{
    struct signer_wiring *w = context;

    (void)c;
    loop_stop(w->loop);
}

/* --- start */

static RESULT take_descriptors(struct signer_wiring *w, const struct start *start)
{
    struct channel_handler supervisor = {
        .frame = on_supervisor, .closed = supervisor_gone, .context = w, .accepts_fds = true};

    for (size_t i = 0; i < start->fd_count; i++) {
        const struct start_fd *f = &start->fds[i];
        if (f->kind == START_FD_SUPERVISOR)
            TRY(channel_new(w->loop, f->fd, &supervisor, &w->supervisor));
        else if (f->kind == START_FD_KEEPER)
            TRY(take_keeper(w, f->fd));
        else if (f->kind == START_FD_FRONT)
            TRY(take_front(w, f->fd, f->which));
    }
    return OK;
}

RESULT signer_wiring_new(struct loop *loop, const struct start *start, struct worker *worker,
                         struct signer_wiring **ret)
{
    AUTO(signer_wiring_free) struct signer_wiring *w = calloc(1, sizeof *w);
    struct signer_config config = {.clock = clock_system(),
                                   .random = random_system(),
                                   .authored = send_authored,
                                   .reserve = ask_reserve,
                                   .context = w};
    struct dispatch_config desk = {
        .worker = worker, .listen = listen_to_keeper, .recorded = all_recorded, .context = w};
    struct problem why = {0};
    enum err e;

    if (!w)
        return ERR_NO_MEMORY;
    w->loop = loop;
    w->worker = worker;
    TRY(arena_new(REQUEST_ARENA, REQUEST_ARENA_MAX, &w->arena));
    TRY(loop_timer_new(loop, orphaned, w, &w->orphaned));
    TRY(signer_new(&config, &w->signer));
    desk.signer = w->signer;
    desk.arena = w->arena;
    TRY(dispatch_new(&desk, &w->dispatch));
    TRY(loop_each_turn(loop, end_of_turn, w));
    e = signer_add_venues(w->signer, start->files, &why);
    if (e != OK)
        log_error("%s: %s", why.where, why.detail);
    TRY(e);
    TRY(take_descriptors(w, start));
    *ret = TAKE(w);
    return OK;
}

void signer_wiring_free(struct signer_wiring *w)
{
    if (!w)
        return;
    worker_stop(w->worker); /* it uses keys */
    dispatch_free(w->dispatch);
    for (size_t i = 0; i < FRONTS_MAX; i++)
        channel_free(w->fronts[i].channel);
    caller_free(w->keeper);
    channel_free(w->supervisor);
    signer_free(w->signer);
    loop_timer_free(w->orphaned);
    arena_free(w->arena);
    free(w);
}

RESULT signer_wiring_ready(struct signer_wiring *w, const struct sandbox_report *report)
{
    struct supervisor_ready ready = {.memory_locked = report->locked_memory,
                                     .landlock = report->landlock,
                                     .landlock_abi = (uint8_t)report->landlock_abi,
                                     .note = view_str(report->note)};
    AUTO_WRITER body = writer_new(1024);

    TRY(entity_encode(&supervisor_ready_entity, &ready, &body));
    return channel_send(w->supervisor, SUPERVISOR_READY, 0, writer_view_of(&body), -1);
}
