/* A route is one row: everything that is said about an address is said here, once. The router, the permission check,
 * the record, the OpenAPI document and the command line's help read the same row. */
#ifndef HOLDFAST_HTTP_ROUTE_H
#define HOLDFAST_HTTP_ROUTE_H

#include "base/buf.h"
#include "base/entity.h"

enum http_method {
    HTTP_NO_METHOD = 0,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_LIST, /* Vault's verb */
    HTTP_OPTIONS,
    HTTP_ANY, /* of rows alone: every method that no other row of its place names, also one unknown here */
    HTTP_METHOD_COUNT
};

const char *http_method_name(enum http_method m);
enum http_method http_method_of(struct view name); /* exact case; HTTP_NO_METHOD if unknown, never HTTP_ANY */

/* How somebody may say who he is. Which of them are tried, and how, is the business of the layer above. */
enum way_in {
    WAY_API_KEY = 1,     /* Authorization: Bearer hfk_…, or X-API-Key */
    WAY_SESSION = 2,     /* Authorization: Bearer <session token>, or the session cookie */
    WAY_PEER = 4,        /* the Unix user of a local bot */
    WAY_CERTIFICATE = 8, /* TLS client certificate */
    WAY_BASIC = 16,      /* HTTP Basic */
    WAY_VAULT = 32,      /* X-Vault-Token */
    WAY_TOKEN = 64,      /* Authorization: Bearer <JWT> */
};

enum durability {
    DURABLE_FIRST = 0, /* the record is durable before the answer */
    DURABLE_BEHIND,    /* may be written behind, where the policy file says so */
    DURABLE_NONE,      /* leaves no record of its own (health, metrics, static files) */
};

enum route_flag {
    ROUTE_ANY_QUERY = 1,    /* unknown and repeated query parameters are let through (OAuth, proxies' sub-requests) */
    ROUTE_STEP_UP = 2,      /* needs a fresh second factor */
    ROUTE_HIDDEN = 4,       /* not in the OpenAPI document */
    ROUTE_PAGE = 8,         /* answers a person's browser: Content-Security-Policy for pages instead of the API's */
    ROUTE_ANY_BODY = 16,    /* takes a body of any type up to body_limit, though it names no request entity; with
                               HTTP_ANY also of a GET */
    ROUTE_UNIX_ONLY = 32,   /* served over the Unix socket only; elsewhere it is ERR_NO_ROUTE */
    ROUTE_WHEN_SEALED = 64, /* for the layer above: works while sealed */
    ROUTE_ENROLS = 256,     /* open to whoever has to set up a second factor before anything else */
    ROUTE_ECHO_ID = 128,    /* the answer's X-Request-Id is the client's, if it sent one of at most 128 bytes */
    ROUTE_FOREIGN_QUERY = 512, /* the query is none of ours, and what we can't read of it is let through unread */
};

/* What a handler says when it returns; see http/request.h. */
enum http_outcome {
    HTTP_ANSWER = 1, /* the answer is set */
    HTTP_LATER,      /* http_request_finish() will follow */
    HTTP_CONTINUE,   /* from http_config.admit only: go on */
};

struct http_request;
typedef enum http_outcome (*http_handler)(struct http_request *req);

struct route {
    enum http_method method;
    /* "/api/v1/secrets/{path...}": literal segments, {name} for one segment, {name...} at the end for one or more
     * (its value keeps the slashes, and a trailing one). Literal beats {name} beats {name...}, from the left; the
     * most specific template that fits decides about the methods too, so a less specific one never answers for it.
     * A trailing slash in a template is a segment: only requests with that slash fit. */
    const char *path;
    uint16_t permission; /* an enum value of the layer above, never 0; "public" is a value like any other */
    http_handler handler;

    const char *name;    /* OpenAPI operationId, lower case with dashes: "secret-put"; unique */
    const char *summary; /* one line */
    const char *tag;     /* OpenAPI tag: "secrets" */
    unsigned ways;       /* enum way_in; 0 with a public permission */
    unsigned flags;      /* enum route_flag */
    uint16_t event;      /* event type of the record, an enum value of the layer above; 0 none */
    enum durability durability;
    uint8_t rate;                  /* rate class, an enum value of the layer above; 0 the default class */
    const struct entity *query;    /* query parameters, NULL for none */
    const struct entity *request;  /* JSON body, NULL for none */
    const struct entity *response; /* JSON answer, NULL for another type or none */
    uint16_t status;               /* of a good answer; 0 means 200, or 204 without a response entity and media */
    const char *media;             /* type of a good answer that is not JSON, e.g. "text/plain"; NULL otherwise */
    size_t body_limit;             /* bytes; 0 means http_config.body_max with a request entity, else no body at all */
    const void *extra;             /* for the layer above */
};

/* One row of a route table. A permission that is missing, 0 or not a constant does not compile:
 *   static const struct route ROUTES[] = {
 *       ROUTE(HTTP_GET, "/api/v1/health", PERMISSION_PUBLIC, health_get, .name = "health", .summary = "…"),
 *   };
 * Rows are written with this macro only; a row made otherwise with permission 0 is refused by router_new. */
#define ROUTE(method_, path_, permission_, handler_, ...)                                                              \
    {                                                                                                                  \
        .method = (method_), .path = (path_), .permission = ROUTE_PERMISSION(permission_), .handler = (handler_),      \
        __VA_ARGS__                                                                                                    \
    }
#define ROUTE_PERMISSION(p)                                                                                            \
    ((uint16_t)((p) + 0 * sizeof(struct {                                                                              \
                          _Static_assert((p) > 0 && (p) <= 65535, "a route needs a permission, see http/route.h");     \
                          char unused;                                                                                 \
                      })))

/* All tables of a server, ready for look-up. Immutable, so threads may share one. */
struct router;

struct route_table {
    const struct route *rows;
    size_t count;
};

/* The rows must outlive the router. ERR_BAD_CONFIG with why->where naming the row: permission 0, no handler or name, a
 * malformed template, two rows for the same requests, the same name twice. */
RESULT router_new(const struct route_table *tables, size_t count, struct router **ret, struct problem *why);
void router_free(struct router *r);

#define ROUTE_PARAMS_MAX   8
#define ROUTE_SEGMENTS_MAX 32

struct route_match {
    const struct route *route;            /* the row, if found */
    unsigned allowed;                     /* bit 1 << method for each method that this path takes, HEAD and
                                             OPTIONS included; 0: no such path */
    struct view names[ROUTE_PARAMS_MAX];  /* of the path parameters */
    struct view values[ROUTE_PARAMS_MAX]; /* borrowed from the path */
    size_t params;
};

/* path is decoded and clean (http/target.h). OK, ERR_NO_ROUTE, ERR_METHOD_NOT_ALLOWED (ret->allowed says what is). HEAD
 * finds the GET row. ret is filled in each case. */
RESULT router_match(const struct router *r, enum http_method method, struct view path, struct route_match *ret);
/* The rows in table order, for OpenAPI, help and evidence; NULL behind the last. */
const struct route *router_row(const struct router *r, size_t index);

AUTO_DEFINE(struct router *, router_free);

#endif
