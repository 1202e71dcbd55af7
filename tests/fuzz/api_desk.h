/* A front thread with all routes, a real ledger, keeper and HTTP server in one process, for targets that send requests.
 * What they change stays until the program ends. */
#ifndef HOLDFAST_FUZZ_API_DESK_H
#define HOLDFAST_FUZZ_API_DESK_H

#include "../unit/api/api_rig.h"
#include "api/credential_cache.h"
#include "api/passkey.h"
#include "api/passwords.h"
#include "api/watch.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DESK_ROUTES 256

struct desk {
    struct rig *rig;
    struct route rows[DESK_ROUTES];
    size_t count;
    char admin[API_KEY_TEXT_SIZE], viewer[API_KEY_TEXT_SIZE];
    struct arena *arena;
};
static struct desk desk;

static inline void desk_key(struct rig *r, const char *role, char text[static API_KEY_TEXT_SIZE])
{
    const struct rig_key k = {.role = role, .environments = ENVIRONMENTS_ALL};
    rig_key(r, &k, text);
}

static inline void desk_close(void)
{
    passwords_free(desk.rig->shared.passwords);
    passkey_site_free(desk.rig->shared.passkeys);
    writer_free(&desk.rig->shared.openapi);
    watch_free(desk.rig->shared.watch);
    credential_cache_free(atomic_load(&desk.rig->shared.credential_ids));
    rig_free(desk.rig);
    arena_free(desk.arena);
}

/* What the tests of single routes do without. */
static inline void desk_complete(struct rig *r)
{
    struct problem why;
    r->config.listen = VIEW_STR("127.0.0.1:8450");
    r->config.argon2 = (struct config_argon2){.passes = 1, .memory_kib = 8};
    r->config.sessions = (struct config_sessions){.hours = 8, .idle_minutes = 30, .per_user = 3};
    config_passwords_complete(&r->config.passwords);
    config_tokens_complete(&r->config.tokens);
    if (arena_new(4096, 1u << 20, &desk.arena) != OK || config_passkeys_complete(&r->config, desk.arena) != OK ||
        passkey_site_new(&r->config, (struct view){0}, &r->shared.passkeys, &why) != OK ||
        api_openapi_new(&r->shared) != OK || watch_new(r->shared.random, 1, &r->shared.watch) != OK ||
        passwords_new(&r->config, NULL, &r->shared.passwords) != OK)
        abort();
}

static inline void desk_open(void)
{
    struct router *router = NULL;
    struct problem why;
    const struct route *row;
    if (desk.rig)
        return;
    if (api_router_new(&router, &why) != OK)
        abort();
    while ((row = router_row(router, desk.count)) && desk.count < DESK_ROUTES)
        memcpy(&desk.rows[desk.count++], row, sizeof *row);
    router_free(router);
    desk.rig = rig_new(&(struct route_table){desk.rows, desk.count});
    desk_complete(desk.rig);
    desk_key(desk.rig, "admin", desk.admin);
    desk_key(desk.rig, "viewer", desk.viewer);
    (void)atexit(desk_close);
}

/* One request, whole; aborts unless it is answered, and not with a fault of ours. */
static inline void desk_ask(struct view request)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct rig_reply reply;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", desk.rig->socket_path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) != 0 ||
        write(fd, request.ptr, request.len) != (ssize_t)request.len)
        abort();
    if (!rig_receive(desk.rig, fd, 10000, &reply) || reply.status < 200 || reply.status > 599 || reply.status == 500) {
        (void)fprintf(stderr, "%.*s\n%s\n", (int)request.len, (const char *)request.ptr, reply.text);
        abort();
    }
}

#endif
