/* libmicrohttpd, driven from outside: with reply.c the only file that knows it. Written for 0.9.75 and later; from 1.0
 * on its own strict parsing replaces the accounting of head bytes below.
 *
 * What it answers by itself, with a page of its own (no problem document, no request id; ended is told of status 0)
 * before it closes: a request line it can't split or whose version is not HTTP/1.x, a header line without a colon or
 * with white space before it, a Content-Length it can't read, a malformed chunk, a head beyond its memory. What it lets
 * through unseen: bare LF in the framing of chunks, and trailers, which nobody here looks at. */
#include "http/inside.h"
#include "http/reply.h"
#include "http/serve.h"

#include <microhttpd.h>

#define ROUNDS_A_TURN 8
#define NOTED_SIZE    64  /* what the library keeps of each header, besides its text */
#define HEADERS_LOOK  256 /* collected at most; one with more is refused */

static struct conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void *session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

/* --- the head, byte by byte */

struct seen {
    struct http_pair items[HEADERS_LOOK];
    size_t count;
    bool more;
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value,
                               size_t value_size)
{
    struct seen *seen = cls;
    (void)kind;
    seen->more = seen->count == HEADERS_LOOK;
    if (seen->more)
        return MHD_NO;
    seen->items[seen->count++] = (struct http_pair){VIEW(key, key_size), VIEW(value ? value : "", value_size)};
    return MHD_YES;
}

#if MHD_VERSION < 0x01000000
/* The library cuts the head up in place and replaces separators by NUL. So the places of the parts tell what stood
 * between them: with a NUL inside a part, a bare LF, a folded line or a second space, the parts do not lie where
 * "method SP target SP version CRLF *(name ':' OWS value CRLF) CRLF" puts them. */
static bool adds_up(const struct exchange *x, const char *method, const char *version, const struct seen *seen,
                    size_t head_size)
{
    const char *at = method + strlen(method) + 1;
    if (at != x->uri || x->uri + x->raw_target.len + 1 != version || strlen(version) != 8)
        return false;
    at = version + 8;
    for (size_t i = 0; i < seen->count; i++) {
        const char *name = (const char *)seen->items[i].name.ptr, *value = (const char *)seen->items[i].value.ptr;
        if (name != at + 2)
            return false;
        const char *space = name + seen->items[i].name.len + 1;
        bool empty = seen->items[i].value.len == 0;
        while (*space == ' ' || *space == '\t')
            space++;
        if (!empty && space != value)
            return false;
        at = space + seen->items[i].value.len;
    }
    return at + 4 == method + head_size;
}
#else
static bool adds_up(const struct exchange *x, const char *method, const char *version, const struct seen *seen,
                    size_t head_size)
{
    (void)x, (void)method, (void)version, (void)seen, (void)head_size;
    return true;
}
#endif

static void read_head(struct http_server *s, struct conn *c, const char *method, const char *version)
{
    struct seen seen __attribute__((uninitialized)); /* 8 KiB, of which most requests use little */
    seen.count = 0;
    seen.more = false;
    (void)MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, collect, &seen);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct serve_head head = {
        .method = view_str(method),
        .version = view_str(version),
        .headers = {seen.items, seen.count},
        .more_headers = seen.more,
        .size = info ? info->header_size : SIZE_MAX,
    };
    head.ambiguous = !seen.more && (!info || !adds_up(c->x, method, version, &seen, info->header_size));
    server_head_done(s, c, session_of(c->mhd));
    head.certificate = c->certificate_error;
    serve_head(c->x, &s->config, &head);
}

/* --- the answer */

static enum MHD_Result send_answer(struct http_server *s, struct conn *c)
{
    struct exchange *x = c->x;
    bool last = server_is_last(s, c);
    struct MHD_Response *r = reply_take(x, last);
    if (!r)
        return MHD_NO;
    c->linger = last && x->has_body;
    x->queued = true;
    conn_phase(&s->conns, c, CONN_SEND, s->now_ms + s->config.limits.send_ms);
    enum MHD_Result result = MHD_queue_response(c->mhd, x->status, r);
    reply_give(x, r);
    return result;
}

/* --- the library's callbacks */

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct conn *c = conn_of(connection);
    if (!c || !target)
        return NULL;
    c->io.reads_ahead = true; /* from its first request on it is not parked any more */
    return server_request_line(cls, c, target);
}

static enum MHD_Result on_head(struct http_server *s, struct conn *c, const char *method, const char *version)
{
    struct exchange *x = c->x;
    read_head(s, c, method, version);
    if (x->status == 0 || !(x->has_body || x->close))
        return MHD_YES; /* a body to come, or an answer that leaves the connection open */
    x->close = true;
    return send_answer(s, c);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **con_cls)
{
    struct http_server *s = cls;
    struct conn *c = conn_of(connection);
    (void)url, (void)con_cls;
    if (!c || !c->x || s->stopping)
        return MHD_NO;
    if (!c->x->head_done)
        return on_head(s, c, method, version);
    if (*upload_data_size > 0) {
        size_t n = *upload_data_size;
        *upload_data_size = 0;
        return serve_body(c->x, upload_data, n) ? MHD_YES : MHD_NO;
    }
    if (c->x->queued)
        return MHD_YES;
    if (c->x->status != 0 || serve_request(c->x, &s->config) == HTTP_ANSWER)
        return send_answer(s, c);
    c->x->later = true;
    c->suspended = true;
    server_suspended(s, c);
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static void on_ended(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode how)
{
    struct conn *c = conn_of(connection);
    (void)con_cls;
    if (c)
        server_ended(cls, c, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

/* During a handshake that waits for the client, 0.9.75 takes the connection for ready and spins. So a connection that
 * has not yet sent a request, and would block, is parked after the round: suspended, and watched by us. */
static void on_would_block(void *context, bool writing)
{
    struct conn *c = context;
    if (c->requests > 0 || c->parked)
        return;
    c->blocked_writing = writing;
    if (c->blocked)
        return;
    c->blocked = true;
    c->next_blocked = c->server->blocked;
    c->server->blocked = c;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context)
            server_closed(s, *context);
        *context = NULL;
        return;
    }
    struct conn *c = s->accepting;
    if (!c)
        return;
    s->accepting = NULL;
    c->mhd = connection;
    *context = c;
    void *session = session_of(connection);
    if (s->tls && session) {
        c->io.fd = c->fd;
        c->io.would_block = on_would_block;
        c->io.context = c;
        tls_prepare(s->tls, session, &c->io);
    }
}

/* Leaves everything as it was sent: decoding is ours (http/target.h), and would cut at %00 here. */
static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls, (void)connection;
    return strlen(text);
}

/* --- start and end */

#define OPTION_CALL(option, fn, cls)                                                                                   \
    {                                                                                                                  \
        (option), (intptr_t)(fn), (cls)                                                                                \
    }

static struct MHD_Daemon *start(struct http_server *s, bool tls)
{
    const struct http_limits *l = &s->config.limits;
    struct MHD_OptionItem options[] = {
#if MHD_VERSION >= 0x01000000
        {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 2, NULL},
#else
        {MHD_OPTION_STRICT_FOR_CLIENT, -1, NULL}, /* so that faults reach our scan instead of its own pages */
#endif
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)l->connections + 1, NULL},
        /* Room for a head of header_max, what the library notes about it, and the answer's head; it is wiped after each
         * request, so more of it would cost each of them. */
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)l->header_max + (intptr_t)l->headers_max * NOTED_SIZE + 8192,
         NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL}, /* it would count inactivity only; server.c sweeps */
        OPTION_CALL(MHD_OPTION_URI_LOG_CALLBACK, on_target, s),
        OPTION_CALL(MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, s),
        OPTION_CALL(MHD_OPTION_NOTIFY_COMPLETED, on_ended, s),
        OPTION_CALL(MHD_OPTION_NOTIFY_CONNECTION, on_connection, s),
        {tls ? MHD_OPTION_HTTPS_PRIORITIES : MHD_OPTION_END, 0, (void *)(uintptr_t)TLS_PRIORITY},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, s, MHD_OPTION_ARRAY, options,
                            MHD_OPTION_END);
}

RESULT library_open(struct http_server *s, struct problem *why)
{
    for (int tls = 0; tls < (s->tls ? 2 : 1); tls++) {
        s->daemons[tls] = start(s, tls);
        if (!s->daemons[tls])
            return problem_set(why, ERR_INTERNAL, "", "The HTTP library did not start.");
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemons[tls], MHD_DAEMON_INFO_EPOLL_FD);
        if (!info || info->epoll_fd < 0 || accept_watch(s, info->epoll_fd) != OK)
            return problem_set(why, ERR_IO, "", "The HTTP library's epoll descriptor can't be watched.");
    }
    return OK;
}

void library_close(struct http_server *s)
{
    library_turn(s);
    for (size_t i = 0; i < ARRAY_LEN(s->daemons); i++)
        if (s->daemons[i])
            MHD_stop_daemon(s->daemons[i]);
}

static bool wants_more(struct MHD_Daemon *d)
{
    MHD_UNSIGNED_LONG_LONG wait;
    return MHD_get_timeout(d, &wait) == MHD_YES && wait == 0;
}

static void park_blocked(struct http_server *s)
{
    while (s->blocked) {
        struct conn *c = s->blocked;
        s->blocked = c->next_blocked;
        c->blocked = false;
        if (c->requests > 0 || c->suspended || c->shut || s->stopping)
            continue;
        if (accept_watch_conn(s, c, c->blocked_writing) != OK)
            continue;
        c->parked = true;
        MHD_suspend_connection(c->mhd);
    }
}

void library_unpark(struct http_server *s, struct conn *c)
{
    accept_unwatch_conn(s, c);
    c->parked = false;
    MHD_resume_connection(c->mhd);
}

void library_forget(struct http_server *s, struct conn *c)
{
    for (struct conn **at = &s->blocked; *at; at = &(*at)->next_blocked)
        if (*at == c) {
            *at = c->next_blocked;
            return;
        }
}

void library_turn(struct http_server *s)
{
    tls_enter(s->tls);
    for (size_t i = 0; i < ARRAY_LEN(s->daemons); i++) {
        struct MHD_Daemon *d = s->daemons[i];
        if (!d)
            continue;
        int rounds = 0;
        do {
            (void)MHD_run(d);
            park_blocked(s);
        } while (++rounds < ROUNDS_A_TURN && wants_more(d));
        if (wants_more(d))
            accept_wake(s);
    }
}

void library_resume(struct conn *c)
{
    MHD_resume_connection(c->mhd);
}

bool library_take(struct http_server *s, struct conn *c, const struct sockaddr *address, socklen_t length)
{
    s->accepting = c;
    bool taken = MHD_add_connection(s->daemons[c->peer.is_tls], c->fd, address, length) == MHD_YES;
    bool unseen = s->accepting != NULL; /* it failed before it told us of the connection */
    s->accepting = NULL;
    if (unseen)
        conn_remove(&s->conns, c);
    return taken;
}
