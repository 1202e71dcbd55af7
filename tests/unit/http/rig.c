#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct rig *rig_of(struct http_request *req)
{
    struct rig *r = req->server_context;
    r->served++;
    return r;
}

static enum http_outcome hello(struct http_request *req)
{
    rig_of(req);
    writer_str(http_body(req), "hello");
    return http_answer_body(req, 200, "text/plain");
}

/* Says back what it understood, so that tests see through the eyes of a handler. */
static enum http_outcome echo(struct http_request *req)
{
    struct writer *w = http_body(req);
    rig_of(req);
    writer_printf(w, "path=%.*s\n", (int)req->path.len, (const char *)req->path.ptr);
    for (size_t i = 0; i < req->params.count; i++)
        writer_printf(w, "%.*s=%.*s\n", (int)req->params.items[i].name.len, (const char *)req->params.items[i].name.ptr,
                      (int)req->params.items[i].value.len, (const char *)req->params.items[i].value.ptr);
    for (size_t i = 0; i < req->query.count; i++)
        writer_printf(w, "?%.*s=%.*s\n", (int)req->query.items[i].name.len, (const char *)req->query.items[i].name.ptr,
                      (int)req->query.items[i].value.len, (const char *)req->query.items[i].value.ptr);
    writer_printf(w, "from=%s uid=%d tls=%d\n", req->peer.text, (int)req->peer.uid, req->peer.is_tls);
    writer_printf(w, "certificate=%zu\n", req->peer.certificate.len);
    writer_printf(w, "body=%zu:", req->body.len);
    writer_view(w, req->body);
    return http_answer_body(req, 200, "text/plain");
}

static enum http_outcome later(struct http_request *req)
{
    struct rig *r = rig_of(req);
    assert_true(r->pending_count < RIG_PENDING_MAX);
    r->pending[r->pending_count++] = req;
    return HTTP_LATER;
}

static enum http_outcome at_once(struct http_request *req)
{
    rig_of(req);
    (void)http_answer_empty(req, 204);
    http_request_finish(req);
    return HTTP_LATER;
}

static enum http_outcome big(struct http_request *req)
{
    static uint8_t waste[8 * 1024 * 1024];
    rig_of(req);
    return http_answer_static(req, 200, "application/octet-stream", VIEW_OF(waste));
}

/* Wherever a control character stands in a value, it ends no header; all else is sent. */
static void refuse_controls(struct http_request *req)
{
    char value[] = "~~~~~~~~~~~~~~~~~~~~~";
    for (size_t at = 0; at < sizeof value - 1; at++) {
        for (unsigned byte = 1; byte < 256; byte++) {
            value[at] = (char)byte;
            if (byte < ' ' || byte == 0x7f)
                assert_int_equal(http_answer_header(req, "X-Control", value), ERR_BAD_VALUE);
        }
        value[at] = (char)(0x80 + at);
    }
    assert_int_equal(http_answer_header(req, "X-Bytes", value), OK);
}

static enum http_outcome headers(struct http_request *req)
{
    rig_of(req);
    refuse_controls(req);
    assert_int_equal(http_answer_header(req, "Set-Cookie", "a=b; Secure"), OK);
    assert_int_equal(http_answer_header(req, "Cache-Control", "max-age=60"), OK);
    assert_int_equal(http_answer_header(req, "Content-Length", "7"), ERR_BAD_VALUE);
    assert_int_equal(http_answer_header(req, "X-A", "b\r\nX-C: d"), ERR_BAD_VALUE);
    assert_int_equal(http_answer_list(req, "RateLimit", VIEW_STR("\"hour\";r=1")), OK);
    assert_int_equal(http_answer_list(req, "RateLimit", VIEW_STR("\"desk\";r=2")), OK);
    assert_int_equal(http_answer_list(req, "RateLimit", VIEW_STR("x\r\ny: z")), ERR_BAD_VALUE);
    return http_answer_empty(req, 204);
}

/* What a proxy is told: nothing but headers, here those that the query names. */
static enum http_outcome told(struct http_request *req)
{
    static const struct {
        const char *query, *header;
    } names[] = {{"user", "Remote-User"}, {"groups", "Remote-Groups"}, {"name", "Remote-Name"}};
    struct view value;
    rig_of(req);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (http_query(req, names[i].query, &value))
            assert_int_equal(http_answer_text(req, names[i].header, value), OK);
    for (size_t i = 0; i < req->query.count; i++)
        if (view_is(req->query.items[i].name, "again"))
            assert_int_equal(http_answer_text(req, "X-Again", req->query.items[i].value), OK);
    return http_answer_empty(req, 200);
}

static enum http_outcome silent(struct http_request *req)
{
    rig_of(req);
    return HTTP_ANSWER; /* forgets to answer */
}

const struct route RIG_ROUTES[] = {
    ROUTE(HTTP_GET, "/hello", P_PUBLIC, hello, .name = "hello"),
    ROUTE(HTTP_GET, "/echo/{path...}", P_PUBLIC, echo, .name = "echo-get", .flags = ROUTE_ANY_QUERY),
    ROUTE(HTTP_POST, "/echo/{path...}", P_PUBLIC, echo, .name = "echo-post", .flags = ROUTE_ANY_QUERY | ROUTE_ANY_BODY,
          .body_limit = 60000),
    ROUTE(HTTP_POST, "/small", P_PUBLIC, echo, .name = "small", .flags = ROUTE_ANY_BODY, .body_limit = 100),
    ROUTE(HTTP_POST, "/none", P_PUBLIC, echo, .name = "none"),
    ROUTE(HTTP_GET, "/later", P_PUBLIC, later, .name = "later"),
    ROUTE(HTTP_POST, "/later", P_PUBLIC, later, .name = "later-post", .flags = ROUTE_ANY_BODY, .body_limit = 1000),
    ROUTE(HTTP_GET, "/at-once", P_PUBLIC, at_once, .name = "at-once"),
    ROUTE(HTTP_GET, "/big", P_PUBLIC, big, .name = "big"),
    ROUTE(HTTP_GET, "/headers", P_PUBLIC, headers, .name = "headers"),
    ROUTE(HTTP_GET, "/told", P_PUBLIC, told, .name = "told", .flags = ROUTE_ANY_QUERY),
    ROUTE(HTTP_GET, "/silent", P_PUBLIC, silent, .name = "silent"),
    ROUTE(HTTP_GET, "/local", P_PUBLIC, echo, .name = "local", .flags = ROUTE_UNIX_ONLY),
};
const size_t RIG_ROUTE_COUNT = ARRAY_LEN(RIG_ROUTES);

static void on_ended(void *context, const struct http_request *req, const struct http_ended *how)
{
    struct rig *r = context;
    (void)req;
    r->ended++;
    r->ended_complete += how->complete;
    r->last_status = how->status;
    r->last_code = how->code;
}

static int listen_tcp(struct rig *r)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    r->port = ntohs(a.sin_port);
    return fd;
}

static int listen_unix(struct rig *r)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(r->path, sizeof r->path, "/tmp/holdfast-rig-%d.sock", (int)getpid());
    snprintf(a.sun_path, sizeof a.sun_path, "%s", r->path);
    unlink(r->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

void rig_open(struct rig *r, const struct http_config *config, enum http_listener_kind kind)
{
    struct problem why = {0};
    struct route_table table = {RIG_ROUTES, RIG_ROUTE_COUNT};
    struct http_config c = config ? *config : (struct http_config){0};
    memset(r, 0, sizeof *r);
    r->listener = kind == HTTP_LISTEN_UNIX ? listen_unix(r) : listen_tcp(r);
    assert_int_equal(listen(r->listener, 1024), 0);
    assert_int_equal(router_new(&table, 1, &r->router, &why), OK);
    struct http_listener l = {r->listener, kind};
    c.listeners = &l;
    c.listener_count = 1;
    c.plaintext_allowed = true;
    c.router = r->router;
    c.context = r;
    c.ended = on_ended;
    if (http_server_new(&c, &r->server, &why) != OK)
        fail_msg("server: %s %s %s", err_code(why.code), why.where, why.detail);
}

void rig_close(struct rig *r)
{
    http_server_free(r->server);
    router_free(r->router);
    close(r->listener);
    if (r->path[0])
        unlink(r->path);
}

int rig_connect(struct rig *r)
{
    int fd = socket(r->path[0] ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)r->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", r->path);
    int e = r->path[0] ? connect(fd, (struct sockaddr *)&un, sizeof un)
                       : connect(fd, (struct sockaddr *)&in, sizeof in);
    assert_int_equal(e, 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

void rig_finish_all(struct rig *r)
{
    size_t n = r->pending_count;
    r->pending_count = 0;
    for (size_t i = 0; i < n; i++) {
        writer_str(http_body(r->pending[i]), "late");
        (void)http_answer_body(r->pending[i], 200, "text/plain");
        http_request_finish(r->pending[i]);
    }
}

void rig_turn(struct rig *r, int timeout_ms)
{
    struct pollfd p = {http_server_fd(r->server), POLLIN, 0};
    if (poll(&p, 1, timeout_ms) > 0)
        http_server_turn(r->server);
    if (r->finish_each_turn)
        rig_finish_all(r);
}

static uint64_t now_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

void rig_run(struct rig *r, int ms)
{
    for (uint64_t end = now_ms() + (uint64_t)ms; now_ms() < end;)
        rig_turn(r, 5);
}

void rig_send(struct rig *r, int fd, const void *bytes, size_t n)
{
    size_t done = 0;
    uint64_t end = now_ms() + 3000;
    while (done < n && now_ms() < end) {
        ssize_t k = send(fd, (const char *)bytes + done, n - done, MSG_NOSIGNAL);
        if (k > 0)
            done += (size_t)k;
        else if (errno != EAGAIN)
            return;
        rig_turn(r, done < n ? 1 : 0);
    }
}

/* --- reading answers */

struct raw {
    char bytes[140000];
    size_t len;
    bool closed;
};

static const char *find_end(const char *p, size_t n)
{
    return memmem(p, n, "\r\n\r\n", 4);
}

/* Bytes of the first whole answer, 0 if it isn't there yet. */
static size_t whole(const struct raw *raw, bool head_only)
{
    const char *end = find_end(raw->bytes, raw->len);
    if (!end)
        return 0;
    size_t head = (size_t)(end + 4 - raw->bytes), length = 0;
    if (raw->len >= 12 && !strncmp(raw->bytes + 9, "100", 3))
        return head;
    const char *cl = strcasestr(raw->bytes, "\r\nContent-Length:");
    if (cl && cl < end && !head_only && strncmp(raw->bytes + 9, "204", 3) != 0)
        length = strtoul(cl + 17, NULL, 10);
    return raw->len >= head + length ? head + length : 0;
}

static void take(struct raw *raw, int fd)
{
    while (raw->len < sizeof raw->bytes - 1) {
        ssize_t k = recv(fd, raw->bytes + raw->len, sizeof raw->bytes - 1 - raw->len, 0);
        if (k > 0) {
            raw->len += (size_t)k;
            continue;
        }
        raw->closed |= k == 0 || errno != EAGAIN;
        break;
    }
    raw->bytes[raw->len] = 0;
}

static void fill(struct reply *ret, const struct raw *raw, size_t n)
{
    memset(ret, 0, sizeof *ret);
    ret->closed = raw->closed;
    if (n == 0)
        return;
    const char *end = find_end(raw->bytes, raw->len);
    size_t head = (size_t)(end + 4 - raw->bytes);
    ret->status = (int)strtol(raw->bytes + 9, NULL, 10);
    memcpy(ret->head, raw->bytes, head < sizeof ret->head - 1 ? head : sizeof ret->head - 1);
    ret->body_len = n - head;
    assert_true(ret->body_len < sizeof ret->body);
    memcpy(ret->body, raw->bytes + head, ret->body_len);
    ret->rest_len = raw->len - n;
    if (ret->rest_len > sizeof ret->rest - 1)
        ret->rest_len = sizeof ret->rest - 1;
    memcpy(ret->rest, raw->bytes + n, ret->rest_len);
}

static void receive(struct rig *r, int fd, bool head_only, int linger_ms, struct reply *ret)
{
    static struct raw raw;
    uint64_t end = now_ms() + 2000;
    memset(&raw, 0, sizeof raw);
    while (!whole(&raw, head_only) && !raw.closed && now_ms() < end) {
        rig_turn(r, 2);
        take(&raw, fd);
    }
    for (end = now_ms() + (uint64_t)linger_ms; linger_ms && !raw.closed && now_ms() < end;) {
        rig_turn(r, 2);
        take(&raw, fd);
    }
    fill(ret, &raw, whole(&raw, head_only));
}

void rig_talk(struct rig *r, int fd, const void *bytes, size_t n, struct reply *ret)
{
    rig_send(r, fd, bytes, n);
    receive(r, fd, n > 5 && !memcmp(bytes, "HEAD ", 5), 0, ret);
}

void rig_once(struct rig *r, const void *bytes, size_t n, struct reply *ret)
{
    int fd = rig_connect(r);
    rig_send(r, fd, bytes, n);
    receive(r, fd, n > 5 && !memcmp(bytes, "HEAD ", 5), 60, ret);
    close(fd);
    rig_run(r, 5);
}

bool rig_closed(struct rig *r, int fd, int within_ms)
{
    char waste[65536];
    for (uint64_t end = now_ms() + (uint64_t)within_ms; now_ms() < end;) {
        rig_turn(r, 2);
        ssize_t k = recv(fd, waste, sizeof waste, 0);
        if (k == 0 || (k < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

const char *reply_header(const struct reply *p, const char *name, char *out, size_t cap)
{
    char want[80];
    snprintf(want, sizeof want, "\r\n%s: ", name);
    const char *at = strcasestr(p->head, want);
    if (!at)
        return NULL;
    at += strlen(want);
    snprintf(out, cap, "%.*s", (int)strcspn(at, "\r"), at);
    return out;
}
