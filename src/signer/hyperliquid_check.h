/* Reading a request for Hyperliquid: the action against its table, and what it would do. Internal to hyperliquid_*.c.
 */
#ifndef HOLDFAST_SIGNER_HYPERLIQUID_CHECK_H
#define HOLDFAST_SIGNER_HYPERLIQUID_CHECK_H

#include "signer/hyperliquid_action.h"
#include "signer/scheme.h"

#define HL_ADDRESS_SIZE 20
#define HL_ADDRESS_TEXT 42 /* 0x and 40 digits, no NUL */

enum hl_mode {
    HL_PLAIN_ACTION,
    HL_INNER, /* one signer's contribution to a multi-sig */
    HL_OUTER, /* the multi-sig request as a whole */
};

/* A request that was read and found in order. */
struct hl_call {
    json_t *action; /* as sent; released by hyperliquid_call_done */
    const struct hl_action *row;
    enum hl_mode mode;
    bool testnet;
    bool has_vault;
    uint8_t vault[HL_ADDRESS_SIZE];
    uint64_t chain_id;                        /* signatureChainId of the action; 0 in L1 actions */
    struct view multi_sig_user, outer_signer; /* HL_INNER: of the request; HL_OUTER: of the payload, in action */
};

/* Fills *call, which is zeroed before. ret_intents may be NULL: everything is checked all the same. */
RESULT hyperliquid_call_read(enum hl_kind kind, const struct sign_request *request, struct arena *arena,
                             struct hl_call *call, struct intents *ret_intents, struct problem *why);
void hyperliquid_call_done(struct hl_call *call);

/* --- between hyperliquid_check.c (objects), hyperliquid_form.c (values) and hyperliquid_intent.c (meaning) */

#define HL_PATH_MAX 16

/* An intent while its members are read. */
struct hl_draft {
    struct intent intent;
    bool reduce_only, trigger, market, spends_nothing;
};

struct hl_walk {
    const struct sign_request *request;
    struct hl_call *call;
    const struct hl_action *row; /* whose members are read now: in a multi-sig, the inner action */
    struct arena *arena;
    struct intents *intents; /* or NULL */
    struct hl_draft *draft;  /* or NULL, outside of every intent */
    struct problem *why;
    size_t intent_count;
    size_t depth;
    struct hl_step {
        const char *name; /* of a member, or NULL */
        size_t index;     /* in a list */
    } path[HL_PATH_MAX];
};

RESULT hyperliquid_refuse(const struct hl_walk *w, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

RESULT hyperliquid_walk_shape(struct hl_walk *w, const struct hl_shape *shape, const json_t *value);
RESULT hyperliquid_walk_action(struct hl_walk *w, const struct hl_member *m, const json_t *value); /* HL_ACTION */

/* A member's value against its type, and then for its meaning. */
RESULT hyperliquid_form_check(struct hl_walk *w, const struct hl_member *m, const json_t *value);
RESULT hyperliquid_form_wrong(const struct hl_walk *w, const json_t *value, const char *wanted);

/* What this value means; checks that depend on the meaning. The form has been checked. */
RESULT hyperliquid_intent_note(struct hl_walk *w, const struct hl_member *m, const json_t *value);
void hyperliquid_intent_begin(struct hl_walk *w, const struct hl_shape *shape, struct hl_draft *draft);
RESULT hyperliquid_intent_end(struct hl_walk *w);
/* An intent of the action's class that consists of a destination only. */
RESULT hyperliquid_intent_to(struct hl_walk *w, struct view destination);

/* --- forms, in hyperliquid_text.c */
bool hyperliquid_is_normal(struct view decimal);
bool hyperliquid_is_hex(struct view text, size_t min_digits, size_t max_digits);   /* 0x and lower-case digits */
RESULT hyperliquid_address(struct view text, uint8_t out[static HL_ADDRESS_SIZE]); /* lower case only */
RESULT hyperliquid_chain_id(struct view text, uint64_t *ret); /* 0x, lower case, no leading zero, not 0 */

static inline struct view hl_text(const json_t *value)
{
    return VIEW(json_string_value(value), json_string_length(value));
}

/* scheme.acts. Whose account a pattern is for is not checked where it leaves that open. */
bool hyperliquid_acts(struct view pattern);

#endif
