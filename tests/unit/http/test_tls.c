/* TLS 1.3 with real certificates: nothing older, reload while running, client certificates verified by us. */
#include "rig.h"

#include "http/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct pair {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
    gnutls_datum_t pem, key_pem;
};

static void make(struct pair *p, const char *name, const struct pair *issuer, bool client, unsigned rsa_bits)
{
    static unsigned serial;
    unsigned char number[4] = {1, 2, 3, (unsigned char)++serial};
    time_t now = (time_t)(clock_system()->wall_ms(clock_system()) / 1000);
    gnutls_x509_privkey_init(&p->key);
    gnutls_x509_privkey_generate(p->key, rsa_bits ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
                                 rsa_bits ? rsa_bits : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&p->certificate);
    gnutls_x509_crt_set_version(p->certificate, 3);
    gnutls_x509_crt_set_serial(p->certificate, number, sizeof number);
    gnutls_x509_crt_set_dn_by_oid(p->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_activation_time(p->certificate, now - 60);
    gnutls_x509_crt_set_expiration_time(p->certificate, now + 3600);
    gnutls_x509_crt_set_key(p->certificate, p->key);
    if (client)
        gnutls_x509_crt_set_key_purpose_oid(p->certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0);
    else
        gnutls_x509_crt_set_ca_status(p->certificate, 1);
    gnutls_x509_crt_sign2(p->certificate, issuer ? issuer->certificate : p->certificate, issuer ? issuer->key : p->key,
                          GNUTLS_DIG_SHA256, 0);
    gnutls_x509_crt_export2(p->certificate, GNUTLS_X509_FMT_PEM, &p->pem);
    gnutls_x509_privkey_export2(p->key, GNUTLS_X509_FMT_PEM, &p->key_pem);
}

/* Another certificate for the same key: for another purpose (NULL: for any), or another time. */
static void remake(struct pair *p, const struct pair *issuer, const char *purpose, int from, int to)
{
    time_t now = (time_t)(clock_system()->wall_ms(clock_system()) / 1000);
    gnutls_x509_crt_t c;
    gnutls_x509_crt_init(&c);
    gnutls_x509_crt_set_version(c, 3);
    gnutls_x509_crt_set_serial(c, "\x07\x07", 2);
    gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, "again", 5);
    gnutls_x509_crt_set_activation_time(c, now + from);
    gnutls_x509_crt_set_expiration_time(c, now + to);
    gnutls_x509_crt_set_key(c, p->key);
    if (purpose)
        gnutls_x509_crt_set_key_purpose_oid(c, purpose, 0);
    assert_int_equal(gnutls_x509_crt_sign2(c, issuer->certificate, issuer->key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_x509_crt_deinit(p->certificate);
    p->certificate = c;
}

static void drop(struct pair *p)
{
    gnutls_x509_crt_deinit(p->certificate);
    gnutls_x509_privkey_deinit(p->key);
    gnutls_free(p->pem.data);
    gnutls_free(p->key_pem.data);
}

static struct http_tls tls_of(const struct pair *p)
{
    return (struct http_tls){.certificate = VIEW(p->pem.data, p->pem.size),
                             .key = VIEW(p->key_pem.data, p->key_pem.size)};
}

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

/* 0, or the error of the handshake. */
static int client_open(struct rig *r, struct client *c, const char *priority, const struct pair *own)
{
    c->fd = rig_connect(r);
    gnutls_certificate_allocate_credentials(&c->credentials);
    if (own)
        gnutls_certificate_set_x509_key(c->credentials, (gnutls_x509_crt_t[]){own->certificate}, 1, own->key);
    gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_priority_set_direct(c->session, priority, NULL);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials);
    gnutls_transport_set_int(c->session, c->fd);
    for (int i = 0; i < 500; i++) {
        int e = gnutls_handshake(c->session);
        if (e == 0 || (e < 0 && gnutls_error_is_fatal(e)))
            return e;
        rig_turn(r, 2);
    }
    return GNUTLS_E_TIMEDOUT;
}

static void client_close(struct client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    close(c->fd);
}

static uint64_t now_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

static void ask(struct rig *r, struct client *c, const char *request, char *out, size_t cap)
{
    size_t n = 0;
    assert_true(gnutls_record_send(c->session, request, strlen(request)) > 0);
    for (uint64_t end = now_ms() + 1000; now_ms() < end && n < cap - 1;) {
        rig_turn(r, 2);
        ssize_t k = gnutls_record_recv(c->session, out + n, cap - 1 - n);
        if (k > 0)
            n += (size_t)k;
        if (n > 0 && k <= 0)
            break;
    }
    out[n] = 0;
}

static const char *peer_name(struct client *c, char *out, size_t cap)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(c->session, &count);
    gnutls_x509_crt_t leaf;
    gnutls_x509_crt_init(&leaf);
    gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER);
    gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &cap);
    gnutls_x509_crt_deinit(leaf);
    return out;
}

static void only_tls13(void **state)
{
    struct rig r;
    struct pair server;
    struct client c;
    char text[8192];
    (void)state;
    make(&server, "server", NULL, false, 0);
    struct http_config config = {.tls = tls_of(&server)};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    assert_int_equal(client_open(&r, &c, "NORMAL", NULL), 0);
    assert_int_equal(gnutls_protocol_get_version(c.session), GNUTLS_TLS1_3);
    for (int i = 0; i < 3; i++) {
        ask(&r, &c, GET("/echo/a"), text, sizeof text);
        assert_non_null(strstr(text, "HTTP/1.1 200"));
        assert_non_null(strstr(text, "Strict-Transport-Security: max-age="));
        assert_non_null(strstr(text, "tls=1"));
    }
    client_close(&c);
    static const char *const OLD[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT",
                                      "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT"};
    for (size_t i = 0; i < ARRAY_LEN(OLD); i++) {
        assert_int_not_equal(client_open(&r, &c, OLD[i], NULL), 0);
        client_close(&c);
    }
    struct reply p;
    ONCE(&r, GET("/hello"), &p); /* plain HTTP on the TLS port */
    assert_int_equal(p.status, 0);
    assert_true(p.closed);
    rig_close(&r);
    drop(&server);
}

static void smuggling_over_tls(void **state)
{
    struct rig r;
    struct pair server;
    struct client c;
    char text[8192];
    (void)state;
    make(&server, "server", NULL, false, 0);
    struct http_config config = {.tls = tls_of(&server)};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    static const char *const BAD[] = {
        "GET /hello HTTP/1.1\nHost: a\n\n" GET("/hello"),
        "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET(
            "/hello"),
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        assert_int_equal(client_open(&r, &c, "NORMAL", NULL), 0);
        ask(&r, &c, BAD[i], text, sizeof text);
        assert_non_null(strstr(text, "HTTP/1.1 400"));
        assert_true(rig_closed(&r, c.fd, 500));
        client_close(&c);
    }
    assert_int_equal(r.served, 0);
    rig_close(&r);
    drop(&server);
}

struct wire {
    uint8_t bytes[16384];
    size_t count;
};

static ssize_t keep_back(gnutls_transport_ptr_t p, const void *data, size_t n)
{
    struct wire *w = p;
    assert_true(n <= sizeof w->bytes - w->count);
    memcpy(w->bytes + w->count, data, n);
    w->count += n;
    return (ssize_t)n;
}

static size_t answers_within(struct rig *r, struct client *c, size_t wanted, int ms)
{
    static char text[65536];
    size_t n = 0, count = 0;
    for (uint64_t end = now_ms() + (uint64_t)ms; now_ms() < end && count < wanted;) {
        rig_turn(r, 2);
        ssize_t k = gnutls_record_recv(c->session, text + n, sizeof text - 1 - n);
        n += k > 0 ? (size_t)k : 0;
        text[n] = 0;
        count = 0;
        for (const char *at = text; (at = strstr(at, "HTTP/1.1 200")) != NULL; at++)
            count++;
    }
    return count;
}

/* Segments know nothing of records: a request that comes together with the one before it is answered although its
 * client sends nothing more, and so is one that comes in pieces. */
static void records_in_any_segments(void **state)
{
    static const size_t pieces[] = {1, 4, 5, 6, 300, TLS_AHEAD - 1, TLS_AHEAD, TLS_AHEAD + 1, 2 * TLS_AHEAD, 16384};
    struct pair server = {0};
    struct client c;
    struct rig r;
    char text[5000], upload[5000];
    (void)state;
    make(&server, "one", NULL, false, 0);
    struct http_config config = {.tls = tls_of(&server)};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    r.finish_each_turn = true;
    assert_int_equal(client_open(&r, &c, "NORMAL", NULL), 0);
    ask(&r, &c, GET("/hello"), text, sizeof text);
    snprintf(upload, sizeof upload, "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n%03000d", 0);
    const char *const requests[] = {GET("/hello"), GET("/later"), upload, GET("/later"), GET("/hello") GET("/later"),
                                    GET("/hello")};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        static struct wire w;
        w.count = 0;
        gnutls_transport_set_ptr2(c.session, (gnutls_transport_ptr_t)(intptr_t)c.fd, &w);
        gnutls_transport_set_push_function(c.session, keep_back);
        for (size_t k = 0; k < ARRAY_LEN(requests); k++)
            assert_true(gnutls_record_send(c.session, requests[k], strlen(requests[k])) > 0);
        for (size_t at = 0; at < w.count; at += pieces[i]) {
            size_t n = w.count - at < pieces[i] ? w.count - at : pieces[i];
            rig_send(&r, c.fd, w.bytes + at, n);
            rig_turn(&r, 0);
        }
        assert_int_equal(answers_within(&r, &c, ARRAY_LEN(requests) + 1, 1000), ARRAY_LEN(requests) + 1);
    }
    client_close(&c);
    rig_close(&r);
    drop(&server);
}

static void slow_handshake(void **state)
{
    struct rig r;
    struct pair server;
    (void)state;
    make(&server, "server", NULL, false, 0);
    struct http_config config = {.tls = tls_of(&server), .limits = {.header_ms = 150}};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    int fd = rig_connect(&r), half = rig_connect(&r);
    rig_send(&r, half, "\x16\x03\x01\x02\x00\x01", 6);
    assert_false(rig_closed(&r, fd, 80));
    assert_true(rig_closed(&r, fd, 400));
    assert_true(rig_closed(&r, half, 400));
    close(fd);
    close(half);
    rig_close(&r);
    drop(&server);
}

/* The library takes a handshake that waits for the client for ready. Nobody may make us spin. */
static void a_waiting_handshake_costs_nothing(void **state)
{
    struct rig r;
    struct pair server;
    struct client half;
    (void)state;
    make(&server, "server", NULL, false, 0);
    struct http_config config = {.tls = tls_of(&server)};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    half.fd = rig_connect(&r);
    gnutls_certificate_allocate_credentials(&half.credentials);
    gnutls_init(&half.session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
    gnutls_priority_set_direct(half.session, "NORMAL", NULL);
    gnutls_credentials_set(half.session, GNUTLS_CRD_CERTIFICATE, half.credentials);
    gnutls_transport_set_int(half.session, half.fd);
    (void)gnutls_handshake(half.session); /* the hello goes out, then silence */
    rig_run(&r, 50);
    int turns = 0;
    struct pollfd p = {http_server_fd(r.server), POLLIN, 0};
    for (uint64_t end = now_ms() + 200; now_ms() < end;)
        if (poll(&p, 1, 10) > 0) {
            http_server_turn(r.server);
            turns++;
        }
    assert_true(turns < 10);
    client_close(&half);
    struct client c;
    char text[2048];
    assert_int_equal(client_open(&r, &c, "NORMAL", NULL), 0);
    for (int i = 0; i < 3; i++) { /* before the first request, after one, in the middle of the next */
        rig_run(&r, 100);
        turns = 0;
        for (int tries = 0; tries < 10; tries++)
            if (poll(&p, 1, 10) > 0) {
                http_server_turn(r.server);
                turns++;
            }
        assert_true(turns < 4);
        if (i == 0)
            ask(&r, &c, GET("/hello"), text, sizeof text);
        else
            assert_true(gnutls_record_send(c.session, "GET /he", 7) > 0);
    }
    client_close(&c);
    rig_close(&r);
    drop(&server);
}

static void reload(void **state)
{
    struct rig r;
    struct pair first, second, weak;
    struct client before, after;
    struct problem why = {0};
    char text[8192];
    (void)state;
    make(&first, "first", NULL, false, 0);
    make(&second, "second", NULL, false, 0);
    make(&weak, "weak", NULL, false, 1024);
    struct http_config config = {.tls = tls_of(&first)};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    assert_int_equal(client_open(&r, &before, "NORMAL", NULL), 0);
    assert_string_equal(peer_name(&before, text, sizeof text), "first");
    struct http_tls next = tls_of(&second), mixed = next, broken = next;
    mixed.key = VIEW(first.key_pem.data, first.key_pem.size);
    broken.certificate = VIEW_STR("nothing");
    struct http_tls small = tls_of(&weak);
    assert_int_equal(http_server_reload_tls(r.server, &mixed, &why), ERR_BAD_KEY);
    assert_int_equal(http_server_reload_tls(r.server, &broken, &why), ERR_BAD_KEY);
    assert_int_equal(http_server_reload_tls(r.server, &small, &why), ERR_BAD_KEY);
    assert_non_null(strstr(why.detail, "2048"));
    assert_int_equal(http_server_reload_tls(r.server, &next, &why), OK);
    assert_int_equal(client_open(&r, &after, "NORMAL", NULL), 0);
    assert_string_equal(peer_name(&after, text, sizeof text), "second");
    ask(&r, &before, GET("/hello"), text, sizeof text);
    assert_non_null(strstr(text, "HTTP/1.1 200"));
    client_close(&before);
    client_close(&after);
    rig_close(&r);
    drop(&first);
    drop(&second);
    drop(&weak);
}

static void try_client(struct rig *r, const struct pair *own, const char *want)
{
    struct client c;
    char text[8192];
    if (client_open(r, &c, "NORMAL", own) == 0) {
        ask(r, &c, GET("/echo/a"), text, sizeof text);
        assert_non_null(strstr(text, want));
    } else {
        fail_msg("handshake");
    }
    client_close(&c);
}

static void many_at_once(void **state)
{
    enum { CLIENTS = 129, ROUNDS = 5 };
    static struct client clients[CLIENTS];
    static bool answered[CLIENTS];
    struct rig r;
    struct pair server;
    char text[2048];
    (void)state;
    make(&server, "server", NULL, false, 0);
    struct http_config config = {.tls = tls_of(&server)};
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    r.finish_each_turn = true;
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(client_open(&r, &clients[i], "NORMAL", NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        const char *request = round % 2 ? GET("/later") : GET("/hello");
        int open = CLIENTS;
        memset(answered, 0, sizeof answered);
        for (int i = 0; i < CLIENTS; i++)
            assert_true(gnutls_record_send(clients[i].session, request, strlen(request)) > 0);
        for (uint64_t end = now_ms() + 5000; open > 0 && now_ms() < end;) {
            rig_turn(&r, 20);
            for (int i = 0; i < CLIENTS; i++)
                if (!answered[i] && gnutls_record_recv(clients[i].session, text, sizeof text) > 0) {
                    answered[i] = true;
                    open--;
                }
        }
        assert_int_equal(open, 0);
    }
    assert_int_equal(r.served, CLIENTS * ROUNDS);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    rig_close(&r);
    drop(&server);
}

static void client_certificates(void **state)
{
    struct rig r;
    struct pair server, ca, good, stranger, not_client;
    (void)state;
    make(&server, "server", NULL, false, 0);
    make(&ca, "ca", NULL, false, 0);
    make(&good, "good", &ca, true, 0);
    make(&stranger, "stranger", NULL, true, 0);
    make(&not_client, "stranger", &server, true, 0);
    for (int mode = HTTP_CLIENT_OPTIONAL; mode <= HTTP_CLIENT_REQUIRED; mode++) {
        struct http_config config = {.tls = tls_of(&server)};
        config.tls.client_ca = VIEW(ca.pem.data, ca.pem.size);
        config.tls.clients = (enum http_client_certificates)mode;
        rig_open(&r, &config, HTTP_LISTEN_TLS);
        try_client(&r, &good, "HTTP/1.1 200");
        try_client(&r, &good, "certificate=");
        try_client(&r, &stranger, "HTTP/1.1 401");
        try_client(&r, &not_client, "HTTP/1.1 401");
        try_client(&r, NULL, mode == HTTP_CLIENT_REQUIRED ? "HTTP/1.1 401" : "certificate=0\n");
        assert_int_equal(r.served, mode == HTTP_CLIENT_REQUIRED ? 2 : 3);
        rig_close(&r);
    }
    drop(&server);
    drop(&ca);
    drop(&good);
    drop(&stranger);
    drop(&not_client);
}

static void bad_client_certificates(void **state)
{
    static const struct {
        const char *purpose, *want;
        int from, to;
    } rows[] = {
        {GNUTLS_KP_TLS_WWW_CLIENT, "HTTP/1.1 200", -60, 60},   {NULL, "HTTP/1.1 401", -60, 60},
        {GNUTLS_KP_TLS_WWW_SERVER, "HTTP/1.1 401", -60, 60},   {GNUTLS_KP_ANY, "HTTP/1.1 401", -60, 60},
        {GNUTLS_KP_TLS_WWW_CLIENT, "HTTP/1.1 401", -600, -60}, {GNUTLS_KP_TLS_WWW_CLIENT, "HTTP/1.1 401", 60, 600},
    };
    struct rig r;
    struct pair server, ca, bot;
    (void)state;
    make(&server, "server", NULL, false, 0);
    make(&ca, "ca", NULL, false, 0);
    make(&bot, "bot", &ca, true, 0);
    struct http_config config = {.tls = tls_of(&server)};
    config.tls.client_ca = VIEW(ca.pem.data, ca.pem.size);
    config.tls.clients = HTTP_CLIENT_OPTIONAL;
    rig_open(&r, &config, HTTP_LISTEN_TLS);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        remake(&bot, &ca, rows[i].purpose, rows[i].from, rows[i].to);
        try_client(&r, &bot, rows[i].want);
    }
    assert_int_equal(r.served, 1);
    rig_close(&r);
    drop(&server);
    drop(&ca);
    drop(&bot);
}

/* A revocation list over one certificate, or none; as PEM. */
static gnutls_datum_t list_of(const struct pair *issuer, gnutls_x509_crt_t revoked, int next)
{
    time_t now = (time_t)(clock_system()->wall_ms(clock_system()) / 1000);
    gnutls_x509_crl_t list;
    gnutls_datum_t pem;
    gnutls_x509_crl_init(&list);
    gnutls_x509_crl_set_version(list, 2);
    gnutls_x509_crl_set_this_update(list, now - 600);
    gnutls_x509_crl_set_next_update(list, now + next);
    if (revoked)
        assert_int_equal(gnutls_x509_crl_set_crt(list, revoked, now - 60), 0);
    assert_int_equal(gnutls_x509_crl_sign2(list, issuer->certificate, issuer->key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crl_export2(list, GNUTLS_X509_FMT_PEM, &pem), 0);
    gnutls_x509_crl_deinit(list);
    return pem;
}

static void revoked_client_certificates(void **state)
{
    struct rig r;
    struct pair server, ca, good, revoked;
    (void)state;
    make(&server, "server", NULL, false, 0);
    make(&ca, "ca", NULL, false, 0);
    make(&good, "good", &ca, true, 0);
    make(&revoked, "revoked", &ca, true, 0);
    gnutls_datum_t lists[] = {list_of(&ca, revoked.certificate, 600), list_of(&ca, NULL, -60)};
    struct http_config config = {.tls = tls_of(&server)};
    config.tls.client_ca = VIEW(ca.pem.data, ca.pem.size);
    config.tls.clients = HTTP_CLIENT_OPTIONAL;
    for (size_t i = 0; i < 2; i++) { /* one in force, one that is over */
        config.tls.client_crl = VIEW(lists[i].data, lists[i].size);
        rig_open(&r, &config, HTTP_LISTEN_TLS);
        try_client(&r, &good, i == 0 ? "HTTP/1.1 200" : "HTTP/1.1 401");
        try_client(&r, &revoked, "HTTP/1.1 401");
        try_client(&r, NULL, "HTTP/1.1 200");
        rig_close(&r);
    }
    const struct view bad[] = {VIEW_STR("no list"), VIEW(ca.pem.data, ca.pem.size)};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tls *t = NULL;
        struct problem why = {0};
        config.tls.client_crl = bad[i];
        assert_int_equal(tls_new(&config.tls, &t, &why), ERR_BAD_KEY);
        assert_string_equal(why.where, "tls.client_crl");
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        gnutls_free(lists[i].data);
    drop(&server);
    drop(&ca);
    drop(&good);
    drop(&revoked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_tls13),
        cmocka_unit_test(smuggling_over_tls),
        cmocka_unit_test(records_in_any_segments),
        cmocka_unit_test(slow_handshake),
        cmocka_unit_test(a_waiting_handshake_costs_nothing),
        cmocka_unit_test(reload),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(bad_client_certificates),
        cmocka_unit_test(revoked_client_certificates),
        cmocka_unit_test(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
