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
    /* Takes an authored record for the keeper, in order and for good. Whoever calls the signer lets a result out of
     * this process only after its record. On an error nothing is sent, now or later, and there is no result: ERR_BUSY,
     * ERR_UNAVAILABLE. */
    RESULT (*authored)(void *context, struct view authored);
    /* Asks the keeper to write marks into the anchor; signer_reserved() follows, unless it refuses at once. */
    RESULT (*reserve)(void *context, const struct keeper_reserve *marks);
    void *context;
};

RESULT signer_new(const struct signer_config *config, struct signer **ret);
void signer_free(struct signer *s); /* wipes every key; no pass is out */
/* Takes the venue, where it succeeds. ERR_EXISTS for a second one of the same name. */
RESULT signer_add_venue(struct signer *s, struct venue *v);
/* Each file as u32-counted name and u32-counted text. ERR_BAD_CONFIG with why naming file, line and column. */
RESULT signer_add_venues(struct signer *s, struct view files, struct problem *why);

/* The keeper's welcome starts it; until then, and after signer_sealed(), everything is ERR_SEALED. */
void signer_welcome(struct signer *s, const struct keeper_signer_welcome *w);
/* Forgets every key, but one that a pass is using: that one goes with its pass, whose result is never released. */
void signer_sealed(struct signer *s);
void signer_room(struct signer *s, uint64_t limit); /* records with sequences below limit may be authored */
void signer_changed(struct signer *s, const struct keeper_event_credential *e);

/* Puts an unwrapped credential in memory. The bundle is copied into guarded memory. ERR_UNKNOWN_VENUE,
 * ERR_WRONG_KEY_FOR_VENUE, ERR_BAD_POLICY, ERR_CONTRADICTORY_POLICY. */
RESULT signer_load(struct signer *s, struct view descriptor, const struct keeper_unwrapped *u, struct problem *why);
/* Everything that can be checked without the key: what signer_load() checks, and the endpoints of the policy, which a
 * later declaration of the venue may have no more. */
RESULT signer_check(struct signer *s, struct view descriptor, struct problem *why);
RESULT signer_venues_list(const struct signer *s, struct arena *arena, struct signer_venues *ret);

/* A request that was allowed and whose signature takes long. It lives in the arena of its request. */
struct signer_pass;

struct signer_reply {
    enum {
        SIGNER_ANSWER, /* answer: signed, or refused with its reason */
        SIGNER_WAIT,   /* call again with the same request, after signer_reserved() or after the end of a pass */
        SIGNER_WORK,   /* pass: signer_work(), and then signer_finish() or signer_drop() */
    } outcome;
    struct signer_signed answer;
    struct signer_pass *pass;
};
/* Judges and signs. Errors: ERR_NOT_FOUND (not loaded, or another version now), ERR_SEALED, ERR_UNAVAILABLE,
 * ERR_LOG_BEHIND. Whatever ret points to is in arena. While a pass is out, its credential's others wait. */
RESULT signer_sign(struct signer *s, const struct signer_sign *q, struct arena *arena, struct signer_reply *ret,
                   struct problem *why);
/* Whether the signature itself takes a millisecond and more, so that signer_sign() may say SIGNER_WORK. Then q and
 * arena have to last until the end of the pass. */
bool signer_is_slow(struct signer *s, const struct signer_sign *q);
/* Makes the signature, in any thread: touches nothing but the pass, its arena, and a key that stays as long as it. */
void signer_work(struct signer_pass *p);
/* Ends the pass. What happened to the credential meanwhile counts: a freeze is a refusal; another version, and a seal
 * in between, are the errors of signer_sign(). */
RESULT signer_finish(struct signer_pass *p, struct signer_signed *ret, struct problem *why);
void signer_drop(struct signer_pass *p); /* ends it without a result: nothing was signed, nothing is used */
/* The keeper's answer to the last reserve: OK, or why not. */
void signer_reserved(struct signer *s, enum err result);

AUTO_DEFINE(struct signer *, signer_free);

#endif
