/* Inside of src/http: a request together with its answer, apart from any library. */
#ifndef HOLDFAST_HTTP_EXCHANGE_H
#define HOLDFAST_HTTP_EXCHANGE_H

#include "http/request.h"
#include "http/server.h"

#define ANSWER_HEADERS_MAX 24

struct answer_header {
    const char *name;  /* a constant */
    const char *value; /* in the exchange's arena */
};

struct conn;
struct MHD_Response;

struct exchange {
    struct http_request req; /* first, so that handlers' pointers lead back here */
    struct conn *conn;       /* NULL once nobody waits for the answer */
    struct exchange *next;   /* in the server's list of spare ones */

    /* the request */
    struct view raw_target;
    const char *uri; /* where the library keeps the target; only its address is used */
    enum err early;  /* found wrong before the head was complete */
    bool head_done, has_body;
    uint64_t announced; /* Content-Length; 0 when chunked */
    size_t body_limit, body_seen;
    struct writer body;

    /* the answer */
    struct writer answer;
    struct view static_body;
    const char *content_type; /* NULL: no body */
    unsigned status;          /* 0: not set */
    enum err code;
    struct answer_header headers[ANSWER_HEADERS_MAX];
    size_t header_count;
    bool close, own_cache_control, few_statuses;
    struct MHD_Response *kept; /* from the answer before; see reply.h */

    /* the course of things */
    bool in_handler, later, finished, queued;
    uint64_t started_ms;
};

/* Fresh, with an arena of at most arena_max and an answer of at most answer_max bytes. */
RESULT exchange_new(const struct http_limits *limits, struct exchange **ret);
void exchange_free(struct exchange *x);
/* As after exchange_new, all secrets wiped, memory and reply kept. */
void exchange_reset(struct exchange *x, const struct http_limits *limits);
struct view exchange_body(const struct exchange *x); /* of the answer */

static inline struct exchange *exchange_of(struct http_request *req)
{
    return (struct exchange *)(void *)req;
}

#endif
