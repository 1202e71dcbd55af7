/* The document that describes all addresses, made once from the rows that serve them. */
#include "api/context.h"

#include "api/routes.h"
#include "http/openapi.h"

#define DOCUMENT_MAX (8u << 20)

static enum http_outcome document(struct http_request *req)
{
    return http_answer_static(req, 200, "application/json", writer_view_of(&api_of(req)->shared->openapi));
}

static const struct route rows[] = {
    ROUTE(HTTP_GET, "/api/v1/openapi.json", PERMISSION_PUBLIC, document, .name = "openapi", .summary = "This document",
          .tag = "system", .flags = ROUTE_WHEN_SEALED, .durability = DURABLE_NONE, .media = "application/json"),
};
const struct route_table openapi_routes = {rows, ARRAY_LEN(rows)};

static const char *permission_text(uint16_t p)
{
    return permission_name((enum permission)p);
}

RESULT api_openapi_new(struct api_shared *shared)
{
    static const struct openapi_info info = {
        .title = "Holdfast",
        .version = "1",
        .description =
            "Keeps a trading desk's keys, signs for its bots within their policies, decides who may do what, "
            "and proves afterwards what happened.",
        .permission_name = permission_text,
        .event_name = event_name,
    };

    shared->openapi = writer_new(DOCUMENT_MAX);
    TRY(openapi_write(&info, shared->router, &shared->openapi));
    return writer_done(&shared->openapi);
}
