/* Strict DER (X.690): lengths in their shortest form, no indefinite lengths. For what GnuTLS does not read: the private
 * extensions of certificates, and the encoding of ECDSA signatures. Borrows; allocates nothing. */
#ifndef HOLDFAST_CRYPTO_DER_H
#define HOLDFAST_CRYPTO_DER_H

#include "base/buf.h"

#define DER_INTEGER      0x02
#define DER_OCTET_STRING 0x04
#define DER_OID          0x06
#define DER_ENUMERATED   0x0a
#define DER_SEQUENCE     0x30
#define DER_SET          0x31
#define DER_CONTEXT      0xa0 /* constructed and context-specific, as EXPLICIT tags are */

struct der {
    uint8_t kind;    /* class and form: the upper three bits of the first byte */
    uint32_t number; /* of the tag */
    struct view body;
};

/* The next element, whatever it is. ERR_TRUNCATED, ERR_MALFORMED; moves nothing then. */
RESULT der_next(struct reader *r, struct der *ret);
/* The next element, which must have this tag of one byte (DER_SEQUENCE); ret_body is what is inside. */
RESULT der_get(struct reader *r, uint8_t tag, struct view *ret_body);
/* The same for an element that fills v, with nothing behind it. */
RESULT der_whole(struct view v, uint8_t tag, struct view *ret_body);
/* The body of an INTEGER or ENUMERATED that is not negative and fits: shortest form demanded. ERR_MALFORMED. */
RESULT der_number(struct view body, uint32_t *ret);
/* An ECDSA signature: SEQUENCE of two positive INTEGERs in shortest form, and nothing else. Range is left to the curve.
 */
bool der_is_ecdsa(struct view signature);

#endif
