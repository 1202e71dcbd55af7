/* Signatures and public-key encryption.
 * Ed25519 (RFC 8032), X25519 sealed boxes and Argon2id: libsodium. secp256k1 (RFC 6979, low s): libsecp256k1.
 * RSA PKCS#1 v1.5 with SHA-256: GnuTLS. */
#ifndef HOLDFAST_CRYPTO_SIGN_H
#define HOLDFAST_CRYPTO_SIGN_H

#include "crypto/secmem.h"

#define ED25519_SEED_SIZE   32
#define ED25519_PUBLIC_SIZE 32
#define ED25519_SIG_SIZE    64

RESULT ed25519_public(const uint8_t seed[static ED25519_SEED_SIZE], uint8_t out[static ED25519_PUBLIC_SIZE]);
RESULT ed25519_sign(const uint8_t seed[static ED25519_SEED_SIZE], struct view message,
                    uint8_t out[static ED25519_SIG_SIZE]);
/* ERR_BAD_SIGNATURE. Strict: small-order and non-canonical points are refused. */
RESULT ed25519_verify(const uint8_t key[static ED25519_PUBLIC_SIZE], struct view message, struct view signature);
/* The seed inside a PKCS#8 PEM ("BEGIN PRIVATE KEY") of an Ed25519 key, or ERR_BAD_KEY. */
RESULT ed25519_from_pem(struct view pem, struct secret **ret_seed);

/* Anonymous sealed box to an X25519 key (crypto_box_seal): how credentials reach the keeper. */
#define BOX_PUBLIC_SIZE 32
#define BOX_OVERHEAD    48
RESULT box_keypair(const uint8_t seed[static 32], uint8_t ret_public[static BOX_PUBLIC_SIZE],
                   uint8_t ret_private[static 32]);
RESULT box_seal(const uint8_t public_key[static BOX_PUBLIC_SIZE], struct view text, struct writer *w);
/* ERR_TAMPERED for anything that does not open, and for a box of nothing. */
RESULT box_open(const uint8_t public_key[static BOX_PUBLIC_SIZE], const uint8_t private_key[static 32], struct view box,
                struct secret **ret);

/* What follows is in crypto_pk_dep, which the keeper does not link. Once per process, after crypto_init and before the
 * sandbox: readies GnuTLS, and libsecp256k1 with a context blinded afresh. Before it, these calls are ERR_CRYPTO. */
RESULT crypto_pk_init(void);

#define SECP256K1_KEY_SIZE 32
#define SECP256K1_SIG_SIZE 65 /* r ‖ s ‖ recovery id 0 or 1 */
RESULT secp256k1_sign_digest(const uint8_t key[static SECP256K1_KEY_SIZE], const uint8_t digest[static 32],
                             uint8_t out[static SECP256K1_SIG_SIZE]);
/* Ethereum address: the last 20 bytes of keccak256 of the uncompressed public key. ERR_BAD_KEY for 0 or >= n. */
RESULT secp256k1_address(const uint8_t key[static SECP256K1_KEY_SIZE], uint8_t out[static 20]);
/* ERR_BAD_SIGNATURE also for a high s: such a signature is a copy of another one. */
RESULT secp256k1_recover(const uint8_t digest[static 32], const uint8_t sig[static SECP256K1_SIG_SIZE],
                         uint8_t ret_address[static 20]);
/* Plain ECDSA verification of a strict DER signature over SHA-256(message), low s demanded (BIP 66, BIP 146); public
 * key SEC 1, compressed or not. ERR_BAD_KEY, ERR_BAD_SIGNATURE. */
RESULT secp256k1_verify_der(struct view public_key, struct view message, struct view der);

struct rsa_key;                                             /* a private key, parsed once, usable from one thread */
RESULT rsa_from_pem(struct view pem, struct rsa_key **ret); /* PKCS#8 or PKCS#1; 2048..8192 bits; ERR_BAD_KEY */
void rsa_free(struct rsa_key *k);
RESULT rsa_sign_sha256(struct rsa_key *k, struct view message, struct writer *signature); /* blinded */
/* ERR_BAD_KEY, ERR_BAD_SIGNATURE. */
RESULT rsa_verify_sha256(struct view public_pem, struct view message, struct view signature);

/* ECDSA P-256 with SHA-256 (GnuTLS), for later tokens and for checking; signature strict DER or raw r‖s. ERR_BAD_KEY,
 * ERR_BAD_SIGNATURE, the latter also for a signature whose two points in verification coincide, which takes the private
 * key and intent to make (nettle 3.8). */
RESULT p256_verify_sha256(struct view spki_der, struct view message, struct view signature, bool raw);

AUTO_DEFINE(struct rsa_key *, rsa_free);

#endif
