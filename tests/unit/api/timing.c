#include "timing.h"

#include "api/inside.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TRIES 10000
#define LIMIT 4.5
#define KEPT  0.9 /* of all samples together */

struct samples {
    double us[TIMING_CLASSES][TRIES];
    size_t count[TIMING_CLASSES];
};

/* --- one try */

static double now_us(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int connected(const struct rig *rig)
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
    struct rig *rig;
    const struct timing_kind *kind;
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
    const struct timing_kind *k = c->kind;
    size_t i = c->samples->count[class];
    char text[4096];
    if (k->before)
        k->before(class, i);
    const char *header = k->header ? k->header(class, i) : "", *body = k->body(class, i);
    int n = snprintf(text, sizeof text,
                     "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     k->method, k->path, header, strlen(body), body);
    if (!is_open(*fd)) {
        close(*fd);
        *fd = connected(c->rig);
    }
    double begin = now_us();
    if (send(*fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        c->wrong = "send";
    ssize_t got = recv(*fd, text, sizeof text - 1, 0);
    if (class == 1 && c->planted_us > 0)
        spin(c->planted_us); /* after the answer: before it, the time would hide behind the server's own */
    double took = now_us() - begin;
    text[got > 0 ? got : 0] = '\0';
    if (!strstr(text, " 401 "))
        c->wrong = "another answer than 401";
    return took;
}

static void *client_run(void *context)
{
    struct client *c = context;
    int fd = connected(c->rig);
    for (size_t i = 0; i < TRIES && !c->wrong; i++) {
        size_t class = c->order[i] % TIMING_CLASSES;
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
    static double all[TIMING_CLASSES * TRIES];
    size_t n = 0;
    for (size_t c = 0; c < TIMING_CLASSES; c++)
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
    double mean[TIMING_CLASSES], error[TIMING_CLASSES], worst = 0, limit = slowest_kept(s);
    for (size_t c = 0; c < TIMING_CLASSES; c++)
        moments(s, c, limit, &mean[c], &error[c]);
    for (size_t a = 0; a < TIMING_CLASSES; a++)
        for (size_t b = 0; b < a; b++)
            worst = fmax(worst, fabs(mean[a] - mean[b]) / sqrt(error[a] + error[b]));
    print_message("means %.2f %.2f %.2f us, |t| %.2f\n", mean[0], mean[1], mean[2], worst);
    return worst;
}

static double measured(struct rig *rig, const struct timing_kind *k, double planted_us)
{
    static struct samples s;
    static struct client c;
    pthread_t thread;
    s = (struct samples){0};
    c = (struct client){.rig = rig, .kind = k, .planted_us = planted_us, .samples = &s};
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
void timing_expect_alike(struct rig *rig, const struct timing_kind *k)
{
    double t = measured(rig, k, 0);
    for (int again = 0; again < 2 && t >= LIMIT; again++)
        t = measured(rig, k, 0);
    assert_true(t < LIMIT);
    assert_true(measured(rig, k, 20) > LIMIT);
}
