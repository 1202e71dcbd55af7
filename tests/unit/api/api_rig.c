#include "api_rig.h"

#include "api/strikes.h"
#include "api/token_share.h"
#include "base/log.h"
#include "vfs_powercut.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VFS_NAME "api-disk"

static uint64_t now(const struct clock *c)
{
    const struct rig *r = c->context;

    return r->now_ms;
}

/* --- the keeper's end */

static RESULT keeper_frame(void *context, struct channel *c, struct frame *f)
{
    struct rig *r = context;
    AUTO_WRITER body = writer_new(CHANNEL_FRAME_MAX);
    struct problem why = {0};
    enum err e;

    writer_u16(&body, 0);
    e = keeper_handle(r->keeper, PEER_FRONT, f->type, f->body, &body, &why);
    if (r->keeper_silent)
        return OK;
    if (e != OK)
        return channel_refuse(c, f->type, f->id, e, why.detail);
    return channel_send(c, f->type | CHANNEL_ANSWER, f->id, writer_view_of(&body), -1);
}

static void no_event(void *context, enum keeper_peer to, uint16_t type, const struct entity *e, const void *object)
{
    (void)context, (void)to, (void)type, (void)e, (void)object;
}

static void keeper_init_it(struct rig *r)
{
    const struct keeper_init q = {.method = UNSEAL_PASSPHRASE,
                                  .passphrase = VIEW_STR("a passphrase of the test"),
                                  .cipher = 1,
                                  .administrator = VIEW_STR("alice"),
                                  .administrator_key = {1},
                                  .argon2_passes = 1,
                                  .argon2_memory_kib = 8192};
    AUTO_WRITER body = writer_new(4096), answer = writer_new(16384);
    AUTO(arena_free) struct arena *arena = NULL;
    struct keeper_init_done done = {0};
    struct keeper_init_confirm confirm;
    struct problem why = {0};

    assert_int_equal(entity_encode(&keeper_init_entity, &q, &body), OK);
    assert_int_equal(keeper_handle(r->keeper, PEER_OPERATOR, KEEPER_INIT, writer_view_of(&body), &answer, &why), OK);
    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    assert_int_equal(entity_decode(&keeper_init_done_entity, writer_view_of(&answer), arena, &done), OK);
    memcpy(confirm.installation, done.installation, sizeof confirm.installation);
    writer_reset(&body);
    writer_reset(&answer);
    assert_int_equal(entity_encode(&keeper_init_confirm_entity, &confirm, &body), OK);
    assert_int_equal(keeper_handle(r->keeper, PEER_OPERATOR, KEEPER_INIT_CONFIRM, writer_view_of(&body), &answer, &why),
                     OK);
}

static void keeper_hello_it(struct rig *r)
{
    const struct keeper_hello q = {0};
    AUTO_WRITER body = writer_new(64), answer = writer_new(16384);
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(keyring_free) struct keyring *ring = NULL;
    struct keeper_welcome w;
    struct row_keys *keys = NULL;
    struct problem why = {0};

    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    assert_int_equal(entity_encode(&keeper_hello_entity, &q, &body), OK);
    assert_int_equal(keeper_handle(r->keeper, PEER_FRONT, KEEPER_HELLO, writer_view_of(&body), &answer, &why), OK);
    assert_int_equal(entity_decode(&keeper_welcome_entity, writer_view_of(&answer), arena, &w), OK);
    assert_int_equal(keyring_import(w.state_ring, &ring), OK);
    assert_int_equal(row_keys_new(ring, (enum aead_alg)w.cipher, &keys), OK);
    atomic_store(&r->shared.keys, keys);
    memcpy(r->shared.installation, w.installation, sizeof w.installation);
}

static void open_keeper(struct rig *r)
{
    char path[128];
    int pair[2];
    const struct channel_handler handler = {.frame = keeper_frame, .context = r};
    struct keeper_config config = {.clock = clock_system(), .random = random_system(), .event = no_event, .context = r};

    (void)snprintf(path, sizeof path, "%s/anchor", r->folder);
    r->anchor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(r->anchor >= 0);
    config.anchor_fd = r->anchor;
    assert_int_equal(keeper_new(&config, &r->keeper), OK);
    keeper_init_it(r);
    keeper_hello_it(r);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(channel_new(r->thread.loop, pair[0], &handler, &r->keeper_end), OK);
    assert_int_equal(caller_new(r->thread.loop, pair[1], NULL, &r->thread.keeper), OK);
}

/* --- ledger and server */

static void open_ledger(struct rig *r)
{
    struct problem why = {0};
    const struct ledger_config config = {
        .store_url = r->url, .keys = atomic_load(&r->shared.keys), .clock = clock_system(), .random = random_system()};

    r->disk = powercut_new(VFS_NAME, 1);
    assert_non_null(r->disk);
    (void)snprintf(r->url, sizeof r->url, "sqlite:%s/db?vfs=" VFS_NAME, r->folder);
    assert_int_equal(ledger_open(&config, &r->shared.ledger, &why), OK);
    assert_int_equal(ledger_reader(r->shared.ledger, &r->thread.reader), OK);
}

static void on_http(void *context, uint32_t events)
{
    struct rig *r = context;

    (void)events;
    http_server_turn(r->http);
}

static enum http_outcome head(struct http_request *req)
{
    const struct api_thread *t = req->server_context;
    const struct rig *r = (const struct rig *)(const void *)((const char *)t - offsetof(struct rig, thread));

    req->peer.is_tls |= r->as_tls;
    return api_head(req);
}

static void open_server(struct rig *r, const struct route_table *routes)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct router *router = NULL;
    struct problem why = {0};
    struct http_listener listener;

    assert_int_equal(router_new(routes, 1, &router, &why), OK);
    r->shared.router = router;
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", r->socket_path);
    r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(r->listener, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(r->listener, 128), 0);
    listener = (struct http_listener){r->listener, HTTP_LISTEN_UNIX};
    const struct http_config config = {.listeners = &listener,
                                       .listener_count = 1,
                                       .router = router,
                                       .clock = &r->clock,
                                       .context = &r->thread,
                                       .admit = head,
                                       .handle = api_admit,
                                       .ended = api_ended};
    assert_int_equal(http_server_new(&config, &r->http, &why), OK);
    assert_int_equal(loop_add(r->thread.loop, http_server_fd(r->http), EPOLLIN, on_http, r, &r->http_source), OK);
}

struct rig *rig_new(const struct route_table *routes)
{
    struct rig *r = calloc(1, sizeof *r);
    bool locked;

    assert_non_null(r);
    assert_int_equal(crypto_init(&locked), OK);
    (void)snprintf(r->folder, sizeof r->folder, "/tmp/holdfast-api-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    (void)snprintf(r->socket_path, sizeof r->socket_path, "%s/s", r->folder);
    r->now_ms = clock_system()->wall_ms(clock_system());
    r->clock = (struct clock){.wall_ms = now, .mono_ms = clock_system()->mono_ms, .context = r};
    r->config.front_threads = 1;
    r->shared.config = &r->config;
    r->shared.clock = &r->clock;
    r->shared.random = random_system();
    r->shared.first = &r->thread;
    r->shared.state = API_SERVING;
    r->shared.health.keeper = API_KEEPER_UNSEALED;
    r->thread.shared = &r->shared;
    assert_int_equal(gate_new(&r->shared.gate), OK);
    assert_int_equal(identity_new(&r->shared.identity), OK);
    assert_int_equal(api_keys_new(&r->shared.api_keys), OK);
    assert_int_equal(usages_new(&r->shared.usages), OK);
    assert_int_equal(tokens_new(&r->shared.tokens), OK);
    assert_int_equal(token_share_new(&r->config.tokens, r->shared.random, &r->shared.token_share, NULL), OK);
    config_guard_complete(&r->config.guard);
    assert_int_equal(guard_new(&r->config.guard, r->shared.random, &r->shared.guard, NULL), OK);
    assert_int_equal(strikes_new(&r->shared, &r->shared.strikes), OK);
    assert_int_equal(loop_new(clock_system(), &r->thread.loop), OK);
    assert_int_equal(mailbox_new(r->thread.loop, &r->thread.mailbox), OK);
    assert_int_equal(api_thread_start(&r->thread), OK);
    open_keeper(r);
    open_ledger(r);
    open_server(r, routes);
    return r;
}

static void remove_files(const struct rig *r)
{
    static const char *const names[] = {"anchor", "s", "db", "db-wal", "db-shm", "db-journal"};
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", r->folder, names[i]);
        unlink(path);
    }
    rmdir(r->folder);
}

void rig_free(struct rig *r)
{
    struct router *router = (struct router *)(uintptr_t)r->shared.router;

    http_server_free(r->http);
    caller_free(r->thread.keeper);
    channel_free(r->keeper_end);
    upkeep_end(&r->thread);
    ledger_close(r->shared.ledger);
    r->shared.ledger = NULL;
    rig_turns(r, 20); /* what was finished while closing is delivered */
    store_close(r->thread.reader);
    api_thread_stop(&r->thread);
    mailbox_free(r->thread.mailbox);
    loop_free(r->thread.loop);
    router_free(router);
    keeper_free(r->keeper);
    close(r->anchor);
    close(r->listener);
    powercut_free(r->disk);
    gate_free(r->shared.gate);
    identity_free(r->shared.identity);
    api_keys_free(r->shared.api_keys);
    usages_free(r->shared.usages);
    tokens_free(r->shared.tokens);
    rates_free(r->shared.token_share);
    strikes_free(r->shared.strikes);
    guard_free(r->shared.guard);
    row_keys_free(atomic_load(&r->shared.keys));
    remove_files(r);
    free(r);
}

struct rig *rig_set_up(void **state, const struct route_table *routes)
{
    struct rig *r = rig_new(routes);

    *state = r;
    return r;
}

int rig_tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

void rig_turns(struct rig *r, unsigned ms)
{
    const struct clock *c = clock_system();
    uint64_t until = c->mono_ms(c) + ms;

    do
        assert_int_equal(loop_turn(r->thread.loop, 2), OK);
    while (c->mono_ms(c) < until);
}

/* --- the client */

int rig_send(struct rig *r, const char *method, const char *path, const char *headers, const char *body)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char text[8192];
    int n, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", r->socket_path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
    n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method, path,
                 headers ? headers : "");
    if (body)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    assert_int_equal(write(fd, text, (size_t)n), n);
    return fd;
}

bool rig_receive(struct rig *r, int fd, unsigned ms, struct rig_reply *ret)
{
    const struct clock *c = clock_system();
    uint64_t until = c->mono_ms(c) + ms;
    size_t have = 0;

    memset(ret, 0, sizeof *ret);
    while (c->mono_ms(c) < until) {
        ssize_t n = read(fd, ret->text + have, sizeof ret->text - 1 - have);
        if (n == 0)
            break;
        if (n > 0)
            have += (size_t)n;
        assert_true(n > 0 || errno == EAGAIN);
        assert_int_equal(loop_turn(r->thread.loop, 2), OK);
    }
    if (have > 0)
        close(fd);
    ret->status = have > 12 ? (int)strtol(ret->text + 9, NULL, 10) : 0;
    return have > 0;
}

void rig_ask(struct rig *r, const char *method, const char *path, const char *headers, const char *body,
             struct rig_reply *ret)
{
    int fd = rig_send(r, method, path, headers, body);

    assert_true(rig_receive(r, fd, 3000, ret));
}

/* --- people and records */

static void on_put(void *context, struct txn *t)
{
    *(enum err *)context = t->result;
}

/* Who owns the keys of the rig may everything, so that each may what its own role says. Memory has to do. */
static void make_owner(struct rig *r, struct view name, struct arena *arena)
{
    struct view roles[] = {VIEW_STR("admin"), VIEW_STR("trader"), VIEW_STR("emergency_responder")};
    const struct user u = {
        .name = name, .roles = {roles, ARRAY_LEN(roles)}, .state = USER_ACTIVE, .environments = ENVIRONMENTS_ALL};
    struct txn_change change;

    assert_int_equal(identity_put_user(atomic_load(&r->shared.keys), &u, NULL, arena, &change), OK);
    assert_int_equal(identity_applied(r->shared.identity, &change), OK);
}

void rig_key(struct rig *r, const struct rig_key *k, char text[static API_KEY_TEXT_SIZE])
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct row_keys *keys = atomic_load(&r->shared.keys);
    struct view role = view_str(k->role);
    struct api_key_parts parts;
    struct txn_change change;
    struct record record = {.type = EVENT_API_KEY_CREATED, .outcome = OUTCOME_DONE};
    enum err result = ERR_COUNT;

    assert_int_equal(arena_new(16384, 1u << 20, &arena), OK);
    make_owner(r, VIEW_STR("rig-owner"), arena);
    assert_int_equal(api_key_make(random_system(), 1, text, &parts), OK);
    struct api_key key = {.id = view_str(parts.id),
                          .name = VIEW_STR("test"),
                          .owner = VIEW_STR("rig-owner"),
                          .environment = 1,
                          .status = KEY_ACTIVE,
                          .usage = k->usage ? k->usage : KEY_FULL_ACCESS,
                          .roles = {&role, 1},
                          .pepper_epoch = 1,
                          .created_ms = r->now_ms,
                          .expires_ms = k->expires_ms ? k->expires_ms : r->now_ms + 86400000,
                          .has_unix_uid = k->has_uid,
                          .unix_uid = k->uid,
                          .secret_environments = k->environments};
    assert_int_equal(api_key_verifier(keys, 1, parts.hash, key.verifier), OK);
    assert_int_equal(api_key_put(keys, &key, NULL, arena, &change), OK);
    struct txn t = {.arena = arena,
                    .changes = &change,
                    .change_count = 1,
                    .records = &record,
                    .record_count = 1,
                    .done = on_put,
                    .context = &result};
    assert_int_equal(ledger_prepare(r->shared.ledger, &t), OK);
    assert_int_equal(ledger_submit(r->shared.ledger, &t, 1, r->thread.mailbox), OK);
    while (result == ERR_COUNT)
        assert_int_equal(loop_turn(r->thread.loop, 5), OK);
    assert_int_equal(result, OK);
    assert_int_equal(api_keys_applied(r->shared.api_keys, &change), OK);
}

/* Records that follow the answer are waited for; not for ever, since a test may keep something waiting. */
static void what_is_behind(struct rig *r)
{
    for (int i = 0; i < 200 && api_thread_waiting(&r->thread) > 0; i++)
        assert_int_equal(loop_turn(r->thread.loop, 1), OK);
}

size_t rig_records(struct rig *r, uint16_t type)
{
    what_is_behind(r);
    AUTO(arena_free) struct arena *arena = NULL;
    size_t n = 0;

    assert_int_equal(arena_new(16384, 1u << 20, &arena), OK);
    for (uint64_t i = 0; i < ledger_size(r->shared.ledger); i++) {
        struct record_view v;
        arena_reset(arena);
        assert_int_equal(query_record(r->thread.reader, atomic_load(&r->shared.keys), i, arena, &v), OK);
        n += v.leaf.type == type;
    }
    return n;
}

size_t rig_records_all(struct rig *r)
{
    what_is_behind(r);
    return (size_t)ledger_size(r->shared.ledger);
}
