#include "desk.h"

#include "crypto/sign.h"
#include "ipc/config.h"
#include "ipc/start.h"
#include "ipc/supervisor_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSPHRASE "five random words are good"

static void pair(int out[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out), 0);
}

static void path_of(const struct desk *d, const char *name, char *out, size_t cap)
{
    assert_true((size_t)snprintf(out, cap, "%s/%s", d->directory, name) < cap);
}

static void read_venues(struct writer *w)
{
    static const char *const names[] = {"binance", "phemex", "hyperliquid"};
    static char text[1u << 20];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[4096];
        FILE *f;
        size_t n;
        snprintf(path, sizeof path, "%s/spec/venues/%s.yaml", getenv("HOLDFAST_SOURCE"), names[i]);
        f = fopen(path, "rb");
        assert_non_null(f);
        n = fread(text, 1, sizeof text, f);
        fclose(f);
        writer_var(w, view_str(names[i]));
        writer_var(w, VIEW(text, n));
    }
}

static void wait_ready(int control)
{
    uint8_t frame[4096];
    size_t len;

    assert_true(desk_receive(control, 10000, frame, sizeof frame, &len));
}

/* The defaults, as the supervisor hands them to the keeper. */
static void put_settings(struct writer *w)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct config config;
    struct problem why = {0};

    assert_int_equal(arena_new(4096, 1u << 20, &arena), OK);
    assert_int_equal(config_parse(VIEW_STR("data_dir: /nowhere\n"), "desk", arena, &config, &why), OK);
    assert_int_equal(config_complete(&config, arena, &why), OK);
    assert_int_equal(entity_encode(&config_entity, &config, w), OK);
}

void desk_start(struct desk *d)
{
    AUTO_WRITER settings = writer_new(65536);
    int keeper_sup[2], signer_sup[2], keeper_signer[2], keeper_front[2], signer_front[2];
    AUTO_WRITER venues = writer_new(4u << 20);
    struct start keeper, signer;

    pair(keeper_sup), pair(signer_sup), pair(keeper_signer), pair(keeper_front), pair(signer_front);
    read_venues(&venues);
    put_settings(&settings);
    keeper = (struct start){.config = writer_view_of(&settings),
                            .fd_count = 5,
                            .fds = {{START_FD_SUPERVISOR, 0, keeper_sup[1]},
                                    {START_FD_SIGNER, 0, keeper_signer[0]},
                                    {START_FD_FRONT, 0, keeper_front[0]},
                                    {START_FD_OPERATOR, 0, d->listener},
                                    {START_FD_ANCHOR, 0, d->anchor}}};
    signer = (struct start){.files = writer_view_of(&venues),
                            .fd_count = 3,
                            .fds = {{START_FD_SUPERVISOR, 0, signer_sup[1]},
                                    {START_FD_KEEPER, 0, keeper_signer[1]},
                                    {START_FD_FRONT, 0, signer_front[0]}}};
    assert_int_equal(start_process(ROLE_KEEPER, d->directory, &keeper, &d->keeper), OK);
    assert_int_equal(start_process(ROLE_SIGNER, d->directory, &signer, &d->signer), OK);
    close(keeper_sup[1]), close(signer_sup[1]), close(keeper_signer[0]), close(keeper_signer[1]);
    close(keeper_front[0]), close(signer_front[0]);
    d->keeper_control = keeper_sup[0];
    d->signer_control = signer_sup[0];
    d->to_keeper = keeper_front[1];
    d->to_signer = signer_front[1];
    wait_ready(d->keeper_control);
    wait_ready(d->signer_control);
}

static void end(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL);
        (void)waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

void desk_kill(struct desk *d)
{
    end(&d->keeper);
    end(&d->signer);
    close(d->keeper_control), close(d->signer_control), close(d->to_keeper), close(d->to_signer);
}

bool desk_alive(struct desk *d)
{
    return waitpid(d->keeper, NULL, WNOHANG) == 0 && waitpid(d->signer, NULL, WNOHANG) == 0;
}

int desk_give_channel(int control)
{
    struct supervisor_new_channel q = {.kind = START_FD_FRONT};
    AUTO_WRITER w = writer_new(256);
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } c = {0};
    struct iovec part;
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c.room};
    int ends[2];

    pair(ends);
    writer_u16(&w, SUPERVISOR_NEW_CHANNEL), writer_u16(&w, 0), writer_u64(&w, 0);
    assert_int_equal(entity_encode(&supervisor_new_channel_entity, &q, &w), OK);
    part = (struct iovec){w.ptr, w.len};
    c.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&c.head), &ends[0], sizeof(int));
    assert_int_equal(sendmsg(control, &m, MSG_NOSIGNAL), w.len);
    close(ends[0]);
    return ends[1];
}

void desk_new_front(struct desk *d, int *ret_former_keeper, int *ret_former_signer)
{
    *ret_former_keeper = d->to_keeper;
    *ret_former_signer = d->to_signer;
    d->to_keeper = desk_give_channel(d->keeper_control);
    d->to_signer = desk_give_channel(d->signer_control);
}

/* The executables stand in two folders of the build; a folder of links makes them one. */
static void link_executables(const struct desk *d)
{
    static const char *const roles[] = {"keeper", "signer"};

    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        char from[4096], to[4096], name[64];
        snprintf(from, sizeof from, "%s/src/%s/holdfast-%s", getenv("HOLDFAST_BUILD"), roles[i], roles[i]);
        snprintf(name, sizeof name, "holdfast-%s", roles[i]);
        path_of(d, name, to, sizeof to);
        assert_int_equal(symlink(from, to), 0);
    }
}

static int listen_on(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(view_to_str(view_str(path), a.sun_path, sizeof a.sun_path), OK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

struct desk *desk_new(void)
{
    struct desk *d = calloc(1, sizeof *d);
    struct keeper_init q = {.method = UNSEAL_PASSPHRASE,
                            .passphrase = VIEW_STR(PASSPHRASE),
                            .cipher = 1,
                            .administrator = VIEW_STR("alice"),
                            .argon2_passes = 1,
                            .argon2_memory_kib = 8192};
    struct keeper_init_confirm confirm;
    char path[128];
    bool locked;

    assert_int_equal(crypto_init(&locked), OK);
    assert_int_equal(crypto_pk_init(), OK);
    (void)signal(SIGPIPE, SIG_IGN);
    snprintf(d->directory, sizeof d->directory, "/tmp/holdfast-desk-XXXXXX");
    assert_non_null(mkdtemp(d->directory));
    path_of(d, "operator.sock", path, sizeof path);
    d->listener = listen_on(path);
    path_of(d, "anchor", path, sizeof path);
    d->anchor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(d->anchor >= 0);
    link_executables(d);
    assert_int_equal(arena_new(1u << 16, 512u << 20, &d->arena), OK);
    memset(d->admin_seed, 7, sizeof d->admin_seed);
    assert_int_equal(ed25519_public(d->admin_seed, q.administrator_key), OK);
    d->venue = "binance";
    d->scheme = "binance-hmac";
    d->secret = SECRET;
    desk_start(d);
    assert_int_equal(desk_operator(d, KEEPER_INIT, &q, &d->init, 10000), OK);
    memcpy(confirm.installation, d->init.installation, sizeof confirm.installation);
    assert_int_equal(desk_operator(d, KEEPER_INIT_CONFIRM, &confirm, NULL, 10000), OK);
    return d;
}

void desk_free(struct desk *d)
{
    static const char *const names[] = {"operator.sock", "anchor", "holdfast-keeper", "holdfast-signer"};

    desk_kill(d);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        path_of(d, names[i], path, sizeof path);
        (void)unlink(path);
    }
    (void)rmdir(d->directory);
    close(d->anchor), close(d->listener);
    arena_free(d->arena);
    free(d);
}

void desk_unseal(struct desk *d)
{
    struct keeper_unseal q = {.passphrase = VIEW_STR(PASSPHRASE)};
    struct keeper_status s = {0};

    assert_int_equal(desk_operator(d, KEEPER_UNSEAL, &q, NULL, 10000), OK);
    assert_int_equal(desk_keeper(d, KEEPER_STATUS, NULL, &s), OK);
    d->logged = s.log_size;
}

/* --- frames */

bool desk_raw(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

bool desk_receive(int fd, int ms, uint8_t *out, size_t cap, size_t *ret_len)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    if (poll(&p, 1, ms) != 1)
        return false;
    n = recv(fd, out, cap, MSG_DONTWAIT);
    *ret_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static enum err answer_of(struct desk *d, struct view body, const struct entity *e, void *ret)
{
    struct view entity, kept;
    struct problem why;

    TRY(channel_result(body, &entity, &why));
    if (!e || !ret)
        return OK;
    assert_int_equal(arena_copy(d->arena, entity, &kept), OK);
    assert_int_equal(entity_decode(e, kept, d->arena, ret), OK);
    return OK;
}

static enum err call(struct desk *d, int fd, uint16_t type, const struct entity *q, const void *request,
                     const struct entity *e, void *ret)
{
    static uint8_t in[CHANNEL_FRAME_MAX];
    AUTO_WRITER w = writer_new(CHANNEL_FRAME_MAX);
    uint64_t id = ++d->next_id;
    size_t len;

    writer_u16(&w, type), writer_u16(&w, 0), writer_u64(&w, id);
    if (q && request)
        assert_int_equal(entity_encode(q, request, &w), OK);
    assert_int_equal(writer_done(&w), OK);
    if (send(fd, w.ptr, w.len, MSG_NOSIGNAL) != (ssize_t)w.len)
        return ERR_UNAVAILABLE;
    while (desk_receive(fd, 5000, in, sizeof in, &len)) {
        struct reader r = reader_new(VIEW(in, len));
        uint16_t got, zero;
        uint64_t got_id;
        assert_int_equal(reader_u16(&r, &got) | reader_u16(&r, &zero) | reader_u64(&r, &got_id), OK);
        if (got == (type | CHANNEL_ANSWER) && got_id == id)
            return answer_of(d, VIEW(r.ptr, r.left), e, ret);
    }
    return ERR_TIMEOUT;
}

enum err desk_keeper(struct desk *d, uint16_t type, const void *request, void *ret)
{
    const struct keeper_message *m = keeper_message_find(type);

    return call(d, d->to_keeper, type, m->request, request, m->answer, ret);
}

enum err desk_signer(struct desk *d, uint16_t type, const void *request, void *ret)
{
    for (size_t i = 0; i < signer_message_count; i++)
        if (signer_messages[i].type == type)
            return call(d, d->to_signer, type, signer_messages[i].request, request, signer_messages[i].answer, ret);
    return ERR_INTERNAL;
}

enum err desk_operator(struct desk *d, uint16_t type, const void *request, void *ret, uint64_t timeout_ms)
{
    const struct keeper_message *m = keeper_message_find(type);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    AUTO_WRITER out = writer_new(CHANNEL_FRAME_MAX);
    struct problem why;
    struct view kept;
    enum err e;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    path_of(d, "operator.sock", a.sun_path, sizeof a.sun_path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    e = call_blocking(fd, type, m->request, request, timeout_ms, &out, &why);
    close(fd);
    if (e != OK || !ret)
        return e;
    assert_int_equal(arena_copy(d->arena, writer_view_of(&out), &kept), OK);
    assert_int_equal(entity_decode(m->answer, kept, d->arena, ret), OK);
    return OK;
}

/* --- what an honest front would do */

static void log_one(struct desk *d, struct view authored)
{
    struct authored_record a = {0};
    AUTO_WRITER w = writer_new(4096);
    struct keeper_log_append q = {.first = d->logged};
    struct keeper_log_size size = {0};

    assert_int_equal(entity_decode(&authored_record_entity, authored, d->arena, &a), OK);
    writer_u16(&w, (uint16_t)a.leaf.len);
    writer_view(&w, a.leaf);
    q.leaves = writer_view_of(&w);
    assert_int_equal(desk_keeper(d, KEEPER_LOG_APPEND, &q, &size), OK);
    d->logged = size.size;
}

void desk_log_pending(struct desk *d)
{
    struct keeper_pending_from from = {0};
    struct keeper_pending pending;

    do {
        pending = (struct keeper_pending){0};
        assert_int_equal(desk_keeper(d, KEEPER_PENDING, &from, &pending), OK);
        for (size_t i = 0; i < pending.records.count; i++)
            log_one(d, ((struct keeper_pending_record *)pending.records.items)[i].authored);
    } while (pending.records.count > 0);
}

static void approve(struct desk *d, struct approval *a, const uint8_t id[static 16], const uint8_t previous[static 32],
                    const uint8_t next[static 32])
{
    AUTO_WRITER message = writer_new(512);
    uint8_t object[32];

    sha256(VIEW(id, 16), object);
    *a = (struct approval){.alg = APPROVAL_ED25519, .expiry_ms = clock_system()->wall_ms(clock_system()) + 60000};
    assert_int_equal(ed25519_public(d->admin_seed, a->key), OK);
    approval_message(d->init.installation, APPROVE_CREDENTIAL, object, previous, next, a->expiry_ms, &message);
    assert_int_equal(ed25519_sign(d->admin_seed, writer_view_of(&message), a->signature), OK);
}

struct credential_row desk_put(struct desk *d, uint64_t version, const char *policy,
                               const struct credential_row *previous)
{
    struct credential_bundle bundle = {.api_key = VIEW_STR("the-key"), .secret = view_str(d->secret)};
    AUTO_WRITER plain = writer_new(4096), box = writer_new(4096), encoded = writer_new(32768);
    struct credential_descriptor c = {.id = {1},
                                      .version = version,
                                      .path = VIEW_STR("exchange/binance/main"),
                                      .venue = view_str(d->venue),
                                      .scheme = view_str(d->scheme),
                                      .policy = view_str(policy)};
    struct keeper_credential_put q = {0};
    struct keeper_sealed sealed = {0};
    struct credential_row row = {0};

    assert_int_equal(entity_encode(&credential_bundle_entity, &bundle, &plain), OK);
    assert_int_equal(box_seal(d->init.import_key, writer_view_of(&plain), &box), OK);
    sha256(writer_view_of(&box), c.box_hash);
    assert_int_equal(entity_encode(&credential_descriptor_entity, &c, &encoded), OK);
    assert_int_equal(arena_copy(d->arena, writer_view_of(&encoded), &row.descriptor), OK);
    sha256(row.descriptor, row.hash);
    q.descriptor = row.descriptor;
    q.box = writer_view_of(&box);
    if (previous)
        memcpy(q.previous, previous->hash, 32);
    approve(d, &q.approval, c.id, q.previous, row.hash);
    assert_int_equal(desk_keeper(d, KEEPER_CREDENTIAL_PUT, &q, &sealed), OK);
    row.sealed = sealed.sealed;
    desk_log_pending(d);
    return row;
}

enum err desk_load(struct desk *d, const struct credential_row *row)
{
    struct signer_load q = {row->descriptor, row->sealed};

    return desk_signer(d, SIGNER_LOAD, &q, NULL);
}

enum err desk_sign(struct desk *d, const struct signer_sign *q, struct signer_signed *out)
{
    memset(out, 0, sizeof *out);
    return desk_signer(d, SIGNER_SIGN, q, out);
}

struct signer_sign desk_order(void)
{
    return (struct signer_sign){
        .id = {1},
        .bot = VIEW_STR("key:bot"),
        .method = VIEW_STR("POST"),
        .request_path = VIEW_STR("/api/v3/order"),
        .body = VIEW_STR("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1")};
}
