/* Inside of the WebAuthn module. Not for other folders. */
#ifndef HOLDFAST_DOMAIN_WEBAUTHN_INSIDE_H
#define HOLDFAST_DOMAIN_WEBAUTHN_INSIDE_H

#include "crypto/hash.h"
#include "crypto/x509.h"
#include "domain/webauthn/cbor_read.h"
#include "domain/webauthn/webauthn.h"

/* COSE keys (RFC 9052 §7, RFC 9053 §7; WebAuthn §5.8.5 and §6.5.1.1). */
struct cose_key {
    int32_t algorithm; /* enum webauthn_algorithm */
    struct public_key key;
};
RESULT cose_key(struct view text, struct cose_key *ret, struct problem *why);
/* The kind of key that goes with an algorithm, or PUBLIC_NONE. */
enum public_kind cose_kind(int64_t algorithm);

/* Authenticator data, §6.1. */
#define FLAG_USER_PRESENT    0x01
#define FLAG_USER_VERIFIED   0x04
#define FLAG_BACKUP_ELIGIBLE 0x08
#define FLAG_BACKED_UP       0x10
#define FLAG_ATTESTED        0x40
#define FLAG_EXTENSIONS      0x80

struct authenticator_data {
    struct view bytes; /* all of it: what is signed */
    struct view rp_id_hash;
    uint8_t flags;
    uint32_t sign_count;
    struct view aaguid, credential_id, public_key; /* with FLAG_ATTESTED; public_key is the COSE_Key */
};
RESULT authenticator_data(struct view bytes, struct authenticator_data *ret, struct problem *why);
/* What §7.1 (steps 14 to 17) and §7.2 (steps 15 to 18) demand alike. */
RESULT authenticator_data_check(const struct authenticator_data *a, const struct webauthn_ceremony *expect,
                                struct problem *why);

/* §7.1 steps 5 to 11, §7.2 steps 8 to 14. type is "webauthn.create" or "webauthn.get". */
RESULT client_data_check(struct view json, const char *type, const struct webauthn_ceremony *expect,
                         struct problem *why);

/* One attestation statement (§8), and what it is about. */
struct statement {
    const struct cbor_map *map;
    const struct authenticator_data *data;
    const struct cose_key *key;
    struct view client_data_hash; /* SHA-256 */
    struct view to_be_signed;     /* authenticator data ‖ client data hash */
    const struct webauthn_policy *policy;
    struct problem *why;
    struct view chain[X509_CHAIN_MAX]; /* x5c, once it was read */
    size_t chain_count;
    struct x509 *certificate; /* chain[0] */
};

#define STATEMENT_WHERE "/response/attestationObject"
RESULT statement_refuse(const struct statement *s, const char *detail); /* ERR_ATTESTATION_REFUSED */
RESULT statement_malformed(const struct statement *s, const char *detail);
/* Refused with this detail unless e is OK; but a lack of memory is never said to be the statement's fault. */
RESULT statement_judged(const struct statement *s, enum err e, const char *detail);
/* Reads x5c and its first certificate. ERR_MISSING_FIELD if there is no x5c. */
RESULT statement_chain(struct statement *s);
/* Reads alg and sig; verifies sig over message with the key of the first certificate, which must be of alg's kind. */
RESULT statement_signed_by_certificate(const struct statement *s, struct view message);
/* The certificate's extension, or refusal if it is missing; value's memory is the caller's. */
RESULT statement_extension(const struct statement *s, const char *oid, struct writer *value);
/* Version 3, not a CA, and id-fido-gen-ce-aaguid, if it is there, equal to the authenticator's (§8.2.1, §8.3.1). */
RESULT statement_certificate_plain(const struct statement *s);

/* The formats: each verifies its statement. Those with a certificate leave it in s. */
RESULT attest_none(struct statement *s);
RESULT attest_packed(struct statement *s);
RESULT attest_fido_u2f(struct statement *s);
RESULT attest_tpm(struct statement *s);
RESULT attest_android_key(struct statement *s);
RESULT attest_apple(struct statement *s);

/* §7.1 steps 13, and 21 to 24, given the parsed parts. */
RESULT attestation_judge(struct statement *s, struct view format, uint64_t now_ms, struct webauthn_credential *ret);

#endif
