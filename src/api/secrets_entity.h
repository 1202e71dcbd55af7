/* What requests and answers about secrets look like. */
#ifndef HOLDFAST_API_SECRETS_ENTITY_H
#define HOLDFAST_API_SECRETS_ENTITY_H

#include "domain/secrets/secrets.h"

struct secret_new {
    struct view path;
    uint8_t kind, environment;
    struct view value, value_base64; /* one of them */
    struct view description, owner;
    struct text_list tags;
    uint32_t rotation_days;
    struct view reason;
};
struct secret_rotation {
    struct view value, value_base64;
    uint32_t grace_seconds;
    uint64_t expected_version; /* 0 = whatever is there */
    struct view reason;
};
struct secret_reason {
    struct view reason;
};
struct secret_version_of {
    uint64_t version;
    struct view reason;
};
struct secret_about {
    struct view description, owner;
    struct text_list tags;
    uint32_t rotation_days;
    struct view reason;
};
struct secret_value_query {
    uint64_t version;
    bool recover;
    struct view reason;
};
struct secret_list_query {
    struct view prefix, after; /* after: "next" of the page before */
    uint16_t limit;
    struct view reason;
};
struct secret_read {
    struct view path;
    uint64_t version;
    uint8_t state, kind, environment;
    uint64_t created_ms;
    struct view description, owner;
    struct text_list tags;
    bool revoked;
    struct view value, value_base64; /* text if it is text, else base64 */
};
struct secret_history {
    struct view path;
    bool revoked;
    struct entity_list versions;
};
struct secret_page {
    struct entity_list secrets;
    struct view next;
};
extern const struct entity secret_new_entity, secret_rotation_entity, secret_reason_entity, secret_version_of_entity,
    secret_about_entity, secret_value_query_entity, secret_list_query_entity, secret_read_entity, secret_history_entity,
    secret_page_entity;

/* The bytes of a value that came as text or as base64: exactly one of both. ERR_MISSING_FIELD, ERR_BAD_VALUE. */
RESULT secret_bytes(struct view value, struct view value_base64, struct view *ret, struct problem *why);

#endif
