#include "crypto/ecdsa.h"
#include "crypto/sign.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

RESULT crypto_pk_init(void)
{
    if (gnutls_global_init() != GNUTLS_E_SUCCESS)
        return ERR_CRYPTO;
    /* GnuTLS seeds its generator at the first use, which has to be before the sandbox. */
    uint8_t drawn[16];
    if (gnutls_rnd(GNUTLS_RND_RANDOM, drawn, sizeof(drawn)) != 0 ||
        gnutls_rnd(GNUTLS_RND_NONCE, drawn, sizeof(drawn)) != 0)
        return ERR_NO_RANDOM;
    wipe(drawn, sizeof(drawn));
    return secp256k1_start();
}
