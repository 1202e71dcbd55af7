/* Puts a request together as the venue accepts it. Internal to the REST schemes. */
#ifndef HOLDFAST_SIGNER_REST_SIGN_H
#define HOLDFAST_SIGNER_REST_SIGN_H

#include "signer/rest_key.h"
#include "signer/rest_params.h"

struct signing {
    const struct venue *venue;
    const struct venue_scheme *scheme;
    const struct signing_key *key;
    const struct sign_request *request;
    struct arena *arena;
    struct problem *why;
};

RESULT rest_sign(const struct signing *s, struct sign_result *ret);
/* The same for a WebSocket frame. */
RESULT frame_sign(const struct signing *s, struct sign_result *ret);

/* A writer in the arena. ERR_NO_MEMORY. */
RESULT sign_writer(const struct signing *s, size_t cap, struct writer *ret);
RESULT sign_header(struct sign_result *ret, struct view name, struct view value);

#endif
