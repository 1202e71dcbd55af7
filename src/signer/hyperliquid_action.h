/* Hyperliquid's actions as data: for each type its members, what each holds, and what it means to the policy. Sources:
 * the venue's exchange-endpoint pages and the public SDKs. Internal to hyperliquid_*.c. */
#ifndef HOLDFAST_SIGNER_HYPERLIQUID_ACTION_H
#define HOLDFAST_SIGNER_HYPERLIQUID_ACTION_H

#include "base/json.h"
#include "signer/intent.h"

enum hl_type {
    HL_UINT,      /* 0 … 2^53 - 1 */
    HL_INT,       /* -(2^53 - 1) … 2^53 - 1 */
    HL_BOOL,      /* true or false */
    HL_NOTHING,   /* null, the only value */
    HL_TEXT,      /* any text */
    HL_DECIMAL,   /* price or size: text in the venue's normal form, not negative */
    HL_AMOUNT,    /* decimal text in any form, not negative: hashed by clients as they print it */
    HL_RATE,      /* decimal text, also negative */
    HL_USD_TEXT,  /* HL_AMOUNT, or "<amount> subaccount:<address>" */
    HL_ADDRESS,   /* 0x and 40 lower-case hex digits */
    HL_SENDER,    /* HL_ADDRESS or "" */
    HL_RECIPIENT, /* on another chain: 0x and lower-case hex digits, or that chain's own text */
    HL_CLOID,     /* 0x and 32 lower-case hex digits */
    HL_ORDER_REF, /* HL_UINT or HL_CLOID */
    HL_HEX,       /* 0x and an even number of lower-case hex digits */
    HL_SCALAR,    /* 0x and 1 … 64 lower-case hex digits: r or s of a signature */
    HL_CHOICE,    /* one of choices; with a shape, an object of that shape as well */
    HL_SIGNERS,   /* JSON text {"authorizedUsers":[…],"threshold":n}, or "null" */
    HL_SHAPE,     /* an object or list */
    HL_ACTION,    /* another action, judged by its own table */
};

enum hl_flag {
    HL_OPTIONAL = 1,
    HL_NULLABLE = 2,
};

/* What a member tells the policy. */
enum hl_meaning {
    HL_PLAIN,
    HL_ASSET,  /* symbol: the asset's number as decimal text */
    HL_SYMBOL, /* symbol: text */
    HL_SIDE,   /* true buys */
    HL_PRICE,
    HL_SIZE,        /* in the asset, or the token that is sent */
    HL_USD,         /* notional: decimal text */
    HL_USD_MICRO,   /* notional: integer, 10^-6 */
    HL_DESTINATION, /* who receives, or whom access is granted to */
    HL_REDUCE,
    HL_TIF,
    HL_MARKET, /* of a trigger: true is a market order */
    HL_NONCE,  /* must be the request's nonce */
    HL_SPENDS, /* only a value above 0 makes the shape's intent */
};

enum hl_form {
    HL_RECORD, /* an object with these members */
    HL_ONE_OF, /* an object with exactly one of these members */
    HL_TUPLE,  /* a list of exactly these values */
    HL_EACH,   /* a list, every item like the only member */
};

struct hl_shape;

struct hl_member {
    const char *name;
    enum hl_type type;
    enum hl_meaning meaning;
    unsigned flags;
    const struct hl_shape *shape;
    const char *const *choices; /* NULL-terminated */
    const char *eip;            /* EIP-712 type; NULL in L1 actions, which are hashed as MessagePack */
};

/* Whether a value of this shape is something the policy decides on, and of which class. */
enum hl_intent {
    HL_NO_INTENT,
    HL_INTENT, /* of the action's class */
    HL_INTENT_ACCOUNT,
    HL_INTENT_SESSION,
    HL_INTENT_TRANSFER,
};

struct hl_shape {
    const struct hl_member *members;
    size_t count; /* at most 32 */
    enum hl_form form;
    enum hl_intent intent;
    const char *order_type; /* fixed order type, or NULL */
};

enum hl_kind { HL_L1, HL_USER, HL_MULTISIG };

struct hl_action {
    const char *type;
    const char
        *variant; /* further name in the policy ("perpDeploy/setOracle"), and the member that marks it; or NULL */
    const char *endpoint; /* as the policy names it: type, or type/variant */
    enum hl_kind kind;
    enum intent_class class;
    struct hl_shape shape;
    const char *primary; /* HL_USER: primary type without "HyperliquidTransaction:" */
};

/* The row for an action object, or NULL. */
const struct hl_action *hyperliquid_action_find(const json_t *action);

/* The tables, one for each source file. */
struct hl_actions {
    const struct hl_action *rows;
    size_t count;
};
extern const struct hl_actions hyperliquid_trade_actions, hyperliquid_deploy_actions, hyperliquid_user_actions;

/* Building blocks of the tables. */
#define HL_LIST_OF(...) (const struct hl_member[]){__VA_ARGS__}, ARRAY_LEN(((const struct hl_member[]){__VA_ARGS__}))
#define HL_SHAPE_OF(form_, intent_, ...)                                                                               \
    {                                                                                                                  \
        HL_LIST_OF(__VA_ARGS__), form_, intent_, NULL                                                                  \
    }

#endif
