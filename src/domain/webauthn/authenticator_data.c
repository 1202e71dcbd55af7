#include "domain/webauthn/inside.h"

#include "crypto/secmem.h"

#define WHERE "/response/authenticatorData"

/* §6.5.1. */
static RESULT read_attested(struct reader *r, struct authenticator_data *a)
{
    uint16_t length = 0;
    struct cbor_map key = {0};
    TRY(reader_bytes(r, WEBAUTHN_AAGUID_SIZE, &a->aaguid));
    TRY(reader_u16(r, &length));
    /* §7.1 step 25: "Verify that the credentialId is ≤ 1023 bytes." */
    if (length > WEBAUTHN_ID_MAX)
        return ERR_TOO_LONG;
    if (length == 0)
        return ERR_MALFORMED;
    TRY(reader_bytes(r, length, &a->credential_id));
    const uint8_t *begin = r->ptr;
    TRY(cbor_read_map(r, &key));
    a->public_key = VIEW(begin, (size_t)(r->ptr - begin));
    return OK;
}

static RESULT read_all(struct view bytes, struct authenticator_data *ret)
{
    struct authenticator_data a = {.bytes = bytes};
    struct reader r = reader_new(bytes);
    struct cbor_map extensions = {0};
    if (bytes.len > WEBAUTHN_AUTHENTICATOR_MAX)
        return ERR_TOO_LONG;
    TRY(reader_bytes(&r, SHA256_SIZE, &a.rp_id_hash));
    TRY(reader_u8(&r, &a.flags));
    TRY(reader_u32(&r, &a.sign_count));
    if (a.flags & FLAG_ATTESTED)
        TRY(read_attested(&r, &a));
    /* None are asked for; what an authenticator adds unasked is ignored, once it is well-formed (§7.1 step 28, §7.2
     * step 23). */
    if (a.flags & FLAG_EXTENSIONS)
        TRY(cbor_read_map(&r, &extensions));
    TRY(reader_end(&r));
    *ret = a;
    return OK;
}

RESULT authenticator_data(struct view bytes, struct authenticator_data *ret, struct problem *why)
{
    enum err e = read_all(bytes, ret);
    if (e)
        return problem_set(why, e, WHERE, "The authenticator data can't be read.");
    return OK;
}

RESULT authenticator_data_check(const struct authenticator_data *a, const struct webauthn_ceremony *expect,
                                struct problem *why)
{
    uint8_t hash[SHA256_SIZE];
    sha256(expect->rp_id, hash);
    /* §7.1 step 14, §7.2 step 15: "Verify that the rpIdHash in authData is the SHA-256 hash of the RP ID expected". */
    if (!ct_eq_view(a->rp_id_hash, VIEW_OF(hash)))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It was made for another site.");
    /* §7.1 step 15, §7.2 step 16: "Verify that the UP bit of the flags in authData is set." */
    if (!(a->flags & FLAG_USER_PRESENT))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "Nobody confirmed it at the authenticator.");
    /* §7.1 step 16, §7.2 step 17: "If … user verification is required …, verify that the UV bit … is set." */
    if (expect->user_verification && !(a->flags & FLAG_USER_VERIFIED))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE,
                           "The authenticator did not verify its user; set a PIN or a fingerprint on it.");
    /* §7.1 step 17, §7.2 step 18: "If the BE bit … is not set, verify that the BS bit is not set." */
    if (!(a->flags & FLAG_BACKUP_ELIGIBLE) && (a->flags & FLAG_BACKED_UP))
        return problem_set(why, ERR_PASSKEY_REFUSED, WHERE, "It says that it is backed up and that it can't be.");
    return OK;
}
