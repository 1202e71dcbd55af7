/* A real server in the test's own process and thread, and raw clients that send exactly the bytes they are given. */
#ifndef HOLDFAST_TEST_HTTP_RIG_H
#define HOLDFAST_TEST_HTTP_RIG_H

#include "http/request.h"
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { P_NONE, P_PUBLIC, P_READ };

#define RIG_PENDING_MAX 1024

struct rig {
    struct router *router;
    struct http_server *server;
    int listener, port;
    char path[64]; /* of the Unix socket */
    /* requests that a handler put off */
    struct http_request *pending[RIG_PENDING_MAX];
    size_t pending_count;
    unsigned served; /* calls of any handler */
    unsigned ended, ended_complete;
    unsigned last_status;
    enum err last_code;
    char last_note[128];
    bool finish_each_turn; /* answers what is pending after each turn, as a group commit does */
};

extern const struct route RIG_ROUTES[];
extern const size_t RIG_ROUTE_COUNT;

struct reply {
    int status; /* 0: nothing understandable came */
    char head[4096];
    char body[70000];
    size_t body_len;
    bool closed;     /* the server ended the connection after it */
    char rest[4096]; /* what came behind the first answer */
    size_t rest_len;
};

/* config may be NULL; its listeners, router and context are set here. */
void rig_open(struct rig *r, const struct http_config *config, enum http_listener_kind kind);
void rig_close(struct rig *r);
int rig_connect(struct rig *r);
void rig_turn(struct rig *r, int timeout_ms); /* one turn of the loop, waiting for at most that long */
void rig_run(struct rig *r, int ms);          /* turns for that long */
void rig_finish_all(struct rig *r);           /* answers all that is pending with 200 "late" */

/* Sends, turns until one whole answer came or the connection ended (2 s at most). */
void rig_talk(struct rig *r, int fd, const void *bytes, size_t n, struct reply *ret);
/* The same on a connection of its own; also waits a little to see whether the server closes. */
void rig_once(struct rig *r, const void *bytes, size_t n, struct reply *ret);
void rig_send(struct rig *r, int fd, const void *bytes, size_t n);
bool rig_closed(struct rig *r, int fd, int within_ms);                                    /* does the server end it? */
const char *reply_header(const struct reply *p, const char *name, char *out, size_t cap); /* NULL if absent */

#define SEND(r, fd, text, ret) rig_talk((r), (fd), (text), sizeof(text) - 1, (ret))
#define ONCE(r, text, ret)     rig_once((r), (text), sizeof(text) - 1, (ret))

#endif
