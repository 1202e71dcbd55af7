/* Inside of src/http: the server's certificate and key, replaceable while handshakes are under way, and the check of
 * client certificates (the HTTP library asks for them but takes any). */
#ifndef HOLDFAST_HTTP_TLS_H
#define HOLDFAST_HTTP_TLS_H

#include "http/server.h"

#define TLS_AHEAD    1024
#define TLS_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:%SERVER_PRECEDENCE"

struct tls;

/* Our own reading and writing below the TLS session, so that we learn when it would block. Lives as long as the
 * session. A record's length is read before the record: with reads_ahead a short one comes with one call of the system.
 * Who waits for the socket alone, as handshakes that are parked do, must not read ahead. */
struct tls_io {
    int fd;
    void (*would_block)(void *context, bool writing);
    void *context;
    bool reads_ahead;
    uint16_t from, to; /* what of ahead was not asked for yet */
    uint8_t ahead[TLS_AHEAD];
};

/* ERR_BAD_KEY: unreadable, key and certificate don't belong together, RSA below 2048 bits. */
RESULT tls_new(const struct http_tls *from, struct tls **ret, struct problem *why);
void tls_free(struct tls *t);
/* Old ones stay until no handshake can use them any more: grace_ms. */
RESULT tls_replace(struct tls *t, const struct http_tls *from, uint64_t now_ms, uint64_t grace_ms, struct problem *why);
void tls_prune(struct tls *t, uint64_t now_ms);

/* The library's certificate callback carries no context; it is always called inside a turn of this thread. */
void tls_enter(struct tls *t);
void *tls_callback(void); /* gnutls_certificate_retrieve_function2 */

/* session is a gnutls_session_t. Before the handshake: puts io below it, and asks for a certificate if one is wanted.
 */
void tls_prepare(struct tls *t, void *session, struct tls_io *io);
/* After it: *ret_der is the verified certificate (allocated, NULL if none was sent). ERR_UNAUTHENTICATED if one is
 * required and missing, ERR_BAD_CREDENTIALS if it does not verify: chain, validity, revocation, and an extended key
 * usage that names TLS clients, which has to be there. */
RESULT tls_client(struct tls *t, void *session, uint64_t wall_ms, uint8_t **ret_der, size_t *ret_len);

AUTO_DEFINE(struct tls *, tls_free);

#endif
