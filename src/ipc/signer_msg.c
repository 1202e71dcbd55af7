#include "ipc/signer_msg.h"

#include "base/fields.h"

/* Schema numbers 0x02xx belong to signer messages. */

static const struct field load_fields[] = {
    FIELD(1, struct signer_load, descriptor, BYTES, 32768),
    FIELD(2, struct signer_load, sealed, BYTES, 16384),
};
const struct entity signer_load_entity = ENTITY("SignerLoad", 0x0201, 1, struct signer_load, load_fields);

/* Fields from `who` on are not part of what a bot's proof covers, so they stay last. */
static const struct field sign_fields[] = {
    FIELD(1, struct signer_sign, id, FIXED, 16),
    FIELD(2, struct signer_sign, path, TEXT, 800),
    FIELD(3, struct signer_sign, method, TEXT, 64),
    FIELD(4, struct signer_sign, host, TEXT, 256),
    FIELD(5, struct signer_sign, request_path, TEXT, 1024),
    FIELD(6, struct signer_sign, query, TEXT, 16384),
    FIELD(7, struct signer_sign, body, TEXT, 65536),
    FIELD(8, struct signer_sign, params, JSON, 65536),
    FIELD(9, struct signer_sign, network, TEXT, 16),
    FIELD(10, struct signer_sign, vault_address, TEXT, 64),
    FIELD(11, struct signer_sign, multi_sig_user, TEXT, 64),
    FIELD(12, struct signer_sign, outer_signer, TEXT, 64),
    FIELD(13, struct signer_sign, frame_id, TEXT, 64),
    FIELD(14, struct signer_sign, has_expires_after, BOOL, 0),
    FIELD(15, struct signer_sign, expires_after, U64, 0),
    FIELD(16, struct signer_sign, nonce, U64, 0),
    FIELD(17, struct signer_sign, recv_window_ms, U32, 0),
    FIELD(18, struct signer_sign, scheme, TEXT, 64),
    FIELD(19, struct signer_sign, dry_run, BOOL, 0),
    FIELD(20, struct signer_sign, who, BYTES, 4096),
    FIELD(21, struct signer_sign, bot, TEXT, 128),
    FIELD(22, struct signer_sign, proof_nonce, TEXT, 64),
    FIELD(23, struct signer_sign, proof_time_ms, U64, 0),
    FIELD(24, struct signer_sign, proof, BYTES, 64),
};
const struct entity signer_sign_entity = ENTITY("SignerSign", 0x0202, 1, struct signer_sign, sign_fields);

static const struct field header_fields[] = {
    FIELD(1, struct signer_header, name, TEXT, 64),
    FIELD(2, struct signer_header, value, TEXT, 1024),
};
const struct entity signer_header_entity = ENTITY("SignedHeader", 0x0203, 1, struct signer_header, header_fields);

static const struct field signed_fields[] = {
    FIELD(1, struct signer_signed, method, TEXT, 64),
    FIELD(2, struct signer_signed, url, TEXT, 20000),
    FIELD(3, struct signer_signed, body, TEXT, 80000),
    FIELD(4, struct signer_signed, signature, TEXT, 1024),
    FIELD(5, struct signer_signed, headers, LIST, 8, .nested = &signer_header_entity),
    FIELD(6, struct signer_signed, nonce, U64, 0),
    FIELD(7, struct signer_signed, timestamp_ms, U64, 0),
    FIELD(8, struct signer_signed, dry_run, BOOL, 0),
    FIELD(9, struct signer_signed, decision, TEXT, 64),
    FIELD(10, struct signer_signed, rule, TEXT, 128),
    FIELD(11, struct signer_signed, sentence, TEXT, 512),
    FIELD(12, struct signer_signed, authored, BYTES, 16384, .flags = FIELD_HIDDEN),
};
const struct entity signer_signed_entity = ENTITY("Signed", 0x0204, 1, struct signer_signed, signed_fields);

static const struct field venue_fields[] = {
    FIELD(1, struct signer_venue, name, TEXT, 64),
    FIELD(2, struct signer_venue, schemes, TEXTS, 16),
};
const struct entity signer_venue_entity = ENTITY("Venue", 0x0205, 1, struct signer_venue, venue_fields);

static const struct field venues_fields[] = {
    FIELD(1, struct signer_venues, venues, LIST, 64, .nested = &signer_venue_entity),
};
const struct entity signer_venues_entity = ENTITY("Venues", 0x0206, 1, struct signer_venues, venues_fields);

static const struct field check_fields[] = {
    FIELD(1, struct signer_check, descriptor, BYTES, 32768),
};
const struct entity signer_check_entity = ENTITY("SignerCheck", 0x0207, 1, struct signer_check, check_fields);

const struct signer_message signer_messages[] = {
    {SIGNER_LOAD, "load", &signer_load_entity, NULL},
    {SIGNER_SIGN, "sign", &signer_sign_entity, &signer_signed_entity},
    {SIGNER_VENUES, "venues", NULL, &signer_venues_entity},
    {SIGNER_CHECK, "check", &signer_check_entity, NULL},
};
const size_t signer_message_count = ARRAY_LEN(signer_messages);
