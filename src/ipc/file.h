/* Small files whole: configuration, venue declarations, certificates. */
#ifndef HOLDFAST_IPC_FILE_H
#define HOLDFAST_IPC_FILE_H

#include "base/arena.h"

/* A regular file of at most max bytes, appended to w. ERR_NOT_FOUND, ERR_TOO_LONG, ERR_IO; why names the path. */
RESULT file_read(const char *path, size_t max, struct writer *w, struct problem *why);
/* A new file with these contents, durable under its final name or not there at all. ERR_EXISTS, ERR_IO, ERR_NO_SPACE.
 */
RESULT file_create(const char *path, struct view contents, unsigned mode, struct problem *why);

#endif
