#include "domain/webauthn/inside.h"

#include "crypto/der.h"

#define FORMAT_TEXT_MAX 32 /* §8.1 */
#define OID_AAGUID      "1.3.6.1.4.1.45724.1.1.4"

/* Whose statements say nothing about who made them can't be told apart from anything: they are UNATTESTED or SELF. */
static const struct format {
    const char *name;
    enum webauthn_format format;
    RESULT (*verify)(struct statement *s);
} formats[] = {
    {"none", WEBAUTHN_FORMAT_NONE, attest_none},
    {"packed", WEBAUTHN_FORMAT_PACKED, attest_packed},
    {"fido-u2f", WEBAUTHN_FORMAT_FIDO_U2F, attest_fido_u2f},
    {"tpm", WEBAUTHN_FORMAT_TPM, attest_tpm},
    {"android-key", WEBAUTHN_FORMAT_ANDROID_KEY, attest_android_key},
    {"apple", WEBAUTHN_FORMAT_APPLE, attest_apple},
};

RESULT statement_refuse(const struct statement *s, const char *detail)
{
    return problem_set(s->why, ERR_ATTESTATION_REFUSED, STATEMENT_WHERE, "%s", detail);
}

RESULT statement_malformed(const struct statement *s, const char *detail)
{
    return problem_set(s->why, ERR_MALFORMED, STATEMENT_WHERE, "%s", detail);
}

RESULT statement_judged(const struct statement *s, enum err e, const char *detail)
{
    return e == OK || e == ERR_NO_MEMORY ? e : statement_refuse(s, detail);
}

static RESULT read_chain(struct statement *s, struct view array)
{
    struct reader r = reader_new(array);
    struct cbor_value head = {0}, item = {0};
    TRY(cbor_read_value(&r, &head));
    if (head.count == 0 || head.count > X509_CHAIN_MAX)
        return ERR_MALFORMED;
    for (size_t i = 0; i < head.count; i++) {
        TRY(cbor_read_value(&r, &item));
        if (item.kind != CBOR_KIND_BYTES)
            return ERR_MALFORMED;
        s->chain[i] = item.bytes;
    }
    s->chain_count = head.count;
    return x509_read(s->chain[0], &s->certificate);
}

RESULT statement_chain(struct statement *s)
{
    struct cbor_value x5c = {0};
    enum err e = cbor_read_named(s->map, "x5c", CBOR_KIND_ARRAY, &x5c);
    if (e == ERR_MISSING_FIELD)
        return e;
    if (e == OK)
        e = read_chain(s, x5c.bytes);
    if (e && e != ERR_NO_MEMORY)
        return statement_malformed(s, "x5c is a list of one to eight certificates.");
    return e;
}

RESULT statement_signed_by_certificate(const struct statement *s, struct view message)
{
    struct cbor_value alg = {0}, sig = {0};
    if (cbor_read_named(s->map, "alg", CBOR_KIND_INTEGER, &alg) != OK ||
        cbor_read_named(s->map, "sig", CBOR_KIND_BYTES, &sig) != OK)
        return statement_malformed(s, "The statement needs alg and sig.");
    enum public_kind kind = cose_kind(alg.number);
    if (kind == PUBLIC_NONE || kind != x509_kind(s->certificate))
        return statement_refuse(s, "The statement's algorithm is not taken, or not that of its certificate.");
    return statement_judged(s, x509_verify(s->certificate, message, sig.bytes),
                            "The statement's signature does not verify.");
}

RESULT statement_extension(const struct statement *s, const char *oid, struct writer *value)
{
    bool critical = false;
    return statement_judged(s, x509_extension(s->certificate, oid, value, &critical),
                            "The certificate lacks an extension that its format demands.");
}

/* §8.2: "If attestnCert contains an extension with OID 1.3.6.1.4.1.45724.1.1.4 (id-fido-gen-ce-aaguid) verify that the
 * value of this extension matches the aaguid in authenticatorData." §8.2.1: "The extension MUST NOT be marked as
 * critical."
 */
static RESULT check_aaguid(const struct statement *s)
{
    AUTO_WRITER w = writer_new(64);
    struct view aaguid = {0};
    bool critical = false;
    enum err e = x509_extension(s->certificate, OID_AAGUID, &w, &critical);
    if (e == ERR_NOT_FOUND || e == ERR_NO_MEMORY)
        return e == ERR_NOT_FOUND ? OK : e;
    if (e || critical || der_whole(writer_view_of(&w), DER_OCTET_STRING, &aaguid) != OK ||
        !view_eq(aaguid, s->data->aaguid))
        return statement_refuse(s, "The certificate is for another model than the authenticator says.");
    return OK;
}

RESULT statement_certificate_plain(const struct statement *s)
{
    /* "Version MUST be set to 3." "The Basic Constraints extension MUST have the CA component set to false." */
    if (x509_version(s->certificate) != 3 || x509_is_ca(s->certificate))
        return statement_refuse(s, "The certificate is not one for attestation.");
    return check_aaguid(s);
}

static const struct format *find(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (view_is(name, formats[i].name))
            return &formats[i];
    return NULL;
}

static bool model_taken(const struct webauthn_policy *policy, struct view aaguid)
{
    for (size_t i = 0; i < policy->aaguid_count; i++)
        if (view_eq(aaguid, VIEW(policy->aaguids[i], WEBAUTHN_AAGUID_SIZE)))
            return true;
    return policy->aaguid_count == 0;
}

/* §7.1 step 24: "use the X.509 certificates returned as the attestation trust path … to verify that the attestation
 * public key either correctly chains up to an acceptable root certificate, or is itself an acceptable certificate". */
static RESULT level_of(const struct statement *s, enum webauthn_format format, uint64_t now_ms,
                       enum webauthn_attestation *ret)
{
    const struct x509_list chain = {s->chain, s->chain_count};
    const struct x509_list anchors = {s->policy->anchors, s->policy->anchor_count};
    enum webauthn_attestation level = WEBAUTHN_CERTIFIED;
    if (s->chain_count == 0)
        level = format == WEBAUTHN_FORMAT_NONE ? WEBAUTHN_UNATTESTED : WEBAUTHN_SELF;
    else if (anchors.count > 0) {
        enum err e = x509_chain(&chain, &anchors, now_ms);
        if (e == ERR_NO_MEMORY)
            return e;
        level = e == OK ? WEBAUTHN_TRUSTED : level;
    }
    *ret = level;
    return OK;
}

RESULT attestation_judge(struct statement *s, struct view format, uint64_t now_ms, struct webauthn_credential *ret)
{
    enum webauthn_attestation level = WEBAUTHN_UNATTESTED;
    /* §7.1 step 21: "Determine the attestation statement format by performing a USASCII case-sensitive match on fmt".
     */
    const struct format *f = format.len <= FORMAT_TEXT_MAX ? find(format) : NULL;
    if (!f)
        return statement_refuse(s, "This format of attestation is not verified here, and what is not verified is not "
                                   "taken; taken are none, packed, fido-u2f, tpm, android-key, apple.");
    /* §7.1 step 22: "Verify that attStmt is a correct attestation statement, conveying a valid attestation signature".
     */
    TRY(f->verify(s));
    TRY(level_of(s, f->format, now_ms, &level));
    if (level < s->policy->least)
        return statement_refuse(s, "The policy demands a stronger attestation than this authenticator gave.");
    if (s->policy->least == WEBAUTHN_TRUSTED && !model_taken(s->policy, s->data->aaguid))
        return statement_refuse(s, "The policy does not list this model of authenticator.");
    ret->format = (uint8_t)f->format;
    ret->attestation = (uint8_t)level;
    return OK;
}
