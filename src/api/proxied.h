/* A request that a proxy asks about: its method, its path and where it came from, as the proxy says in headers. */
#ifndef HOLDFAST_API_PROXIED_H
#define HOLDFAST_API_PROXIED_H

#include "domain/guard/guard.h"
#include "http/request.h"

struct proxied {
    struct view method; /* as it was sent */
    struct view target; /* path and query, as they were sent */
    struct view path;   /* decoded and clean, as http_request.path is */
    struct http_peer peer;
    bool few_statuses; /* the proxy understands 2xx, 401 and 403 alone (nginx) */
};

/* How it is said, where the address that was asked is for one kind of proxy alone: route.extra of its row. Of what is
 * said in any other way nothing is looked at then. */
enum proxied_kind {
    PROXIED_FORWARD_AUTH = 1, /* X-Forwarded-Method, -Uri, -For and -Proto */
    PROXIED_AUTH_REQUEST,     /* X-Original-Method, X-Original-URL (with scheme and host), X-Forwarded-For */
    PROXIED_EXT_AUTHZ,        /* the request's own method and, behind the prefix, target; X-Forwarded-For and -Proto */
};
struct proxied_way {
    enum proxied_kind kind;
    const char *prefix; /* PROXIED_EXT_AUTHZ: before the target */
};

/* Without such a row there are two ways to say it, of which one must be there in whole and nothing of the other:
 * X-Original-Method, X-Original-URI and X-Real-IP (nginx), or X-Forwarded-Method, X-Forwarded-Uri and X-Forwarded-For
 * (Traefik, Caddy, HAProxy's script), of whose addresses the last one that is no proxy of the guard's counts.
 * X-Forwarded-Proto: https says that TLS protected it. ERR_REQUEST_UNNAMED, ERR_ADDRESS_UNREADABLE;
 * ERR_PATH_AMBIGUOUS, and then peer is set; ERR_NO_MEMORY. */
/* Of PROXIED_EXT_AUTHZ the answer also names what Envoy is to take from the request before it goes on. */
RESULT proxied_read(struct http_request *req, const struct guard *guard, struct proxied *ret, struct problem *why);

/* The path of a target (path and query) that a client sent, as it is judged: decoded, with one reading.
 * ERR_PATH_AMBIGUOUS with what is wrong in why, ERR_NO_MEMORY. */
RESULT proxied_path(struct view uri, struct arena *arena, struct view *ret, struct problem *why);

/* From here on the request is the proxied one: what looks at req->method, path and peer sees the client's. */
void proxied_stand_for(struct http_request *req, const struct proxied *p);

/* http_config.refused: a head that the server does not read at all is refused in the proxy's words as well. */
void proxied_refused(struct http_request *req, const struct problem *why);

/* Before the answer to what can't be decided now, of any route: who asked for a verdict is told the code in the header
 * where the proxy looks for it. */
void proxied_failed(struct http_request *req, enum err code);

#endif
