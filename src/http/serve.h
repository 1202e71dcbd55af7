/* Inside of src/http: what happens to a request, apart from any library. */
#ifndef HOLDFAST_HTTP_SERVE_H
#define HOLDFAST_HTTP_SERVE_H

#include "http/exchange.h"

/* The head as the library read it; everything is borrowed for the call. */
struct serve_head {
    struct view method;
    struct view version;
    struct http_pairs headers;
    bool more_headers;    /* than these were sent */
    size_t size;          /* bytes of the whole head; 0 unknown */
    bool ambiguous;       /* its bytes do not add up: bare LF, NUL, folded lines */
    enum err certificate; /* of the client; OK if it verified or none is needed */
};

/* Checks, routes and admits. Afterwards either the answer is set (x->status is not 0), or the body is wanted. */
void serve_head(struct exchange *x, const struct http_config *config, const struct serve_head *head);
/* More of the body. False: the client sends on and on, drop it. */
bool serve_body(struct exchange *x, const void *bytes, size_t n);
/* The request is complete: dispatches. HTTP_ANSWER: the answer is set. */
enum http_outcome serve_request(struct exchange *x, const struct http_config *config);

#endif
