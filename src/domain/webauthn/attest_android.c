/* §8.4 android-key. The extension is KeyDescription of the Android Keystore ("Verify hardware-backed key pairs with key
 * attestation"). */
#include "crypto/der.h"
#include "domain/webauthn/inside.h"

#define OID_KEY_DESCRIPTION "1.3.6.1.4.1.11129.2.1.17"
#define TAG_PURPOSE         1
#define TAG_ALL_APPS        600
#define TAG_ORIGIN          702
#define PURPOSE_SIGN        2 /* KM_PURPOSE_SIGN */
#define ORIGIN_GENERATED    0 /* KM_ORIGIN_GENERATED */

struct key_list { /* AuthorizationList, as far as §8.4 asks */
    bool all_applications;
    bool has_purpose, signs;
    bool has_origin, generated;
};

struct key_description {
    struct view challenge;
    struct key_list software, hardware; /* softwareEnforced, teeEnforced */
};

static RESULT read_purposes(struct view tagged, struct key_list *list)
{
    struct view set = {0}, body = {0};
    TRY(der_whole(tagged, DER_SET, &set));
    struct reader r = reader_new(set);
    list->has_purpose = true;
    while (r.left > 0) {
        uint32_t purpose = 0;
        TRY(der_get(&r, DER_INTEGER, &body));
        TRY(der_number(body, &purpose));
        list->signs |= purpose == PURPOSE_SIGN;
    }
    return OK;
}

static RESULT read_origin(struct view tagged, struct key_list *list)
{
    struct view body = {0};
    uint32_t origin = 0;
    TRY(der_whole(tagged, DER_INTEGER, &body));
    TRY(der_number(body, &origin));
    list->has_origin = true;
    list->generated = origin == ORIGIN_GENERATED;
    return OK;
}

static RESULT read_list(struct view sequence, struct key_list *ret)
{
    struct reader r = reader_new(sequence);
    struct key_list list = {0};
    uint32_t last = 0;
    while (r.left > 0) {
        struct der d = {0};
        TRY(der_next(&r, &d));
        if (d.kind != DER_CONTEXT || d.number <= last)
            return ERR_MALFORMED; /* tags rise, so none comes twice */
        last = d.number;
        if (d.number == TAG_ALL_APPS)
            list.all_applications = true;
        if (d.number == TAG_PURPOSE)
            TRY(read_purposes(d.body, &list));
        if (d.number == TAG_ORIGIN)
            TRY(read_origin(d.body, &list));
    }
    *ret = list;
    return OK;
}

/* KeyDescription: attestationVersion, attestationSecurityLevel, keymasterVersion, keymasterSecurityLevel,
 * attestationChallenge, uniqueId, softwareEnforced, teeEnforced. */
static RESULT read_description(struct view extension, struct key_description *ret)
{
    static const uint8_t before[] = {DER_INTEGER, DER_ENUMERATED, DER_INTEGER, DER_ENUMERATED};
    struct view sequence = {0}, body = {0};
    struct key_description d = {0};
    TRY(der_whole(extension, DER_SEQUENCE, &sequence));
    struct reader r = reader_new(sequence);
    for (size_t i = 0; i < ARRAY_LEN(before); i++)
        TRY(der_get(&r, before[i], &body));
    TRY(der_get(&r, DER_OCTET_STRING, &d.challenge));
    TRY(der_get(&r, DER_OCTET_STRING, &body));
    TRY(der_get(&r, DER_SEQUENCE, &body));
    TRY(read_list(body, &d.software));
    TRY(der_get(&r, DER_SEQUENCE, &body));
    TRY(read_list(body, &d.hardware));
    *ret = d;
    return OK;
}

/* §8.4: "The value in the AuthorizationList.origin field is equal to KM_ORIGIN_GENERATED. The value in the
 * AuthorizationList.purpose field is equal to KM_PURPOSE_SIGN." Where the policy trusts none but anchors, the hardware
 * must say both; below that, nobody may say otherwise, but silence passes, as in the specification's own example. */
static bool properly_made(const struct key_description *d, bool hardware_must_say)
{
    const struct key_list *hw = &d->hardware, *sw = &d->software;
    if ((hw->has_origin && !hw->generated) || (sw->has_origin && !sw->generated) || (hw->has_purpose && !hw->signs) ||
        (sw->has_purpose && !sw->signs))
        return false;
    return !hardware_must_say || (hw->has_origin && hw->has_purpose);
}

RESULT attest_android_key(struct statement *s)
{
    AUTO_WRITER w = writer_new(16u * 1024);
    struct key_description d = {0};
    enum err e = statement_chain(s);
    if (e == ERR_MISSING_FIELD)
        return statement_malformed(s, "The statement needs x5c.");
    TRY(e);
    TRY(statement_signed_by_certificate(s, s->to_be_signed));
    /* "Verify that the public key in the first certificate in x5c matches the credentialPublicKey". */
    TRY(statement_judged(s, x509_has_key(s->certificate, &s->key->key), "The certificate is for another key."));
    TRY(statement_extension(s, OID_KEY_DESCRIPTION, &w));
    if (read_description(writer_view_of(&w), &d) != OK)
        return statement_malformed(s, "The certificate's description of the key can't be read.");
    /* "Verify that the attestationChallenge field … is identical to clientDataHash." */
    if (!view_eq(d.challenge, s->client_data_hash))
        return statement_refuse(s, "The certificate was issued for another registration.");
    /* "The AuthorizationList.allApplications field is not present on either authorization list". */
    if (d.software.all_applications || d.hardware.all_applications)
        return statement_refuse(s, "The key is not bound to one site.");
    if (!properly_made(&d, s->policy->least == WEBAUTHN_TRUSTED))
        return statement_refuse(s, "The key was not made for signing inside the device's hardware.");
    return OK;
}
