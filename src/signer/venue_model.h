/* A venue's declaration as the REST schemes read it. Only venue*.c, rest*.c, judge*.c and policy_venue.c
 * include this. */
#ifndef HOLDFAST_SIGNER_VENUE_MODEL_H
#define HOLDFAST_SIGNER_VENUE_MODEL_H

#include "base/entity.h"
#include "signer/intent.h"
#include "signer/venue.h"

enum param_type { PARAM_TEXT, PARAM_DECIMAL, PARAM_INTEGER, PARAM_BOOLEAN, PARAM_JSON };

/* What a parameter means for the policy. */
enum param_role {
    ROLE_NONE,
    ROLE_SYMBOL,
    ROLE_SIDE,
    ROLE_ORDER_TYPE,
    ROLE_SIZE,
    ROLE_QUOTE_SIZE,  /* amount in quote currency */
    ROLE_PRICE,       /* limit price */
    ROLE_PRICE_RULE,  /* lets the venue choose the limit price */
    ROLE_STOP_PRICE,  /* trigger */
    ROLE_TRAILING,    /* trailing distance: takes the place of a trigger */
    ROLE_CLOSE_ALL,   /* closes a whole position when true: no size is stated */
    ROLE_DESTINATION, /* receives funds, or a right */
    ROLE_ORDERS,      /* JSON list of orders */
    ROLE_COUNT
};
#define ROLE_BIT(role) (1U << (role))

#define LEGS_MAX 8 /* 0 is what all legs of an order list share */

struct venue_param {
    struct text_list names;
    uint8_t role, type;
    uint8_t scale;           /* the value is an integer × 10^-scale */
    struct text_list values; /* closed set of values, if not empty */
    uint8_t legs;            /* bit n: belongs to leg n; 0 = leg 0 */
};

struct venue_order_type {
    struct view name;
    struct text_list needs; /* "price|price_rule": the venue refuses such an order without one of these roles */
    uint32_t need_bits[4];
};

struct venue_set {
    struct view name;
    struct text_list params;
};

struct venue_host {
    struct view name;        /* with port if not the default */
    struct view transport;   /* "https" or "wss" */
    struct text_list serves; /* beginnings of paths */
    struct view network;     /* where a venue has several: "mainnet"; else empty */
};

enum scheme_algorithm { ALGORITHM_NONE, ALGORITHM_HMAC, ALGORITHM_RSA, ALGORITHM_ED25519 };
enum prehash_token { TOKEN_PATH, TOKEN_QUERY, TOKEN_EXPIRY, TOKEN_BODY, TOKEN_KEY, TOKEN_PARAMS };
enum signature_place { PLACE_NONE, PLACE_PARAMETER, PLACE_HEADER, PLACE_FRAME };

/* How a signature is put together: the tokens joined without a separator. */
struct venue_scheme {
    struct view name;
    uint8_t algorithm;
    uint8_t place;
    struct text_list prehash;
    struct text_list covers; /* for people; "method" and "host" are never among the tokens */
    struct view key_header, signature_header, expiry_header;
    struct view key_parameter, timestamp_parameter, window_parameter, signature_parameter;
    uint32_t expiry_seconds, window_max;
    bool numeric_id; /* the frame's id is a number */
    bool json_body;  /* bodies are JSON objects, not forms */
    /* compiled */
    uint8_t tokens[6];
    size_t token_count;
    uint16_t key_id, timestamp_id, window_id, signature_id; /* of the parameters; NAME_NONE if there is none */
};
bool venue_scheme_has(const struct venue_scheme *s, enum prehash_token token);

#define NAMES_MAX 1024
#define NAME_NONE UINT16_MAX
struct name_set {
    uint64_t bits[NAMES_MAX / 64];
};
static inline void name_set_add(struct name_set *s, uint16_t id)
{
    s->bits[id / 64] |= UINT64_C(1) << (id % 64);
}
static inline void name_set_remove(struct name_set *s, uint16_t id)
{
    s->bits[id / 64] &= ~(UINT64_C(1) << (id % 64));
}
static inline bool name_set_has(const struct name_set *s, uint16_t id)
{
    return s->bits[id / 64] >> (id % 64) & 1;
}

#define ALTERNATIVES_MAX 6
struct venue_group { /* one of these must be there */
    uint16_t ids[ALTERNATIVES_MAX];
    size_t count;
};

struct venue_endpoint {
    struct view call; /* "POST /api/v3/order", or a WebSocket method: "order.place" */
    uint8_t class;
    struct text_list required, optional;
    struct text_list plain;   /* parameters whose role does not apply here */
    struct text_list schemes; /* algorithms for which it exists; empty = all */
    struct view each;         /* the call that each member of a list of orders is like */
    struct view symbol_has;   /* the venue knows no symbol here without, or with, this text */
    struct view symbol_lacks;
    bool unsigned_call; /* the key's name is enough: no signature forms it */
    bool contracts;     /* size counts contracts: price × size says nothing */
    bool also_cancels;
    /* compiled */
    struct view method, path; /* path empty: a WebSocket method */
    struct venue_group *groups;
    size_t group_count;
    struct name_set all, roleless;
    const struct venue_endpoint *member;
};

struct venue_name {
    struct view name;
    const struct venue_param *param;
};

struct venue_decl {
    struct view name;
    struct text_list quotes; /* what symbols may end in */
    struct entity_list hosts, schemes, sets, params, order_types, endpoints;
};

struct venue {
    struct arena *arena;
    struct venue_decl decl;
    struct venue_name *names; /* by id */
    uint16_t *sorted;         /* ids in order of their names */
    size_t name_count;
};

extern const struct entity venue_decl_entity;

/* NULL or NAME_NONE if the declaration has none. */
const struct venue_scheme *venue_scheme_of(const struct venue *v, struct view name);
const struct venue_endpoint *venue_endpoint_of(const struct venue *v, struct view method, struct view path);
const struct venue_host *venue_host_of(const struct venue *v, struct view host, struct view path);
uint16_t venue_name_id(const struct venue *v, struct view name);
const struct venue_order_type *venue_order_type_of(const struct venue *v, struct view name);
static inline const struct venue_endpoint *venue_endpoint_at(const struct venue *v, size_t i)
{
    return (const struct venue_endpoint *)v->decl.endpoints.items + i;
}
/* All required parameters are among `have`. */
bool venue_formable(const struct venue_endpoint *e, const struct name_set *have);
/* Whether algorithm `a` can sign e at all. */
bool venue_signable(const struct venue_endpoint *e, uint8_t a);
/* Whether a symbol of this text could exist at e. */
bool venue_symbol_fits(const struct venue_endpoint *e, struct view symbol);

#endif
