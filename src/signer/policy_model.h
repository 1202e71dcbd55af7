/* A signing policy as it is written and as it is judged. Only policy*.c include this. */
#ifndef HOLDFAST_SIGNER_POLICY_MODEL_H
#define HOLDFAST_SIGNER_POLICY_MODEL_H

#include "signer/policy.h"

struct policy_size {
    struct view symbol; /* or "*" */
    struct view size;
    struct decimal limit;
};

struct policy_price {
    struct view symbol;
    struct view price;
    struct decimal value;
};

struct policy_span {
    struct text_list days;
    struct view from, to;
    uint8_t day_mask;          /* bit 0: Sunday */
    uint32_t from_min, to_min; /* minutes of the day; to is outside */
};

struct policy_limit {
    uint64_t seconds, orders;
    struct view notional;
    struct decimal limit;
};

struct policy_key {
    struct view bot;
    uint8_t key[32];
};

struct policy_proof {
    bool required;
    struct entity_list keys;
};

struct policy_exception {
    struct view endpoint;
    uint8_t class;
    struct view reason;
};

struct policy_doc {
    struct text_list classes, endpoints, symbols, blocked_symbols, sides, order_types, destinations, callers, sources;
    struct entity_list max_size, reference_prices, windows, hours, exceptions;
    struct view max_notional;
    struct policy_proof proof;
    /* compiled */
    unsigned class_mask;
    struct decimal notional_limit;
};

struct policy {
    struct arena *arena;
    struct policy_doc doc;
};

/* '*' stands for any run of characters, also none. */
bool policy_glob(struct view pattern, struct view text);
bool policy_glob_any(const struct text_list *patterns, struct view text);
bool policy_source_in(struct view prefix, struct view source);
bool policy_source_valid(struct view prefix);

#endif
