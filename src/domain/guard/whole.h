/* The contents of a file that somebody else opened for us. */
#ifndef HOLDFAST_DOMAIN_GUARD_WHOLE_H
#define HOLDFAST_DOMAIN_GUARD_WHOLE_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

struct whole {
    uint8_t *bytes; /* from malloc, the caller's */
    size_t len;
    uint64_t changed_ms; /* when it was last changed, since 1970 */
};
/* Reads the file that is open at fd, wherever its offset stands. ERR_IO: no regular file, or the disk fails;
 * ERR_TOO_LONG: more than max bytes; ERR_BUSY: it changed meanwhile; ERR_NO_MEMORY. */
RESULT whole_read(int fd, size_t max, struct whole *ret, struct problem *why);

#endif
