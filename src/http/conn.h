/* Inside of src/http: connections, who has how many of them, and until when each may stay as it is. */
#ifndef HOLDFAST_HTTP_CONN_H
#define HOLDFAST_HTTP_CONN_H

#include "http/exchange.h"
#include "http/tls.h"

#include <stdatomic.h>

struct MHD_Connection;
struct peer_count;

enum conn_phase {
    CONN_HEAD = 1, /* handshake, request line, headers */
    CONN_REQUEST,  /* body, handler */
    CONN_SEND,     /* the answer */
    CONN_IDLE,     /* between requests */
};

struct conn {
    struct conn *prev, *next;
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd; /* owned by the library */
    struct http_peer peer;
    struct peer_count *count;
    uint8_t *certificate; /* owned; peer.certificate looks at it */
    enum conn_phase phase;
    uint64_t deadline_ms;
    uint32_t requests;
    struct exchange *x; /* the current request */
    struct tls_io io;
    struct conn *next_blocked;
    bool blocked, blocked_writing; /* in the server's list of handshakes that can't go on */
    bool parked;                   /* out of the library's hands until its socket is ready */
    bool suspended, shut, linger, certificate_checked;
    enum err certificate_error;
};

struct conn_table {
    struct conn *first;
    atomic_uint count; /* other threads look at it */
    uint64_t next_ms;  /* no deadline is before this */
    uint32_t seed;
    struct peer_count *buckets[1024];
};

/* Fills peer from the address that accept4 gave, and from SO_PEERCRED. ERR_IO if the peer can't be told. */
RESULT conn_peer(int fd, enum http_listener_kind kind, const struct sockaddr_storage *address, struct http_peer *ret);
/* ERR_BUSY if the peer has per_peer connections already; ERR_NO_MEMORY. */
RESULT conn_add(struct conn_table *t, const struct http_peer *peer, uint32_t per_peer, struct conn **ret);
void conn_remove(struct conn_table *t, struct conn *c); /* frees c */
void conn_phase(struct conn_table *t, struct conn *c, enum conn_phase phase, uint64_t deadline_ms);

#endif
