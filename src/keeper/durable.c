#include "keeper/durable.h"

#include "base/fields.h"
#include "crypto/token_key.h"

static const struct field credential_fields[] = {
    FIELD(1, struct durable_credential, id, FIXED, 16),
    FIELD(2, struct durable_credential, version, U64, 0),
    FIELD(3, struct durable_credential, hash, FIXED, 32),
    FIELD(4, struct durable_credential, pending_version, U64, 0),
    FIELD(5, struct durable_credential, pending_hash, FIXED, 32),
    FIELD(6, struct durable_credential, frozen, BOOL, 0),
    FIELD(7, struct durable_credential, windows, LIST, WINDOWS_MAX, .nested = &window_mark_entity),
    FIELD(8, struct durable_credential, identity, FIXED, 32),
    FIELD(9, struct durable_credential, revoked, BOOL, 0),
    FIELD(10, struct durable_credential, path_hash, FIXED, 32),
};
const struct entity durable_credential_entity = ENTITY("DurableCredential", 0x0303, 1, struct durable_credential,
                                                       credential_fields);

static const struct field enrolment_fields[] = {
    FIELD(1, struct durable_enrolment, name, TEXT, 64),
    FIELD(2, struct durable_enrolment, token_hash, FIXED, 32),
    FIELD(3, struct durable_enrolment, expiry_ms, U64, 0),
};
const struct entity durable_enrolment_entity = ENTITY("DurableEnrolment", 0x0304, 1, struct durable_enrolment,
                                                      enrolment_fields);

static const struct field used_fields[] = {
    FIELD(1, struct durable_used, id, FIXED, 32),
    FIELD(2, struct durable_used, expiry_ms, U64, 0),
};
const struct entity durable_used_entity = ENTITY("DurableUsedApproval", 0x0305, 1, struct durable_used, used_fields);

static const struct field kept_fields[] = {
    FIELD(1, struct durable_kept, author, U8, 0),
    FIELD(2, struct durable_kept, sequence, U64, 0),
    FIELD(3, struct durable_kept, authored, BYTES, 16384),
    FIELD(4, struct durable_kept, descriptor, BYTES, DESCRIPTOR_MAX),
    FIELD(5, struct durable_kept, sealed, BYTES, 16384),
    FIELD(6, struct durable_kept, credential, FIXED, 16),
    FIELD(7, struct durable_kept, version, U64, 0),
};
const struct entity durable_kept_entity = ENTITY("DurableKeptRecord", 0x0306, 1, struct durable_kept, kept_fields);

static const struct field token_key_fields[] = {
    FIELD(1, struct durable_token_key, alg, U8, 0),
    FIELD(2, struct durable_token_key, public_key, BYTES, TOKEN_PUBLIC_MAX),
    FIELD(3, struct durable_token_key, private_key, BYTES, TOKEN_PRIVATE_MAX),
    FIELD(4, struct durable_token_key, created_ms, U64, 0),
    FIELD(5, struct durable_token_key, until_ms, U64, 0),
};
const struct entity durable_token_key_entity = ENTITY("DurableTokenKey", 0x0307, 1, struct durable_token_key,
                                                      token_key_fields);

/* Arrays of two or three are separate fields: the table has no arrays of fixed values. */
#define AT(number, label, member, kind, limit)                                                                         \
    {                                                                                                                  \
        .no = (number), .name = (label), .type = FIELD_##kind, .offset = offsetof(struct durable, member),             \
        .max = (limit)                                                                                                 \
    }

static const struct field durable_fields[] = {
    AT(1, "state_ring", rings[0], BYTES, 8192),
    AT(2, "secret_ring", rings[1], BYTES, 8192),
    AT(3, "credential_ring", rings[2], BYTES, 8192),
    AT(4, "checkpoint_seed", checkpoint_seed, FIXED, 32),
    AT(5, "import_seed", import_seed, FIXED, 32),
    AT(6, "keeper_author_key", author_key[0], FIXED, 32),
    AT(7, "signer_author_key", author_key[1], FIXED, 32),
    AT(8, "keeper_author_low", author_low[0], U64, 0),
    AT(9, "signer_author_low", author_low[1], U64, 0),
    AT(10, "keeper_author_mark", author_mark[0], U64, 0),
    AT(11, "signer_author_mark", author_mark[1], U64, 0),
    AT(12, "keeper_author_previous", author_previous[0], FIXED, 32),
    AT(13, "signer_author_previous", author_previous[1], FIXED, 32),
    AT(14, "nonce_mark_ms", nonce_mark_ms, U64, 0),
    AT(15, "frontier", frontier, BYTES, 4096),
    {.no = 16,
     .name = "administrators",
     .type = FIELD_LIST,
     .offset = offsetof(struct durable, administrators),
     .max = ADMINISTRATORS_MAX,
     .nested = &administrator_entity},
    {.no = 17,
     .name = "enrolments",
     .type = FIELD_LIST,
     .offset = offsetof(struct durable, enrolments),
     .max = ENROLMENTS_MAX,
     .nested = &durable_enrolment_entity},
    {.no = 18,
     .name = "credentials",
     .type = FIELD_LIST,
     .offset = offsetof(struct durable, credentials),
     .max = CREDENTIALS_MAX,
     .nested = &durable_credential_entity},
    AT(19, "keeper_author_seen", author_seen[0], BYTES, SEEN_BYTES_MAX),
    AT(20, "signer_author_seen", author_seen[1], BYTES, SEEN_BYTES_MAX),
    {.no = 21,
     .name = "used_approvals",
     .type = FIELD_LIST,
     .offset = offsetof(struct durable, used),
     .max = USED_MAX,
     .nested = &durable_used_entity},
    {.no = 22,
     .name = "kept_records",
     .type = FIELD_LIST,
     .offset = offsetof(struct durable, kept),
     .max = KEPT_MAX,
     .nested = &durable_kept_entity},
    {.no = 23,
     .name = "token_keys",
     .type = FIELD_LIST,
     .offset = offsetof(struct durable, token_keys),
     .max = TOKEN_KEYS_MAX,
     .nested = &durable_token_key_entity},
    AT(24, "four_eyes", four_eyes, U8, 0),
};
const struct entity durable_entity = ENTITY("Durable", 0x0302, 1, struct durable, durable_fields);
