/* Can somebody who measures tell names and keys that exist from those that don't? 10,000 tries of each kind, in random
 * order, are compared with Welch's t-test, without the slowest tenth, which the machine makes. The same test has to
 * find 20 µs that are put in on purpose, or it proves nothing. */
#include "api_rig.h"

#include "api/inside.h"
#include "api/passwords.h"
#include "api/routes.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TRIES   10000
#define CLASSES 3
#define LIMIT   4.5
#define KEPT    0.9 /* of all samples together */

static struct rig *rig;
static const struct argon2_cost cheap = {.passes = 1, .memory_kib = 8};

struct kind {
    const char *(*header)(size_t class, size_t i); /* of the i-th try of this class; NULL: none */
    const char *bodies[CLASSES];
    const char *method, *path;
    bool recorded;
    void (*before)(size_t class, size_t i); /* that try, in the client's thread; may be NULL */
};

struct samples {
    double us[CLASSES][TRIES];
    size_t count[CLASSES];
};

/* --- one try */

static double now_us(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int connected(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", rig->socket_path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void spin(double us)
{
    for (double end = now_us() + us; now_us() < end;)
        ;
}

/* --- the client, in a thread of its own: as near as somebody gets who measures */

struct client {
    const struct kind *kind;
    double planted_us;
    uint8_t order[TRIES];
    struct samples *samples;
    const char *wrong; /* what went wrong, or NULL */
    atomic_bool done;
};

/* Refusals before a body is read end the connection; connecting is not to be measured. */
static bool is_open(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

static double one(struct client *c, int *fd, size_t class)
{
    const struct kind *k = c->kind;
    const char *header = k->header ? k->header(class, c->samples->count[class]) : "";
    char text[1024];
    if (k->before)
        k->before(class, c->samples->count[class]);
    int n = snprintf(text, sizeof text,
                     "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     k->method, k->path, header, strlen(k->bodies[class]), k->bodies[class]);
    if (!is_open(*fd)) {
        close(*fd);
        *fd = connected();
    }
    double begin = now_us();
    if (send(*fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        c->wrong = "send";
    if (class == 1 && c->planted_us > 0)
        spin(c->planted_us);
    ssize_t got = recv(*fd, text, sizeof text - 1, 0);
    double took = now_us() - begin;
    text[got > 0 ? got : 0] = '\0';
    if (!strstr(text, " 401 "))
        c->wrong = "another answer than 401";
    return took;
}

static void *client_run(void *context)
{
    struct client *c = context;
    int fd = connected();
    for (size_t i = 0; i < TRIES && !c->wrong; i++) {
        size_t class = c->order[i] % CLASSES;
        double us = one(c, &fd, class);
        c->samples->us[class][c->samples->count[class]++] = us;
    }
    close(fd);
    atomic_store(&c->done, true);
    return NULL;
}

/* --- many */

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double slowest_kept(const struct samples *s)
{
    static double all[CLASSES * TRIES];
    size_t n = 0;
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t i = 0; i < s->count[c]; i++)
            all[n++] = s->us[c][i];
    qsort(all, n, sizeof *all, by_value);
    return all[(size_t)((double)n * KEPT)];
}

static void moments(const struct samples *s, size_t class, double limit, double *ret_mean, double *ret_error)
{
    double sum = 0, squares = 0, n = 0;
    for (size_t i = 0; i < s->count[class]; i++)
        if (s->us[class][i] <= limit) {
            sum += s->us[class][i];
            n++;
        }
    *ret_mean = sum / n;
    for (size_t i = 0; i < s->count[class]; i++)
        if (s->us[class][i] <= limit)
            squares += (s->us[class][i] - *ret_mean) * (s->us[class][i] - *ret_mean);
    *ret_error = squares / (n - 1) / n;
}

/* The largest of all pairs. */
static double welch(const struct samples *s)
{
    double mean[CLASSES], error[CLASSES], worst = 0, limit = slowest_kept(s);
    for (size_t c = 0; c < CLASSES; c++)
        moments(s, c, limit, &mean[c], &error[c]);
    for (size_t a = 0; a < CLASSES; a++)
        for (size_t b = 0; b < a; b++)
            worst = fmax(worst, fabs(mean[a] - mean[b]) / sqrt(error[a] + error[b]));
    print_message("means %.2f %.2f %.2f us, |t| %.2f\n", mean[0], mean[1], mean[2], worst);
    return worst;
}

static double measured(const struct kind *k, double planted_us)
{
    static struct samples s;
    static struct client c;
    pthread_t thread;
    s = (struct samples){0};
    c = (struct client){.kind = k, .planted_us = planted_us, .samples = &s};
    assert_int_equal(random_system()->fill(random_system(), c.order, sizeof c.order), OK);
    assert_int_equal(pthread_create(&thread, NULL, client_run, &c), 0);
    while (!atomic_load(&c.done)) {
        rig->thread.inside->budget = k->recorded ? 1u << 20 : 0;
        assert_int_equal(loop_turn(rig->thread.loop, 1), OK);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (c.wrong)
        fail_msg("%s", c.wrong);
    return welch(&s);
}

/* A machine that is busy with something else for a while can make a difference of its own; one that is there comes
 * back. */
static void expect_alike(const struct kind *k)
{
    double t = measured(k, 0);
    for (int again = 0; again < 2 && t >= LIMIT; again++)
        t = measured(k, 0);
    assert_true(t < LIMIT);
    assert_true(measured(k, 20) > LIMIT);
}

/* --- users */

static void put_user(const char *name, uint8_t state)
{
    AUTO(arena_free) struct arena *a = NULL;
    char hash[PASSWORD_HASH_SIZE];
    struct txn_change put;
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    assert_int_equal(password_hash(VIEW_STR("Kq7-vmDt2xPz"), cheap, hash), OK);
    const struct user u = {.name = view_str(name),
                           .state = state,
                           .password_hash = view_str(hash),
                           .failed_attempts = state == USER_LOCKED ? 5 : 0,
                           .locked_until_ms = state == USER_LOCKED ? rig->now_ms + 86400000 : 0};
    assert_int_equal(identity_put_user(atomic_load(&rig->shared.keys), &u, NULL, a, &put), OK);
    assert_int_equal(identity_applied(rig->shared.identity, &put), OK);
}

static int set_up(void **state)
{
    static struct route rows[8];
    static struct route_table all = {rows, 0};
    (void)state;
    all.count = login_routes.count;
    memcpy(rows, login_routes.rows, login_routes.count * sizeof rows[0]);
    for (size_t i = 0; i < whoami_routes.count; i++)
        rows[all.count++] = whoami_routes.rows[i];
    rig = rig_new(&all);
    rig->config.argon2 = (struct config_argon2){.passes = cheap.passes, .memory_kib = cheap.memory_kib};
    rig->config.passwords.failures = UINT32_MAX; /* the wrong one must not become the locked one */
    config_passwords_complete(&rig->config.passwords);
    assert_int_equal(passwords_new(&rig->config, NULL, &rig->shared.passwords), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    passwords_free(rig->shared.passwords);
    rig_free(rig);
    return 0;
}

static struct kind log_ins(bool recorded)
{
    return (struct kind){
        .method = "POST",
        .path = "/api/v1/login",
        .bodies = {"{\"name\":\"nobody\",\"password\":\"Wrong-password-1x\"}",
                   "{\"name\":\"alice1\",\"password\":\"Wrong-password-1x\"}",
                   "{\"name\":\"locked\",\"password\":\"Kq7-vmDt2xPz\"}"},
        .recorded = recorded,
    };
}

static void names_can_not_be_told_by_time(void **state)
{
    (void)state;
    put_user("alice1", USER_ACTIVE);
    put_user("locked", USER_LOCKED);
    const struct kind recorded = log_ins(true), counted = log_ins(false);
    expect_alike(&recorded);
    expect_alike(&counted);
}

/* --- API keys: nobody's, wrong ones of 4 tries each, right ones of a source that is suspended. A few ids again and
 * again, as somebody tries who wants to know of them. */

#define KEYS 16
static struct key_case {
    char header[API_KEY_TEXT_SIZE + 32];
    struct api_key_parts shown;
} keys[CLASSES][KEYS];

static void put_key(const char *id, const struct api_key_parts *parts)
{
    AUTO(arena_free) struct arena *a = NULL;
    struct row_keys *row_keys = atomic_load(&rig->shared.keys);
    struct txn_change put;
    struct view role = VIEW_STR("viewer");
    struct api_key k = {.id = view_str(id),
                        .name = VIEW_STR("bot"),
                        .owner = VIEW_STR("alice"),
                        .environment = 1,
                        .status = KEY_ACTIVE,
                        .usage = KEY_FULL_ACCESS,
                        .roles = {&role, 1},
                        .pepper_epoch = 1,
                        .created_ms = rig->now_ms,
                        .expires_ms = rig->now_ms + 86400000};
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    assert_int_equal(api_key_verifier(row_keys, 1, parts->hash, k.verifier), OK);
    assert_int_equal(api_key_put(row_keys, &k, NULL, a, &put), OK);
    assert_int_equal(api_keys_applied(rig->shared.api_keys, &put), OK);
}

static void make_keys(void)
{
    char text[API_KEY_TEXT_SIZE];
    for (size_t class = 0; class < CLASSES; class ++)
        for (size_t i = 0; i < KEYS; i++) {
            struct key_case *k = &keys[class][i];
            assert_int_equal(api_key_make(random_system(), 1, text, &k->shown), OK);
            if (class > 0)
                put_key(k->shown.id, &k->shown);
            const struct api_key same = {.id = view_str(k->shown.id), .environment = 1};
            if (class == 1)
                assert_int_equal(api_key_remake(random_system(), &same, text, &k->shown), OK);
            (void)snprintf(k->header, sizeof k->header, "X-API-Key: %s\r\n", text);
        }
}

static void fail_with(const struct key_case *k)
{
    AUTO(arena_free) struct arena *a = NULL;
    const struct network_source here = {.is_unix = true, .uid = (uint32_t)getuid()};
    struct api_key_parts wrong = k->shown;
    struct api_key_shown shown = {.parts = &wrong, .from = &here, .now_ms = rig->now_ms};
    struct api_key_found found;
    assert_int_equal(arena_new(4096, 1u << 16, &a), OK);
    wrong.hash[0] ^= 1;
    for (int tries = 0; tries < 5; tries++)
        assert_int_equal(api_keys_verify(rig->shared.api_keys, atomic_load(&rig->shared.keys), &shown, a, &found),
                         ERR_BAD_CREDENTIALS);
    assert_true(shown.why == API_KEY_SUSPENDED_NOW || shown.why == API_KEY_SUSPENDED_HERE);
}

/* Before a wrong secret suspends its key. */
static void begin_anew(size_t class, size_t i)
{
    if (class != 1 || i % (4 * KEYS) != 0)
        return;
    for (size_t k = 0; k < KEYS; k++)
        api_keys_forgive(rig->shared.api_keys, view_str(keys[1][k].shown.id));
}

static const char *key_header(size_t class, size_t i)
{
    return keys[class][i % KEYS].header;
}

static void keys_can_not_be_told_by_time(void **state)
{
    struct kind k = {.method = "GET",
                     .path = "/api/v1/session",
                     .header = key_header,
                     .bodies = {"", "", ""},
                     .recorded = true,
                     .before = begin_anew};
    (void)state;
    make_keys();
    for (size_t i = 0; i < KEYS; i++)
        fail_with(&keys[2][i]);
    expect_alike(&k);
    k.recorded = false;
    expect_alike(&k);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(names_can_not_be_told_by_time),
        T(keys_can_not_be_told_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
