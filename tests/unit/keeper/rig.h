/* A keeper on a memory file, with a clock of its own, and helpers that speak its messages as a peer would. */
#ifndef HOLDFAST_TEST_KEEPER_RIG_H
#define HOLDFAST_TEST_KEEPER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/sign.h"
#include "keeper/keeper.h"
#include "ledger/leaf.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

#define PASSPHRASE "five random words are good"

struct rig {
    int fd;
    uint64_t wall_ms;
    struct clock clock;
    struct keeper *keeper;
    struct arena *arena;
    unsigned events[128];
    struct problem why;
    uint8_t admin_seed[32], admin_key[32];
    struct keeper_init_done done;
    void (*around)(bool begins); /* where it is set: called before and after the keeper's own work */
    /* where it is set: called for each leaf that rig_log_pending logged */
    void (*logged)(struct rig *r, const struct authored_record *a);
    struct chains *chains; /* see chained.h */
    uint64_t chained;
};

struct rig *rig_new(void);
void rig_free(struct rig *r);
/* The process dies and a new one starts on the same anchor. */
void rig_restart(struct rig *r);
enum err rig_call(struct rig *r, enum keeper_peer from, uint16_t type, const void *request, void *ret_answer);
void rig_init_passphrase(struct rig *r);
void rig_init_shares(struct rig *r, uint8_t threshold, uint8_t count);
enum err rig_unseal(struct rig *r);
/* Logs everything that waits, as an honest front would. Returns how many leaves. */
size_t rig_log_pending(struct rig *r);
enum err rig_append(struct rig *r, uint64_t first, const struct view *leaves, size_t count);
enum err rig_checkpoint(struct rig *r, struct checkpoint *ret);

/* The beginnings of both slots of the anchor. */
void rig_slots(struct rig *r, uint8_t out[static 4096]);

struct approval rig_approve(struct rig *r, const uint8_t seed[static 32], enum approval_kind kind,
                            const uint8_t object[static 32], const uint8_t previous[static 32],
                            const uint8_t next[static 32]);

/* A credential as an administrator's command line would send it. */
struct offered {
    struct credential_descriptor d;
    struct view descriptor; /* encoded */
    uint8_t hash[32];
    struct view box;
};
void rig_offer(struct rig *r, uint64_t version, const char *policy, struct offered *ret);
/* After a change of o->d: the bytes and their hash again. */
void rig_encode(struct rig *r, struct offered *o);
enum err rig_put(struct rig *r, const struct offered *o, const uint8_t previous[static 32], struct keeper_sealed *ret);

#endif
