/* The certificate of the first start: self-signed, so that TLS works before anybody has made a proper one. */
#ifndef HOLDFAST_CRYPTO_TLS_CERT_H
#define HOLDFAST_CRYPTO_TLS_CERT_H

#include "base/buf.h"

#define TLS_CERT_DAYS 825 /* longer-lived ones are refused by some clients */

/* A P-256 key and a certificate over it (ECDSA with SHA-256) for digital signatures of a server, valid from an hour
 * before now_ms. names are DNS names or IP addresses, at least one; the first is also the common name. Both outputs are
 * PEM; key is PKCS#8, and its writer is wiped by writer_free. ERR_BAD_VALUE for a name, ERR_CRYPTO. */
RESULT tls_cert_self_signed(const struct view *names, size_t name_count, uint64_t now_ms, struct writer *certificate,
                            struct writer *key);

#endif
