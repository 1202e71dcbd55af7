/* The signing policy of one credential: what it may be used for. Judged here, beside the key, and nowhere else. */
#ifndef HOLDFAST_SIGNER_POLICY_H
#define HOLDFAST_SIGNER_POLICY_H

#include "base/entity.h"
#include "signer/intent.h"

#define POLICY_TEXT_MAX    16384
#define POLICY_WINDOWS_MAX 8

struct policy; /* parsed; immutable */
struct venue;  /* venue.h */

/* From the JSON text that the administrator approved, kept byte for byte. Everything not named is refused; the default
 * policy "{}" allows nothing but reads. With a pointer: ERR_BAD_POLICY for unknown fields and impossible values (a
 * limit of 0, an empty time span …); ERR_CONTRADICTORY_POLICY for rules that exclude each other (a symbol both allowed
 * and blocked, two limits for one symbol, a rule that no other one lets match). */
RESULT policy_parse(struct view text, struct policy **ret, struct problem *why);
/* Holds the policy's endpoints against those that the venue declares or the scheme knows: ERR_CONTRADICTORY_POLICY for
 * one that is none of them, or only declared ones whose class the policy does not allow. */
struct scheme;
RESULT policy_check_endpoints(const struct policy *p, const struct venue *v, const struct scheme *scheme,
                              struct problem *why);
void policy_free(struct policy *p);
extern const struct entity policy_entity; /* for docs, CLI and OpenAPI */

/* Who asks, and from where, as far as the signer knows. */
struct policy_caller {
    struct view bot; /* identity the front claims, or, with proven, the one whose proof verified */
    bool proven;
    struct view source; /* address the front claims: "192.0.2.1", "unix:1000" */
};

/* Usage of the policy's windows, in policy order. The caller keeps it; policy_judge adds to it only on OK, and only
 * unless dry_run. */
struct window_use {
    uint64_t start_ms; /* of the fixed window now running: a multiple of its length */
    uint64_t orders;
    struct decimal notional;
};
size_t policy_window_count(const struct policy *p);
/* Length, and limits (0 / has_notional false = none) of window i. */
void policy_window(const struct policy *p, size_t i, uint64_t *ret_length_ms, uint64_t *ret_orders,
                   bool *ret_has_notional, struct decimal *ret_notional);

struct policy_decision {
    enum err
        code; /* OK, or why not: MOVES_FUNDS, AMBIGUOUS_SIGNATURE, WINDOW_EXCEEDED, PROOF_NEEDED, POLICY_REFUSED … */
    char rule[96];      /* JSON pointer of the deciding rule in the policy, "default" if none names it */
    char sentence[256]; /* for people: "symbol DOGEUSDT is not in /symbols" */
};

/* Decides on all intents together; the first refusal wins. Returns other errors only when it could not decide
 * (ERR_NO_MEMORY, ERR_OUT_OF_RANGE), which the caller must treat as refusal. */
RESULT policy_judge(const struct policy *p, const struct intents *intents, const struct policy_caller *caller,
                    uint64_t now_ms, bool dry_run, struct window_use *windows, struct policy_decision *ret);

/* Ed25519 public key of a bot that this policy accepts proofs from, or ERR_NOT_FOUND. */
RESULT policy_proof_key(const struct policy *p, struct view bot, uint8_t ret_key[static 32]);
bool policy_demands_proof(const struct policy *p);

AUTO_DEFINE(struct policy *, policy_free);

#endif
