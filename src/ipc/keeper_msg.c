#include "ipc/keeper_msg.h"

#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"

/* Schema numbers 0x01xx belong to keeper messages. */

#define NAME_MAX_BYTES 64
#define CONTEXT_MAX    4096
#define AUTHORED_MAX   16384
#define FROZEN_MAX     (16 * 4096) /* ids of all credentials that there can be */
#define TEXT_PATH_MAX  512         /* with "credential:" before it, it fits the resource of a record */

static const struct field status_fields[] = {
    FIELD(1, struct keeper_status, state, U8, 0),
    FIELD(2, struct keeper_status, method, U8, 0),
    FIELD(3, struct keeper_status, threshold, U8, 0),
    FIELD(4, struct keeper_status, shares, U8, 0),
    FIELD(5, struct keeper_status, given, U8, 0),
    FIELD(6, struct keeper_status, installation, FIXED, INSTALLATION_SIZE),
    FIELD(7, struct keeper_status, import_key, FIXED, 32),
    FIELD(8, struct keeper_status, checkpoint_key, FIXED, 32),
    FIELD(9, struct keeper_status, epoch, U32, 0),
    FIELD(10, struct keeper_status, log_size, U64, 0),
    FIELD(11, struct keeper_status, authored_waiting, U64, 0),
    FIELD(12, struct keeper_status, memory_locked, BOOL, 0),
    FIELD(13, struct keeper_status, administrators, U8, 0),
    FIELD_AS(14, struct keeper_status, sealed.cause, "sealed_cause", U8, 0),
    FIELD_AS(15, struct keeper_status, sealed.since_ms, "sealed_since_ms", U64, 0),
    FIELD_AS(16, struct keeper_status, sealed.wait_status, "sealed_wait_status", U32, 0),
    FIELD(17, struct keeper_status, four_eyes, U8, 0),
};
const struct entity keeper_status_entity = ENTITY("KeeperStatus", 0x0101, 1, struct keeper_status, status_fields);

static const struct field init_fields[] = {
    FIELD(1, struct keeper_init, method, U8, 0),
    FIELD(2, struct keeper_init, passphrase, BYTES, 1024),
    FIELD(3, struct keeper_init, threshold, U8, 0),
    FIELD(4, struct keeper_init, shares, U8, 0),
    FIELD(5, struct keeper_init, cipher, U8, 0),
    FIELD(6, struct keeper_init, administrator, TEXT, NAME_MAX_BYTES),
    FIELD(7, struct keeper_init, administrator_key, FIXED, 32),
    FIELD(8, struct keeper_init, argon2_passes, U32, 0),
    FIELD(9, struct keeper_init, argon2_memory_kib, U32, 0),
    FIELD(10, struct keeper_init, password_passes, U32, 0),
    FIELD(11, struct keeper_init, password_memory_kib, U32, 0),
};
const struct entity keeper_init_entity = ENTITY("KeeperInit", 0x0102, 1, struct keeper_init, init_fields);

static const struct field init_done_fields[] = {
    FIELD(1, struct keeper_init_done, installation, FIXED, INSTALLATION_SIZE),
    FIELD(2, struct keeper_init_done, import_key, FIXED, 32),
    FIELD(3, struct keeper_init_done, checkpoint_key, FIXED, 32),
    FIELD(4, struct keeper_init_done, shares, TEXTS, 16),
    FIELD(5, struct keeper_init_done, enrolment_token, TEXT, 128),
};
const struct entity keeper_init_done_entity = ENTITY("KeeperInitDone", 0x0103, 1, struct keeper_init_done,
                                                     init_done_fields);

static const struct field init_confirm_fields[] = {
    FIELD(1, struct keeper_init_confirm, installation, FIXED, INSTALLATION_SIZE),
};
const struct entity keeper_init_confirm_entity = ENTITY("KeeperInitConfirm", 0x0139, 1, struct keeper_init_confirm,
                                                        init_confirm_fields);

static const struct field unseal_fields[] = {
    FIELD(1, struct keeper_unseal, passphrase, BYTES, 1024),
    FIELD(2, struct keeper_unseal, share, TEXT, 128),
};
const struct entity keeper_unseal_entity = ENTITY("KeeperUnseal", 0x0104, 1, struct keeper_unseal, unseal_fields);

static const struct field approval_fields[] = {
    FIELD(1, struct approval, alg, U8, 0, .flags = FIELD_REQUIRED, .min = 1, .doc = "1 = Ed25519"),
    FIELD(2, struct approval, key, FIXED, 32, .flags = FIELD_REQUIRED, .doc = "the administrator's public key"),
    FIELD(3, struct approval, signature, FIXED, 64, .flags = FIELD_REQUIRED),
    FIELD(4, struct approval, expiry_ms, U64, 0, .flags = FIELD_REQUIRED,
          .doc = "milliseconds since 1970, at most 24 h ahead"),
};
const struct entity approval_entity = ENTITY("Approval", 0x0105, 1, struct approval, approval_fields);

void approval_message(const uint8_t installation[static 32], enum approval_kind kind, const uint8_t object[static 32],
                      const uint8_t previous[static 32], const uint8_t next[static 32], uint64_t expiry_ms,
                      struct writer *w)
{
    writer_str(w, "holdfast-approval-1\n");
    writer_bytes(w, installation, 32);
    writer_u8(w, (uint8_t)kind);
    writer_bytes(w, object, 32);
    writer_bytes(w, previous, 32);
    writer_bytes(w, next, 32);
    writer_u64(w, expiry_ms);
}

uint8_t four_eyes_bit(enum approval_kind kind)
{
    static const uint8_t bits[] = {
        [APPROVE_CREDENTIAL] = FOUR_EYES_POLICY,
        [APPROVE_RELEASE] = FOUR_EYES_POLICY,
        [APPROVE_ADMIN_ADD] = FOUR_EYES_ADMINISTRATORS,
        [APPROVE_ADMIN_REMOVE] = FOUR_EYES_ADMINISTRATORS,
        [APPROVE_ROTATE] = FOUR_EYES_REKEY,
        [APPROVE_EMERGENCY] = FOUR_EYES_EMERGENCY,
    };

    return kind < ARRAY_LEN(bits) ? bits[kind] : 0;
}

const char *const four_eyes_names[] = {"policy", "administrators", "rekey", "emergency", NULL};

void four_eyes_hash(uint8_t rule, uint8_t out[static 32])
{
    uint8_t bytes[32]; /* can't fail: nobody looks at a result */
    struct writer w = writer_fixed(bytes, sizeof bytes);

    writer_str(&w, "holdfast-four-eyes-1\n");
    writer_u8(&w, rule);
    sha256(writer_view_of(&w), out);
}

void epoch_hash(uint32_t epoch, uint8_t out[static 32])
{
    uint8_t bytes[32];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    writer_str(&w, "holdfast-epoch-1\n");
    writer_u32(&w, epoch);
    sha256(writer_view_of(&w), out);
}

void emergency_hash(uint32_t seconds, struct view reason, uint8_t out[static 32])
{
    uint8_t bytes[64], hash[32];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    sha256(reason, hash);
    writer_str(&w, "holdfast-emergency-1\n");
    writer_u32(&w, seconds);
    writer_bytes(&w, hash, sizeof hash);
    sha256(writer_view_of(&w), out);
}

static const struct field four_eyes_fields[] = {
    FIELD(1, struct keeper_four_eyes, rule, U8, 0),
    FIELD(2, struct keeper_four_eyes, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(3, struct keeper_four_eyes, second, ENTITY, 0, .nested = &approval_entity),
};
const struct entity keeper_four_eyes_entity = ENTITY("KeeperFourEyes", 0x010a, 1, struct keeper_four_eyes,
                                                     four_eyes_fields);

static const struct field emergency_fields[] = {
    FIELD(1, struct keeper_emergency, name, TEXT, NAME_MAX_BYTES),
    FIELD(2, struct keeper_emergency, nonce, FIXED, 32),
    FIELD(3, struct keeper_emergency, seconds, U32, 0),
    FIELD(4, struct keeper_emergency, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(5, struct keeper_emergency, who, BYTES, CONTEXT_MAX),
};
const struct entity keeper_emergency_entity = ENTITY("KeeperEmergency", 0x010e, 1, struct keeper_emergency,
                                                     emergency_fields);

static const struct field rotate_fields[] = {
    FIELD(1, struct keeper_rotate, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(2, struct keeper_rotate, second, ENTITY, 0, .nested = &approval_entity),
};
const struct entity keeper_rotate_entity = ENTITY("KeeperRotate", 0x010b, 1, struct keeper_rotate, rotate_fields);

static const struct field admin_change_fields[] = {
    FIELD(1, struct keeper_admin_change, name, TEXT, NAME_MAX_BYTES),
    FIELD(2, struct keeper_admin_change, key, FIXED, 32),
    FIELD(3, struct keeper_admin_change, has_approval, BOOL, 0),
    FIELD(4, struct keeper_admin_change, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(5, struct keeper_admin_change, passphrase, BYTES, 1024),
    FIELD(6, struct keeper_admin_change, shares, TEXTS, 16),
    FIELD(7, struct keeper_admin_change, replace_all, BOOL, 0),
    FIELD(8, struct keeper_admin_change, second, ENTITY, 0, .nested = &approval_entity),
};
const struct entity keeper_admin_change_entity = ENTITY("KeeperAdminChange", 0x0106, 1, struct keeper_admin_change,
                                                        admin_change_fields);

static const struct field admin_changed_fields[] = {
    FIELD(1, struct keeper_admin_changed, enrolment_token, TEXT, 128),
};
const struct entity keeper_admin_changed_entity = ENTITY("KeeperAdminChanged", 0x0107, 1, struct keeper_admin_changed,
                                                         admin_changed_fields);

static const struct field administrator_fields[] = {
    FIELD(1, struct administrator, name, TEXT, NAME_MAX_BYTES),
    FIELD(2, struct administrator, key, FIXED, 32),
};
const struct entity administrator_entity = ENTITY("Administrator", 0x0108, 1, struct administrator,
                                                  administrator_fields);

static const struct field administrators_fields[] = {
    FIELD(1, struct administrators, list, LIST, 64, .nested = &administrator_entity),
    FIELD(2, struct administrators, hash, FIXED, 32),
};
const struct entity administrators_entity = ENTITY("Administrators", 0x0109, 1, struct administrators,
                                                   administrators_fields);

static const struct field hello_fields[] = {
    FIELD(1, struct keeper_hello, thread, U8, 0),
};
const struct entity keeper_hello_entity = ENTITY("KeeperHello", 0x0110, 1, struct keeper_hello, hello_fields);

static const struct field welcome_fields[] = {
    FIELD(1, struct keeper_welcome, state_ring, BYTES, 8192),
    FIELD(2, struct keeper_welcome, installation, FIXED, INSTALLATION_SIZE),
    FIELD(3, struct keeper_welcome, cipher, U8, 0),
    FIELD(4, struct keeper_welcome, import_key, FIXED, 32),
    FIELD(5, struct keeper_welcome, checkpoint_key, FIXED, 32),
    FIELD(6, struct keeper_welcome, log_size, U64, 0),
    FIELD(7, struct keeper_welcome, frontier_root, FIXED, 32),
    FIELD(8, struct keeper_welcome, password_passes, U32, 0),
    FIELD(9, struct keeper_welcome, password_memory_kib, U32, 0),
};
const struct entity keeper_welcome_entity = ENTITY("KeeperWelcome", 0x0111, 1, struct keeper_welcome, welcome_fields);

static const struct field pending_record_fields[] = {
    FIELD(1, struct keeper_pending_record, authored, BYTES, AUTHORED_MAX),
    FIELD(2, struct keeper_pending_record, descriptor, BYTES, DESCRIPTOR_MAX),
    FIELD(3, struct keeper_pending_record, sealed, BYTES, 16384),
};
const struct entity keeper_pending_record_entity = ENTITY("KeeperPendingRecord", 0x0117, 1,
                                                          struct keeper_pending_record, pending_record_fields);

static const struct field pending_from_fields[] = {
    FIELD(1, struct keeper_pending_from, author, U8, 0),
    FIELD(2, struct keeper_pending_from, sequence, U64, 0),
};
const struct entity keeper_pending_from_entity = ENTITY("KeeperPendingFrom", 0x0118, 1, struct keeper_pending_from,
                                                        pending_from_fields);

static const struct field pending_fields[] = {
    FIELD(1, struct keeper_pending, records, LIST, 16, .nested = &keeper_pending_record_entity),
};
const struct entity keeper_pending_entity = ENTITY("KeeperPending", 0x0112, 1, struct keeper_pending, pending_fields);

static const struct field log_append_fields[] = {
    FIELD(1, struct keeper_log_append, first, U64, 0),
    FIELD(2, struct keeper_log_append, leaves, BYTES, 120u * 1024),
    FIELD(3, struct keeper_log_append, state, FIXED, 32),
};
const struct entity keeper_log_append_entity = ENTITY("KeeperLogAppend", 0x0113, 1, struct keeper_log_append,
                                                      log_append_fields);

static const struct field log_size_fields[] = {
    FIELD(1, struct keeper_log_size, size, U64, 0),
};
const struct entity keeper_log_size_entity = ENTITY("KeeperLogSize", 0x0114, 1, struct keeper_log_size,
                                                    log_size_fields);

static const struct field checkpoint_fields[] = {
    FIELD(1, struct keeper_checkpoint, size, U64, 0),
};
const struct entity keeper_checkpoint_entity = ENTITY("KeeperCheckpoint", 0x0115, 1, struct keeper_checkpoint,
                                                      checkpoint_fields);

static const struct field note_fields[] = {
    FIELD(1, struct keeper_note, note, BYTES, 4096),
};
const struct entity keeper_note_entity = ENTITY("KeeperNote", 0x0116, 1, struct keeper_note, note_fields);

static const struct field secret_seal_fields[] = {
    FIELD(1, struct keeper_secret_seal, id, FIXED, 16),
    FIELD(2, struct keeper_secret_seal, version, U64, 0),
    FIELD(3, struct keeper_secret_seal, path, TEXT, TEXT_PATH_MAX),
    FIELD(4, struct keeper_secret_seal, value, BYTES, SECRET_VALUE_MAX),
};
const struct entity keeper_secret_seal_entity = ENTITY("KeeperSecretSeal", 0x0120, 1, struct keeper_secret_seal,
                                                       secret_seal_fields);

static const struct field secret_open_fields[] = {
    FIELD(1, struct keeper_secret_open, id, FIXED, 16),
    FIELD(2, struct keeper_secret_open, version, U64, 0),
    FIELD(3, struct keeper_secret_open, path, TEXT, TEXT_PATH_MAX),
    FIELD(4, struct keeper_secret_open, sealed, BYTES, SEALED_SECRET_MAX),
    FIELD(5, struct keeper_secret_open, who, BYTES, CONTEXT_MAX),
};
const struct entity keeper_secret_open_entity = ENTITY("KeeperSecretOpen", 0x0121, 1, struct keeper_secret_open,
                                                       secret_open_fields);

static const struct field sealed_fields[] = {
    FIELD(1, struct keeper_sealed, sealed, BYTES, SEALED_SECRET_MAX),
    FIELD(2, struct keeper_sealed, authored, BYTES, AUTHORED_MAX),
};
const struct entity keeper_sealed_entity = ENTITY("KeeperSealed", 0x0122, 1, struct keeper_sealed, sealed_fields);

static const struct field opened_fields[] = {
    FIELD(1, struct keeper_opened, value, BYTES, SECRET_VALUE_MAX),
    FIELD(2, struct keeper_opened, authored, BYTES, AUTHORED_MAX),
};
const struct entity keeper_opened_entity = ENTITY("KeeperOpened", 0x0123, 1, struct keeper_opened, opened_fields);

static const struct field rewrap_fields[] = {
    FIELD(1, struct keeper_rewrap, id, FIXED, 16),
    FIELD(2, struct keeper_rewrap, version, U64, 0),
    FIELD(3, struct keeper_rewrap, path, TEXT, TEXT_PATH_MAX),
    FIELD(4, struct keeper_rewrap, sealed, BYTES, SEALED_SECRET_MAX),
};
const struct entity keeper_rewrap_entity = ENTITY("KeeperRewrap", 0x0124, 1, struct keeper_rewrap, rewrap_fields);

static const char *const environment_names[] = {"none", "development", "staging", "production", NULL};
static const struct field descriptor_fields[] = {
    FIELD(1, struct credential_descriptor, id, FIXED, 16, .flags = FIELD_REQUIRED),
    FIELD(2, struct credential_descriptor, version, U64, 0, .flags = FIELD_REQUIRED),
    FIELD(3, struct credential_descriptor, path, TEXT, TEXT_PATH_MAX, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(4, struct credential_descriptor, venue, TEXT, NAME_MAX_BYTES, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(5, struct credential_descriptor, scheme, TEXT, NAME_MAX_BYTES, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(6, struct credential_descriptor, api_key_id, TEXT, 256),
    FIELD(7, struct credential_descriptor, policy, JSON, 16384, .flags = FIELD_REQUIRED, .min = 2),
    FIELD(8, struct credential_descriptor, box_hash, FIXED, 32, .flags = FIELD_REQUIRED),
    FIELD(9, struct credential_descriptor, description, TEXT, 512),
    FIELD(10, struct credential_descriptor, environment, ENUM, 0, .names = environment_names),
    FIELD(11, struct credential_descriptor, revoked, BOOL, 0),
};
const struct entity credential_descriptor_entity = ENTITY("CredentialDescriptor", 0x0130, 1,
                                                          struct credential_descriptor, descriptor_fields);

static const struct field credential_put_fields[] = {
    FIELD(1, struct keeper_credential_put, descriptor, BYTES, DESCRIPTOR_MAX),
    FIELD(2, struct keeper_credential_put, previous, FIXED, 32),
    FIELD(3, struct keeper_credential_put, box, BYTES, 16384),
    FIELD(4, struct keeper_credential_put, sealed, BYTES, 16384),
    FIELD(5, struct keeper_credential_put, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(6, struct keeper_credential_put, who, BYTES, CONTEXT_MAX),
    FIELD(7, struct keeper_credential_put, second, ENTITY, 0, .nested = &approval_entity),
};
const struct entity keeper_credential_put_entity = ENTITY("KeeperCredentialPut", 0x0131, 1,
                                                          struct keeper_credential_put, credential_put_fields);

static const struct field credential_freeze_fields[] = {
    FIELD(1, struct keeper_credential_freeze, id, FIXED, 16),
    FIELD(2, struct keeper_credential_freeze, frozen, BOOL, 0),
    FIELD(3, struct keeper_credential_freeze, has_approval, BOOL, 0),
    FIELD(4, struct keeper_credential_freeze, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(5, struct keeper_credential_freeze, who, BYTES, CONTEXT_MAX),
    FIELD(6, struct keeper_credential_freeze, descriptor, BYTES, DESCRIPTOR_MAX),
    FIELD(7, struct keeper_credential_freeze, second, ENTITY, 0, .nested = &approval_entity),
};
const struct entity keeper_credential_freeze_entity = ENTITY("KeeperCredentialFreeze", 0x0132, 1,
                                                             struct keeper_credential_freeze, credential_freeze_fields);

static const struct field credential_of_fields[] = {FIELD(1, struct keeper_credential_of, id, FIXED, 16)};
const struct entity keeper_credential_of_entity = ENTITY("KeeperCredentialOf", 0x0135, 1, struct keeper_credential_of,
                                                         credential_of_fields);

static const struct field credential_state_fields[] = {FIELD(1, struct keeper_credential_state, frozen, BOOL, 0)};
const struct entity keeper_credential_state_entity = ENTITY("KeeperCredentialState", 0x0136, 1,
                                                            struct keeper_credential_state, credential_state_fields);

static const struct field operator_freeze_fields[] = {
    FIELD(1, struct keeper_operator_freeze, path, TEXT, 512),
    FIELD(2, struct keeper_operator_freeze, id, FIXED, 16),
};
const struct entity keeper_operator_freeze_entity = ENTITY("KeeperOperatorFreeze", 0x0137, 1,
                                                           struct keeper_operator_freeze, operator_freeze_fields);

static const struct field frozen_fields[] = {
    FIELD(1, struct keeper_frozen, ids, BYTES, FROZEN_MAX),
};
const struct entity keeper_frozen_entity = ENTITY("KeeperFrozen", 0x0138, 1, struct keeper_frozen, frozen_fields);

static const struct field enrol_fields[] = {
    FIELD(1, struct keeper_enrol, name, TEXT, NAME_MAX_BYTES),
    FIELD(2, struct keeper_enrol, token, TEXT, 128),
    FIELD(3, struct keeper_enrol, who, BYTES, CONTEXT_MAX),
    FIELD(4, struct keeper_enrol, only_check, BOOL, 0),
};
const struct entity keeper_enrol_entity = ENTITY("KeeperEnrol", 0x0133, 1, struct keeper_enrol, enrol_fields);

static const struct field bundle_fields[] = {
    FIELD(1, struct credential_bundle, api_key, TEXT, 256),
    FIELD(2, struct credential_bundle, secret, TEXT, 8192),
    FIELD(3, struct credential_bundle, passphrase, TEXT, 256),
};
const struct entity credential_bundle_entity = ENTITY("Bundle", 0x0134, 1, struct credential_bundle, bundle_fields);

static bool is_token_text(struct view text)
{
    return text.len == 0 || text_printable(text);
}
#define TOKEN_RULE .check = is_token_text, .rule = "printable text"

static const struct field token_sign_fields[] = {
    FIELD(1, struct keeper_token_sign, subject, TEXT, TOKEN_SUBJECT_MAX, TOKEN_RULE),
    FIELD(2, struct keeper_token_sign, audience, TEXT, TOKEN_AUDIENCE_MAX, TOKEN_RULE),
    FIELD(3, struct keeper_token_sign, client, TEXT, TOKEN_CLIENT_MAX, TOKEN_RULE),
    FIELD(4, struct keeper_token_sign, grant, FIXED, 16),
    FIELD(5, struct keeper_token_sign, seconds, U32, 0),
    FIELD(6, struct keeper_token_sign, auth_ms, U64, 0),
    FIELD(7, struct keeper_token_sign, methods, TEXTS, TOKEN_METHODS_MAX, TOKEN_RULE),
    FIELD(8, struct keeper_token_sign, who, BYTES, CONTEXT_MAX),
};
const struct entity keeper_token_sign_entity = ENTITY("KeeperTokenSign", 0x0160, 1, struct keeper_token_sign,
                                                      token_sign_fields);

static const struct field token_signed_fields[] = {
    FIELD(1, struct keeper_token_signed, token, TEXT, TOKEN_TEXT_MAX),
    FIELD(2, struct keeper_token_signed, id, FIXED, TOKEN_ID_SIZE),
    FIELD(3, struct keeper_token_signed, issued_ms, U64, 0),
    FIELD(4, struct keeper_token_signed, expires_ms, U64, 0),
    FIELD(5, struct keeper_token_signed, authored, BYTES, AUTHORED_MAX),
};
const struct entity keeper_token_signed_entity = ENTITY("KeeperTokenSigned", 0x0161, 1, struct keeper_token_signed,
                                                        token_signed_fields);

static const struct field token_key_fields[] = {
    FIELD(1, struct keeper_token_key, alg, U8, 0),
    FIELD(2, struct keeper_token_key, public_key, BYTES, 256),
    FIELD(3, struct keeper_token_key, created_ms, U64, 0),
    FIELD(4, struct keeper_token_key, until_ms, U64, 0),
};
const struct entity keeper_token_key_entity = ENTITY("KeeperTokenKey", 0x0162, 1, struct keeper_token_key,
                                                     token_key_fields);

static const struct field token_keys_fields[] = {
    FIELD(1, struct keeper_token_keys, keys, LIST, TOKEN_KEYS_MAX, .nested = &keeper_token_key_entity),
    FIELD(2, struct keeper_token_keys, issuer, TEXT, TOKEN_ISSUER_MAX),
    FIELD(3, struct keeper_token_keys, max_seconds, U32, 0),
};
const struct entity keeper_token_keys_entity = ENTITY("KeeperTokenKeys", 0x0163, 1, struct keeper_token_keys,
                                                      token_keys_fields);

static const struct field tokens_rotate_fields[] = {FIELD(1, struct keeper_tokens_rotate, drop, BOOL, 0)};
const struct entity keeper_tokens_rotate_entity = ENTITY("KeeperTokensRotate", 0x0164, 1, struct keeper_tokens_rotate,
                                                         tokens_rotate_fields);

static const struct field signer_welcome_fields[] = {
    FIELD(1, struct keeper_signer_welcome, author_key, FIXED, 32),
    FIELD(2, struct keeper_signer_welcome, next_sequence, U64, 0),
    FIELD(3, struct keeper_signer_welcome, previous, FIXED, 32),
    FIELD(4, struct keeper_signer_welcome, nonce_mark_ms, U64, 0),
    FIELD(5, struct keeper_signer_welcome, installation, FIXED, INSTALLATION_SIZE),
    FIELD(6, struct keeper_signer_welcome, sequence_limit, U64, 0),
};
const struct entity keeper_signer_welcome_entity = ENTITY("KeeperSignerWelcome", 0x0140, 1,
                                                          struct keeper_signer_welcome, signer_welcome_fields);

static const struct field unwrap_fields[] = {
    FIELD(1, struct keeper_unwrap, descriptor, BYTES, DESCRIPTOR_MAX),
    FIELD(2, struct keeper_unwrap, sealed, BYTES, 16384),
};
const struct entity keeper_unwrap_entity = ENTITY("KeeperUnwrap", 0x0141, 1, struct keeper_unwrap, unwrap_fields);

static const struct field window_mark_fields[] = {
    FIELD(1, struct window_mark, start_ms, U64, 0),
    FIELD(2, struct window_mark, orders, U64, 0),
    FIELD(3, struct window_mark, notional, TEXT, 48),
};
const struct entity window_mark_entity = ENTITY("WindowMark", 0x0142, 1, struct window_mark, window_mark_fields);

static const struct field unwrapped_fields[] = {
    FIELD(1, struct keeper_unwrapped, bundle, BYTES, 16384),
    FIELD(2, struct keeper_unwrapped, frozen, BOOL, 0),
    FIELD(3, struct keeper_unwrapped, windows, LIST, 8, .nested = &window_mark_entity),
    FIELD(4, struct keeper_unwrapped, policy_version, U64, 0),
};
const struct entity keeper_unwrapped_entity = ENTITY("KeeperUnwrapped", 0x0143, 1, struct keeper_unwrapped,
                                                     unwrapped_fields);

static const struct field authored_fields[] = {
    FIELD(1, struct keeper_authored, authored, BYTES, AUTHORED_MAX),
};
const struct entity keeper_authored_entity = ENTITY("KeeperAuthored", 0x0144, 1, struct keeper_authored,
                                                    authored_fields);

static const struct field reserve_fields[] = {
    FIELD(1, struct keeper_reserve, nonce_mark_ms, U64, 0),
    FIELD(2, struct keeper_reserve, has_credential, BOOL, 0),
    FIELD(3, struct keeper_reserve, id, FIXED, 16),
    FIELD(4, struct keeper_reserve, windows, LIST, 8, .nested = &window_mark_entity),
};
const struct entity keeper_reserve_entity = ENTITY("KeeperReserve", 0x0145, 1, struct keeper_reserve, reserve_fields);

static const struct field event_credential_fields[] = {
    FIELD(1, struct keeper_event_credential, id, FIXED, 16),
    FIELD(2, struct keeper_event_credential, version, U64, 0),
    FIELD(3, struct keeper_event_credential, frozen, BOOL, 0),
};
const struct entity keeper_event_credential_entity = ENTITY("KeeperEventCredential", 0x0150, 1,
                                                            struct keeper_event_credential, event_credential_fields);

static const struct field event_room_fields[] = {
    FIELD(1, struct keeper_event_room, limit, U64, 0),
};
const struct entity keeper_event_room_entity = ENTITY("KeeperEventRoom", 0x0151, 1, struct keeper_event_room,
                                                      event_room_fields);

#define ANY_STATE (STATE_UNINITIALISED | STATE_SEALED | STATE_UNSEALED)
#define ANYBODY   (PEER_OPERATOR | PEER_FRONT | PEER_SIGNER | PEER_SUPERVISOR)

const struct keeper_message keeper_messages[] = {
    {KEEPER_STATUS, "status", ANYBODY, ANY_STATE, NULL, &keeper_status_entity},
    {KEEPER_INIT, "init", PEER_OPERATOR, STATE_UNINITIALISED, &keeper_init_entity, &keeper_init_done_entity},
    {KEEPER_INIT_CONFIRM, "init-confirm", PEER_OPERATOR, STATE_UNINITIALISED, &keeper_init_confirm_entity, NULL},
    {KEEPER_UNSEAL, "unseal", PEER_OPERATOR, STATE_SEALED, &keeper_unseal_entity, &keeper_status_entity},
    {KEEPER_SEAL, "seal", PEER_OPERATOR, STATE_UNSEALED, NULL, &keeper_status_entity},
    {KEEPER_ROTATE, "rotate", PEER_OPERATOR, STATE_UNSEALED, &keeper_rotate_entity, &keeper_status_entity},
    {KEEPER_FOUR_EYES, "four-eyes", PEER_OPERATOR, STATE_UNSEALED, &keeper_four_eyes_entity, NULL},
    {KEEPER_ADMIN_ADD, "admin-add", PEER_OPERATOR, STATE_UNSEALED, &keeper_admin_change_entity,
     &keeper_admin_changed_entity},
    {KEEPER_ADMIN_REMOVE, "admin-remove", PEER_OPERATOR, STATE_UNSEALED, &keeper_admin_change_entity,
     &keeper_admin_changed_entity},
    {KEEPER_ADMIN_LIST, "admin-list", PEER_OPERATOR | PEER_FRONT, STATE_UNSEALED, NULL, &administrators_entity},
    {KEEPER_OPERATOR_FREEZE, "operator-freeze", PEER_OPERATOR, STATE_UNSEALED, &keeper_operator_freeze_entity, NULL},
    {KEEPER_TOKENS_ROTATE, "tokens-rotate", PEER_OPERATOR, STATE_UNSEALED, &keeper_tokens_rotate_entity,
     &keeper_token_keys_entity},
    {KEEPER_HELLO, "hello", PEER_FRONT, STATE_UNSEALED, &keeper_hello_entity, &keeper_welcome_entity},
    {KEEPER_PENDING, "pending", PEER_FRONT, STATE_UNSEALED, &keeper_pending_from_entity, &keeper_pending_entity},
    {KEEPER_LOG_APPEND, "log-append", PEER_FRONT, STATE_UNSEALED, &keeper_log_append_entity, &keeper_log_size_entity},
    {KEEPER_CHECKPOINT, "checkpoint", PEER_FRONT, STATE_UNSEALED, &keeper_checkpoint_entity, &keeper_note_entity},
    {KEEPER_SECRET_SEAL, "secret-seal", PEER_FRONT, STATE_UNSEALED, &keeper_secret_seal_entity, &keeper_sealed_entity},
    {KEEPER_SECRET_OPEN, "secret-open", PEER_FRONT, STATE_UNSEALED, &keeper_secret_open_entity, &keeper_opened_entity},
    {KEEPER_SECRET_REWRAP, "secret-rewrap", PEER_FRONT, STATE_UNSEALED, &keeper_rewrap_entity, &keeper_sealed_entity},
    {KEEPER_CREDENTIAL_PUT, "credential-put", PEER_FRONT, STATE_UNSEALED, &keeper_credential_put_entity,
     &keeper_sealed_entity},
    {KEEPER_CREDENTIAL_FREEZE, "credential-freeze", PEER_FRONT, STATE_UNSEALED, &keeper_credential_freeze_entity,
     &keeper_sealed_entity},
    {KEEPER_CREDENTIAL_REWRAP, "credential-rewrap", PEER_FRONT, STATE_UNSEALED, &keeper_unwrap_entity,
     &keeper_sealed_entity},
    {KEEPER_ENROL, "enrol", PEER_FRONT, STATE_UNSEALED, &keeper_enrol_entity, &keeper_sealed_entity},
    {KEEPER_EMERGENCY, "emergency", PEER_FRONT, STATE_UNSEALED, &keeper_emergency_entity, &keeper_sealed_entity},
    {KEEPER_CREDENTIAL_STATE, "credential-state", PEER_FRONT, STATE_UNSEALED, &keeper_credential_of_entity,
     &keeper_credential_state_entity},
    {KEEPER_CREDENTIALS_FROZEN, "credentials-frozen", PEER_FRONT, STATE_UNSEALED, NULL, &keeper_frozen_entity},
    {KEEPER_TOKEN_SIGN, "token-sign", PEER_FRONT, STATE_UNSEALED, &keeper_token_sign_entity,
     &keeper_token_signed_entity},
    {KEEPER_TOKEN_KEYS, "token-keys", PEER_FRONT, STATE_UNSEALED, NULL, &keeper_token_keys_entity},
    {KEEPER_SIGNER_HELLO, "signer-hello", PEER_SIGNER, STATE_UNSEALED, NULL, &keeper_signer_welcome_entity},
    {KEEPER_UNWRAP, "unwrap", PEER_SIGNER, STATE_UNSEALED, &keeper_unwrap_entity, &keeper_unwrapped_entity},
    {KEEPER_AUTHORED, "authored", PEER_SIGNER, STATE_UNSEALED, &keeper_authored_entity, NULL},
    {KEEPER_RESERVE, "reserve", PEER_SIGNER, STATE_UNSEALED, &keeper_reserve_entity, NULL},
    {KEEPER_SIGNER_CLOSED, "signer-closed", PEER_SIGNER, ANY_STATE, NULL, NULL},
};
const size_t keeper_message_count = ARRAY_LEN(keeper_messages);

const struct keeper_message *keeper_message_find(uint16_t type)
{
    for (size_t i = 0; i < keeper_message_count; i++)
        if (keeper_messages[i].type == type)
            return &keeper_messages[i];
    return NULL;
}
