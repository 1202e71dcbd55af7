#include "crypto/datum.h"
#include "crypto/sign.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192 /* a signature takes about 60 ms here; beyond, one key would stall its process */
#define PEM_MAX_SIZE ((size_t)32 * 1024)

struct rsa_key {
    gnutls_privkey_t handle;
};

/* Only plain rsaEncryption keys: one that is meant for PSS may not sign PKCS#1 v1.5. */
static bool rsa_fits(int algorithm, unsigned bits)
{
    return algorithm == GNUTLS_PK_RSA && bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS;
}

/* A private key whose parts don't fit each other gives signatures from which it can be computed, or none. The check of
 * its parameters lets some through, so it also has to sign once: nettle holds each result against the public half. */
static bool rsa_whole(gnutls_x509_privkey_t x509, gnutls_privkey_t handle)
{
    gnutls_datum_t text = datum(VIEW_STR("trial")), sig = {0};
    if (gnutls_x509_privkey_verify_params(x509) != GNUTLS_E_SUCCESS ||
        gnutls_privkey_sign_data(handle, GNUTLS_DIG_SHA256, 0, &text, &sig) != GNUTLS_E_SUCCESS)
        return false;
    gnutls_free(sig.data);
    return true;
}

static RESULT import_private(struct view pem, gnutls_x509_privkey_t x509, gnutls_privkey_t handle)
{
    gnutls_datum_t text = datum(pem);
    if (gnutls_x509_privkey_import(x509, &text, GNUTLS_X509_FMT_PEM) != GNUTLS_E_SUCCESS)
        return ERR_BAD_KEY;
    unsigned bits = 0;
    int algorithm = gnutls_x509_privkey_get_pk_algorithm2(x509, &bits);
    if (!rsa_fits(algorithm, bits))
        return ERR_BAD_KEY;
    if (gnutls_privkey_import_x509(handle, x509, GNUTLS_PRIVKEY_IMPORT_COPY) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    return rsa_whole(x509, handle) ? OK : ERR_BAD_KEY;
}

RESULT rsa_from_pem(struct view pem, struct rsa_key **ret)
{
    if (pem.len == 0 || pem.len > PEM_MAX_SIZE)
        return ERR_BAD_KEY;
    AUTO(rsa_free) struct rsa_key *k = calloc(1, sizeof(*k));
    gnutls_x509_privkey_t x509 = NULL;
    if (!k || gnutls_privkey_init(&k->handle) != GNUTLS_E_SUCCESS ||
        gnutls_x509_privkey_init(&x509) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    enum err e = import_private(pem, x509, k->handle);
    gnutls_x509_privkey_deinit(x509);
    TRY(e);
    *ret = TAKE(k);
    return OK;
}

void rsa_free(struct rsa_key *k)
{
    if (!k)
        return;
    if (k->handle)
        gnutls_privkey_deinit(k->handle); /* wipes the parts */
    free(k);
}

/* nettle blinds each private operation with a fresh random factor and checks the result before it leaves. */
RESULT rsa_sign_sha256(struct rsa_key *k, struct view message, struct writer *signature)
{
    if (message.len > DATUM_MAX)
        return ERR_TOO_LONG;
    gnutls_datum_t text = datum(message), sig = {0};
    if (gnutls_privkey_sign_data(k->handle, GNUTLS_DIG_SHA256, 0, &text, &sig) != GNUTLS_E_SUCCESS)
        return ERR_CRYPTO;
    writer_bytes(signature, sig.data, sig.size);
    gnutls_free(sig.data);
    return writer_done(signature);
}

static RESULT verify(gnutls_pubkey_t key, struct view public_pem, struct view message, struct view signature)
{
    gnutls_datum_t pem = datum(public_pem), text = datum(message), sig = datum(signature);
    unsigned bits = 0;
    if (gnutls_pubkey_import(key, &pem, GNUTLS_X509_FMT_PEM) != GNUTLS_E_SUCCESS)
        return ERR_BAD_KEY;
    int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);
    if (!rsa_fits(algorithm, bits))
        return ERR_BAD_KEY;
    if (gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_RSA_SHA256, 0, &text, &sig) < 0)
        return ERR_BAD_SIGNATURE;
    return OK;
}

RESULT rsa_verify_sha256(struct view public_pem, struct view message, struct view signature)
{
    if (public_pem.len == 0 || public_pem.len > PEM_MAX_SIZE)
        return ERR_BAD_KEY;
    if (message.len > DATUM_MAX)
        return ERR_TOO_LONG;
    if (signature.len == 0 || signature.len > RSA_MAX_BITS / 8)
        return ERR_BAD_SIGNATURE;
    gnutls_pubkey_t key = NULL;
    if (gnutls_pubkey_init(&key) != GNUTLS_E_SUCCESS)
        return ERR_NO_MEMORY;
    enum err e = verify(key, public_pem, message, signature);
    gnutls_pubkey_deinit(key);
    return e;
}
