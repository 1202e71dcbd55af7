/* What a request would do at its venue, as the signing policy sees it. A request may do several things (a batch), and
 * the same signed bytes may form several requests: the policy must allow every intent. */
#ifndef HOLDFAST_SIGNER_INTENT_H
#define HOLDFAST_SIGNER_INTENT_H

#include "base/arena.h"
#include "base/decimal.h"

/* In rising order of danger. */
enum intent_class {
    INTENT_READ,   /* changes nothing */
    INTENT_CANCEL, /* takes orders out of the book */
    INTENT_AMEND,  /* changes an order: judged like an order as well */
    INTENT_ORDER,
    INTENT_ACCOUNT,  /* leverage, margin mode, settings */
    INTENT_SESSION,  /* grants further access: log-in, listen key, API key, agent approval */
    INTENT_TRANSFER, /* moves funds inside the venue */
    INTENT_WITHDRAW, /* moves funds out */
    INTENT_CLASS_COUNT
};
extern const char *const intent_class_names[]; /* NULL-terminated, in that order */

enum intent_side { SIDE_NONE, SIDE_BUY, SIDE_SELL };

struct intent {
    enum intent_class class;
    struct view endpoint; /* "POST /api/v3/order", or a venue's action type: "order" */
    bool formable;        /* not what the caller says, but what the same signed bytes could also form */
    bool lasting;         /* formable, and the bytes would stay valid far longer than the signer meant */
    struct view symbol;   /* as the venue writes it; empty if none */
    enum intent_side side;
    struct view order_type; /* as the venue writes it, lower case; empty if none */
    bool has_size, has_price, has_notional;
    bool price_binds; /* the type of the order is said, and is one whose price the venue holds to */
    bool
        other_size; /* an amount in quote currency, or "all", is said, maybe beside a size: which counts is not known */
    struct decimal size; /* in the venue's unit for that symbol, never negative */
    struct decimal price;
    struct decimal notional; /* price × size, or what the request states in quote currency */
    struct view destination; /* address or account that would receive; empty if none */
};

#define INTENTS_MAX 256
struct intents {
    struct intent *items; /* in the request's arena */
    size_t count;
};
/* ERR_LIMIT_REACHED beyond INTENTS_MAX. */
RESULT intents_add(struct intents *list, struct arena *arena, const struct intent *intent);

#endif
