#include "api/credentials_entity.h"

#include "base/fields.h"

/* Schema numbers 0x0650 to 0x065f. */

#define PATH_MAX_BYTES         512
#define REASON_FIELD(no, type) FIELD(no, type, reason, TEXT, 1024, .doc = "Why; kept in the record.")

#define SECOND_DOC "Another administrator's, where four eyes are wanted."

static const char *const environment_names[] = {"none", "development", "staging", "production", NULL};

static const struct field import_key_fields[] = {
    FIELD(1, struct import_key, installation, FIXED, INSTALLATION_SIZE, .flags = FIELD_REQUIRED),
    FIELD(2, struct import_key, import_key, FIXED, 32, .flags = FIELD_REQUIRED,
          .doc = "X25519 public key: credentials are encrypted to it where they are typed in."),
    FIELD(3, struct import_key, fingerprint, TEXT, 96, .flags = FIELD_REQUIRED,
          .doc = "SHA-256 of the import key, as init showed it: compare before you send a key."),
    FIELD(4, struct import_key, installation_fingerprint, TEXT, 96, .flags = FIELD_REQUIRED),
    FIELD(5, struct import_key, verifier, TEXT, 256, .flags = FIELD_REQUIRED,
          .doc = "Verifier key of this installation's checkpoints (C2SP signed-note)."),
};
const struct entity import_key_entity = ENTITY("ImportKey", 0x0650, 1, struct import_key, import_key_fields);

static const struct field put_fields[] = {
    FIELD(1, struct credential_put_request, descriptor, BYTES, DESCRIPTOR_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .doc = "Entity CredentialDescriptor in its wire form: what the administrator approved, byte for byte"),
    FIELD(2, struct credential_put_request, box, BYTES, 16384,
          .doc = "The key material, encrypted to the import key. Absent: a change that keeps the key."),
    FIELD(3, struct credential_put_request, previous, FIXED, 32,
          .doc = "SHA-256 of the descriptor now in force; absent or zero for a new credential."),
    FIELD(4, struct credential_put_request, approval, ENTITY, 0, .flags = FIELD_REQUIRED, .nested = &approval_entity),
    REASON_FIELD(5, struct credential_put_request),
    FIELD(6, struct credential_put_request, second, ENTITY, 0, .nested = &approval_entity, .doc = SECOND_DOC),
};
const struct entity credential_put_request_entity = ENTITY("CredentialPut", 0x0651, 1, struct credential_put_request,
                                                           put_fields);

static const struct field freeze_fields[] = {
    REASON_FIELD(1, struct credential_freeze_request),
};
const struct entity credential_freeze_request_entity = ENTITY("CredentialFreeze", 0x0652, 1,
                                                              struct credential_freeze_request, freeze_fields);

static const struct field release_fields[] = {
    FIELD(1, struct credential_release_request, approval, ENTITY, 0, .flags = FIELD_REQUIRED,
          .nested = &approval_entity),
    REASON_FIELD(2, struct credential_release_request),
    FIELD(3, struct credential_release_request, second, ENTITY, 0, .nested = &approval_entity, .doc = SECOND_DOC),
};
const struct entity credential_release_request_entity = ENTITY("CredentialRelease", 0x0653, 1,
                                                               struct credential_release_request, release_fields);

static const struct field changed_fields[] = {
    FIELD(1, struct credential_changed, path, TEXT, PATH_MAX_BYTES, .flags = FIELD_REQUIRED),
    FIELD(2, struct credential_changed, id, FIXED, 16, .flags = FIELD_REQUIRED),
    FIELD(3, struct credential_changed, hash, FIXED, 32, .flags = FIELD_REQUIRED,
          .doc = "SHA-256 of the descriptor in force: the previous of the next change."),
    FIELD(4, struct credential_changed, version, U64, 0, .flags = FIELD_REQUIRED),
    FIELD(5, struct credential_changed, frozen, BOOL, 0),
    FIELD(6, struct credential_changed, log_index, U64, 0, .doc = "Of this change's record."),
    FIELD(7, struct credential_changed, checkpoint, TEXT, 4096, .flags = FIELD_REQUIRED,
          .doc = "A signed checkpoint that covers it: from here on the former policy is dead."),
};
const struct entity credential_changed_entity = ENTITY("CredentialChanged", 0x0654, 1, struct credential_changed,
                                                       changed_fields);

#define BRIEF_FIELDS(type)                                                                                             \
    FIELD(1, type, path, TEXT, PATH_MAX_BYTES, .flags = FIELD_REQUIRED),                                               \
        FIELD(2, type, id, FIXED, 16, .flags = FIELD_REQUIRED),                                                        \
        FIELD(3, type, version, U64, 0, .flags = FIELD_REQUIRED),                                                      \
        FIELD(4, type, venue, TEXT, 64, .flags = FIELD_REQUIRED),                                                      \
        FIELD(5, type, scheme, TEXT, 64, .flags = FIELD_REQUIRED), FIELD(6, type, api_key_id, TEXT, 256),              \
        FIELD(7, type, environment, ENUM, 0, .names = environment_names), FIELD(8, type, description, TEXT, 512),      \
        FIELD(9, type, revoked, BOOL, 0, .flags = FIELD_REQUIRED)

static const struct field view_fields[] = {
    BRIEF_FIELDS(struct credential_view),
    FIELD(10, struct credential_view, policy, JSON, 16384, .flags = FIELD_REQUIRED),
    FIELD(11, struct credential_view, hash, FIXED, 32, .flags = FIELD_REQUIRED, .doc = "SHA-256 of the descriptor."),
    FIELD(12, struct credential_view, descriptor, BYTES, DESCRIPTOR_MAX, .flags = FIELD_REQUIRED,
          .doc = "Its wire form, as it was approved."),
    FIELD(13, struct credential_view, frozen, BOOL, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "It signs nothing until an administrator releases it."),
};
const struct entity credential_view_entity = ENTITY("Credential", 0x0655, 1, struct credential_view, view_fields);

static const struct field brief_fields[] = {
    BRIEF_FIELDS(struct credential_brief),
    FIELD(10, struct credential_brief, frozen, BOOL, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "It signs nothing until an administrator releases it."),
};
const struct entity credential_brief_entity = ENTITY("CredentialBrief", 0x0656, 1, struct credential_brief,
                                                     brief_fields);

static const struct field page_fields[] = {
    FIELD(1, struct credential_page, credentials, LIST, CREDENTIAL_LIST_MAX, .flags = FIELD_REQUIRED,
          .nested = &credential_brief_entity),
    FIELD(2, struct credential_page, next, TEXT, 512, .doc = "Give it as after for the next page; absent at the end."),
};
const struct entity credential_page_entity = ENTITY("CredentialPage", 0x0657, 1, struct credential_page, page_fields);

static const struct field list_query_fields[] = {
    FIELD(1, struct credential_list_query, prefix, TEXT, PATH_MAX_BYTES,
          .doc = "Whole components: exchange with what is below it."),
    FIELD(2, struct credential_list_query, after, TEXT, 512, .doc = "The next of the page before."),
    FIELD(3, struct credential_list_query, limit, U16, CREDENTIAL_LIST_MAX, .doc = "100 if not given."),
};
const struct entity credential_list_query_entity = ENTITY("CredentialListQuery", 0x0658, 1,
                                                          struct credential_list_query, list_query_fields);
