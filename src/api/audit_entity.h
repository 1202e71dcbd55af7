/* What requests and answers about the record look like. */
#ifndef HOLDFAST_API_AUDIT_ENTITY_H
#define HOLDFAST_API_AUDIT_ENTITY_H

#include "ledger/query.h"

struct audit_record {
    uint64_t index, time_ms;
    struct view type;
    uint8_t severity, outcome, author;
    struct request_context who;
    struct record_object what;
    bool erased;
    struct view leaf; /* of a single record, and its hash */
    uint8_t hash[32];
};
struct audit_query {
    struct view type, actor, resource;
    uint8_t severity;
    uint64_t from_ms, to_ms, before;
    uint16_t limit;
};
struct audit_page {
    struct entity_list records;
    uint64_t next; /* 0: the end */
};
struct audit_tail_query {
    uint64_t after;
    uint16_t limit;
};
struct audit_tail {
    struct entity_list records;
    uint64_t next; /* the last one shown */
};
struct audit_export_query {
    uint64_t from, to;
    uint16_t limit;
};
struct audit_verifier {
    struct view origin, verifier;
    uint8_t checkpoint_key[32], installation[32];
};
extern const struct entity audit_record_entity, audit_query_entity, audit_page_entity, audit_tail_query_entity,
    audit_tail_entity, audit_export_query_entity, audit_verifier_entity;

#define AUDIT_LIMIT_MAX 1000
/* Without leaf and hash; borrows from r. */
void audit_record_fill(const struct record_view *r, struct audit_record *ret);
/* ERR_BAD_VALUE for a type that there is not. */
RESULT audit_filter(const struct audit_query *q, struct record_filter *ret, struct problem *why);

/* The path of a tile below ".../tile/" (C2SP tlog-tiles): "<L>/<N>[.p/<W>]", or "entries" for L. ERR_MALFORMED: each
 * tile has one spelling. */
struct audit_tile {
    bool entries;
    uint8_t level;
    uint64_t index;
    uint16_t width;
};
RESULT audit_tile_parse(struct view path, struct audit_tile *ret);

#endif
