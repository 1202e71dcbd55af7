/* Passwords that became known in breaches: a file in the format of Have I Been Pwned's list, ordered by hash, looked
 * into without reading it whole (it has some 40 GB). Each line is the SHA-1 of a password as 40 hex digits, a colon,
 * how often it was seen, and LF or CR LF:
 *
 *   000000005AD76BD555C1D6D771DE417A4B87E4B4:10 */
#ifndef HOLDFAST_DOMAIN_IDENTITY_BREACHED_H
#define HOLDFAST_DOMAIN_IDENTITY_BREACHED_H

#include "base/buf.h"

struct breached;

/* fd: the file, open for reading; taken, also on failure. Looks at the first and the last line and some between:
 * another format or another order is ERR_BAD_CONFIG, and why says which line's offset. */
RESULT breached_new(int fd, struct breached **ret, struct problem *why);
void breached_free(struct breached *b);

/* OK: not in the list. ERR_WEAK_PASSWORD: it is, and why says how often. ERR_IO, ERR_MALFORMED: the file is not what it
 * was any more. About 36 small reads; any thread. */
RESULT breached_check(const struct breached *b, struct view password, struct problem *why);

AUTO_DEFINE(struct breached *, breached_free);

#endif
