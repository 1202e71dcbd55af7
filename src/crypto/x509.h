/* X.509 certificates as somebody else presents them (RFC 5280): what they say, and whether they chain up to an anchor.
 * GnuTLS. No clock of its own, no look-up of revocation lists, nothing from the network. In crypto_pk_dep. */
#ifndef HOLDFAST_CRYPTO_X509_H
#define HOLDFAST_CRYPTO_X509_H

#include "base/arena.h"
#include "crypto/public_key.h"

#define X509_MAX_SIZE  ((size_t)16 * 1024) /* of one certificate in DER */
#define X509_CHAIN_MAX 8
#define X509_TEXT_MAX  256

struct x509;
RESULT x509_read(struct view der, struct x509 **ret); /* ERR_MALFORMED, ERR_TOO_LONG, ERR_NO_MEMORY */
void x509_free(struct x509 *c);

int x509_version(const struct x509 *c); /* 1, 2 or 3 */
bool x509_is_ca(const struct x509 *c);  /* Basic Constraints says so; also true where they can't be read */
bool x509_subject_empty(const struct x509 *c);
/* The first value of this attribute of the subject ("2.5.4.3"), NUL-terminated. ERR_NOT_FOUND, ERR_MALFORMED. */
RESULT x509_subject(const struct x509 *c, const char *oid, char ret_text[static X509_TEXT_MAX]);
/* Appends the value of the extension, without its OCTET STRING. ERR_NOT_FOUND, ERR_MALFORMED if there are two. */
RESULT x509_extension(const struct x509 *c, const char *oid, struct writer *value, bool *ret_critical);

bool x509_valid_at(const struct x509 *c, uint64_t now_ms); /* within its validity, both ends included */
/* One of the names it is for (Subject Alternative Name, RFC 5280 §4.2.1.6), from 0: appended to value, byte for byte.
 * ERR_NOT_FOUND behind the last one, ERR_MALFORMED, ERR_TOO_LONG for more than X509_NAME_MAX bytes. */
enum x509_name { X509_NAME_OTHER, X509_NAME_DNS, X509_NAME_URI, X509_NAME_EMAIL };
#define X509_NAME_MAX 1024
RESULT x509_name(const struct x509 *c, unsigned index, enum x509_name *ret_kind, struct writer *value);

enum public_kind x509_kind(const struct x509 *c); /* of its key; PUBLIC_NONE for what is not taken here */
RESULT x509_has_key(const struct x509 *c, const struct public_key *key); /* ERR_BAD_KEY if it is another one */
RESULT x509_verify(const struct x509 *c, struct view message, struct view signature); /* as public_key_verify */

/* chain[0] and what leads from it to an anchor, each in DER; anchors likewise. OK when the signatures, names,
 * constraints and key usages lead from chain[0] to an anchor, or chain[0] is itself one, and now_ms lies in the
 * validity of all of the chain and of that anchor. An anchor that can't be read counts as none. ERR_BAD_SIGNATURE
 * otherwise; ERR_TOO_LONG, ERR_MALFORMED for what is no chain. */
struct x509_list {
    const struct view *items;
    size_t count;
};
RESULT x509_chain(const struct x509_list *chain, const struct x509_list *anchors, uint64_t now_ms);

/* The certificates of a PEM file (RFC 7468), each in DER and readable; at least one. In arena. ERR_MALFORMED,
 * ERR_TOO_LONG for more than X509_PEM_MAX. */
#define X509_PEM_MAX 256
RESULT x509_pem(struct view text, struct arena *arena, struct x509_list *ret);

/* Revocation lists (RFC 5280 §5), as PEM: OK if each is signed by one of the authorities, PEM as well, and says when
 * the next one follows. Whether that time is over is not asked here. ERR_MALFORMED, ERR_BAD_SIGNATURE. */
RESULT x509_lists(struct view lists, struct view authorities);

AUTO_DEFINE(struct x509 *, x509_free);

#endif
