/* Messages to the signer, all from front threads. */
#ifndef HOLDFAST_IPC_SIGNER_MSG_H
#define HOLDFAST_IPC_SIGNER_MSG_H

#include "base/entity.h"

enum signer_type {
    SIGNER_LOAD = 1, /* a credential as the store holds it: the signer has the keeper unwrap it, and keeps it */
    SIGNER_SIGN,     /* judge and sign, or refuse; either way an authored record comes back */
    SIGNER_VENUES,   /* names and schemes */
    SIGNER_CHECK,    /* parse and check descriptor and policy, before an administrator signs */
};

struct signer_load {
    struct view descriptor; /* entity CredentialDescriptor */
    struct view sealed;
};

/* A bot's own signature (SGN-10) is Ed25519 over the text that signer_proof_text() makes:
 *   "holdfast-proof-1\n" and then "name=value\n" for each of the fields path, scheme, method, host, request_path,
 * query, body, params, network, vault_address, multi_sig_user, outer_signer, frame_id, expires_after, nonce,
 * recv_window_ms, dry_run, proof_time_ms, proof_nonce, in this order, each value being the lower-hex SHA-256 of its
 * text (numbers in decimal, booleans 0 or 1, absent ones empty). The key is the one that the credential's policy names
 *   for this bot. A proof is good for 30 s and once. */
struct signer_sign {
    uint8_t id[16];     /* credential */
    struct view path;   /* as the caller named it */
    struct view scheme; /* "" = the credential's own; else another of its venue that its key fits */
    struct view method, host, request_path, query, body, params;
    struct view network, vault_address, multi_sig_user, outer_signer, frame_id;
    bool has_expires_after;
    uint64_t expires_after;
    uint64_t nonce; /* 0 = the signer's choice; else must be above the last and at most 5 s ahead */
    uint32_t recv_window_ms;
    bool dry_run;
    struct view who;         /* canonical RequestContext, the front's claim */
    struct view bot;         /* identity the front claims: "key:<id>", "unix:1000", "user:alice" */
    struct view proof_nonce; /* caller's random text, at most 64 */
    uint64_t proof_time_ms;
    struct view proof; /* 64 bytes, or empty */
};

struct signer_header {
    struct view name, value;
};
RESULT signer_proof_text(const struct signer_sign *s, struct writer *w);

struct signer_signed {
    struct view method, url, body, signature;
    struct entity_list headers; /* of struct signer_header */
    uint64_t nonce, timestamp_ms;
    bool dry_run;
    struct view decision; /* stable code: "ok" or an error code */
    struct view rule;     /* JSON pointer of the deciding rule */
    struct view sentence;
    struct view authored; /* entity AuthoredRecord; empty for a dry run */
};
/* A refusal is an answer too (decision is its code, authored its record); an error of the message itself (not loaded:
 * ERR_NOT_FOUND, keeper gone: ERR_UNAVAILABLE, sealed: ERR_SEALED) is a channel error. */

struct signer_venue {
    struct view name;
    struct text_list schemes;
};
struct signer_venues {
    struct entity_list venues;
};
struct signer_check {
    struct view descriptor;
};

struct signer_message {
    uint16_t type;
    const char *name;
    const struct entity *request, *answer;
};
extern const struct signer_message signer_messages[];
extern const size_t signer_message_count;
extern const struct entity signer_load_entity, signer_sign_entity, signer_signed_entity, signer_header_entity,
    signer_venue_entity, signer_venues_entity, signer_check_entity;

#endif
