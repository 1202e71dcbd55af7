/* CBOR (RFC 8949) as CTAP2 uses it: definite lengths only, no tags, maps keyed by integers and texts, nesting bounded.
 * libcbor's decoder reads each head and builds nothing, so nothing is allocated whatever a length claims. */
#ifndef HOLDFAST_DOMAIN_WEBAUTHN_CBOR_READ_H
#define HOLDFAST_DOMAIN_WEBAUTHN_CBOR_READ_H

#include "base/buf.h"

#define CBOR_READ_DEPTH   8
#define CBOR_READ_ENTRIES 16 /* of a map that is read; CTAP2's have 10 at most */

enum cbor_kind {
    CBOR_KIND_NONE,
    CBOR_KIND_INTEGER,
    CBOR_KIND_BYTES,
    CBOR_KIND_TEXT,
    CBOR_KIND_ARRAY,
    CBOR_KIND_MAP,
    CBOR_KIND_OTHER
};

struct cbor_value {
    enum cbor_kind kind;
    int64_t number;    /* INTEGER */
    struct view bytes; /* BYTES, TEXT (not checked to be UTF-8); borrowed */
    size_t count;      /* ARRAY: items, MAP: pairs, which follow in the reader */
};

struct cbor_map {
    struct {
        struct cbor_value key;
        struct cbor_value value; /* of an ARRAY or MAP: its head, whose bytes are the whole value with that head */
    } entries[CBOR_READ_ENTRIES];
    size_t count;
};

/* Errors: ERR_TRUNCATED, ERR_MALFORMED, ERR_TOO_LONG (too many, or too deep), ERR_DUPLICATE_FIELD. */
RESULT cbor_read_value(struct reader *r, struct cbor_value *ret); /* one head, and the bytes of a string */
RESULT cbor_read_map(struct reader *r, struct cbor_map *ret);
RESULT cbor_read_whole_map(struct view v, struct cbor_map *ret); /* nothing may follow it */
/* ERR_MISSING_FIELD, ERR_WRONG_TYPE. */
RESULT cbor_read_named(const struct cbor_map *m, const char *name, enum cbor_kind kind, struct cbor_value *ret);
RESULT cbor_read_numbered(const struct cbor_map *m, int64_t number, enum cbor_kind kind, struct cbor_value *ret);

#endif
