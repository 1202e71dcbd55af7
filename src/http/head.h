/* The scan of a complete request head before any byte of its body is read. Two programs that read the same head in two
 * ways are how requests are smuggled past a proxy, so whatever could be read in two ways is refused. */
#ifndef HOLDFAST_HTTP_HEAD_H
#define HOLDFAST_HTTP_HEAD_H

#include "http/request.h"

struct head {
    /* in */
    struct view method;
    struct view version;
    struct http_pairs headers; /* as they came, surrounding spaces included */
    size_t headers_max;
    /* out */
    bool has_body; /* announced: a Content-Length above 0, or chunked */
    bool odd_body; /* for GET, HEAD, LIST or OPTIONS: RFC 9110 §9.3.1 defines none there, and lets us refuse it */
    bool chunked;
    uint64_t body_length; /* when not chunked */
};

/* ERR_BAD_REQUEST, with why->detail naming the rule:
 *   - a method that is not 1 to 16 capital letters, a version other than HTTP/1.0 and HTTP/1.1;
 *   - a header name that is not a token (RFC 9110 §5.6.2), or merely begins with content-length or transfer-encoding;
 *   - a value with control characters, or that is not UTF-8;
 *   - Host missing or malformed; Host, a credential header, or another header with a single meaning, sent twice;
 *   - Content-Length that is not plain digits below 2^53; Transfer-Encoding other than the one word "chunked", in
 *     HTTP/1.0, or beside Content-Length; Expect other than 100-continue.
 * ERR_HEADER_TOO_LARGE for more than headers_max headers; ERR_UNSUPPORTED_MEDIA_TYPE for a body with a
 * Content-Encoding. */
RESULT head_check(struct head *h, struct problem *why);

struct view head_trim(struct view value);             /* without spaces and tabs around */
bool head_same_letters(struct view a, struct view b); /* of one length, whatever the case */
/* Asked some hundred times for each request, and most names differ in length, or else in their last letter. */
static inline bool head_name_is(struct view name, struct view wanted)
{
    if (name.len != wanted.len)
        return false;
    return name.len == 0 || (((name.ptr[name.len - 1] ^ wanted.ptr[name.len - 1]) & ~('a' ^ 'A')) == 0 &&
                             head_same_letters(name, wanted));
}

#endif
