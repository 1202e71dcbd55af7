/* Messages between processes: one SOCK_SEQPACKET Unix socket, so a frame arrives whole or not at all. The peer is
 * assumed to be hostile: lengths are checked, what is queued for a peer that never reads is bounded, and reading from
 * it stops while it does not read.
 *
 * Frame: u16 type, u16 zero, u64 id, body. An answer carries the request's id and type | CHANNEL_ANSWER; its body is
 * u16 error (0 = OK) followed by the answer's entity, or by the u32-counted detail text of the error. id 0 is an event
 * that wants no answer. */
#ifndef HOLDFAST_IPC_CHANNEL_H
#define HOLDFAST_IPC_CHANNEL_H

#include "base/entity.h"
#include "ipc/loop.h"

#define CHANNEL_FRAME_MAX (128u * 1024)
#define CHANNEL_HEADER    12
#define CHANNEL_ANSWER    0x8000u
#define CHANNEL_QUEUE_MAX 4096 /* frames waiting for a peer, and at most 8 MiB */

struct frame {
    uint16_t type;
    uint64_t id;
    struct view body; /* lives until the callback returns */
    int fd; /* a descriptor that came along, or -1; the callback takes it by setting -1 here, or it is closed */
};

struct channel;

struct channel_handler {
    /* One frame. An error other than OK closes the channel. */
    RESULT (*frame)(void *context, struct channel *c, struct frame *f);
    /* May be NULL: before the frames that have arrived together are handed on, one after the other. An error other than
     * OK closes the channel. */
    RESULT (*arrived)(void *context);
    /* The peer is gone or broke the protocol. The callback may free the channel. */
    void (*closed)(void *context, struct channel *c);
    void *context;
    bool accepts_fds;
    /* False on a side that answers: it stops reading while its answers are not taken. True on a side that asks: it must
     * go on reading, or the two would wait for each other. A caller sets it by itself. */
    bool reads_always;
};

/* Takes the descriptor, also on failure. All calls from the loop's thread. closed is called once, at the end of a turn,
 * never from inside a call of the owner; a channel may be freed from inside any of its callbacks. A frame with
 * descriptors that are not accepted, or with more than one, breaks the protocol. */
RESULT channel_new(struct loop *loop, int fd, const struct channel_handler *handler, struct channel **ret);
void channel_free(struct channel *c);
bool channel_alive(const struct channel *c); /* the peer is there, as far as is known */
/* Queues a frame, to leave at the end of the turn (many frames, one system call); on a side that asks, sooner if there
 * are many. ERR_BUSY when the peer does not read: then nothing is queued. fd (or -1) is duplicated. */
RESULT channel_send(struct channel *c, uint16_t type, uint64_t id, struct view body, int fd);
RESULT channel_flush(struct channel *c); /* now, where order across channels matters */
/* Out of this process when it returns OK, behind what was queued before. Waits for that at most patience_ms, twice;
 * then ERR_BUSY, and the frame is not queued. */
RESULT channel_send_now(struct channel *c, uint16_t type, uint64_t id, struct view body, uint64_t patience_ms);
/* Flushes and waits, at most ms in all, until the last queued frame is out of this process. ERR_TIMEOUT. */
RESULT channel_flush_within(struct channel *c, uint64_t ms);
/* Waits at most ms until something can be read, for an owner who then drains. */
void channel_await(struct channel *c, uint64_t ms);
void channel_break(struct channel *c); /* both ends see it closed at their next turn */
/* Takes everything that has arrived, up to a bound, as the loop would: a keeper drains the signer this way before it
 * signs a checkpoint. ret_drained is false if the bound ended it. ERR_BUSY from inside c's own frame callback. */
RESULT channel_drain(struct channel *c, size_t max_frames, bool *ret_drained);

/* The body of an answer. e may be NULL for an empty one. */
RESULT channel_answer(struct channel *c, const struct frame *request, const struct entity *e, const void *object);
/* The same where the entity is encoded already. */
RESULT channel_answer_bytes(struct channel *c, const struct frame *request, struct view entity);
RESULT channel_refuse(struct channel *c, uint16_t type, uint64_t id, enum err code, const char *detail);
/* Splits an answer's body: returns its error (detail copied into why), or OK and the entity's bytes. */
RESULT channel_result(struct view body, struct view *ret_entity, struct problem *why);

/* Client side: a request whose answer comes later, in the same thread. done is called exactly once, with the error
 * ERR_UNAVAILABLE if the peer dies first, ERR_TIMEOUT after the deadline; not at all when caller_call itself failed. */
typedef void (*call_done)(void *context, enum err error, struct view entity, const struct problem *why);
struct caller; /* a channel with its outstanding calls */
RESULT caller_new(struct loop *loop, int fd, const struct channel_handler *events, struct caller **ret);
void caller_free(struct caller *c); /* outstanding calls end with ERR_UNAVAILABLE */
RESULT caller_call(struct caller *c, uint16_t type, const struct entity *e, const void *object, uint64_t timeout_ms,
                   call_done done, void *context);
bool caller_alive(const struct caller *c);
struct channel *caller_channel(struct caller *c);
/* How many calls wait for their answer. */
size_t caller_waiting(const struct caller *c);
/* Blocking, for the command line and for start-up: one request, one answer, on a plain descriptor. */
RESULT call_blocking(int fd, uint16_t type, const struct entity *e, const void *object, uint64_t timeout_ms,
                     struct writer *ret_entity, struct problem *why);

AUTO_DEFINE(struct channel *, channel_free);
AUTO_DEFINE(struct caller *, caller_free);

#endif
