/* What the signer's files share. Nothing outside src/signer includes this. */
#ifndef HOLDFAST_SIGNER_CORE_H
#define HOLDFAST_SIGNER_CORE_H

#include "signer/policy.h"
#include "signer/scheme.h"
#include "signer/signer.h"

#define VENUES_MAX          64
#define KEYS_PER_CREDENTIAL 4
#define PROOF_SETS          8192 /* of PROOF_WAYS proofs each: several hundred a second */
#define PROOF_WAYS          8

/* Every field is one of this run; what must survive a restart is reserved at the keeper first. */
struct loaded {
    uint8_t id[16];
    uint64_t version;
    bool frozen;
    struct arena *arena; /* holds the descriptor's texts */
    struct credential_descriptor descriptor;
    struct secret *bundle_bytes;
    struct bundle bundle;
    const struct venue *venue;
    struct policy *policy;
    struct {
        const struct scheme *scheme;
        struct signing_key *key;
    } keys[KEYS_PER_CREDENTIAL];
    size_t key_count;
    size_t holders; /* the signer's table, and a pass that is out */
    bool out;       /* a pass is: what it will use is not yet in used and last_nonce */

    uint64_t last_nonce;
    size_t window_count;
    struct window_use used[POLICY_WINDOWS_MAX];
    struct window_use reserved[POLICY_WINDOWS_MAX];
};

/* Proofs that were used and are still young. Of the whole signer: a credential that is loaded anew forgets nothing. */
struct used_proof {
    uint8_t hash[32];
    uint64_t until_ms;
};

struct clock_watch {
    bool started, held;
    uint64_t wall_ms, mono_ms; /* a pair read together */
    uint64_t held_until_mono_ms;
};

struct signer {
    struct signer_config config;
    struct venue *venues[VENUES_MAX];
    size_t venue_count;
    bool open;               /* the keeper has welcomed us */
    uint64_t sequence_limit; /* records below may be authored, see struct keeper_event_room */
    struct used_proof (*proofs)[PROOF_WAYS];
    uint64_t proof_floor_ms; /* proofs up to here may have been used before this process began */
    struct leaf_chain chain;
    uint64_t nonce_floor;    /* nonces up to here count as used */
    uint64_t nonce_reserved; /* nonces up to here are in the anchor */
    struct loaded **loaded;
    size_t loaded_count, loaded_cap;
    struct clock_watch watch;
    bool jump_unnoted; /* its record could not leave yet */

    bool reserving;
    struct keeper_reserve asked;
    struct window_mark asked_marks[POLICY_WINDOWS_MAX];
    char asked_notional[POLICY_WINDOWS_MAX][49];
    struct window_use asked_windows[POLICY_WINDOWS_MAX];
};

/* --- loaded.c */
struct loaded *loaded_find(struct signer *s, const uint8_t id[static 16]);
void loaded_release(struct loaded *l); /* by one of its holders; the last one wipes its keys */
void loaded_drop(struct signer *s, const uint8_t id[static 16]);
void loaded_drop_all(struct signer *s);
const struct venue *venue_of(const struct signer *s, struct view name);
/* The key for a scheme of this credential's venue, made at first use. ERR_WRONG_KEY_FOR_VENUE. */
RESULT loaded_key(struct loaded *l, struct view scheme_name, const struct scheme **ret_scheme,
                  const struct signing_key **ret_key, struct problem *why);

/* --- marks.c: what is reserved ahead in the anchor */
/* OK if use and nonce are within what is reserved; ERR_BUSY if a reservation is under way now (started here if need
 * be); other errors if it can't be made. */
RESULT marks_cover(struct signer *s, struct loaded *l, const struct window_use *use, uint64_t nonce, uint64_t now_ms);

/* --- proof.c */
struct proof {
    bool proven;
    uint8_t hash[32];
    uint64_t time_ms;
};
/* OK; ERR_PROOF_NEEDED, ERR_PROOF_INVALID. Changes nothing: a request may be judged again after a wait. */
RESULT proof_check(const struct signer *s, const struct loaded *l, const struct signer_sign *q, uint64_t now_ms,
                   struct proof *ret, struct problem *why);
/* From now on it was used. ERR_BUSY when too many live ones are remembered. */
RESULT proof_use(struct signer *s, const struct proof *p, uint64_t now_ms);
/* Which proofs can't be told from used ones after a start: nonce_mark_ms is the keeper's, which no clock can put back.
 */
void proof_begin(struct signer *s, uint64_t nonce_mark_ms);

/* --- watch.c */
/* ERR_CLOCK_JUMPED while the clock can't be trusted; *ret_noticed once for each jump. */
RESULT watch_check(struct clock_watch *w, const struct clock *clock, bool *ret_noticed);

#endif
