/* One front thread in a test: a real HTTP server on a Unix socket, a real ledger on a disk that can fail, and a real
 * keeper behind a channel, all in the test's own loop. */
#ifndef HOLDFAST_TEST_API_RIG_H
#define HOLDFAST_TEST_API_RIG_H

#include "api/change_gate.h"
#include "api/change_orphan.h"
#include "api/context.h"
#include "http/server.h"
#include "keeper/keeper.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct rig {
    char folder[64], socket_path[96], url[192];
    struct powercut *disk;
    struct api_shared shared;
    struct api_thread thread;
    struct config config;
    struct http_server *http;
    struct loop_source *http_source;
    int listener;
    struct keeper *keeper; /* the real one, answering at the other end of the channel */
    struct channel *keeper_end;
    int anchor;
    bool as_tls;        /* requests count as if they had come over TLS */
    bool keeper_silent; /* takes requests and keeps the answers to itself */
    struct clock clock;
    _Atomic uint64_t now_ms;
};

struct rig *rig_new(const struct route_table *routes);
void rig_free(struct rig *r);
/* The same as cmocka has it: the rig is *state, and goes with the test. */
struct rig *rig_set_up(void **state, const struct route_table *routes);
int rig_tear_down(void **state);
void rig_turns(struct rig *r, unsigned ms);
/* One request on a connection of its own: method and path, header lines (each with \r\n) and a body, or NULL. */
struct rig_reply {
    int status;
    char text[16384]; /* head and body */
};
int rig_send(struct rig *r, const char *method, const char *path, const char *headers, const char *body);
bool rig_receive(struct rig *r, int fd, unsigned ms, struct rig_reply *ret); /* false: nothing came */
void rig_ask(struct rig *r, const char *method, const char *path, const char *headers, const char *body,
             struct rig_reply *ret);

/* An API key, as the tables have it after a commit. text gets the key. */
struct rig_key {
    const char *role;    /* built-in role */
    uint8_t usage;       /* 0: full access */
    uint64_t expires_ms; /* 0: in a day */
    bool has_uid;
    uint32_t uid;
    uint8_t environments; /* whose secrets it may touch: bits */
};
void rig_key(struct rig *r, const struct rig_key *k, char text[static API_KEY_TEXT_SIZE]);
/* How many records of this type are in the log. */
size_t rig_records(struct rig *r, uint16_t type);
size_t rig_records_all(struct rig *r);

#endif
