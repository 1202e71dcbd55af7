/* §8.2 packed, §8.6 fido-u2f, §8.7 none, §8.8 apple: the formats that sign, or hash, authenticator data and client data
 * with little around them. */
#include "crypto/der.h"
#include "domain/webauthn/inside.h"

#define OID_COUNTRY      "2.5.4.6"
#define OID_ORGANISATION "2.5.4.10"
#define OID_UNIT         "2.5.4.11"
#define OID_COMMON_NAME  "2.5.4.3"
#define OID_APPLE_NONCE  "1.2.840.113635.100.8.2"
#define POINT_HALF       32

RESULT attest_none(struct statement *s)
{
    /* §8.7: attStmt is an empty map. */
    if (s->map->count != 0)
        return statement_malformed(s, "A statement of format none is empty.");
    return OK;
}

/* §8.2.1: "Subject-C: ISO 3166 code …, Subject-O: Legal name of the Authenticator vendor, Subject-OU: Literal string
 * "Authenticator Attestation", Subject-CN: … of the vendor's choosing". */
static RESULT check_subject(const struct statement *s)
{
    char country[X509_TEXT_MAX] = {0}, text[X509_TEXT_MAX] = {0}, unit[X509_TEXT_MAX] = {0};
    if (x509_subject(s->certificate, OID_COUNTRY, country) != OK || strlen(country) != 2 ||
        x509_subject(s->certificate, OID_ORGANISATION, text) != OK || text[0] == '\0' ||
        x509_subject(s->certificate, OID_COMMON_NAME, text) != OK || text[0] == '\0' ||
        x509_subject(s->certificate, OID_UNIT, unit) != OK || strcmp(unit, "Authenticator Attestation") != 0)
        return statement_refuse(s, "The certificate's subject is not one for attestation.");
    return OK;
}

/* §8.2: "Validate that alg matches the algorithm of the credentialPublicKey in authenticatorData. Verify that sig is a
 * valid signature … using the credential public key with alg." */
static RESULT self_signed(const struct statement *s)
{
    struct cbor_value alg = {0}, sig = {0};
    if (cbor_read_named(s->map, "alg", CBOR_KIND_INTEGER, &alg) != OK ||
        cbor_read_named(s->map, "sig", CBOR_KIND_BYTES, &sig) != OK)
        return statement_malformed(s, "The statement needs alg and sig.");
    if (alg.number != s->key->algorithm)
        return statement_refuse(s, "The statement's algorithm is not the credential's.");
    return statement_judged(s, public_key_verify(&s->key->key, s->to_be_signed, sig.bytes),
                            "The statement's signature does not verify.");
}

RESULT attest_packed(struct statement *s)
{
    enum err e = statement_chain(s);
    if (e == ERR_MISSING_FIELD)
        return self_signed(s);
    TRY(e);
    TRY(statement_signed_by_certificate(s, s->to_be_signed));
    TRY(check_subject(s));
    return statement_certificate_plain(s);
}

/* §8.6: "0x00 || rpIdHash || clientDataHash || credentialId || publicKeyU2F", with publicKeyU2F the uncompressed point.
 */
static void u2f_message(const struct statement *s, struct writer *w)
{
    writer_u8(w, 0x00);
    writer_view(w, s->data->rp_id_hash);
    writer_view(w, s->client_data_hash);
    writer_view(w, s->data->credential_id);
    writer_u8(w, 0x04);
    writer_view(w, s->key->key.x);
    writer_view(w, s->key->key.y);
}

RESULT attest_fido_u2f(struct statement *s)
{
    AUTO_WRITER w = writer_new(1 + 2 * SHA256_SIZE + WEBAUTHN_ID_MAX + 1 + 2 * POINT_HALF);
    struct cbor_value sig = {0};
    enum err e = statement_chain(s);
    if (e == ERR_MISSING_FIELD || (e == OK && s->chain_count != 1))
        return statement_malformed(s, "A statement of a U2F key has exactly one certificate.");
    TRY(e);
    if (cbor_read_named(s->map, "sig", CBOR_KIND_BYTES, &sig) != OK)
        return statement_malformed(s, "The statement needs sig.");
    /* "If certificate public key is not an Elliptic Curve (EC) public key over the P-256 curve, terminate"; the same
     * goes for the credential's, whose coordinates must be of 32 bytes. */
    if (x509_kind(s->certificate) != PUBLIC_P256 || s->key->key.kind != PUBLIC_P256)
        return statement_refuse(s, "U2F knows P-256 only.");
    u2f_message(s, &w);
    TRY(writer_done(&w));
    return statement_judged(s, x509_verify(s->certificate, writer_view_of(&w), sig.bytes),
                            "The statement's signature does not verify.");
}

/* The extension is SEQUENCE { [1] EXPLICIT OCTET STRING }. */
static RESULT apple_nonce(struct view extension, struct view *ret)
{
    struct view sequence = {0}, tagged = {0};
    TRY(der_whole(extension, DER_SEQUENCE, &sequence));
    TRY(der_whole(sequence, DER_CONTEXT | 1, &tagged));
    return der_whole(tagged, DER_OCTET_STRING, ret);
}

RESULT attest_apple(struct statement *s)
{
    AUTO_WRITER w = writer_new(256);
    uint8_t nonce[SHA256_SIZE];
    struct view said = {0};
    enum err e = statement_chain(s);
    if (e == ERR_MISSING_FIELD)
        return statement_malformed(s, "The statement needs x5c.");
    TRY(e);
    /* §8.8: "Perform SHA-256 hash of nonceToHash to produce nonce. Verify that nonce equals the value of the extension
     * with OID 1.2.840.113635.100.8.2 in credCert." */
    sha256(s->to_be_signed, nonce);
    TRY(statement_extension(s, OID_APPLE_NONCE, &w));
    if (apple_nonce(writer_view_of(&w), &said) != OK || !view_eq(said, VIEW_OF(nonce)))
        return statement_refuse(s, "The certificate was issued for another registration.");
    /* "Verify that the credential public key equals the Subject Public Key of credCert." */
    return statement_judged(s, x509_has_key(s->certificate, &s->key->key), "The certificate is for another key.");
}
