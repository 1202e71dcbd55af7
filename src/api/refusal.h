/* Refusals that say what was wanted of what, and why not: durable first, then the answer. */
#ifndef HOLDFAST_API_REFUSAL_H
#define HOLDFAST_API_REFUSAL_H

#include "api/context.h"

struct refusal_of {
    uint16_t type; /* event; ERR_FORBIDDEN is always recorded as PERMISSION_DENIED, tampering as TAMPERING_FOUND */
    struct view resource;
    const char *what; /* the operation, for the record: the route's name */
    struct view reason;
};
/* "<prefix><path>", in the request's arena. */
RESULT refusal_resource(const struct http_request *req, const char *prefix, struct view path, struct view *ret);
/* What the caller did wrong is recorded and answered; what is broken here (5xx, but for tampering) is answered only. */
enum http_outcome refusal_answer(struct http_request *req, const struct refusal_of *of, const struct problem *why);
/* The same from a code and a sentence. */
enum http_outcome refusal_code(struct http_request *req, const struct refusal_of *of, enum err code,
                               const char *detail);

#endif
