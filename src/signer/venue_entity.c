/* How a venue file is written: one table for each kind of row. */
#include "signer/venue_model.h"

#include "base/fields.h"

static const char *const type_names[] = {"text", "decimal", "integer", "boolean", "json", NULL};
static const char *const role_names[] = {"none",       "symbol",      "side",       "order_type", "size",
                                         "quote_size", "price",       "price_rule", "stop_price", "trailing",
                                         "close_all",  "destination", "orders",     NULL};
static const char *const algorithm_names[] = {"none", "hmac-sha256", "rsa-sha256", "ed25519", NULL};
static const char *const place_names[] = {"none", "parameter", "header", "frame", NULL};

#define TEXT(n, s, m, longest, d)                                                                                      \
    {                                                                                                                  \
        n, #m, FIELD_TEXT, 0, MEMBER(struct s, m), 0, longest, .doc = d                                                \
    }
#define NEED(n, s, m, longest, d)                                                                                      \
    {                                                                                                                  \
        n, #m, FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct s, m), 1, longest, .doc = d                                   \
    }
#define TEXTS(n, s, m, most, d)                                                                                        \
    {                                                                                                                  \
        n, #m, FIELD_TEXTS, 0, MEMBER(struct s, m), 0, most, .doc = d                                                  \
    }
#define NAMED(n, s, m, list, d)                                                                                        \
    {                                                                                                                  \
        n, #m, FIELD_ENUM, 0, MEMBER(struct s, m), .names = list, .doc = d                                             \
    }
#define FLAG(n, s, m, d)                                                                                               \
    {                                                                                                                  \
        n, #m, FIELD_BOOL, 0, MEMBER(struct s, m), .doc = d                                                            \
    }

static const struct field param_fields[] = {
    {1, "names", FIELD_TEXTS, FIELD_REQUIRED, MEMBER(struct venue_param, names), 1, 400,
     .doc = "parameters of this kind"},
    NAMED(2, venue_param, role, role_names, "what it means for the policy"),
    NAMED(3, venue_param, type, type_names, "form of the value"),
    {4, "scale", FIELD_U8, 0, MEMBER(struct venue_param, scale), 0, 18, .doc = "value is an integer times 10^-scale"},
    TEXTS(5, venue_param, values, 64, "closed set of values"),
    {6, "legs", FIELD_U8, 0, MEMBER(struct venue_param, legs), 0, 255,
     .doc = "bit n: belongs to leg n of an order list"},
};
static const struct entity param_entity = ENTITY("VenueParameter", 0x0902, 1, struct venue_param, param_fields);

static const struct field order_type_fields[] = {
    NEED(1, venue_order_type, name, 64, "order type as the venue writes it"),
    TEXTS(2, venue_order_type, needs, 4, "roles it can't do without, alternatives joined by |"),
};
static const struct entity order_type_entity = ENTITY("VenueOrderType", 0x0903, 1, struct venue_order_type,
                                                      order_type_fields);

static const struct field set_fields[] = {
    NEED(1, venue_set, name, 64, "named as +name in a list of parameters"),
    TEXTS(2, venue_set, params, 128, "parameters"),
};
static const struct entity set_entity = ENTITY("VenueSet", 0x0904, 1, struct venue_set, set_fields);

static const char *const transport_names[] = {"https", "wss", NULL};
static const struct field host_fields[] = {
    NEED(1, venue_host, name, 128, "host, with port if not the default"),
    {2, "transport", FIELD_TEXT, FIELD_REQUIRED, MEMBER(struct venue_host, transport), 1, 8, .names = transport_names,
     .doc = "https or wss"},
    TEXTS(3, venue_host, serves, 32, "beginnings of the paths it serves"),
    TEXT(4, venue_host, network, 32, "network it belongs to, where a venue has several"),
};
static const struct entity host_entity = ENTITY("VenueHost", 0x0905, 1, struct venue_host, host_fields);

static const struct field scheme_fields[] = {
    NEED(1, venue_scheme, name, 64, "scheme"),
    NAMED(2, venue_scheme, algorithm, algorithm_names, "algorithm and kind of key"),
    NAMED(3, venue_scheme, place, place_names, "where the signature goes"),
    TEXTS(4, venue_scheme, prehash, 6, "tokens joined without a separator"),
    TEXTS(5, venue_scheme, covers, 8, "what the signature covers"),
    TEXT(6, venue_scheme, key_header, 64, "header of the key's name"),
    TEXT(7, venue_scheme, signature_header, 64, "header of the signature"),
    TEXT(8, venue_scheme, expiry_header, 64, "header of the expiry"),
    TEXT(9, venue_scheme, key_parameter, 64, "parameter of the key's name"),
    TEXT(10, venue_scheme, timestamp_parameter, 64, "parameter of the time in milliseconds"),
    TEXT(11, venue_scheme, window_parameter, 64, "parameter of the time for which it is valid"),
    TEXT(12, venue_scheme, signature_parameter, 64, "parameter of the signature"),
    {13, "expiry_seconds", FIELD_U32, 0, MEMBER(struct venue_scheme, expiry_seconds), 0, 3600,
     .doc = "time until expiry"},
    {14, "window_max", FIELD_U32, 0, MEMBER(struct venue_scheme, window_max), 0, 600000, .doc = "longest window in ms"},
    FLAG(15, venue_scheme, numeric_id, "the frame's id is a number"),
    FLAG(16, venue_scheme, json_body, "bodies are JSON objects, not forms"),
};
static const struct entity scheme_entity = ENTITY("VenueScheme", 0x0906, 1, struct venue_scheme, scheme_fields);

static const struct field endpoint_fields[] = {
    NEED(1, venue_endpoint, call, 128, "method and path, or WebSocket method"),
    {2, "class", FIELD_ENUM, FIELD_REQUIRED, MEMBER(struct venue_endpoint, class), .names = intent_class_names,
     .doc = "what it does"},
    TEXTS(3, venue_endpoint, required, 64, "alternatives joined by |, sets as +name"),
    TEXTS(4, venue_endpoint, optional, 128, "the rest of the closed set"),
    TEXTS(5, venue_endpoint, plain, 32, "parameters whose role does not apply here"),
    TEXTS(6, venue_endpoint, schemes, 8, "algorithms it exists for"),
    TEXT(7, venue_endpoint, each, 128, "call that each member of a list of orders is like"),
    TEXT(8, venue_endpoint, symbol_has, 16, "every symbol here contains this"),
    TEXT(9, venue_endpoint, symbol_lacks, 16, "no symbol here contains this"),
    FLAG(10, venue_endpoint, unsigned_call, "needs no signature"),
    FLAG(11, venue_endpoint, contracts, "size counts contracts"),
    FLAG(12, venue_endpoint, also_cancels, "cancels an order as well"),
};
static const struct entity endpoint_entity = ENTITY("VenueEndpoint", 0x0907, 1, struct venue_endpoint, endpoint_fields);

#define ROWS(n, m, entity, least, most, d)                                                                             \
    {                                                                                                                  \
        n, #m, FIELD_LIST, FIELD_REQUIRED, MEMBER(struct venue_decl, m), least, most, .nested = &(entity), .doc = d    \
    }
static const struct field decl_fields[] = {
    NEED(1, venue_decl, name, 64, "venue"),
    TEXTS(2, venue_decl, quotes, 64, "what symbols may end in"),
    ROWS(3, hosts, host_entity, 1, 32, "hosts"),
    ROWS(4, schemes, scheme_entity, 1, 16, "signing schemes"),
    ROWS(5, params, param_entity, 1, 64, "all parameters of the venue"),
    ROWS(6, order_types, order_type_entity, 0, 64, "order types and what they need"),
    ROWS(7, sets, set_entity, 0, 64, "named sets of parameters"),
    ROWS(8, endpoints, endpoint_entity, 1, 2000, "every call"),
};
const struct entity venue_decl_entity = ENTITY("VenueFile", 0x0901, 1, struct venue_decl, decl_fields);
