#include "crypto/datum.h"
#include "crypto/ecdsa.h"
#include "crypto/sign.h"

#include <gnutls/abstract.h>

#define SPKI_MAX_SIZE 1024

static RESULT verify(gnutls_pubkey_t key, struct view spki_der, struct view message, struct view der)
{
    gnutls_datum_t spki = datum(spki_der), text = datum(message), sig = datum(der);
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    if (gnutls_pubkey_import(key, &spki, GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS ||
        gnutls_pubkey_get_pk_algorithm(key, NULL) != GNUTLS_PK_ECDSA ||
        gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) != GNUTLS_E_SUCCESS ||
        curve != GNUTLS_ECC_CURVE_SECP256R1)
        return ERR_BAD_KEY;
    if (gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &text, &sig) < 0)
        return ERR_BAD_SIGNATURE;
    return OK;
}

RESULT p256_verify_sha256(struct view spki_der, struct view message, struct view signature, bool raw)
{
    if (spki_der.len == 0 || spki_der.len > SPKI_MAX_SIZE)
        return ERR_BAD_KEY;
    if (message.len > DATUM_MAX)
        return ERR_TOO_LONG;
    /* GnuTLS takes DER and is lenient about it: it gets only what went through our own strict reading. */
    uint8_t rs[ECDSA_RAW_SIZE], der[ECDSA_DER_MAX_SIZE];
    if (!raw)
        TRY(ecdsa_from_der(signature, rs));
    else if (signature.len == sizeof(rs))
        memcpy(rs, signature.ptr, sizeof(rs));
    else
        return ERR_BAD_SIGNATURE;
    size_t der_len = ecdsa_to_der(rs, der);

    gnutls_pubkey_t key = NULL;
    if (gnutls_pubkey_init(&key) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    enum err e = verify(key, spki_der, message, VIEW(der, der_len));
    gnutls_pubkey_deinit(key);
    return e;
}
