/* HTTP Basic (RFC 7617), over TLS alone: a user's name and password, proven anew for each request, or an API key in the
 * password's place. */
#ifndef HOLDFAST_API_BASIC_H
#define HOLDFAST_API_BASIC_H

#include "http/request.h"

/* With a password that is yet to be proven, the body that is read meanwhile is a stranger's. */
#define BASIC_BODY_MAX 16384

struct basic {
    struct view name, password; /* in the request's arena */
};

/* What stands behind the scheme's name. ERR_WAY_REFUSED without TLS; ERR_CROSS_SITE for a change that another site's
 * page asks of a browser; ERR_BAD_CREDENTIALS for what is no name and password. */
RESULT basic_read(struct http_request *req, struct view encoded, struct basic *ret);
/* The password is an API key: told by how it begins, so no user's password may begin so. */
bool basic_is_key(const struct basic *b);
/* The name that goes with a key: the word "key", or the key's own id. */
bool basic_names_key(const struct basic *b, const char *id);
/* ERR_BODY_TOO_LARGE: more than BASIC_BODY_MAX is announced, or nothing is. */
RESULT basic_check_body(const struct http_request *req);
/* Has the password looked at as a log-in does, with its work, its lock and its records, and goes on with the request as
 * that user. The request's caller is a struct api_entry with basic set. */
enum http_outcome basic_prove(struct http_request *req);

#endif
