/* The signer without its wiring: credentials in memory, judging, signing, authoring. No sockets and no clock of its
 * own; main.c puts it behind channels, tests call it directly. */
#ifndef HOLDFAST_SIGNER_SIGNER_H
#define HOLDFAST_SIGNER_SIGNER_H

#include "base/clock.h"
#include "ipc/keeper_msg.h"
#include "ipc/signer_msg.h"
#include "ledger/leaf.h"
#include "signer/venue.h"

struct signer;

struct signer_config {
    const struct clock *clock;
    const struct random *random;
    /* Sends an authored record to the keeper, out of this process before it returns: a result is released only then.
     * On an error nothing was sent, nor will be, and the result is not released: ERR_BUSY, ERR_UNAVAILABLE. */
    RESULT (*authored)(void *context, struct view authored);
    /* Asks the keeper to write marks into the anchor; signer_reserved() follows, unless it refuses at once. */
    RESULT (*reserve)(void *context, const struct keeper_reserve *marks);
    void *context;
};

RESULT signer_new(const struct signer_config *config, struct signer **ret);
void signer_free(struct signer *s); /* wipes every key */
/* Takes the venue. ERR_EXISTS for a second one of the same name. */
RESULT signer_add_venue(struct signer *s, struct venue *v);
/* Each file as u32-counted name and u32-counted text. ERR_BAD_CONFIG with why naming file, line and column. */
RESULT signer_add_venues(struct signer *s, struct view files, struct problem *why);

/* The keeper's welcome starts it; until then, and after signer_sealed(), everything is ERR_SEALED. */
void signer_welcome(struct signer *s, const struct keeper_signer_welcome *w);
void signer_sealed(struct signer *s);               /* forgets every key */
void signer_room(struct signer *s, uint64_t limit); /* records with sequences below limit may be authored */
void signer_changed(struct signer *s, const struct keeper_event_credential *e);

/* Puts an unwrapped credential in memory. The bundle is copied into guarded memory. ERR_UNKNOWN_VENUE,
 * ERR_WRONG_KEY_FOR_VENUE, ERR_BAD_POLICY, ERR_CONTRADICTORY_POLICY. */
RESULT signer_load(struct signer *s, struct view descriptor, const struct keeper_unwrapped *u, struct problem *why);
/* Everything that can be checked without the key. */
RESULT signer_check(struct signer *s, struct view descriptor, struct problem *why);
RESULT signer_venues_list(const struct signer *s, struct arena *arena, struct signer_venues *ret);

enum signer_outcome {
    SIGNER_ANSWER, /* ret is the answer: signed, or refused with its reason */
    SIGNER_WAIT,   /* marks are being written: call again with the same request after signer_reserved() */
};
/* Judges and signs. Errors: ERR_NOT_FOUND (not loaded, or another version now), ERR_SEALED, ERR_UNAVAILABLE,
 * ERR_LOG_BEHIND. Whatever ret points to is in arena. */
RESULT signer_sign(struct signer *s, const struct signer_sign *q, struct arena *arena, struct signer_signed *ret,
                   enum signer_outcome *ret_outcome, struct problem *why);
/* The keeper's answer to the last reserve: OK, or why not. */
void signer_reserved(struct signer *s, enum err result);

AUTO_DEFINE(struct signer *, signer_free);

#endif
