/* The OpenAPI 3.1 document, made from the same rows and entities that serve the API. */
#ifndef HOLDFAST_HTTP_OPENAPI_H
#define HOLDFAST_HTTP_OPENAPI_H

#include "http/route.h"

struct openapi_info {
    const char *title;
    const char *version;
    const char *description;
    const char *server_url; /* "/" if NULL */
    /* Names of the opaque numbers in a row, for x-permission, x-event and x-rate-class; NULL leaves the last two out. A
     * permission named "public" needs no sign-in. */
    const char *(*permission_name)(uint16_t permission);
    const char *(*event_name)(uint16_t event);
    const char *(*rate_name)(uint8_t rate);
};

/* One JSON object: paths with operationId, tags, parameters (path and query), request and response bodies, the errors
 * that any operation may answer (problem+json, with every code of the catalogue), security schemes. ERR_INTERNAL if two
 * different entities share a name. */
RESULT openapi_write(const struct openapi_info *info, const struct router *router, struct writer *w);

#endif
