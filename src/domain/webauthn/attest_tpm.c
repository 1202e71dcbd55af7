/* §8.3 tpm. The structures are those of "Trusted Platform Module Library, Part 2", which has numbers big-endian. */
#include "crypto/der.h"
#include "domain/webauthn/inside.h"

#define TPM_GENERATED_VALUE    0xff544347u
#define TPM_ST_ATTEST_CERTIFY  0x8017
#define TPM_ALG_RSA            0x0001
#define TPM_ALG_SHA256         0x000b
#define TPM_ALG_NULL           0x0010
#define TPM_ALG_ECC            0x0023
#define TPM_RSA_EXPONENT       65537u /* what an exponent of 0 stands for */
#define CLOCK_AND_FIRMWARE     (17 + 8)
#define OID_SUBJECT_ALT_NAME   "2.5.29.17"
#define OID_EXTENDED_KEY_USAGE "2.5.29.37"
#define DIRECTORY_NAME         (DER_CONTEXT | 4)
#define VENDOR_MARK            "id:"
#define VENDOR_LENGTH          (sizeof VENDOR_MARK - 1 + 8) /* 8 hex digits */

/* 2.23.133.8.3 tcg-kp-AIKCertificate; 2.23.133.2.1, .2, .3: manufacturer, model, version of the TPM. */
static const uint8_t oid_aik[] = {0x67, 0x81, 0x05, 0x08, 0x03};
static const uint8_t oid_tpm[] = {0x67, 0x81, 0x05, 0x02};

static const struct curve {
    uint16_t tpm;
    enum public_kind kind;
} curves[] = {{0x0003, PUBLIC_P256}, {0x0004, PUBLIC_P384}, {0x0005, PUBLIC_P521}};

/* TPM2B: a 16-bit length and that many bytes. */
static RESULT sized(struct reader *r, struct view *ret)
{
    uint16_t n = 0;
    TRY(reader_u16(r, &n));
    return reader_bytes(r, n, ret);
}

/* TPMT_*_SCHEME: an algorithm, and its hash unless it is none. */
static RESULT skip_scheme(struct reader *r)
{
    uint16_t scheme = 0, hash = 0;
    TRY(reader_u16(r, &scheme));
    return scheme == TPM_ALG_NULL ? OK : reader_u16(r, &hash);
}

/* As wide as the field: a TPM may leave out leading zeros. */
static bool same_number(struct view a, struct view b)
{
    for (; a.len > 0 && a.ptr[0] == 0; a.len--)
        a.ptr++;
    for (; b.len > 0 && b.ptr[0] == 0; b.len--)
        b.ptr++;
    return a.len > 0 && view_eq(a, b);
}

static RESULT read_rsa(struct reader *r, const struct public_key *key)
{
    uint16_t bits = 0;
    uint32_t exponent = 0, own = 0;
    struct view modulus = {0};
    TRY(skip_scheme(r));
    TRY(reader_u16(r, &bits));
    TRY(reader_u32(r, &exponent));
    TRY(sized(r, &modulus));
    if (key->kind != PUBLIC_RSA)
        return ERR_BAD_KEY;
    for (size_t i = 0; i < key->y.len; i++)
        own = own << 8 | key->y.ptr[i];
    return own == (exponent ? exponent : TPM_RSA_EXPONENT) && same_number(modulus, key->x) ? OK : ERR_BAD_KEY;
}

static RESULT read_ecc(struct reader *r, const struct public_key *key)
{
    uint16_t curve = 0;
    struct view x = {0}, y = {0};
    TRY(skip_scheme(r));
    TRY(reader_u16(r, &curve));
    TRY(skip_scheme(r)); /* kdf */
    TRY(sized(r, &x));
    TRY(sized(r, &y));
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (curves[i].tpm == curve && curves[i].kind == key->kind)
            return same_number(x, key->x) && same_number(y, key->y) ? OK : ERR_BAD_KEY;
    return ERR_BAD_KEY;
}

/* TPMT_PUBLIC of a signing key, and: "Verify that the public key specified by the parameters and unique fields of
 * pubArea is identical to the credentialPublicKey in the attestedCredentialData". */
static RESULT check_public(struct view area, const struct public_key *key)
{
    struct reader r = reader_new(area);
    uint16_t type = 0, name_hash = 0, symmetric = 0;
    uint32_t attributes = 0;
    struct view policy = {0};
    TRY(reader_u16(&r, &type));
    TRY(reader_u16(&r, &name_hash));
    TRY(reader_u32(&r, &attributes));
    TRY(sized(&r, &policy));
    TRY(reader_u16(&r, &symmetric));
    if (name_hash != TPM_ALG_SHA256 || symmetric != TPM_ALG_NULL || (type != TPM_ALG_RSA && type != TPM_ALG_ECC))
        return ERR_BAD_KEY;
    TRY(type == TPM_ALG_RSA ? read_rsa(&r, key) : read_ecc(&r, key));
    return reader_end(&r);
}

/* TPMS_ATTEST with TPMS_CERTIFY_INFO. */
static RESULT check_info(const struct statement *s, struct view info, struct view public_area)
{
    struct reader r = reader_new(info);
    uint32_t magic = 0;
    uint16_t type = 0, name_hash = 0;
    struct view signer = {0}, extra = {0}, rest = {0}, name = {0}, qualified = {0};
    uint8_t hash[SHA256_SIZE];
    TRY(reader_u32(&r, &magic));
    TRY(reader_u16(&r, &type));
    TRY(sized(&r, &signer));
    TRY(sized(&r, &extra));
    TRY(reader_bytes(&r, CLOCK_AND_FIRMWARE, &rest));
    TRY(sized(&r, &name));
    TRY(sized(&r, &qualified));
    TRY(reader_end(&r));
    /* "Verify that magic is set to TPM_GENERATED_VALUE. Verify that type is set to TPM_ST_ATTEST_CERTIFY." */
    if (magic != TPM_GENERATED_VALUE || type != TPM_ST_ATTEST_CERTIFY)
        return ERR_ATTESTATION_REFUSED;
    /* "Verify that extraData is set to the hash of attToBeSigned using the hash algorithm employed in alg." */
    sha256(s->to_be_signed, hash);
    if (!view_eq(extra, VIEW_OF(hash)))
        return ERR_ATTESTATION_REFUSED;
    /* "…whose name field contains a valid Name for pubArea": nameAlg ‖ hash of pubArea (Part 1, §16). */
    struct reader named = reader_new(name);
    sha256(public_area, hash);
    TRY(reader_u16(&named, &name_hash));
    return name_hash == TPM_ALG_SHA256 && view_eq(VIEW(named.ptr, named.left), VIEW_OF(hash)) ? OK
                                                                                              : ERR_ATTESTATION_REFUSED;
}

/* "The Extended Key Usage extension MUST contain the OID 2.23.133.8.3". */
static bool usage_fits(struct view extension)
{
    struct view sequence = {0}, oid = {0};
    if (der_whole(extension, DER_SEQUENCE, &sequence) != OK)
        return false;
    struct reader r = reader_new(sequence);
    while (der_get(&r, DER_OID, &oid) == OK)
        if (view_eq(oid, VIEW_OF(oid_aik)))
            return true;
    return false;
}

/* One attribute of the TPM, as a bit of which there are; 0 for anything else. */
static unsigned attribute(struct view sequence)
{
    struct reader r = reader_new(sequence);
    struct view oid = {0};
    struct der text = {0};
    if (der_get(&r, DER_OID, &oid) != OK || der_next(&r, &text) != OK || r.left != 0 || text.body.len == 0 ||
        oid.len != sizeof oid_tpm + 1 || !view_eq(VIEW(oid.ptr, sizeof oid_tpm), VIEW_OF(oid_tpm)))
        return 0;
    uint8_t which = oid.ptr[sizeof oid_tpm];
    if (which == 1 && (text.body.len != VENDOR_LENGTH || !view_starts(text.body, VENDOR_MARK)))
        return 0;
    return which >= 1 && which <= 3 ? 1u << which : 0;
}

/* The attributes may share one RelativeDistinguishedName, or have one each. */
static unsigned attributes_of(struct view name)
{
    struct reader names = reader_new(name);
    struct view set = {0}, pair = {0};
    unsigned found = 0;
    while (der_get(&names, DER_SET, &set) == OK) {
        struct reader r = reader_new(set);
        while (der_get(&r, DER_SEQUENCE, &pair) == OK)
            found |= attribute(pair);
    }
    return found;
}

/* "The Subject Alternative Name extension MUST be set as defined in [TPMv2-EK-Profile] section 3.2.9": a directory
 * name with the TPM's manufacturer, model and version. */
static bool names_a_tpm(struct view extension)
{
    struct view names = {0}, name = {0};
    if (der_whole(extension, DER_SEQUENCE, &names) != OK)
        return false;
    struct reader r = reader_new(names);
    struct der d = {0};
    while (der_next(&r, &d) == OK)
        if (d.kind == (DIRECTORY_NAME & 0xe0) && d.number == (DIRECTORY_NAME & 0x1f) &&
            der_whole(d.body, DER_SEQUENCE, &name) == OK && attributes_of(name) == (2u | 4u | 8u))
            return true;
    return false;
}

/* §8.3.1. */
static RESULT check_certificate(const struct statement *s)
{
    AUTO_WRITER names = writer_new(4096);
    AUTO_WRITER usage = writer_new(1024);
    TRY(statement_certificate_plain(s));
    if (!x509_subject_empty(s->certificate))
        return statement_refuse(s, "The certificate of a TPM has no subject.");
    TRY(statement_extension(s, OID_SUBJECT_ALT_NAME, &names));
    TRY(statement_extension(s, OID_EXTENDED_KEY_USAGE, &usage));
    if (!names_a_tpm(writer_view_of(&names)) || !usage_fits(writer_view_of(&usage)))
        return statement_refuse(s, "The certificate is not one of a TPM.");
    return OK;
}

RESULT attest_tpm(struct statement *s)
{
    struct cbor_value version = {0}, alg = {0}, info = {0}, area = {0};
    if (cbor_read_named(s->map, "ver", CBOR_KIND_TEXT, &version) != OK || !view_is(version.bytes, "2.0") ||
        cbor_read_named(s->map, "alg", CBOR_KIND_INTEGER, &alg) != OK ||
        cbor_read_named(s->map, "certInfo", CBOR_KIND_BYTES, &info) != OK ||
        cbor_read_named(s->map, "pubArea", CBOR_KIND_BYTES, &area) != OK)
        return statement_malformed(s, "The statement needs ver \"2.0\", alg, sig, x5c, certInfo and pubArea.");
    /* The hash of extraData is alg's: SHA-256 is taken, SHA-1 (RS1, of old TPMs) is not. */
    if (alg.number != WEBAUTHN_ES256 && alg.number != WEBAUTHN_RS256)
        return statement_refuse(s, "Of TPMs, statements with SHA-256 are taken: ES256 and RS256.");
    enum err e = statement_chain(s);
    if (e == ERR_MISSING_FIELD)
        return statement_malformed(s, "The statement needs x5c.");
    TRY(e);
    if (check_public(area.bytes, &s->key->key) != OK)
        return statement_refuse(s, "The TPM's public area is not that of the credential's key.");
    if (check_info(s, info.bytes, area.bytes) != OK)
        return statement_refuse(s, "What the TPM certified is not this registration.");
    /* "Verify the sig is a valid signature over certInfo using the attestation public key in aikCert". */
    TRY(statement_signed_by_certificate(s, info.bytes));
    return check_certificate(s);
}
