/* The policy's schema: what docs, command line and OpenAPI show. */
#include "signer/policy_model.h"

#include "base/fields.h"

#define TEXTS(n, m, most, d)                                                                                           \
    {                                                                                                                  \
        n, #m, FIELD_TEXTS, 0, MEMBER(struct policy_doc, m), 1, most, .doc = d                                         \
    }
#define ROWS(n, m, entity, most, d)                                                                                    \
    {                                                                                                                  \
        n, #m, FIELD_LIST, 0, MEMBER(struct policy_doc, m), 1, most, .nested = &(entity), .doc = d                     \
    }
#define NEED(n, s, m, longest, d)                                                                                      \
    {                                                                                                                  \
        n, #m, FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct s, m), 1, longest, .doc = d                                   \
    }

static const struct field size_fields[] = {
    NEED(1, policy_size, symbol, 64, "symbol as the venue writes it, or * for all others"),
    NEED(2, policy_size, size, 40, "largest size of one order, decimal"),
};
static const struct entity size_entity = ENTITY("PolicySize", 0x0912, 1, struct policy_size, size_fields);

static const struct field price_fields[] = {
    NEED(1, policy_price, symbol, 64, "symbol as the venue writes it"),
    NEED(2, policy_price, price, 40, "what one unit of size is worth at most, in quote currency"),
};
static const struct entity price_entity = ENTITY("PolicyPrice", 0x0913, 1, struct policy_price, price_fields);

static const struct field span_fields[] = {
    {1, "days", FIELD_TEXTS, 0, MEMBER(struct policy_span, days), 1, 7,
     .doc = "sun, mon, tue, wed, thu, fri, sat; all if left out"},
    {2, "from", FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct policy_span, from), 5, 5, .doc = "HH:MM in UTC"},
    {3, "to", FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct policy_span, to), 5, 5,
     .doc = "HH:MM in UTC, up to 24:00, not included"},
};
static const struct entity span_entity = ENTITY("PolicyHours", 0x0914, 1, struct policy_span, span_fields);

static const struct field limit_fields[] = {
    {1, "seconds", FIELD_U64, FIELD_REQUIRED, MEMBER(struct policy_limit, seconds), 1, 2678400,
     .doc = "length of the window"},
    {2, "orders", FIELD_U64, 0, MEMBER(struct policy_limit, orders), 0, 1000000000,
     .doc = "most orders and amendments"},
    {3, "notional", FIELD_TEXT, 0, MEMBER(struct policy_limit, notional), 1, 40, .doc = "largest sum of notionals"},
};
static const struct entity limit_entity = ENTITY("PolicyWindow", 0x0915, 1, struct policy_limit, limit_fields);

static const struct field key_fields[] = {
    NEED(1, policy_key, bot, 128, "the bot"),
    {2, "key", FIELD_FIXED, FIELD_REQUIRED, MEMBER(struct policy_key, key), 0, 32, .doc = "its Ed25519 public key"},
};
static const struct entity key_entity = ENTITY("PolicyProofKey", 0x0916, 1, struct policy_key, key_fields);

static const struct field proof_fields[] = {
    {1, "required", FIELD_BOOL, 0, MEMBER(struct policy_proof, required),
     .doc = "refuse callers without a proof of their own"},
    {2, "keys", FIELD_LIST, 0, MEMBER(struct policy_proof, keys), 1, 64, .nested = &key_entity,
     .doc = "keys of the bots"},
};
static const struct entity proof_entity = ENTITY("PolicyProof", 0x0917, 1, struct policy_proof, proof_fields);

static const struct field exception_fields[] = {
    NEED(1, policy_exception, endpoint, 128, "endpoint that signed bytes may also form; * stands for any text"),
    {2, "class", FIELD_ENUM, FIELD_REQUIRED, MEMBER(struct policy_exception, class), .names = intent_class_names,
     .doc = "worst class that is accepted there"},
    {3, "reason", FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct policy_exception, reason), 8, 256,
     .doc = "why this is no danger here"},
};
static const struct entity exception_entity = ENTITY("PolicyException", 0x0918, 1, struct policy_exception,
                                                     exception_fields);

static const struct field policy_fields[] = {
    TEXTS(1, classes, 8, "what requests may do: read, cancel, amend, order, account, session, transfer, withdraw"),
    TEXTS(2, endpoints, 256, "allowed endpoints, as the venue file writes them; * stands for any text"),
    TEXTS(3, symbols, 256, "symbols that may be traded; * stands for any text"),
    TEXTS(4, blocked_symbols, 256, "symbols that may not; beats symbols"),
    TEXTS(5, sides, 2, "buy, sell"),
    TEXTS(6, order_types, 32, "order types in lower case"),
    TEXTS(7, destinations, 256, "addresses and accounts that may receive funds"),
    TEXTS(8, callers, 256, "bots that may use the credential"),
    TEXTS(9, sources, 256, "networks (192.0.2.0/24) and local users (unix:1000) it may be used from"),
    ROWS(10, max_size, size_entity, 256, "largest size of one order by symbol"),
    {11, "max_notional", FIELD_TEXT, 0, MEMBER(struct policy_doc, max_notional), 1, 40,
     .doc = "largest notional of one order"},
    ROWS(12, reference_prices, price_entity, 256,
         "for orders that do not bound their own notional: market orders and sales"),
    ROWS(13, windows, limit_entity, POLICY_WINDOWS_MAX, "limits over time"),
    ROWS(14, hours, span_entity, 32, "when it may be used"),
    ROWS(15, exceptions, exception_entity, 64, "other readings of signed bytes that are accepted"),
    {16, "proof", FIELD_ENTITY, 0, MEMBER(struct policy_doc, proof), .nested = &proof_entity,
     .doc = "the bots' own signatures"},
};
const struct entity policy_entity = ENTITY("SigningPolicy", 0x0911, 1, struct policy_doc, policy_fields);
