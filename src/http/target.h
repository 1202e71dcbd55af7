/* The request target (RFC 9112 §3.2), read strictly: one way to understand it, or none. */
#ifndef HOLDFAST_HTTP_TARGET_H
#define HOLDFAST_HTTP_TARGET_H

#include "base/arena.h"
#include "http/request.h"

#define TARGET_SEGMENT_MAX 1024 /* bytes of one decoded path segment */

struct target {
    struct view path;        /* decoded */
    struct http_pairs query; /* decoded, in the order sent */
    bool asterisk;           /* "*", for OPTIONS */
};

/* Origin form only: "/path?query". ERR_BAD_REQUEST, why->detail says what, for: absolute form, characters outside
 * RFC 3986, a bad percent-encoding, %00, encoded '/' or '\', control characters, bytes that are not UTF-8, and path
 * segments that are empty (but for the last), "." or "..". In the query '+' is a space. Results are allocated in arena;
 * ERR_NO_MEMORY. */
RESULT target_parse(struct view raw, size_t query_max, struct arena *arena, struct target *ret, struct problem *why);

/* A target that is somebody else's: of the query, which he reads as he likes ("a[]=1", "100%"), ret->query stays empty,
 * and the path is read as above. Both may have all bytes as they are but blanks, control characters and '#', behind
 * which nobody agrees on what is still sent; the path no '\' either. */
RESULT target_parse_foreign(struct view raw, struct arena *arena, struct target *ret, struct problem *why);

#endif
