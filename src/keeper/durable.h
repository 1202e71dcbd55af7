/* What the keeper must remember across restarts: the sealed body of the anchor. */
#ifndef HOLDFAST_KEEPER_DURABLE_H
#define HOLDFAST_KEEPER_DURABLE_H

#include "ipc/keeper_msg.h"
#include "ledger/merkle.h"

#define CREDENTIALS_MAX    4096
#define ADMINISTRATORS_MAX 64
#define ENROLMENTS_MAX     16
#define WINDOWS_MAX        8

/* One sign-only credential: which descriptor is in force, and what its windows have reserved. A change is `pending`
 * from the moment it is authored until its record is in the log; then it is in force and the former one is dead. */
struct durable_credential {
    uint8_t id[16];
    uint64_t version;
    uint8_t hash[32];
    uint64_t pending_version; /* 0: none */
    uint8_t pending_hash[32];
    bool frozen;
    struct entity_list windows; /* of struct window_mark */
};

struct durable_enrolment {
    struct view name;
    uint8_t token_hash[32];
    uint64_t expiry_ms;
};

struct durable {
    struct view rings[3]; /* exports of STATE, SECRET, CREDENTIAL */
    uint8_t checkpoint_seed[32];
    uint8_t import_seed[32];
    uint8_t author_key[2][32]; /* keeper, signer */
    uint64_t author_low[2];    /* every sequence below is in the log that the frontier covers */
    uint64_t author_mark[2];   /* sequences below count as used */
    uint8_t author_previous[2][32];
    uint64_t nonce_mark_ms;
    struct view frontier;              /* frontier_encode */
    struct entity_list administrators; /* of struct administrator, by name */
    struct entity_list enrolments;     /* of struct durable_enrolment */
    struct entity_list credentials;    /* of struct durable_credential */
};
extern const struct entity durable_entity, durable_credential_entity, durable_enrolment_entity;

#endif
