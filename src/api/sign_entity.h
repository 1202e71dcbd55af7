/* What a request to sign and its answer look like. */
#ifndef HOLDFAST_API_SIGN_ENTITY_H
#define HOLDFAST_API_SIGN_ENTITY_H

#include "base/entity.h"

struct sign_wanted {
    struct view credential;
    struct view scheme, method, host, path, query, body, params;
    struct view network, vault_address, multi_sig_user, outer_signer, frame_id;
    uint64_t expires_after, nonce;
    uint32_t recv_window_ms;
    bool dry_run;
    struct view proof_nonce;
    uint64_t proof_time_ms;
    struct view proof;
    struct view reason;
};
struct sign_answer {
    struct view method, url, body, signature;
    struct view headers; /* JSON object */
    uint64_t nonce, timestamp_ms;
    bool dry_run;
    struct view decision, rule, sentence;
};
extern const struct entity sign_wanted_entity, sign_answer_entity;

#endif
