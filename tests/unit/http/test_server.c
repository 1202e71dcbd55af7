/* What a client sees of a healthy server, and what handlers see of clients. */
#include "rig.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void keep_alive_and_standard_headers(void **state)
{
    struct rig r;
    struct reply p;
    char id[64], second[64], text[256];
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    SEND(&r, fd, GET("/hello"), &p);
    assert_int_equal(p.status, 200);
    assert_string_equal(p.body, "hello");
    assert_non_null(reply_header(&p, "X-Request-Id", id, sizeof id));
    assert_int_equal(strlen(id), 32);
    assert_string_equal(reply_header(&p, "X-Content-Type-Options", text, sizeof text), "nosniff");
    assert_string_equal(reply_header(&p, "Cache-Control", text, sizeof text), "no-store");
    assert_non_null(reply_header(&p, "Content-Security-Policy", text, sizeof text));
    assert_null(reply_header(&p, "Server", text, sizeof text));
    assert_null(reply_header(&p, "Strict-Transport-Security", text, sizeof text));
    SEND(&r, fd, GET("/hello"), &p);
    assert_int_equal(p.status, 200);
    assert_string_not_equal(reply_header(&p, "X-Request-Id", second, sizeof second), id);
    assert_int_equal(http_server_stats(r.server).connections, 1);
    SEND(&r, fd, GET("/headers"), &p);
    assert_int_equal(p.status, 204);
    assert_string_equal(reply_header(&p, "Cache-Control", text, sizeof text), "max-age=60");
    assert_string_equal(reply_header(&p, "Set-Cookie", text, sizeof text), "a=b; Secure");
    assert_string_equal(reply_header(&p, "RateLimit", text, sizeof text), "\"hour\";r=1, \"desk\";r=2");
    SEND(&r, fd, GET("/hello"), &p); /* 204 left the connection in step */
    assert_int_equal(p.status, 200);
    rig_run(&r, 5);
    assert_int_equal(r.ended, 4);
    assert_int_equal(r.ended_complete, 4);
    close(fd);
    rig_close(&r);
}

static size_t occurrences(const char *text, const char *of)
{
    size_t n = 0;
    for (text = strstr(text, of); text; text = strstr(text + 1, of))
        n++;
    return n;
}

/* A proxy hands these on as what the guard said about this client: none may be left over from another one. */
static void each_answer_has_its_own_headers(void **state)
{
    static const struct {
        const char *request, *user, *groups, *name;
        size_t again;
    } cases[] = {
        {GET("/told?user=ada&groups=desk"), "ada", "desk", NULL, 0},
        {GET("/told?user=ada&groups=desk"), "ada", "desk", NULL, 0},
        {GET("/told?user=bob&groups=desk&again=x&again=x"), "bob", "desk", NULL, 2},
        {GET("/told?groups=desk&name=Ada&again=x"), NULL, "desk", "Ada", 1},
        {GET("/hello"), NULL, NULL, NULL, 0},
        {GET("/told"), NULL, NULL, NULL, 0},
        {GET("/told?user="), " ", NULL, NULL, 0},
        {GET("/headers"), NULL, NULL, NULL, 0},
        {GET("/told?user=desk&groups=ada&name=ada"), "desk", "ada", "ada", 0},
    };
    struct rig r;
    struct reply p;
    char text[64], id[64], before[64] = "";
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const wanted[][2] = {
            {"Remote-User", cases[i].user}, {"Remote-Groups", cases[i].groups}, {"Remote-Name", cases[i].name}};
        rig_talk(&r, fd, cases[i].request, strlen(cases[i].request), &p);
        for (size_t k = 0; k < ARRAY_LEN(wanted); k++) {
            const char *is = reply_header(&p, wanted[k][0], text, sizeof text);
            if ((is != NULL) != (wanted[k][1] != NULL) || (is && strcmp(is, wanted[k][1]) != 0))
                fail_msg("case %zu: %s is %s", i, wanted[k][0], is ? is : "absent");
            assert_true(occurrences(p.head, wanted[k][0]) == (wanted[k][1] != NULL));
        }
        assert_int_equal(occurrences(p.head, "X-Again"), cases[i].again);
        assert_int_equal(occurrences(p.head, "Cache-Control"), 1);
        assert_int_equal(occurrences(p.head, "Set-Cookie"), strstr(cases[i].request, "/headers") ? 1 : 0);
        assert_int_equal(occurrences(p.head, "X-Request-Id"), 1);
        assert_string_not_equal(reply_header(&p, "X-Request-Id", id, sizeof id), before);
        memcpy(before, id, sizeof before);
    }
    close(fd);
    rig_close(&r);
}

static void head_options_and_unknown(void **state)
{
    struct rig r;
    struct reply p;
    char text[64];
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    SEND(&r, fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", &p);
    assert_int_equal(p.status, 200);
    assert_string_equal(reply_header(&p, "Content-Length", text, sizeof text), "5");
    assert_int_equal(p.rest_len, 0);
    SEND(&r, fd, "OPTIONS /hello HTTP/1.1\r\nHost: a\r\n\r\n", &p);
    assert_int_equal(p.status, 204);
    assert_string_equal(reply_header(&p, "Allow", text, sizeof text), "GET, HEAD, OPTIONS");
    SEND(&r, fd, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &p);
    assert_int_equal(p.status, 204);
    SEND(&r, fd, "DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n", &p);
    assert_int_equal(p.status, 405);
    assert_string_equal(reply_header(&p, "Allow", text, sizeof text), "GET, HEAD, OPTIONS");
    SEND(&r, fd, "BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n", &p);
    assert_int_equal(p.status, 405);
    SEND(&r, fd, GET("/nothing"), &p);
    assert_int_equal(p.status, 404);
    assert_string_equal(reply_header(&p, "Content-Type", text, sizeof text), "application/problem+json");
    assert_non_null(strstr(p.body, "\"type\":\"/errors/no-route\""));
    assert_non_null(strstr(p.body, "\"status\":404"));
    SEND(&r, fd, GET("/hello?a=b"), &p);
    assert_int_equal(p.status, 400);
    assert_non_null(strstr(p.body, "unknown-field"));
    SEND(&r, fd, GET("/local"), &p);
    assert_int_equal(p.status, 404);
    SEND(&r, fd, GET("/silent"), &p);
    assert_int_equal(p.status, 500);
    assert_int_equal(r.last_code == OK, false);
    SEND(&r, fd, GET("/hello"), &p); /* still the same connection */
    assert_int_equal(p.status, 200);
    close(fd);
    rig_close(&r);
}

static void what_handlers_see(void **state)
{
    struct rig r;
    struct reply p;
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r);
    SEND(&r, fd, GET("/echo/a/%C3%A4%20b/c/?x=1&y=a%26b+c&z"), &p);
    assert_string_equal(p.body, "path=/echo/a/\xc3\xa4 b/c/\npath=a/\xc3\xa4 b/c/\n?x=1\n?y=a&b c\n?z=\n"
                                "from=127.0.0.1 uid=-1 tls=0\ncertificate=0\nbody=0:");
    SEND(&r, fd,
         "POST /echo/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
         &p);
    assert_non_null(strstr(p.body, "body=5:abcde"));
    SEND(&r, fd, "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz", &p);
    assert_non_null(strstr(p.body, "body=3:xyz"));
    SEND(&r, fd, "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &p);
    assert_int_equal(p.status, 200);
    close(fd);
    rig_close(&r);
}

static void pipelined(void **state)
{
    struct rig r;
    struct reply p;
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    r.finish_each_turn = true;
    ONCE(&r,
         GET("/hello") GET("/later") "POST /echo/b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy" GET("/hello"),
         &p);
    assert_int_equal(p.status, 200);
    assert_string_equal(p.body, "hello");
    const char *late = strstr(p.rest, "late"), *body = strstr(p.rest, "body=2:xy");
    assert_true(late && body && late < body && strstr(body, "hello"));
    assert_int_equal(r.served, 4);
    rig_close(&r);
}

static void suspended_and_resumed(void **state)
{
    struct rig r;
    struct reply p;
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r), other = rig_connect(&r);
    for (int round = 0; round < 3; round++) {
        rig_send(&r, fd, GET("/later"), sizeof(GET("/later")) - 1);
        rig_run(&r, 10);
        assert_int_equal(r.pending_count, 1);
        assert_int_equal(http_server_stats(r.server).suspended, 1);
        assert_true(http_request_wanted(r.pending[0]));
        SEND(&r, other, GET("/hello"), &p); /* nobody waits for it meanwhile */
        assert_int_equal(p.status, 200);
        rig_finish_all(&r);
        struct pollfd ready = {http_server_fd(r.server), POLLIN, 0};
        assert_int_equal(poll(&ready, 1, 0), 1); /* the loop learns of it through the descriptor alone */
        SEND(&r, fd, "", &p);
        assert_int_equal(p.status, 200);
        assert_string_equal(p.body, "late");
    }
    SEND(&r, fd, GET("/at-once"), &p);
    assert_int_equal(p.status, 204);
    static const char post[] = "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    rig_send(&r, fd, post, sizeof post - 1);
    rig_run(&r, 10);
    assert_true(r.pending_count == 1 && view_is(r.pending[0]->body, "abc"));
    rig_finish_all(&r);
    SEND(&r, fd, "", &p);
    assert_int_equal(p.status, 200);
    close(fd);
    close(other);
    rig_close(&r);
}

static void client_leaves_while_suspended(void **state)
{
    struct rig r;
    struct linger reset = {1, 0};
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    for (int how = 0; how < 2; how++) {
        int fd = rig_connect(&r);
        rig_send(&r, fd, GET("/later"), sizeof(GET("/later")) - 1);
        rig_run(&r, 10);
        if (how)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        rig_run(&r, 10);
        assert_int_equal(r.pending_count, 1);
        assert_true(view_is(r.pending[0]->path, "/later")); /* still whole */
        assert_non_null(arena_alloc(r.pending[0]->arena, 100));
        rig_finish_all(&r);
        rig_run(&r, 20);
        assert_int_equal(http_server_stats(r.server).connections, 0);
        assert_int_equal(http_server_stats(r.server).suspended, 0);
    }
    rig_close(&r);
}

static void server_freed_while_suspended(void **state)
{
    struct rig r;
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int fd = rig_connect(&r), idle = rig_connect(&r);
    rig_send(&r, fd, GET("/later"), sizeof(GET("/later")) - 1);
    rig_run(&r, 10);
    struct http_request *req = r.pending[0];
    rig_close(&r);
    assert_false(http_request_wanted(req));
    assert_true(view_is(req->path, "/later"));
    (void)http_answer_empty(req, 204);
    http_request_finish(req);
    close(fd);
    close(idle);
}

static enum http_outcome admit(struct http_request *req)
{
    struct view who;
    if (http_header(req, "x-api-key", &who))
        return HTTP_CONTINUE;
    return http_answer_error(req, ERR_UNAUTHENTICATED);
}

static void admission_comes_before_the_body(void **state)
{
    struct rig r;
    struct reply p;
    struct http_config config = {.admit = admit};
    (void)state;
    rig_open(&r, &config, HTTP_LISTEN_PLAINTEXT);
    ONCE(&r, "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\nExpect: 100-continue\r\n\r\n", &p);
    assert_int_equal(p.status, 401);
    assert_true(p.closed);
    int fd = rig_connect(&r);
    SEND(&r, fd, GET("/nothing"), &p);
    assert_int_equal(p.status, 401); /* strangers learn no addresses */
    SEND(&r, fd, GET("/hello"), &p);
    assert_int_equal(p.status, 401);
    SEND(&r, fd, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Api-Key: k\r\n\r\n", &p);
    assert_int_equal(p.status, 200);
    assert_int_equal(r.served, 1);
    close(fd);
    rig_close(&r);
}

static void unix_peers(void **state)
{
    struct rig r;
    struct reply p;
    char want[64];
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_UNIX);
    int fd = rig_connect(&r);
    SEND(&r, fd, GET("/local"), &p);
    assert_int_equal(p.status, 200);
    snprintf(want, sizeof want, "from=unix:%u uid=%u tls=0", getuid(), getuid());
    assert_non_null(strstr(p.body, want));
    SEND(&r, fd, GET("/hello"), &p);
    assert_int_equal(p.status, 200);
    close(fd);
    rig_close(&r);
}

static void plaintext_needs_leave(void **state)
{
    struct rig r;
    struct http_server *s = NULL;
    struct problem why = {0};
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    struct http_listener l = {r.listener, HTTP_LISTEN_PLAINTEXT};
    struct http_config config = {.listeners = &l, .listener_count = 1, .router = r.router};
    assert_int_equal(http_server_new(&config, &s, &why), ERR_BAD_CONFIG);
    assert_null(s);
    rig_close(&r);
}

static void drained(void **state)
{
    struct rig r;
    struct reply p;
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int idle = rig_connect(&r), busy = rig_connect(&r);
    SEND(&r, idle, GET("/hello"), &p);
    rig_send(&r, busy, GET("/later"), sizeof(GET("/later")) - 1);
    rig_run(&r, 10);
    http_server_drain(r.server);
    assert_true(rig_closed(&r, idle, 500));
    rig_finish_all(&r);
    SEND(&r, busy, "", &p);
    assert_int_equal(p.status, 200);
    assert_true(p.closed || rig_closed(&r, busy, 500));
    assert_int_equal(http_server_stats(r.server).connections, 0);
    close(idle);
    close(busy);
    rig_close(&r);
}

#define SLOW_BODY "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"

/* Before a reload: who keeps a connection is told to come anew, and who comes is served. */
static void winding_down(void **state)
{
    struct rig r;
    struct reply p;
    char value[32];
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    int kept = rig_connect(&r), silent = rig_connect(&r), slow = rig_connect(&r);
    SEND(&r, kept, GET("/hello"), &p);
    assert_false(p.closed);
    http_server_wind_down(r.server);
    SEND(&r, kept, GET("/hello"), &p);
    assert_int_equal(p.status, 200);
    assert_string_equal(reply_header(&p, "Connection", value, sizeof value), "close");
    assert_true(p.closed || rig_closed(&r, kept, 500));
    int fresh = rig_connect(&r);
    SEND(&r, fresh, GET("/hello"), &p);
    assert_int_equal(p.status, 200);
    assert_string_equal(reply_header(&p, "Connection", value, sizeof value), "close");
    http_server_drain(r.server);
    rig_send(&r, slow, SLOW_BODY, sizeof(SLOW_BODY) - 1);
    assert_true(rig_closed(&r, silent, 2000)); /* who never asks holds nothing up, … */
    assert_true(rig_closed(&r, slow, 3000));   /* … nor who never ends */
    assert_int_equal(http_server_stats(r.server).connections, 0);
    close(kept);
    close(fresh);
    close(silent);
    close(slow);
    rig_close(&r);
}

/* As two front threads do: whoever wakes up first takes a connection, and none is lost. */
static void two_servers_share_a_listener(void **state)
{
    struct rig r;
    struct http_server *second = NULL;
    struct reply p;
    int fds[20];
    (void)state;
    rig_open(&r, NULL, HTTP_LISTEN_PLAINTEXT);
    struct http_listener l = {r.listener, HTTP_LISTEN_PLAINTEXT};
    struct http_config config = {
        .listeners = &l, .listener_count = 1, .router = r.router, .plaintext_allowed = true, .context = &r};
    assert_int_equal(http_server_new(&config, &second, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = rig_connect(&r);
        struct pollfd ready = {http_server_fd(second), POLLIN, 0};
        assert_int_equal(poll(&ready, 1, 100), 1);
        http_server_turn(i % 2 ? second : r.server);
    }
    assert_int_equal(http_server_stats(second).connections, 10);
    assert_int_equal(http_server_stats(r.server).connections, 10);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        rig_send(&r, fds[i], GET("/hello"), sizeof(GET("/hello")) - 1);
        http_server_turn(second);
        SEND(&r, fds[i], "", &p);
        assert_int_equal(p.status, 200);
        close(fds[i]);
    }
    http_server_free(second);
    rig_close(&r);
}

struct two {
    struct rig r;
    struct http_server *second;
    struct http_accepted handed[20];
    size_t count;
};

/* To whoever serves fewer, as the front's threads do. */
static bool to_the_second(void *context, const struct http_accepted *a)
{
    struct two *t = (struct two *)context; /* the rig is its first member */

    if (http_server_load(t->r.server) <= http_server_load(t->second) + t->count)
        return false;
    t->handed[t->count++] = *a;
    return true;
}

/* A burst that one server accepts is served by both. */
static void connections_are_shared(void **state)
{
    struct two t = {.count = 0};
    struct reply p;
    int fds[20];

    (void)state;
    const struct http_config config = {.elsewhere = to_the_second};
    rig_open(&t.r, &config, HTTP_LISTEN_PLAINTEXT);
    struct http_listener l = {t.r.listener, HTTP_LISTEN_PLAINTEXT};
    const struct http_config other = {
        .listeners = &l, .listener_count = 1, .router = t.r.router, .plaintext_allowed = true, .context = &t};
    assert_int_equal(http_server_new(&other, &t.second, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = rig_connect(&t.r);
    http_server_turn(t.r.server);
    assert_int_equal(t.count, 10);
    for (size_t i = 0; i < t.count; i++)
        http_server_adopt(t.second, &t.handed[i]);
    assert_int_equal(http_server_load(t.second), 10);
    assert_int_equal(http_server_load(t.r.server), 10);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        rig_send(&t.r, fds[i], GET("/hello"), sizeof(GET("/hello")) - 1);
        http_server_turn(t.second);
        SEND(&t.r, fds[i], "", &p);
        assert_int_equal(p.status, 200);
        close(fds[i]);
    }
    http_server_turn(t.second);
    assert_int_equal(http_server_load(t.second), 0);

    http_server_drain(t.second); /* one that is handed over too late is not left waiting */
    fds[0] = rig_connect(&t.r);
    t.count = 0;
    fds[1] = rig_connect(&t.r);
    http_server_turn(t.r.server);
    assert_int_equal(t.count, 1);
    http_server_adopt(t.second, &t.handed[0]);
    for (size_t i = 0; i < 2; i++)
        rig_send(&t.r, fds[i], GET("/hello"), sizeof(GET("/hello")) - 1);
    for (size_t i = 0; i < 2; i++) {
        http_server_turn(t.second);
        SEND(&t.r, fds[i], "", &p);
        assert_int_equal(p.status, 200);
    }
    close(fds[0]);
    close(fds[1]);
    http_server_free(t.second);
    rig_close(&t.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_and_standard_headers),
        cmocka_unit_test(each_answer_has_its_own_headers),
        cmocka_unit_test(head_options_and_unknown),
        cmocka_unit_test(what_handlers_see),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(suspended_and_resumed),
        cmocka_unit_test(client_leaves_while_suspended),
        cmocka_unit_test(server_freed_while_suspended),
        cmocka_unit_test(admission_comes_before_the_body),
        cmocka_unit_test(unix_peers),
        cmocka_unit_test(plaintext_needs_leave),
        cmocka_unit_test(drained),
        cmocka_unit_test(winding_down),
        cmocka_unit_test(two_servers_share_a_listener),
        cmocka_unit_test(connections_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
