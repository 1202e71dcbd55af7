#include "keeper/wiring.h"

#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/sandbox.h"
#include "ipc/supervisor_msg.h"
#include "keeper/keeper.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPERATORS_MAX     8
#define OPERATOR_IDLE_MS  300000u /* a connection that says nothing for so long ends … */
#define OPERATOR_YIELD_MS 5000u   /* … or for so long, if another operator needs its place */
#define LOOK_MS           1000u
#define SIGNER_READS_MS   250u /* for the signer to take an event that it must have before the front is answered */
#define SIGNER_CLOSES_MS  500u /* for the signer to close its books before the keeper is sealed */
#define CHECKPOINTS_MAX   64
#define DRAIN_FRAMES      4096
#define ANSWER_MAX        (CHANNEL_FRAME_MAX - CHANNEL_HEADER - 2)

struct peer {
    struct wiring *w;
    struct peer *next;
    enum keeper_peer role;
    uint8_t kind, which; /* of the start descriptor, to know a channel that is replaced */
    struct channel *channel;
    uint64_t heard_ms; /* when an operator said something last */
    bool closed_books; /* the signer authors nothing further */
};

/* A checkpoint that was asked for and is not covered yet. */
struct ask {
    struct peer *from;
    uint64_t id;
    struct keeper_cut cut;
};

struct wiring {
    struct loop *loop;
    struct keeper *keeper;
    struct arena *settings; /* what the keeper's configuration points to */
    struct peer *peers;
    struct loop_source *listener;
    int listener_fd, anchor_fd;
    struct ask asks[CHECKPOINTS_MAX];
    size_t ask_count;
    unsigned operators;
    bool asks_due; /* at the end of this turn: one signature for all that are covered */
};

static uint64_t now_of(const struct wiring *w)
{
    return loop_clock(w->loop)->mono_ms(loop_clock(w->loop));
}

/* A peer that is not told would believe old state: better that it starts anew. The signer reads its channel before each
 * request of a front, so what has left this process acts before whatever the front asks next. */
static void tell(struct peer *p, uint16_t type, struct view body)
{
    enum err e = channel_send(p->channel, type, 0, body, -1);

    if (e == OK && p->role == PEER_SIGNER)
        e = channel_flush_within(p->channel, SIGNER_READS_MS);
    if (e != OK)
        channel_break(p->channel);
}

static void event(void *context, enum keeper_peer to, uint16_t type, const struct entity *e, const void *object)
{
    struct wiring *w = context;
    uint8_t memory[256]; /* a freeze is told also when the heap is used up */
    struct writer body = writer_fixed(memory, sizeof memory);
    bool whole = !e || entity_encode(e, object, &body) == OK;

    for (struct peer *p = w->peers; p; p = p->next) {
        if (!(p->role & (unsigned)to))
            continue;
        if (whole)
            tell(p, type, writer_view_of(&body));
        else
            channel_break(p->channel);
    }
}

static RESULT answer(struct channel *c, uint16_t type, uint64_t id, struct view entity)
{
    AUTO_WRITER body = writer_new(ANSWER_MAX + 2);

    writer_u16(&body, 0);
    writer_view(&body, entity);
    TRY(writer_done(&body));
    return channel_send(c, type | CHANNEL_ANSWER, id, writer_view_of(&body), -1);
}

static void answer_ask(const struct ask *a, enum err e, struct view note)
{
    enum err sent = e == OK ? answer(a->from->channel, KEEPER_CHECKPOINT, a->id, note)
                            : channel_refuse(a->from->channel, KEEPER_CHECKPOINT, a->id, e, "");

    if (sent != OK)
        channel_break(a->from->channel);
}

static void drop_ask(struct wiring *w, size_t i)
{
    w->asks[i] = w->asks[--w->ask_count];
}

static bool ask_ready(const struct wiring *w, const struct ask *a)
{
    return keeper_state_of(w->keeper) != STATE_UNSEALED || keeper_cut_covered(w->keeper, &a->cut);
}

/* One write of the anchor and one signature for all, however many ask: a flood of them must not hold up the others. */
static void serve_asks(void *context)
{
    struct wiring *w = context;
    AUTO_WRITER note = writer_new(8192);
    enum err e = OK;
    bool signed_it = false;

    if (!w->asks_due)
        return;
    w->asks_due = false;
    for (size_t i = w->ask_count; i > 0; i--) {
        struct ask a = w->asks[i - 1];
        if (!ask_ready(w, &a))
            continue;
        if (!signed_it)
            e = keeper_checkpoint_sign(w->keeper, &note);
        signed_it = true;
        drop_ask(w, i - 1);
        answer_ask(&a, e, writer_view_of(&note));
    }
}

/* Everything the signer sent before this moment counts as authored before the checkpoint was asked for. */
static RESULT drain_signer(struct wiring *w)
{
    for (struct peer *p = w->peers; p; p = p->next) {
        bool drained = true;
        if (p->role == PEER_SIGNER)
            TRY(channel_drain(p->channel, DRAIN_FRAMES, &drained));
        if (!drained)
            return ERR_BUSY;
    }
    return OK;
}

static RESULT take_ask(struct wiring *w, struct peer *p, const struct frame *f)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_checkpoint q = {0};
    struct ask *a;

    TRY(arena_new(1024, 4096, &arena));
    TRY(entity_decode(&keeper_checkpoint_entity, f->body, arena, &q));
    if (f->id == 0)
        return ERR_MALFORMED;
    if (w->ask_count == CHECKPOINTS_MAX)
        return ERR_BUSY;
    if (keeper_state_of(w->keeper) != STATE_UNSEALED)
        return ERR_SEALED;
    TRY(drain_signer(w));
    a = &w->asks[w->ask_count];
    *a = (struct ask){.from = p, .id = f->id};
    keeper_cut_take(w->keeper, q.size, &a->cut);
    w->ask_count++;
    return OK;
}

static bool books_closed(const struct wiring *w)
{
    for (const struct peer *p = w->peers; p; p = p->next)
        if (p->role == PEER_SIGNER && channel_alive(p->channel) && !p->closed_books)
            return false;
    return true;
}

/* A signature that leaves the signer while the keeper is being sealed would have no record: the signer is told first,
 * and what it authored until it heard is taken in. Without an answer the next start declares a gap. */
static void close_signer(struct wiring *w)
{
    uint64_t end = now_of(w) + SIGNER_CLOSES_MS;

    if (keeper_state_of(w->keeper) != STATE_UNSEALED)
        return;
    for (struct peer *p = w->peers; p; p = p->next)
        p->closed_books = false;
    event(w, PEER_SIGNER, KEEPER_EVENT_SEALED, NULL, NULL);
    while (!books_closed(w) && now_of(w) < end)
        for (struct peer *p = w->peers; p; p = p->next) {
            bool drained;
            if (p->role != PEER_SIGNER || !channel_alive(p->channel))
                continue;
            channel_await(p->channel, 10);
            if (channel_drain(p->channel, DRAIN_FRAMES, &drained) != OK)
                return;
        }
}

static RESULT on_message(struct peer *p, struct channel *c, const struct frame *f)
{
    AUTO_WRITER out = writer_new(ANSWER_MAX);
    struct problem why = {0};
    enum err e;

    p->heard_ms = now_of(p->w);
    if (f->type == KEEPER_SEAL && p->role == PEER_OPERATOR)
        close_signer(p->w);
    if (f->type == KEEPER_SIGNER_CLOSED && p->role == PEER_SIGNER)
        p->closed_books = true;
    if (f->type == KEEPER_CHECKPOINT && p->role == PEER_FRONT)
        e = take_ask(p->w, p, f);
    else
        e = keeper_handle(p->w->keeper, p->role, f->type, f->body, &out, &why);
    p->w->asks_due |= f->type == KEEPER_LOG_APPEND || f->type == KEEPER_CHECKPOINT || f->type == KEEPER_SEAL ||
                      keeper_state_of(p->w->keeper) != STATE_UNSEALED;
    if (f->id == 0)
        return e; /* one way: an error ends the channel */
    if (e != OK)
        return channel_refuse(c, f->type, f->id, e, why.detail);
    if (f->type != KEEPER_CHECKPOINT)
        TRY(answer(c, f->type, f->id, writer_view_of(&out)));
    return OK;
}

static RESULT on_frame(void *context, struct channel *c, struct frame *f)
{
    return on_message(context, c, f);
}

static void peer_remove(struct wiring *w, struct peer *gone)
{
    for (size_t i = w->ask_count; i > 0; i--)
        if (w->asks[i - 1].from == gone)
            drop_ask(w, i - 1);
    for (struct peer **at = &w->peers; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    w->operators -= gone->role == PEER_OPERATOR;
    channel_free(gone->channel);
    free(gone);
}

static void on_closed(void *context, struct channel *c)
{
    struct peer *p = context;
    struct wiring *w = p->w;
    bool parent = p->role == PEER_SUPERVISOR;

    (void)c;
    peer_remove(w, p);
    if (parent)
        loop_stop(w->loop); /* nobody is left to restart us or to tell us anything */
}

static RESULT peer_add(struct wiring *w, int fd, enum keeper_peer role, uint8_t kind, uint8_t which);

/* --- the supervisor */

static RESULT hand_over(struct wiring *w, struct channel *supervisor, const struct frame *f);

static void replace(struct wiring *w, uint8_t kind, uint8_t which)
{
    for (struct peer *p = w->peers, *next; p; p = next) {
        next = p->next;
        if (p->kind != kind || p->which != which)
            continue;
        /* A signer that died has perhaps sent records that nobody has read yet. */
        bool drained;
        if (p->role == PEER_SIGNER && channel_drain(p->channel, DRAIN_FRAMES, &drained) != OK)
            log_warn("the former signer's channel could not be drained");
        peer_remove(w, p);
    }
}

static RESULT new_channel(struct wiring *w, struct frame *f, struct arena *arena)
{
    struct supervisor_new_channel q = {0};
    int fd = f->fd;

    TRY(entity_decode(&supervisor_new_channel_entity, f->body, arena, &q));
    if (fd < 0 || (q.kind != START_FD_FRONT && q.kind != START_FD_SIGNER))
        return ERR_MALFORMED;
    f->fd = -1;
    replace(w, q.kind, q.which);
    TRY(peer_add(w, fd, q.kind == START_FD_FRONT ? PEER_FRONT : PEER_SIGNER, q.kind, q.which));
    if (keeper_state_of(w->keeper) == STATE_UNSEALED)
        tell(w->peers, KEEPER_EVENT_UNSEALED, (struct view){0}); /* the newest one alone */
    return OK;
}

static RESULT on_supervisor(void *context, struct channel *c, struct frame *f)
{
    struct peer *p = context;
    AUTO(arena_free) struct arena *arena = NULL;

    TRY(arena_new(1024, 65536, &arena));
    switch (f->type) {
    case SUPERVISOR_NEW_CHANNEL:
        return new_channel(p->w, f, arena);
    case SUPERVISOR_HANDOVER:
        return hand_over(p->w, c, f);
    case SUPERVISOR_SHUTDOWN:
        loop_stop(p->w->loop);
        return OK;
    default:
        return ERR_MALFORMED;
    }
}

static RESULT peer_add(struct wiring *w, int fd, enum keeper_peer role, uint8_t kind, uint8_t which)
{
    struct peer *p = calloc(1, sizeof *p);
    struct channel_handler handler = {.frame = role == PEER_SUPERVISOR ? on_supervisor : on_frame,
                                      .closed = on_closed,
                                      .context = p,
                                      .accepts_fds = role == PEER_SUPERVISOR};
    enum err e;

    if (!p) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    *p = (struct peer){.w = w, .role = role, .kind = kind, .which = which, .heard_ms = now_of(w)};
    e = channel_new(w->loop, fd, &handler, &p->channel);
    if (e != OK) {
        free(p);
        return e;
    }
    p->next = w->peers;
    w->peers = p;
    w->operators += role == PEER_OPERATOR;
    return OK;
}

/* The secret crosses one socketpair that only the two keepers hold, and this one is sealed from then on. */
static void give(struct wiring *w, int fd, struct supervisor_handed_over *ret)
{
    AUTO_WRITER secret = writer_new(64);
    struct view root;
    enum err e;

    close_signer(w);
    e = keeper_export(w->keeper, &secret);
    root = writer_view_of(&secret);
    if (e == OK && send(fd, root.ptr, root.len, MSG_NOSIGNAL) != (ssize_t)root.len)
        e = ERR_IO;
    ret->unsealed = e == OK;
    if (e != OK)
        ret->detail = view_str(err_sentence(e));
    if (keeper_state_of(w->keeper) != STATE_UNSEALED)
        event(w, PEER_FRONT | PEER_SIGNER, KEEPER_EVENT_SEALED, NULL, NULL);
}

static void take(struct wiring *w, int fd, struct supervisor_handed_over *ret)
{
    uint8_t secret[64];
    ssize_t n = recv(fd, secret, sizeof secret, 0);
    enum err e = n > 0 ? keeper_import(w->keeper, VIEW(secret, n)) : ERR_SEALED;

    explicit_bzero(secret, sizeof secret);
    ret->unsealed = e == OK;
    if (e != OK)
        ret->detail = view_str(err_sentence(e));
}

static RESULT hand_over(struct wiring *w, struct channel *supervisor, const struct frame *f)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER body = writer_new(1024);
    struct supervisor_handover q = {0};
    struct supervisor_handed_over done = {0};

    TRY(arena_new(1024, 4096, &arena));
    TRY(entity_decode(&supervisor_handover_entity, f->body, arena, &q));
    if (f->fd < 0)
        return ERR_MALFORMED;
    if (q.gives)
        give(w, f->fd, &done);
    else
        take(w, f->fd, &done);
    TRY(entity_encode(&supervisor_handed_over_entity, &done, &body));
    return channel_send(supervisor, SUPERVISOR_HANDED_OVER, 0, writer_view_of(&body), -1);
}

/* --- the operator */

static void end_idle_operators(struct wiring *w, uint64_t idle_ms)
{
    uint64_t now = now_of(w);

    for (struct peer *p = w->peers, *next; p; p = next) {
        next = p->next;
        if (p->role == PEER_OPERATOR && now - p->heard_ms > idle_ms)
            peer_remove(w, p);
    }
}

static void look_at_operators(void *context)
{
    end_idle_operators(context, OPERATOR_IDLE_MS);
}

static void on_operator(void *context, uint32_t events)
{
    struct wiring *w = context;
    int fd = accept4(w->listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (w->operators >= OPERATORS_MAX)
        end_idle_operators(w, OPERATOR_YIELD_MS);
    if (w->operators >= OPERATORS_MAX) {
        close(fd);
        return;
    }
    if (peer_add(w, fd, PEER_OPERATOR, START_FD_OPERATOR, 0) != OK)
        log_warn("an operator's connection could not be taken");
}

static RESULT add_start_peers(struct wiring *w, const struct start *start)
{
    static const enum keeper_peer roles[] = {
        [START_FD_SUPERVISOR] = PEER_SUPERVISOR, [START_FD_SIGNER] = PEER_SIGNER, [START_FD_FRONT] = PEER_FRONT};

    for (size_t i = 0; i < start->fd_count; i++) {
        const struct start_fd *f = &start->fds[i];
        if (f->kind < ARRAY_LEN(roles) && roles[f->kind] != 0)
            TRY(peer_add(w, f->fd, roles[f->kind], f->kind, f->which));
    }
    w->listener_fd = start_fd_of(start, START_FD_OPERATOR, 0);
    return w->listener_fd < 0 ? OK : loop_add(w->loop, w->listener_fd, EPOLLIN, on_operator, w, &w->listener);
}

/* The supervisor's word. Without one the keeper is no less sealed. */
static RESULT read_sealed(const struct start *start, struct arena *arena, struct sealed *ret)
{
    struct reader r = reader_new(start->files);
    struct view name, text;

    while (r.left > 0) {
        TRY(reader_var(&r, 64, &name));
        TRY(reader_var(&r, 256, &text));
        if (view_eq(name, VIEW_STR(SEALED_FILE)))
            TRY(entity_decode(&sealed_entity, text, arena, ret));
    }
    return OK;
}

/* The supervisor's word, and of it the keeper heeds the part about tokens alone. */
static RESULT read_settings(struct wiring *w, const struct start *start, struct config_tokens *ret)
{
    struct config all = {0};

    TRY(arena_new(4096, 1u << 20, &w->settings));
    TRY(entity_decode(&config_entity, start->config, w->settings, &all));
    *ret = all.tokens;
    return OK;
}

RESULT wiring_new(struct loop *loop, const struct start *start, bool memory_locked, struct wiring **ret)
{
    AUTO(wiring_free) struct wiring *w = calloc(1, sizeof *w);
    struct keeper_config config = {.clock = clock_system(),
                                   .random = random_system(),
                                   .memory_locked = memory_locked,
                                   .event = event,
                                   .context = w};

    if (!w)
        return ERR_NO_MEMORY;
    w->loop = loop;
    w->anchor_fd = start_fd_of(start, START_FD_ANCHOR, 0);
    config.anchor_fd = w->anchor_fd;
    TRY(read_settings(w, start, &config.tokens));
    TRY(read_sealed(start, w->settings, &config.sealed));
    TRY(keeper_new(&config, &w->keeper));
    TRY(loop_each_turn(loop, serve_asks, w));
    TRY(loop_every(loop, LOOK_MS, look_at_operators, w));
    TRY(add_start_peers(w, start));
    *ret = TAKE(w);
    return OK;
}

void wiring_free(struct wiring *w)
{
    if (!w)
        return;
    if (w->keeper)
        close_signer(w);
    keeper_stop(w->keeper);
    while (w->peers)
        peer_remove(w, w->peers);
    loop_remove(w->listener);
    keeper_free(w->keeper);
    arena_free(w->settings);
    free(w);
}

RESULT wiring_ready(struct wiring *w, const struct sandbox_report *report)
{
    struct supervisor_ready ready = {.memory_locked = report->locked_memory,
                                     .landlock = report->landlock,
                                     .landlock_abi = (uint8_t)report->landlock_abi,
                                     .note = view_str(report->note)};
    AUTO_WRITER body = writer_new(1024);

    TRY(entity_encode(&supervisor_ready_entity, &ready, &body));
    for (struct peer *p = w->peers; p; p = p->next)
        if (p->role == PEER_SUPERVISOR)
            return channel_send(p->channel, SUPERVISOR_READY, 0, writer_view_of(&body), -1);
    return ERR_UNAVAILABLE;
}
