/* Nobody holds anything for longer than allowed, takes more than allowed, or keeps others out. */
#include "rig.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct http_config QUICK = {
    .limits = {.header_ms = 150,
               .request_ms = 200,
               .send_ms = 200,
               .idle_ms = 300,
               .header_max = 2000,
               .target_max = 500,
               .headers_max = 20,
               .query_max = 5},
};

static void heads(void **state)
{
    struct rig r;
    struct reply p;
    static char text[200000];
    (void)state;
    rig_open(&r, &QUICK, HTTP_LISTEN_PLAINTEXT);
    int n = snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: a\r\nX: %01900d\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 200);
    n = snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: a\r\nX: %02000d\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 431);
    assert_true(p.closed && strstr(p.body, "header-too-large"));
    n = snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: a\r\nX: %0150000d\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p); /* beyond its memory the library answers by itself, or just closes */
    assert_true(p.closed && (p.status == 431 || p.status == 413 || p.status == 0));
    n = snprintf(text, sizeof text, "GET /echo/%0600d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 431);
    n = snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 21; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "X%d: y\r\n", i);
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 431);
    ONCE(&r, GET("/echo/a?a&b&c&d&e&f"), &p);
    assert_int_equal(p.status, 400);
    assert_int_equal(r.served, 1);
    rig_close(&r);
}

static void read_all(struct http_request *req, const struct problem *why)
{
    struct rig *r = req->server_context;
    assert_int_equal(why->code, ERR_HEADER_TOO_LARGE);
    for (size_t i = 0; i < req->headers.count; i++) {
        assert_true(req->headers.items[i].name.len > 0);
        r->served += view_is(req->headers.items[i].value, "y");
    }
}

/* Who is told of a refused head reads what came, and no further: this is a stranger's head. */
static void headers_without_end(void **state)
{
    const struct http_config config = {.refused = read_all};
    struct rig r;
    struct reply p;
    char text[4096] = "GET /hello HTTP/1.1\r\nHost: a\r\n";
    (void)state;
    rig_open(&r, &config, HTTP_LISTEN_PLAINTEXT);
    size_t n = strlen(text);
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "X%d: y\r\n", i);
    n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
    rig_once(&r, text, n, &p);
    assert_int_equal(p.status, 431);
    assert_in_range(r.served, 100, 300);
    rig_close(&r);
}

static void bodies(void **state)
{
    struct rig r;
    struct reply p;
    static char text[2000000];
    (void)state;
    rig_open(&r, &QUICK, HTTP_LISTEN_PLAINTEXT);
    int n = snprintf(text, sizeof text, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n%0100d", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 200);
    n = snprintf(text, sizeof text, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n%0101d", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 413);
    assert_true(p.closed && strstr(p.body, "body-too-large"));
    n = snprintf(text, sizeof text,
                 "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n%0100d\r\n0\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 200);
    n = snprintf(text, sizeof text,
                 "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n%0101d\r\n0\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 413);
    assert_true(p.closed);
    /* the answer survives although the client goes on sending */
    n = snprintf(text, sizeof text, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n%0400000d", 0);
    rig_once(&r, text, (size_t)n, &p);
    assert_int_equal(p.status, 413);
    n = snprintf(
        text, sizeof text,
        "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n%01000000d\r\n0\r\n\r\n", 0);
    rig_once(&r, text, (size_t)n, &p); /* endless chunks: dropped */
    assert_true(p.closed && p.status != 200);
    ONCE(&r, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", &p);
    assert_int_equal(p.status, 413);
    assert_int_equal(r.served, 2);
    rig_close(&r);
}

/* A refusal that is sent while the client still talks must not be overtaken by a reset. */
static void refusals_are_not_reset(void **state)
{
    struct rig r;
    struct reply p;
    static const char more[20000];
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    SEND(&r, fd, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\nabc", &p);
    assert_int_equal(p.status, 413);
    rig_run(&r, 10);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send(fd, more, sizeof more, MSG_NOSIGNAL), sizeof more);
        rig_run(&r, 20);
    }
    assert_int_equal(http_server_stats(r.server).connections, 0);
    close(fd);
    rig_close(&r);
}

/* A client that sends a byte now and then is active all the time, and still has to be done in time. */
static void drips(struct rig *r, const char *start, int ms)
{
    int fd = rig_connect(r);
    rig_send(r, fd, start, strlen(start));
    bool closed = false;
    for (int i = 0; i < ms / 20 && !closed; i++) {
        rig_send(r, fd, "a", 1);
        closed = rig_closed(r, fd, 20);
    }
    assert_true(closed);
    close(fd);
}

static void slow_clients(void **state)
{
    struct rig r;
    struct reply p;
    (void)state;
    rig_open(&r, &QUICK, HTTP_LISTEN_PLAINTEXT);
    drips(&r, "", 600);
    drips(&r, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ", 600);
    drips(&r, "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n", 600);
    drips(&r, "POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5000\r\n", 600);
    int fd = rig_connect(&r);
    SEND(&r, fd, GET("/hello"), &p);
    assert_false(rig_closed(&r, fd, 200)); /* idle is allowed a little longer … */
    assert_true(rig_closed(&r, fd, 400));  /* … but not for ever */
    close(fd);
    rig_run(&r, 10);
    assert_int_equal(http_server_stats(r.server).connections, 0);
    assert_int_equal(http_server_stats(r.server).timed_out, 4);
    assert_int_equal(r.served, 1);
    rig_close(&r);
}

static void slow_reader(void **state)
{
    struct rig r;
    int small = 4096;
    (void)state;
    rig_open(&r, &QUICK, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    rig_send(&r, fd, GET("/big"), sizeof(GET("/big")) - 1);
    rig_run(&r, 100);
    assert_int_equal(http_server_stats(r.server).connections, 1);
    for (int i = 0; i < 20 && http_server_stats(r.server).connections; i++) {
        char little[512];
        (void)!recv(fd, little, sizeof little, 0);
        rig_run(&r, 20);
    }
    assert_int_equal(http_server_stats(r.server).connections, 0);
    assert_int_equal(r.ended, 1);
    assert_int_equal(r.ended_complete, 0);
    close(fd);
    rig_close(&r);
}

/* Whatever a client leaves half done, the loop sleeps meanwhile. */
static void waiting_clients_cost_nothing(void **state)
{
    static const char *const HALVES[] = {
        "",
        "GET /hello HTT",
        "GET /hello HTTP/1.1\r\nHost:",
        GET("/hello"),
        GET("/hello") "GET /he",
        GET("/later"),
        GET("/big"),
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nabc",
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(HALVES); i++) {
        struct rig r;
        int turns = 0;
        rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
        int fd = rig_connect(&r);
        rig_send(&r, fd, HALVES[i], strlen(HALVES[i]));
        rig_run(&r, 30);
        struct pollfd p = {http_server_fd(r.server), POLLIN, 0};
        for (int tries = 0; tries < 10; tries++)
            if (poll(&p, 1, 10) > 0) {
                http_server_turn(r.server);
                turns++;
            }
        if (turns > 3)
            fail_msg("%d turns: %s", turns, HALVES[i]);
        rig_finish_all(&r);
        close(fd);
        rig_run(&r, 5);
        rig_close(&r);
    }
}

static void late_handler(void **state)
{
    struct rig r;
    struct reply p;
    (void)state;
    rig_open(&r, &QUICK, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    SEND(&r, fd, GET("/later"), &p);
    assert_int_equal(p.status, 504);
    assert_non_null(strstr(p.body, "outcome-unknown"));
    assert_true(p.closed || rig_closed(&r, fd, 100));
    assert_int_equal(r.pending_count, 1);
    assert_false(http_request_wanted(r.pending[0]));
    assert_true(view_is(r.pending[0]->path, "/later"));
    rig_finish_all(&r); /* nobody listens, nothing breaks */
    assert_int_equal(http_server_stats(r.server).suspended, 0);
    close(fd);
    rig_close(&r);
}

static void connections(void **state)
{
    struct rig r;
    struct reply p;
    struct http_config config = {.limits = {.connections = 6, .connections_per_peer = 3, .requests_per_connection = 2}};
    int fds[4];
    (void)state;
    rig_open(&r, &config, HTTP_LISTEN_PLAINTEXT);
    for (int i = 0; i < 4; i++) {
        fds[i] = rig_connect(&r);
        rig_run(&r, 5);
    }
    assert_true(rig_closed(&r, fds[3], 200));
    assert_int_equal(http_server_stats(r.server).connections, 3);
    assert_int_equal(http_server_stats(r.server).refused_peer, 1);
    close(fds[0]);
    rig_run(&r, 10);
    close(fds[3]);
    fds[3] = rig_connect(&r); /* a place became free */
    SEND(&r, fds[3], GET("/hello"), &p);
    assert_true(p.status == 200 && !strcasestr(p.head, "connection: close"));
    SEND(&r, fds[3], GET("/hello"), &p);
    assert_true(p.status == 200 && strcasestr(p.head, "connection: close"));
    assert_true(p.closed || rig_closed(&r, fds[3], 200));
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    rig_close(&r);
}

static void all_connections(void **state)
{
    struct rig r;
    struct http_config config = {.limits = {.connections = 2}};
    (void)state;
    rig_open(&r, &config, HTTP_LISTEN_PLAINTEXT);
    int a = rig_connect(&r), b = rig_connect(&r), c = rig_connect(&r);
    assert_true(rig_closed(&r, c, 200));
    assert_int_equal(http_server_stats(r.server).refused_all, 1);
    close(a);
    close(b);
    close(c);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(headers_without_end),
        cmocka_unit_test(bodies),
        cmocka_unit_test(slow_clients),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(late_handler),
        cmocka_unit_test(waiting_clients_cost_nothing),
        cmocka_unit_test(connections),
        cmocka_unit_test(all_connections),
        cmocka_unit_test(refusals_are_not_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
