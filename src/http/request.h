/* One HTTP request, from its complete head to the last byte of its answer, and the calls that answer it.
 *
 * Life: the server fills the request, has it admitted and handled (server.h), and owns it. A handler
 *   - answers at once: sets the answer with one http_answer_* call and returns what that call returned; or
 *   - returns HTTP_LATER. The connection is then suspended and no thread waits. Whoever got the request calls, on the
 *     same thread, one http_answer_* and then http_request_finish() exactly once. Until then the request, its arena and
 *     everything in it stay valid, whatever happens to the client, to the deadline or to the server. If the client left
 *     or the deadline passed meanwhile, the answer is dropped silently. After finish the request is gone.
 * Finishing inside the handler, before it returned HTTP_LATER, is fine too.
 *
 * Fields are filled by the server and read-only for everybody else, except caller and state. */
#ifndef HOLDFAST_HTTP_REQUEST_H
#define HOLDFAST_HTTP_REQUEST_H

#include "base/arena.h"
#include "base/entity.h"
#include "base/text.h"
#include "http/route.h"

#include <sys/types.h>

struct http_pair {
    struct view name;  /* NUL-terminated behind its end; header names as sent (compare with http_header) */
    struct view value; /* NUL-terminated behind its end */
};

struct http_pairs {
    const struct http_pair *items;
    size_t count;
};

#define HTTP_PEER_TEXT_SIZE 56

struct http_peer {
    char text[HTTP_PEER_TEXT_SIZE]; /* "192.0.2.1", "2001:db8::1", "unix:1000" (the user id) */
    bool is_unix;
    bool is_tls;
    uint8_t address[16]; /* IPv6; IPv4 as ::ffff:a.b.c.d; zero for Unix */
    uint16_t port;
    uid_t uid; /* Unix: SO_PEERCRED at connect time; else -1 */
    gid_t gid;
    pid_t pid;
    struct view certificate; /* DER of the client's certificate, only if it verified against client_ca; else empty */
};

struct http_request {
    const struct route *route; /* NULL in admit() when nothing matched */
    enum http_method method;   /* HEAD is served by the GET route: method is HTTP_HEAD, route->method HTTP_GET */
    struct view other_method;  /* its name, where method is HTTP_NO_METHOD */
    struct view target;        /* path and query as sent; no blanks, no control characters */
    struct view path;          /* decoded; no NUL, control character, empty, "." or ".." segment, and no encoded '/' */
    struct http_pairs params;  /* path parameters by name, decoded */
    struct http_pairs query;   /* in the order sent, decoded; a name may repeat only where the route allows it */
    struct http_pairs headers; /* in the order sent; every name is a token, every value UTF-8 without controls */
    struct view body;          /* complete; wiped after the answer */
    struct arena *arena;       /* lives and dies with the request, wiped at its end */
    char id[ID_TEXT_SIZE];     /* made here, also sent back as X-Request-Id and in every problem document */
    struct http_peer peer;
    uint64_t wall_ms;     /* when the head was complete */
    uint64_t deadline_ms; /* monotonic clock: when the server gives up on it */
    void *server_context; /* http_config.context */

    void *caller; /* for the layer above: who asks (allocate in arena) */
    void *state;  /* for the layer above: what a suspended handler needs to go on */
};

/* --- reading */

struct view http_request_method(const struct http_request *req); /* its name, whatever it is */

/* The value of the named thing, or false; *ret untouched then. Header names in any case. A header that appears twice
 * gives its first value; those where that matters (credentials, Host, …) are refused before anybody sees them. */
bool http_param(const struct http_request *req, const char *name, struct view *ret);
bool http_query(const struct http_request *req, const char *name, struct view *ret);
bool http_header(const struct http_request *req, const char *name, struct view *ret);
bool http_cookie(const struct http_request *req, const char *name, struct view *ret); /* RFC 6265; a cookie sent twice
                                                                                          counts as absent */

/* The body as the route's request entity: ERR_UNSUPPORTED_MEDIA_TYPE unless it is application/json, else as
 * entity_parse. Errors name the field by JSON pointer. */
RESULT http_request_entity(struct http_request *req, void *ret_object, struct problem *why);
/* The query as the route's query entity: texts as they are, numbers in decimal digits, booleans true and false, TEXTS
 * as repeated parameters. ERR_UNKNOWN_FIELD, ERR_DUPLICATE_FIELD, …; why->where is "?name". */
RESULT http_request_query(struct http_request *req, void *ret_object, struct problem *why);

/* --- answering: each sets the whole answer and returns HTTP_ANSWER. The last call before sending wins. */

/* Where a handler builds a body; empty at the start, grows to http_config.answer_max, wiped when sent. */
struct writer *http_body(struct http_request *req);
enum http_outcome http_answer_empty(struct http_request *req, unsigned status); /* 204 and the like */
enum http_outcome http_answer_body(struct http_request *req, unsigned status,
                                   const char *content_type);                  /* what http_body() holds */
enum http_outcome http_answer_json(struct http_request *req, unsigned status); /* same, application/json */
enum http_outcome http_answer_entity(struct http_request *req, unsigned status, const struct entity *entity,
                                     const void *object);
/* Bytes that outlive the server (console files): sent as they are, not copied. content_type is static text. */
enum http_outcome http_answer_static(struct http_request *req, unsigned status, const char *content_type,
                                     struct view bytes);
/* application/problem+json (RFC 9457): type "/errors/<code>", title, status, detail, pointer or where, requestId. */
enum http_outcome http_answer_problem(struct http_request *req, const struct problem *why);
enum http_outcome http_answer_error(struct http_request *req, enum err code); /* no detail */
/* Adds a header to the answer (before or after setting it): WWW-Authenticate, RateLimit, Set-Cookie, ETag, Retry-After,
 * Location, Cache-Control (replaces the default no-store). name is a constant; the value is copied. Names that the
 * server owns (Content-Length, Transfer-Encoding, Connection, Content-Type, Date, X-Request-Id), or a control character
 * in value, are ERR_BAD_VALUE. At most 24 headers: ERR_TOO_LONG. */
RESULT http_answer_text(struct http_request *req, const char *name, struct view value);
RESULT http_answer_header(struct http_request *req, const char *name, const char *value);
/* The same for a list (RFC 9110 §5.6.1): behind what is there under this name, in one header. */
RESULT http_answer_list(struct http_request *req, const char *name, struct view items);
/* Who asks understands 2xx, 401, 403 and 5xx alone (nginx's auth_request): other 4xx are sent as 403. */
void http_answer_few_statuses(struct http_request *req);
/* The connection ends after this answer. */
void http_answer_close(struct http_request *req);

/* Ends a request for which HTTP_LATER was returned; without an answer set it is ERR_INTERNAL. The connection goes on
 * at the server's next turn. Same thread as the server. */
void http_request_finish(struct http_request *req);
/* False once nobody waits any more (client known to be gone, deadline passed, server freed): work may be skipped. */
bool http_request_wanted(const struct http_request *req);

#endif
