/* The layers of encoding, one function for each. They work in place, never lengthen the text, and return its new
 * length. What is no well-formed escape stays as it is. */
#ifndef HOLDFAST_GUARD_PATTERNS_DECODE_H
#define HOLDFAST_GUARD_PATTERNS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t decode_plus(uint8_t *p, size_t n);     /* + is a blank */
size_t decode_percent(uint8_t *p, size_t n);  /* %41, and %u0041 as some servers take it */
size_t decode_json(uint8_t *p, size_t n);     /* RFC 8259 §7 */
size_t decode_escapes(uint8_t *p, size_t n);  /* \u0041, \u{41} and \x41 of JavaScript */
size_t decode_entities(uint8_t *p, size_t n); /* &lt; &#60; &#x3c, with and without the semicolon */
/* Overlong forms and characters that are taken for ASCII (full width, circled, Kelvin sign) become ASCII, blanks a
 * blank; what has no width is dropped. */
size_t decode_utf8(uint8_t *p, size_t n);

#endif
