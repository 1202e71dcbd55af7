/* The relying party's half of W3C Web Authentication, Level 3 (https://www.w3.org/TR/webauthn-3/): what an
 * authenticator answered at registration (§7.1) or login (§7.2), judged against what was asked. Pure: time, anchors and
 * stored credentials are the caller's, who also commits what comes out. What is verified is told in docs/webauthn.md.
 *
 * Everything that comes from the browser is raw bytes: the caller has undone the base64url of its JSON. */
#ifndef HOLDFAST_DOMAIN_WEBAUTHN_WEBAUTHN_H
#define HOLDFAST_DOMAIN_WEBAUTHN_WEBAUTHN_H

#include "base/entity.h"

#define WEBAUTHN_HANDLE_SIZE       16   /* user handle: the user's id */
#define WEBAUTHN_ID_MAX            1023 /* bytes of a credential id, §7.1 step 25 */
#define WEBAUTHN_KEY_MAX           640  /* bytes of a COSE key: RSA of 4096 bits, and room */
#define WEBAUTHN_CLIENT_DATA_MAX   4096
#define WEBAUTHN_AUTHENTICATOR_MAX 4096 /* bytes of authenticator data */
#define WEBAUTHN_ATTESTATION_MAX   (64u * 1024)
#define WEBAUTHN_NAME_MAX          64
#define WEBAUTHN_AAGUID_SIZE       16

/* COSE algorithms (IANA). Each is taken with the one kind of key that §5.8.5 gives it. */
enum webauthn_algorithm {
    WEBAUTHN_ES256 = -7,
    WEBAUTHN_EDDSA = -8, /* Ed25519 */
    WEBAUTHN_ES384 = -35,
    WEBAUTHN_ES512 = -36,
    WEBAUTHN_ED448 = -53,
    WEBAUTHN_RS256 = -257,
};
/* What is offered unless there is a reason for something else: ES256, EdDSA, RS256. */
extern const int32_t webauthn_algorithms[];
extern const size_t webauthn_algorithms_count;

enum webauthn_format {
    WEBAUTHN_FORMAT_NONE = 1,
    WEBAUTHN_FORMAT_PACKED,
    WEBAUTHN_FORMAT_FIDO_U2F,
    WEBAUTHN_FORMAT_TPM,
    WEBAUTHN_FORMAT_ANDROID_KEY,
    WEBAUTHN_FORMAT_APPLE,
};

enum webauthn_attestation {
    WEBAUTHN_UNATTESTED = 1, /* format none */
    WEBAUTHN_SELF,           /* signed by the credential's own key: tells nothing about the model */
    WEBAUTHN_CERTIFIED,      /* signed under a certificate that leads to no anchor of ours */
    WEBAUTHN_TRUSTED,        /* under a certificate that leads to an anchor */
};

/* The least that a registration must bring. A statement that is there must verify, whatever the level. */
struct webauthn_policy {
    enum webauthn_attestation least; /* WEBAUTHN_UNATTESTED takes everything that verifies */
    const struct view *anchors;      /* DER; at every level what they prove is noted with the credential */
    size_t anchor_count;
    const uint8_t (*aaguids)[WEBAUTHN_AAGUID_SIZE]; /* with WEBAUTHN_TRUSTED: the models taken; none listed = all */
    size_t aaguid_count;
};

/* What was asked. */
struct webauthn_ceremony {
    struct view challenge; /* the raw bytes that were given out */
    struct view rp_id;     /* "desk.example.org" */
    const struct view *origins;
    size_t origin_count; /* "https://desk.example.org", with the port if it is not 443; compared byte by byte */
    bool framed;         /* may run inside a frame of another origin… */
    const struct view *top_origins;
    size_t top_origin_count; /* …whose page, where the browser names it, is one of these */
    bool user_verification;  /* demanded: PIN, fingerprint, face */
    uint64_t now_ms;         /* wall clock: validity of certificates, created, last used */
    struct view user_handle; /* of whoever was named or is signed in; empty at a login without a name */
    /* Registration. */
    const int32_t *algorithms; /* those that were offered */
    size_t algorithm_count;
    const struct webauthn_policy *policy;
    /* Login. */
    const struct view *allowed; /* ids that were offered; none = a passkey that the user chose without a name */
    size_t allowed_count;
};

struct webauthn_credential { /* entity Passkey */
    struct view id;          /* of the authenticator: up to 1023 bytes */
    struct view user;        /* name */
    uint8_t user_handle[WEBAUTHN_HANDLE_SIZE];
    struct view public_key;      /* COSE_Key, as the authenticator wrote it */
    uint32_t sign_count;         /* 0 as long as the authenticator does not count */
    struct text_list transports; /* as the browser said: usb, nfc, ble, smart-card, hybrid, internal */
    uint8_t aaguid[WEBAUTHN_AAGUID_SIZE];
    uint8_t format;      /* enum webauthn_format */
    uint8_t attestation; /* enum webauthn_attestation */
    bool user_verified;  /* at registration */
    bool backup_eligible, backed_up;
    uint64_t created_ms, last_used_ms;
    struct view name; /* by the user */
};
extern const struct entity webauthn_credential_entity;
bool webauthn_transport_known(struct view transport);
const char *webauthn_format_name(const struct webauthn_credential *c);
const char *webauthn_attestation_name(const struct webauthn_credential *c);

struct webauthn_created {
    struct view id; /* rawId */
    struct view client_data, attestation_object;
};
/* §7.1 from step 5 on. Fills what comes from the authenticator, and user_handle; id and public_key borrow from answer.
 * user, transports and name are left for the caller, and so is step 26: the id must not be known yet. ERR_BAD_JSON and
 * the like, ERR_MALFORMED, ERR_TRUNCATED, ERR_TOO_LONG for what can't be read; ERR_PASSKEY_REFUSED,
 * ERR_ATTESTATION_REFUSED; why says what. */
RESULT webauthn_register(const struct webauthn_ceremony *expect, const struct webauthn_created *answer,
                         struct webauthn_credential *ret, struct problem *why);

struct webauthn_asserted {
    struct view id; /* rawId */
    struct view client_data, authenticator_data, signature;
    struct view user_handle; /* empty if the authenticator sent none */
};
/* §7.2 from step 5 on, for the credential whose id was answered. ret is stored with what changes: counter, backup
 * state, last use; it is to be committed with the login, expecting the version that was read, so
 * that of two answers with one counter only one goes through. Errors as above, ERR_BAD_SIGNATURE, and
 * ERR_PASSKEY_CLONED when everything verifies but the counter did not rise (step 22): whoever calls records it and does
 * not let him in. */
RESULT webauthn_assert(const struct webauthn_ceremony *expect, const struct webauthn_asserted *answer,
                       const struct webauthn_credential *stored, struct webauthn_credential *ret, struct problem *why);

#endif
