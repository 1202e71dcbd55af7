/* The encodings of ECDSA signatures, inside crypto_pk_lib only. Both curves in use have 32-byte scalars. */
#ifndef HOLDFAST_CRYPTO_ECDSA_H
#define HOLDFAST_CRYPTO_ECDSA_H

#include "base/buf.h"

#define ECDSA_RAW_SIZE     64 /* r ‖ s, each 32 bytes big-endian */
#define ECDSA_DER_MAX_SIZE 72

/* Strict DER (X.690 §8.3, §10.1; the rules of BIP 66): one spelling for each signature. ERR_BAD_SIGNATURE. Whether r
 * and s are in range is left to the curve. */
RESULT ecdsa_from_der(struct view der, uint8_t ret_raw[static ECDSA_RAW_SIZE]);
size_t ecdsa_to_der(const uint8_t raw[static ECDSA_RAW_SIZE], uint8_t out[static ECDSA_DER_MAX_SIZE]); /* its length */

/* libsecp256k1's context: made, and blinded, by crypto_pk_init. */
RESULT secp256k1_start(void);

#endif
