#include "domain/webauthn/webauthn.h"

#include "crypto/secmem.h"
#include "domain/webauthn/inside.h"

/* §7.1 step 13: "Perform CBOR decoding on the attestationObject … to obtain the attestation statement format fmt, the
 * authenticator data authData, and the attestation statement attStmt." */
struct attestation_object {
    struct view format, data;
    struct cbor_map statement;
};

static RESULT read_object(struct view bytes, struct attestation_object *ret)
{
    struct cbor_map m = {0};
    struct cbor_value format = {0}, data = {0}, statement = {0};
    if (bytes.len > WEBAUTHN_ATTESTATION_MAX)
        return ERR_TOO_LONG;
    TRY(cbor_read_whole_map(bytes, &m));
    TRY(cbor_read_named(&m, "fmt", CBOR_KIND_TEXT, &format));
    TRY(cbor_read_named(&m, "authData", CBOR_KIND_BYTES, &data));
    TRY(cbor_read_named(&m, "attStmt", CBOR_KIND_MAP, &statement));
    TRY(cbor_read_whole_map(statement.bytes, &ret->statement));
    ret->format = format.bytes;
    ret->data = data.bytes;
    return OK;
}

/* authData ‖ hash: what attestations and assertions sign. */
static RESULT put_signed(struct writer *w, struct view data, const uint8_t hash[static SHA256_SIZE])
{
    writer_view(w, data);
    writer_bytes(w, hash, SHA256_SIZE);
    return writer_done(w);
}

static bool offered(const struct webauthn_ceremony *expect, int32_t algorithm)
{
    for (size_t i = 0; i < expect->algorithm_count; i++)
        if (expect->algorithms[i] == algorithm)
            return true;
    return false;
}

/* Reads authenticator data and key of a registration, and judges all but the attestation. */
static RESULT check_new(const struct webauthn_ceremony *expect, const struct webauthn_created *answer,
                        const struct authenticator_data *data, struct cose_key *key, struct problem *why)
{
    TRY(authenticator_data_check(data, expect, why));
    if (!(data->flags & FLAG_ATTESTED))
        return problem_set(why, ERR_MALFORMED, STATEMENT_WHERE, "There is no credential in it.");
    if (!view_eq(data->credential_id, answer->id))
        return problem_set(why, ERR_PASSKEY_REFUSED, "/rawId", "It is not the id of the credential that was made.");
    TRY(cose_key(data->public_key, key, why));
    /* §7.1 step 20: "Verify that the "alg" parameter in the credential public key … matches the alg attribute of one of
     * the items in pkOptions.pubKeyCredParams." */
    if (!offered(expect, key->algorithm))
        return problem_set(why, ERR_PASSKEY_REFUSED, STATEMENT_WHERE, "Its algorithm was not among those offered.");
    return OK;
}

static RESULT check_attestation(const struct webauthn_ceremony *expect, const struct attestation_object *object,
                                struct statement *s, struct webauthn_credential *ret)
{
    AUTO_WRITER w = writer_new(WEBAUTHN_AUTHENTICATOR_MAX + SHA256_SIZE);
    TRY(put_signed(&w, object->data, s->client_data_hash.ptr));
    s->to_be_signed = writer_view_of(&w);
    enum err e = attestation_judge(s, object->format, expect->now_ms, ret);
    x509_free(s->certificate);
    return e;
}

RESULT webauthn_register(const struct webauthn_ceremony *expect, const struct webauthn_created *answer,
                         struct webauthn_credential *ret, struct problem *why)
{
    struct attestation_object object = {0};
    struct authenticator_data data = {0};
    struct cose_key key = {0};
    struct webauthn_credential made = {0};
    uint8_t hash[SHA256_SIZE];
    if (expect->user_handle.len != sizeof made.user_handle)
        return problem_set(why, ERR_BAD_VALUE, "", "A passkey is registered for somebody.");
    TRY(client_data_check(answer->client_data, "webauthn.create", expect, why));
    /* §7.1 step 12: "Let hash be the result of computing a hash over response.clientDataJSON using SHA-256." */
    sha256(answer->client_data, hash);
    enum err e = read_object(answer->attestation_object, &object);
    if (e)
        return problem_set(why, e, STATEMENT_WHERE, "The attestation object can't be read.");
    TRY(authenticator_data(object.data, &data, why));
    TRY(check_new(expect, answer, &data, &key, why));
    struct statement s = {.map = &object.statement,
                          .data = &data,
                          .key = &key,
                          .client_data_hash = VIEW_OF(hash),
                          .policy = expect->policy,
                          .why = why};
    TRY(check_attestation(expect, &object, &s, &made));
    /* §7.1 step 27: the credential record. */
    made.id = data.credential_id;
    made.public_key = data.public_key;
    made.sign_count = data.sign_count;
    memcpy(made.aaguid, data.aaguid.ptr, sizeof made.aaguid);
    made.user_verified = data.flags & FLAG_USER_VERIFIED;
    made.backup_eligible = data.flags & FLAG_BACKUP_ELIGIBLE;
    made.backed_up = data.flags & FLAG_BACKED_UP;
    made.created_ms = expect->now_ms;
    memcpy(made.user_handle, expect->user_handle.ptr, sizeof made.user_handle);
    *ret = made;
    return OK;
}

/* §7.2 steps 5 and 6. */
static RESULT check_owner(const struct webauthn_ceremony *expect, const struct webauthn_asserted *answer,
                          const struct webauthn_credential *stored, struct problem *why)
{
    bool listed = expect->allowed_count == 0;
    for (size_t i = 0; i < expect->allowed_count; i++)
        listed |= view_eq(answer->id, expect->allowed[i]);
    /* "If pkOptions.allowCredentials is not empty, verify that credential.id identifies one of the public key
     * credentials listed" */
    if (!listed || !view_eq(answer->id, stored->id))
        return problem_set(why, ERR_PASSKEY_REFUSED, "/rawId", "This passkey was not asked for.");
    /* "If the user was identified before the authentication ceremony was initiated …: verify that the identified user
     * account contains a credential record whose id equals credential.rawId." */
    struct view owner = VIEW_OF(stored->user_handle);
    if (expect->user_handle.len != 0 && !ct_eq_view(expect->user_handle, owner))
        return problem_set(why, ERR_PASSKEY_REFUSED, "/rawId", "This passkey is somebody else's.");
    /* "If the user was not identified before …, verify that response.userHandle is present." */
    if (expect->user_handle.len == 0 && answer->user_handle.len == 0)
        return problem_set(why, ERR_PASSKEY_REFUSED, "/response/userHandle", "It does not say whose it is.");
    /* "If response.userHandle is present, verify that it equals the user handle of the user account." */
    if (answer->user_handle.len != 0 && !ct_eq_view(answer->user_handle, owner))
        return problem_set(why, ERR_PASSKEY_REFUSED, "/response/userHandle", "It is somebody else's.");
    return OK;
}

/* §7.2 step 21: "Using credentialRecord.publicKey, verify that sig is a valid signature over the binary concatenation
 * of authData and hash." */
static RESULT check_signature(const struct webauthn_asserted *answer, const struct webauthn_credential *stored,
                              struct problem *why)
{
    AUTO_WRITER w = writer_new(WEBAUTHN_AUTHENTICATOR_MAX + SHA256_SIZE);
    struct cose_key key = {0};
    uint8_t hash[SHA256_SIZE];
    TRY(cose_key(stored->public_key, &key, why));
    sha256(answer->client_data, hash);
    TRY(put_signed(&w, answer->authenticator_data, hash));
    enum err e = public_key_verify(&key.key, writer_view_of(&w), answer->signature);
    if (e && e != ERR_NO_MEMORY)
        return problem_set(why, ERR_BAD_SIGNATURE, "/response/signature", "The passkey's signature does not verify.");
    return e;
}

RESULT webauthn_assert(const struct webauthn_ceremony *expect, const struct webauthn_asserted *answer,
                       const struct webauthn_credential *stored, struct webauthn_credential *ret, struct problem *why)
{
    struct authenticator_data data = {0};
    struct webauthn_credential used = *stored;
    TRY(check_owner(expect, answer, stored, why));
    TRY(client_data_check(answer->client_data, "webauthn.get", expect, why));
    TRY(authenticator_data(answer->authenticator_data, &data, why));
    TRY(authenticator_data_check(&data, expect, why));
    TRY(check_signature(answer, stored, why));
    /* §7.2 step 19: "If credentialRecord.backupEligible is set, verify that currentBe is set. If … is not set, verify
     * that currentBe is not set." Behind the signature, so that whoever has no key learns nothing of the credential. */
    if (stored->backup_eligible != !!(data.flags & FLAG_BACKUP_ELIGIBLE))
        return problem_set(why, ERR_PASSKEY_REFUSED, "/response/authenticatorData",
                           "Whether it can be backed up has changed, which can't be.");
    /* §7.2 step 22: "If authData.signCount is nonzero or credentialRecord.signCount is nonzero …: less than or equal to
     * credentialRecord.signCount: This is a signal … that the authenticator may be cloned." */
    if ((data.sign_count != 0 || stored->sign_count != 0) && data.sign_count <= stored->sign_count)
        return problem_set(why, ERR_PASSKEY_CLONED, "/response/authenticatorData",
                           "The counter says %u, after %u: there may be a copy of this passkey.", data.sign_count,
                           stored->sign_count);
    /* §7.2 step 24: "Update credentialRecord with new state values". uvInitialized is not raised here: that "SHOULD
     * require authorization by an additional authentication factor". */
    used.sign_count = data.sign_count;
    used.backed_up = data.flags & FLAG_BACKED_UP;
    used.last_used_ms = expect->now_ms;
    *ret = used;
    return OK;
}
