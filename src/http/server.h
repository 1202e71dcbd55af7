/* The HTTP server of one thread: HTTP/1.1 over TLS 1.3 and over Unix sockets, driven from the caller's loop. It starts
 * no threads, and nothing in it waits.
 *
 * The caller's loop watches http_server_fd() for reading and calls http_server_turn() when it is readable; deadlines
 * and http_request_finish() make it readable too. After each turn the caller hands over what handlers collected.
 *
 * Several threads may each have a server on the same listening descriptors. A server and its requests belong to the
 * thread that made it. */
#ifndef HOLDFAST_HTTP_SERVER_H
#define HOLDFAST_HTTP_SERVER_H

#include "base/clock.h"
#include "http/request.h"
#include "http/route.h"

#include <sys/socket.h>

struct http_server;

/* A listening socket that somebody else bound. Non-blocking is set here; the descriptor stays the caller's. */
enum http_listener_kind {
    HTTP_LISTEN_TLS = 1,
    HTTP_LISTEN_UNIX,
    HTTP_LISTEN_PLAINTEXT, /* TCP without TLS: refused unless http_config.plaintext_allowed, for tests */
};

struct http_listener {
    int fd;
    enum http_listener_kind kind;
};

/* 0 takes the default in brackets. Times in milliseconds, sizes in bytes. */
struct http_limits {
    uint32_t header_max;              /* request line and all headers [16384] */
    uint32_t target_max;              /* path and query [8192] */
    uint32_t headers_max;             /* number of headers [100] */
    uint32_t query_max;               /* number of query parameters [64] */
    uint32_t body_max;                /* where a route sets no limit of its own [65536] */
    uint32_t answer_max;              /* [16 MiB] */
    uint32_t arena_max;               /* memory of one request without its body [8 MiB] */
    uint32_t header_ms;               /* connect, or first byte of a later request, to complete head; includes the TLS
                                         handshake [10000] */
    uint32_t request_ms;              /* complete head to answer set [30000] */
    uint32_t send_ms;                 /* answer set to last byte taken by the client [30000] */
    uint32_t idle_ms;                 /* between two requests on a connection [60000] */
    uint32_t connections;             /* of this server [4096] */
    uint32_t connections_per_peer;    /* for each IPv4 address, IPv6 /64 or Unix user, of this server
                                        [same as connections] */
    uint32_t requests_per_connection; /* [10000] */
};

enum http_client_certificates {
    HTTP_CLIENT_NONE = 0,
    HTTP_CLIENT_OPTIONAL, /* one that is sent must verify */
    HTTP_CLIENT_REQUIRED,
};

/* PEM text in memory; copied, and the key is wiped when replaced or freed. */
struct http_tls {
    struct view certificate; /* chain, leaf first */
    struct view key;         /* PKCS#8 or SEC1, not encrypted */
    struct view client_ca;   /* who signs client certificates; empty unless clients is set */
    struct view client_crl;  /* which of them are revoked; that client_ca signed these lists was checked; empty: none.
                                Past the next update of any of them every client certificate is refused */
    enum http_client_certificates clients;
};

/* How a request ended, for metrics and for adding up anonymous refusals. */
struct http_ended {
    unsigned status; /* what was answered; 0 when nothing was */
    enum err code;   /* of a problem document; OK otherwise */
    size_t sent;     /* bytes of the body */
    uint64_t took_ms;
    bool complete; /* the client took the whole answer */
};

/* A connection between being accepted and being served. */
struct http_accepted {
    int fd;
    enum http_listener_kind kind;
    struct sockaddr_storage address;
    socklen_t length;
};

/* What is not needed may be NULL or zero. The callbacks run inside http_server_turn. */
struct http_config {
    const struct http_listener *listeners;
    size_t listener_count;
    struct http_tls tls;         /* needed with HTTP_LISTEN_TLS */
    const struct router *router; /* outlives the server */
    struct http_limits limits;
    bool plaintext_allowed;      /* set by tests only */
    const struct clock *clock;   /* NULL: clock_system() */
    const struct random *random; /* NULL: random_system() */
    void *context;               /* req->server_context */

    /* The head is complete and clean, no byte of the body was read: networks, rates, refusing big uploads of strangers.
     * HTTP_CONTINUE, or HTTP_ANSWER (then the connection closes if a body was announced). Called for every clean head,
     * also when no route matched (req->route is NULL, and HTTP_CONTINUE leads to 404 or 405). Not HTTP_LATER. */
    enum http_outcome (*admit)(struct http_request *req);
    /* The head is refused, and admit is not asked: req->target and req->headers are what was sent, unchecked, during
     * this call alone. Headers may be added to the answer, and http_answer_few_statuses asked for. */
    void (*refused)(struct http_request *req, const struct problem *why);
    /* The request is complete. Authenticates, judges, then calls req->route->handler itself, now or later. NULL: the
     * route's handler is called at once. */
    enum http_outcome (*handle)(struct http_request *req);
    /* After the last byte, or when it was given up. req is never NULL, but of a head that was not understood only id
     * and peer are set. Of refusals that the library answers by itself (see library.c) the status is 0. */
    void (*ended)(void *context, const struct http_request *req, const struct http_ended *how);
    /* Called instead of making http_server_fd() readable when a request was finished outside of a turn: the loop owes a
     * turn before it sleeps. Saves the way through the kernel. */
    void (*finished)(void *context);
    /* Asked for each connection that was accepted: true if another server, which serves fewer, takes it over together
     * with its descriptor (http_server_adopt in that server's thread). */
    bool (*elsewhere)(void *context, const struct http_accepted *a);
};

/* ERR_BAD_CONFIG (why says what), ERR_BAD_KEY, ERR_IO, ERR_NO_MEMORY. */
RESULT http_server_new(const struct http_config *config, struct http_server **ret, struct problem *why);
/* Closes all connections. Requests that wait for http_request_finish() stay valid until it is called. */
void http_server_free(struct http_server *s);

int http_server_fd(const struct http_server *s); /* epoll descriptor: readable when there is something to do */
/* For loops that want to know: how long nothing can become due, at most 1000; 0: turn at once. */
int http_server_timeout_ms(const struct http_server *s);
/* Accepts, reads, calls handlers, writes, and shuts what is over its time. Bounded work. */
void http_server_turn(struct http_server *s);

/* New handshakes use the new certificate and key; connections stay. On error the old ones stay in use. */
RESULT http_server_reload_tls(struct http_server *s, const struct http_tls *tls, struct problem *why);
/* From now on each answer is the last one on its connection, and says so. New connections are still taken. */
void http_server_wind_down(struct http_server *s);
/* Accepts nothing more, ends each connection after its current answer and idle ones at once. Nobody is
 * waited for who takes longer than a second to send a head, or some seconds to send a body or to take an answer. */
void http_server_drain(struct http_server *s);

/* Serves a connection that another server on the same listeners accepted. Takes the descriptor. */
void http_server_adopt(struct http_server *s, const struct http_accepted *a);
/* How many connections it serves, from any thread. */
uint32_t http_server_load(const struct http_server *s);

struct http_server_stats {
    uint32_t connections, suspended;
    uint64_t accepted, refused_all, refused_peer, requests, malformed, timed_out;
};
struct http_server_stats http_server_stats(const struct http_server *s);

AUTO_DEFINE(struct http_server *, http_server_free);

#endif
