/* The keeper without its wiring: one call for one message, no sockets, no loop, no clock of its own. main.c puts it
 * behind channels; tests call it directly. */
#ifndef HOLDFAST_KEEPER_KEEPER_H
#define HOLDFAST_KEEPER_KEEPER_H

#include "base/clock.h"
#include "ipc/config.h"
#include "ipc/keeper_msg.h"

struct keeper;

struct keeper_config {
    int anchor_fd;
    const struct clock *clock;
    const struct random *random;
    bool memory_locked;
    struct sealed sealed;        /* why it begins sealed; empty if nobody knows */
    struct config_tokens tokens; /* zero members mean their defaults; texts live as long as the keeper */
    /* Tells every front (PEER_FRONT) or signer (PEER_SIGNER) channel; e may be NULL. Delivered before the answer to the
     * message that caused it. */
    void (*event)(void *context, enum keeper_peer to, uint16_t type, const struct entity *e, const void *object);
    void *context;
};

/* ERR_TAMPERED if the anchor is damaged; ERR_TOO_NEW. Starts sealed, or uninitialised with an empty anchor. */
RESULT keeper_new(const struct keeper_config *config, struct keeper **ret);
void keeper_free(struct keeper *k); /* wipes everything */
enum keeper_state keeper_state_of(const struct keeper *k);

/* Before the process ends in good order: what waits is kept, and the next start has no gap to declare. */
void keeper_stop(struct keeper *k);

/* Checks who may say this and when, decodes body, handles it, and encodes the answer's entity into ret_answer (empty
 * where there is none). KEEPER_CHECKPOINT is not handled here: its answer may have to wait, see below. */
RESULT keeper_handle(struct keeper *k, enum keeper_peer from, uint16_t type, struct view body,
                     struct writer *ret_answer, struct problem *why);

/* A checkpoint must contain all that was authored before it was asked for. The wiring drains the signer's channel,
 * takes the cut, and signs when the cut is covered. */
struct keeper_cut {
    uint64_t sequence[2];
    uint64_t size;
};
void keeper_cut_take(const struct keeper *k, uint64_t least_size, struct keeper_cut *ret);
bool keeper_cut_covered(const struct keeper *k, const struct keeper_cut *cut);
/* Makes the frontier durable in the anchor, then signs it. Answer: entity KeeperNote. */
RESULT keeper_checkpoint_sign(struct keeper *k, struct writer *ret_answer);

/* Hand-over at an upgrade: the old keeper gives its root key to the new one over a socket that the supervisor made.
 * After the export the old keeper is sealed. */
RESULT keeper_export(struct keeper *k, struct writer *ret_secret);
RESULT keeper_import(struct keeper *k, struct view secret);

AUTO_DEFINE(struct keeper *, keeper_free);

#endif
