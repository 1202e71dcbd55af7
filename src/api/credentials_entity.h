/* What requests and answers about signing credentials look like. */
#ifndef HOLDFAST_API_CREDENTIALS_ENTITY_H
#define HOLDFAST_API_CREDENTIALS_ENTITY_H

#include "ipc/keeper_msg.h"

struct import_key {
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t import_key[32];
    struct view fingerprint, installation_fingerprint;
    struct view verifier; /* C2SP verifier key of the checkpoints */
};
struct credential_put_request {
    struct view descriptor, box; /* box empty: the key stays as it is */
    uint8_t previous[32];        /* hash of the descriptor now in force; zero for a new credential */
    struct approval approval;
    struct view reason;
    struct approval second; /* where four eyes are wanted; alg 0: none */
};
struct credential_freeze_request {
    struct view reason;
};
struct credential_release_request {
    struct approval approval;
    struct view reason;
    struct approval second;
};
struct credential_changed {
    struct view path;
    uint8_t id[16], hash[32];
    uint64_t version;
    bool frozen;            /* after freeze and release */
    uint64_t log_index;     /* of the record of this change */
    struct view checkpoint; /* covers that record */
};
struct credential_view {
    struct view path;
    uint8_t id[16];
    uint64_t version;
    struct view venue, scheme, api_key_id;
    uint8_t environment;
    struct view description;
    bool revoked;
    struct view policy;
    uint8_t hash[32];
    struct view descriptor;
    bool frozen;
};
struct credential_brief {
    struct view path;
    uint8_t id[16];
    uint64_t version;
    struct view venue, scheme, api_key_id;
    uint8_t environment;
    struct view description;
    bool revoked, frozen;
};
struct credential_page {
    struct entity_list credentials;
    struct view next;
};
struct credential_list_query {
    struct view prefix, after;
    uint16_t limit;
};
#define CREDENTIAL_LIST_MAX 500
extern const struct entity import_key_entity, credential_put_request_entity, credential_freeze_request_entity,
    credential_release_request_entity, credential_changed_entity, credential_view_entity, credential_brief_entity,
    credential_page_entity, credential_list_query_entity;

#endif
