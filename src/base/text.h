/* Text forms of bytes, all strict: one spelling for each value, anything else is ERR_MALFORMED. */
#ifndef HOLDFAST_BASE_TEXT_H
#define HOLDFAST_BASE_TEXT_H

#include "base/buf.h"

bool utf8_valid(struct view v); /* well-formed UTF-8 (RFC 3629) without NUL */
/* UTF-8 without control characters (C0, DEL, C1), line separators and bidirectional overrides. */
bool text_printable(struct view v);
/* The first character of v and its length in bytes; 0 if v is empty or does not begin with a well-formed one. */
size_t utf8_next(struct view v, uint32_t *ret_character);
/* What text_printable refuses is replaced by U+FFFD: for terminals and logs. */
void text_put_safe(struct writer *w, struct view text);

void hex_put(struct writer *w, struct view bytes);        /* lower case */
RESULT hex_get(struct view text, uint8_t *out, size_t n); /* exactly n bytes; either case */
void base64_put(struct writer *w, struct view bytes);     /* RFC 4648 §4, padded */
RESULT base64_get(struct view text, struct writer *out);  /* padded, zero trailing bits */
void base64url_put(struct writer *w, struct view bytes);  /* RFC 4648 §5, unpadded */
RESULT base64url_get(struct view text, struct writer *out);
/* Base62 (0-9A-Za-z) of n bytes as one big-endian number, left-padded with '0' to width characters, without a NUL. n is
 * at most 64 bytes, else ERR_TOO_LONG, and so is a number that does not fit width. */
RESULT base62_put(const uint8_t *bytes, size_t n, char *out, size_t width);
RESULT base62_get(const char *text, size_t width, uint8_t *out, size_t n); /* ERR_MALFORMED if it does not fit n */
uint32_t crc32_of(struct view v);                                          /* IEEE 802.3, as zlib */

/* %XX in upper case for everything but RFC 3986 unreserved characters. */
void percent_put(struct writer *w, struct view bytes);
RESULT percent_get(struct view text, bool plus_is_space, struct writer *out); /* refuses %00, lone % */

#define ID_SIZE      16
#define ID_TEXT_SIZE 33 /* 32 hex digits and NUL */
struct id {
    uint8_t b[ID_SIZE];
};
/* Lower case only: an id has one spelling. */
void id_format(const struct id *id, char out[static ID_TEXT_SIZE]);
RESULT id_parse(struct view text, struct id *ret);
bool id_eq(const struct id *a, const struct id *b);

#endif
