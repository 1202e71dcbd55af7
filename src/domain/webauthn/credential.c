#include "base/fields.h"
#include "base/text.h"
#include "domain/webauthn/webauthn.h"

#define TRANSPORTS_MAX 8
#define USER_MAX       64

static const char *const format_names[] = {"unknown", "none",        "packed", "fido-u2f",
                                           "tpm",     "android-key", "apple",  NULL};
static const char *const attestation_names[] = {"unknown", "none", "self", "certified", "trusted", NULL};
static const char *const transports[] = {"usb", "nfc", "ble", "smart-card", "hybrid", "internal", NULL};

const char *webauthn_format_name(const struct webauthn_credential *c)
{
    return format_names[c->format < ARRAY_LEN(format_names) - 1 ? c->format : 0];
}

const char *webauthn_attestation_name(const struct webauthn_credential *c)
{
    return attestation_names[c->attestation < ARRAY_LEN(attestation_names) - 1 ? c->attestation : 0];
}

bool webauthn_transport_known(struct view transport)
{
    for (const char *const *t = transports; *t; t++)
        if (view_is(transport, *t))
            return true;
    return false;
}

static const struct field credential_fields[] = {
    FIELD(1, struct webauthn_credential, id, BYTES, WEBAUTHN_ID_MAX, .flags = FIELD_READ_ONLY, .min = 1,
          .doc = "Credential id, as the authenticator chose it."),
    FIELD(2, struct webauthn_credential, user, TEXT, USER_MAX, .flags = FIELD_READ_ONLY),
    FIELD(3, struct webauthn_credential, user_handle, FIXED, WEBAUTHN_HANDLE_SIZE, .flags = FIELD_HIDDEN),
    FIELD(4, struct webauthn_credential, public_key, BYTES, WEBAUTHN_KEY_MAX, .flags = FIELD_HIDDEN),
    FIELD(5, struct webauthn_credential, sign_count, U32, 0, .flags = FIELD_READ_ONLY | FIELD_PRINT_ZERO,
          .doc = "Signatures made, as the authenticator counts; 0 if it does not."),
    FIELD(6, struct webauthn_credential, transports, TEXTS, TRANSPORTS_MAX, .flags = FIELD_READ_ONLY,
          .check = webauthn_transport_known, .rule = "usb, nfc, ble, smart-card, hybrid or internal"),
    FIELD(7, struct webauthn_credential, aaguid, FIXED, WEBAUTHN_AAGUID_SIZE, .flags = FIELD_READ_ONLY,
          .doc = "Model of the authenticator, as it says; zeros if it does not."),
    FIELD(8, struct webauthn_credential, format, ENUM, 0, .flags = FIELD_READ_ONLY, .names = format_names,
          .doc = "Form of the attestation."),
    FIELD(9, struct webauthn_credential, attestation, ENUM, 0, .flags = FIELD_READ_ONLY, .names = attestation_names,
          .doc = "How far it is proved what kind of authenticator this is."),
    FIELD(10, struct webauthn_credential, user_verified, BOOL, 0, .flags = FIELD_READ_ONLY | FIELD_PRINT_ZERO,
          .doc = "The authenticator verified its user at registration."),
    FIELD(11, struct webauthn_credential, backup_eligible, BOOL, 0, .flags = FIELD_READ_ONLY | FIELD_PRINT_ZERO,
          .doc = "It may be synchronised to other devices."),
    FIELD(12, struct webauthn_credential, backed_up, BOOL, 0, .flags = FIELD_READ_ONLY | FIELD_PRINT_ZERO,
          .doc = "It is on other devices, as of the last use."),
    FIELD_AS(13, struct webauthn_credential, created_ms, "created", TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD_AS(14, struct webauthn_credential, last_used_ms, "last_used", TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(15, struct webauthn_credential, name, TEXT, WEBAUTHN_NAME_MAX, .check = text_printable,
          .rule = "printable text", .doc = "What the user calls it."),
};
const struct entity webauthn_credential_entity = ENTITY("Passkey", 0x0531, 1, struct webauthn_credential,
                                                        credential_fields);
