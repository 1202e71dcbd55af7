/* The session cookie of browsers. A browser sends it along by itself, also with what another site made it send: so a
 * request that changes something has to show that it comes from Holdfast's own pages. */
#ifndef HOLDFAST_API_COOKIE_H
#define HOLDFAST_API_COOKIE_H

#include "http/request.h"

/* The prefix __Host- lets a browser take it from this very host over TLS alone, for all its paths, and from no
 * subdomain (RFC 6265bis §4.1.3.2). */
#define COOKIE_NAME "__Host-holdfast"

/* OK with an empty token: there is none. ERR_BAD_REQUEST: it is there twice, so one of them was put there by somebody
 * else. */
RESULT cookie_find(const struct http_request *req, struct view *ret_token);
/* Did Holdfast's own page send this? What the browser says counts first (Sec-Fetch-Site: same-origin), else Origin,
 * which must be this host; where neither is there, the header X-Holdfast-Request, which no other site can set without
 * being asked, and nobody answers when a browser asks. */
bool cookie_is_own(const struct http_request *req);
/* Does a browser say that another site made it send this? Programs say nothing of the kind. For ways in that a browser
 * takes along by itself, as it does a cookie, but that programs use as well. */
bool cookie_is_foreign(const struct http_request *req);
RESULT cookie_set(struct http_request *req, const char *token, uint64_t seconds);
RESULT cookie_clear(struct http_request *req);

#endif
