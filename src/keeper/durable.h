/* What the keeper must remember across restarts: the sealed body of the anchor. */
#ifndef HOLDFAST_KEEPER_DURABLE_H
#define HOLDFAST_KEEPER_DURABLE_H

#include "ipc/keeper_msg.h"
#include "ledger/merkle.h"

#define CREDENTIALS_MAX    4096
#define ADMINISTRATORS_MAX 64
#define ENROLMENTS_MAX     16
#define WINDOWS_MAX        8
/* Approvals that may not be used again. */
#define USED_MAX 1024
/* Authored records that the anchor keeps until they are logged. */
#define KEPT_MAX       256
#define KEPT_BYTES_MAX (512u * 1024)
#define SEEN_BYTES_MAX 2048

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
    uint8_t identity[32];       /* hash of what never changes: path, venue, scheme, environment */
    uint8_t path_hash[32];      /* SHA-256 of the path */
    bool revoked;               /* final, from the moment it is authored */
};

/* Binding previous and next does not make an approval unique where a state can come back: these are remembered. */
struct durable_used {
    uint8_t id[32];
    uint64_t expiry_ms;
};

/* A record whose change is in the anchor, or that waited when the keeper was stopped in good order: kept here until it
 * is in the log, so that no power cut parts a change from its record. */
struct durable_kept {
    uint8_t author; /* enum leaf_author */
    uint64_t sequence;
    struct view authored, descriptor, sealed;
    uint8_t credential[16];
    uint64_t version;
};

/* A generation of the keys that sign tokens. Of a former one the private half is gone. */
struct durable_token_key {
    uint8_t alg; /* enum token_alg */
    struct view public_key, private_key;
    uint64_t created_ms, until_ms;
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
    struct view author_seen[2];        /* bit n: the record author_low + n is in the log that the frontier covers */
    struct entity_list used;           /* of struct durable_used */
    struct entity_list kept;           /* of struct durable_kept */
    struct entity_list token_keys;     /* of struct durable_token_key, the one that signs last */
    uint8_t four_eyes;                 /* enum four_eyes bits */
};
extern const struct entity durable_entity, durable_credential_entity, durable_enrolment_entity, durable_used_entity,
    durable_kept_entity, durable_token_key_entity;

#endif
