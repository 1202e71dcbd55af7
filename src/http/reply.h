/* Inside of src/http: an answer as libmicrohttpd wants it. */
#ifndef HOLDFAST_HTTP_REPLY_H
#define HOLDFAST_HTTP_REPLY_H

#include "http/exchange.h"

struct MHD_Response;

/* What x answers, to be queued and then given back; NULL without memory. The body's bytes are not copied: they live in
 * the exchange until the request has ended. last: the connection ends after it. */
struct MHD_Response *reply_take(struct exchange *x, bool last);
void reply_give(struct exchange *x, struct MHD_Response *r);
/* Of an exchange that ends: what it kept for its next answer. */
void reply_drop(struct exchange *x);

#endif
