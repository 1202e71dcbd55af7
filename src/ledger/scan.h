/* Reads the lines of an exported log: JSON of one fixed form, many times faster than a general reader. Each call
 * returns false where the form is not met. */
#ifndef HOLDFAST_LEDGER_SCAN_H
#define HOLDFAST_LEDGER_SCAN_H

#include "base/entity.h"

struct scan {
    const uint8_t *p, *end;
};

bool scan_literal(struct scan *s, const char *text, size_t len);
#define SCAN(s, text) scan_literal((s), text, sizeof(text) - 1)
bool scan_number(struct scan *s, uint64_t *ret); /* decimal, no leading zero */
/* Base64 up to and with the closing quote. */
bool scan_base64(struct scan *s, uint8_t *out, size_t cap, size_t *ret_len);
/* An object of texts and true booleans, as entity_to_json writes e, into e's wire form. */
bool scan_entity(struct scan *s, const struct entity *e, struct writer *w);

#endif
