/* Inside of src/http: the server's own struct. */
#ifndef HOLDFAST_HTTP_INSIDE_H
#define HOLDFAST_HTTP_INSIDE_H

#include "http/conn.h"
#include "http/linger.h"
#include "http/tls.h"

struct MHD_Daemon;

#define LISTENERS_MAX 16
#define SPARE_MAX     128
#define DRAIN_HEAD_MS 1000 /* for the head of a request that may be on its way when the server drains, … */
#define DRAIN_MS      2500 /* … and for whatever else waits for the client */

struct http_server {
    struct http_config config; /* listeners and tls are not kept here */
    struct http_listener listeners[LISTENERS_MAX];
    size_t listener_count;
    struct tls *tls;
    struct MHD_Daemon *daemons[2]; /* without and with TLS */
    int epoll, wake, timer, reserve;
    bool woken, winding_down, draining, stopping;
    uint64_t now_ms, timer_at_ms, linger_at_ms, drain_by_ms;
    struct conn_table conns;
    struct lingering lingering;
    struct random_pool ids; /* of requests */
    struct conn *blocked;   /* handshakes to be parked after this round */
    struct conn *accepting; /* while the library takes over a socket */
    struct exchange *spare;
    size_t spare_count;
    struct http_server_stats stats;
};

/* accept.c: listeners, epoll, timer */
RESULT accept_open(struct http_server *s, const struct http_config *config, struct problem *why);
void accept_close(struct http_server *s);
/* Looks what is ready, and accepts. */
void accept_turn(struct http_server *s);
void accept_stop(struct http_server *s);            /* listens no more */
RESULT accept_watch(struct http_server *s, int fd); /* the library's epoll descriptor */
/* Calls library_unpark once c's socket is ready. */
RESULT accept_watch_conn(struct http_server *s, struct conn *c, bool writing);
void accept_unwatch_conn(struct http_server *s, struct conn *c);
void accept_wake(struct http_server *s);  /* makes http_server_fd() readable */
void accept_timer(struct http_server *s); /* so that the next deadline wakes the loop */

/* library.c, with reply.c the only file that knows libmicrohttpd. Its descriptors are watched by accept.c. */
RESULT library_open(struct http_server *s, struct problem *why);
void library_close(struct http_server *s);
/* Lets it read, call back and write until nothing is ready, for a bounded number of rounds. */
void library_turn(struct http_server *s);
void library_resume(struct conn *c);
void library_unpark(struct http_server *s, struct conn *c);
void library_forget(struct http_server *s, struct conn *c); /* it is closed */
/* Gives a socket to the library, which owns it from then on, also on failure. */
bool library_take(struct http_server *s, struct conn *c, const struct sockaddr *address, socklen_t length);

/* server.c: the course of a request, called by library.c */
struct exchange *server_request_line(struct http_server *s, struct conn *c, const char *target); /* NULL: no memory */
void server_head_done(struct http_server *s, struct conn *c, void *tls_session);
bool server_is_last(const struct http_server *s, const struct conn *c); /* no more requests after this answer */
void server_suspended(struct http_server *s, struct conn *c);
void server_ended(struct http_server *s, struct conn *c, bool complete); /* the request */
void server_closed(struct http_server *s, struct conn *c);

#endif
