/* A signing scheme: how one family of venues reads a request, what its signature covers, and how it is made. REST
 * schemes are driven by venue declarations (venue.h); Hyperliquid's are code with an action table (hyperliquid.h).
 * No scheme keeps state, reads a clock or makes random numbers: what it needs is in the request. */
#ifndef HOLDFAST_SIGNER_SCHEME_H
#define HOLDFAST_SIGNER_SCHEME_H

#include "crypto/sign.h"
#include "signer/intent.h"

/* The credential's bundle, as the client encrypted it to the import key: entity "Bundle". */
struct bundle {
    struct view api_key;    /* public identifier at the venue; empty where there is none (Hyperliquid) */
    struct view secret;     /* HMAC text, PEM, or 0x-hex private key */
    struct view passphrase; /* where the venue has one */
};

/* A bundle made ready for signing: parsed keys in guarded memory. */
struct signing_key;

/* Room for what judge has read of a request, so that sign of the very same request need not read it again: whoever
 * changes anything in the request between them begins with an empty one. Zeroed before, scheme_form_done() after. */
struct scheme_form {
    void *read;               /* in the request's arena */
    void (*done)(void *read); /* also tells whose it is */
};
void scheme_form_done(struct scheme_form *f);

/* What the caller wants signed. Texts are exactly the caller's bytes: what is signed is never re-serialised. */
struct sign_request {
    struct view method; /* "POST"; for a WebSocket API the method in the frame ("order.place") */
    struct view host;   /* "" = the venue's first */
    struct view path;   /* on the wire, without query */
    struct view query;
    struct view body;
    struct view params;        /* JSON text: WebSocket parameters; Hyperliquid's action */
    struct view network;       /* Hyperliquid: "mainnet" or "testnet" */
    struct view vault_address; /* Hyperliquid: 0x… or empty */
    bool has_expires_after;
    uint64_t expires_after;     /* Hyperliquid, milliseconds */
    struct view multi_sig_user; /* Hyperliquid multi-sig: 0x…, or empty */
    struct view outer_signer;
    struct view id; /* request id of a WebSocket frame; "" = not wrapped */
    /* Given by the signer, not by the caller: */
    uint64_t now_ms;          /* wall clock for timestamps and expiries */
    uint64_t nonce;           /* strictly rising per credential */
    uint32_t recv_window_ms;  /* 0 = the venue's default */
    bool presigned;           /* query and body already hold timestamp, window and key; only the signature is missing */
    struct scheme_form *form; /* or NULL: each of judge and sign reads the request for itself */
};

struct sign_header {
    struct view name, value;
};

/* What the venue accepts. Everything lives in the request's arena. */
struct sign_result {
    struct view method;
    struct view url;
    struct sign_header headers[8]; /* authentication headers only */
    size_t header_count;
    struct view body;
    struct view signature; /* as the venue writes it */
    struct view prehash;   /* the bytes that were signed, for the dry run and for tests */
};

struct venue; /* venue.h */

struct scheme {
    const char *name; /* "binance-hmac", "phemex", "hl-l1" … */
    /* Parses and checks the bundle: ERR_WRONG_KEY_FOR_VENUE says what was expected. */
    RESULT (*key_new)(const struct bundle *bundle, struct signing_key **ret, struct problem *why);
    void (*key_free)(struct signing_key *key);
    /* Every intent of the request, and every one that the same signed bytes could form on this venue. Refuses what it
     * can't tell (ERR_UNKNOWN_ENDPOINT, ERR_UNKNOWN_PARAMETER, ERR_DUPLICATE_PARAMETER, ERR_BAD_VALUE …). */
    RESULT(*judge)
    (const struct venue *venue, const struct sign_request *request, struct arena *arena, struct intents *ret,
     struct problem *why);
    RESULT(*sign)
    (const struct venue *venue, const struct signing_key *key, const struct sign_request *request, struct arena *arena,
     struct sign_result *ret, struct problem *why);
    /* The nonce that the caller's params name themselves, or ERR_NOT_FOUND; ERR_NO_MEMORY. NULL where params never do.
     */
    RESULT (*own_nonce)(struct view params, uint64_t *ret);
    /* Does an endpoint that intents name fit this pattern of a policy (text, with * for any)? NULL: they name those of
     * the venue's declaration. */
    bool (*acts)(struct view pattern);
    bool slow; /* sign takes a millisecond and more. It then runs in a thread of its own */
};

/* NULL if there is none of that name. The table is in scheme.c. */
const struct scheme *scheme_find(struct view name);
size_t scheme_count(void);
struct view scheme_name_at(size_t i);

#endif
