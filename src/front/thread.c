/* One thread of the front: a loop, an HTTP server, its channels, its connection to the store. */
#include "front/front.h"

#include "api/proxied.h"
#include "base/log.h"

#include <sys/epoll.h>

#define DRAIN_LOOK_MS 20

/* The requests of one turn read the store as one. */
static void turn(struct front_thread *t)
{
    bool serving = atomic_load(&t->api.shared->state) == API_SERVING; /* before it, there is no reader yet */
    struct store *reader = serving ? t->api.reader : NULL;

    if (reader)
        store_hold(reader);
    http_server_turn(t->http);
    if (reader)
        store_release(reader);
}

static void on_http(void *context, uint32_t events)
{
    struct front_thread *t = context;

    (void)events;
    turn(t);
}

/* --- answers: sent in the turn in which they are finished, ahead of what else is handed over at its end */

static void on_due(struct loop_task *task)
{
    struct front_thread *t = (struct front_thread *)(void *)((uint8_t *)task - offsetof(struct front_thread, http_due));

    turn(t);
}

static void on_finished(void *api)
{
    struct front_thread *t = (struct front_thread *)(void *)((uint8_t *)api - offsetof(struct front_thread, api));

    loop_defer(t->api.loop, &t->http_due);
}

static void on_turn(void *context)
{
    struct front_thread *t = context;

    if (!t->http_due.queued)
        return;
    loop_cancel(t->api.loop, &t->http_due);
    turn(t);
}

struct view front_file(const struct front *f, const char *name)
{
    struct reader r = reader_new(f->start.files);
    struct view key, text;

    while (r.left > 0 && reader_var(&r, r.left, &key) == OK && reader_var(&r, r.left, &text) == OK)
        if (view_is(key, name))
            return text;
    return (struct view){0};
}

static uint32_t share(uint32_t n, size_t threads)
{
    return (uint32_t)((n + threads - 1) / threads);
}

static RESULT make_server(struct front_thread *t, struct problem *why)
{
    struct front *f = t->front;
    const struct config_http *c = &f->config.http;
    struct http_listener listeners[2];
    size_t count = 0;
    int https = start_fd_of(&f->start, START_FD_HTTPS, 0), local = start_fd_of(&f->start, START_FD_UNIX, 0);

    if (https >= 0)
        listeners[count++] = (struct http_listener){https, HTTP_LISTEN_TLS};
    if (local >= 0)
        listeners[count++] = (struct http_listener){local, HTTP_LISTEN_UNIX};
    struct view client_ca = front_file(f, "client-ca.pem");
    const struct http_config config = {
        .listeners = listeners,
        .listener_count = count,
        .tls = {.certificate = front_file(f, "server.crt"),
                .key = front_file(f, "server.key"),
                .client_ca = client_ca,
                .client_crl = front_file(f, "client-crl.pem"),
                .clients = client_ca.len ? HTTP_CLIENT_OPTIONAL : HTTP_CLIENT_NONE},
        .router = f->shared.router,
        .limits = {.header_max = c->header_bytes,
                   .body_max = c->body_bytes,
                   .header_ms = c->head_seconds * 1000,
                   .request_ms = c->request_seconds * 1000,
                   .idle_ms = c->idle_seconds * 1000,
                   .connections = share(c->connections, f->thread_count),
                   .connections_per_peer = c->connections_per_address},
        .clock = f->shared.clock,
        .context = &t->api,
        .admit = api_head,
        .refused = proxied_refused,
        .handle = api_admit,
        .ended = api_ended,
        .finished = on_finished,
        .elsewhere = share_connection,
    };
    TRY(http_server_new(&config, &t->http, why));
    return loop_add(t->api.loop, http_server_fd(t->http), EPOLLIN, on_http, t, &t->http_source);
}

static RESULT open_peers(struct front_thread *t)
{
    static const uint8_t kinds[] = {START_FD_KEEPER, START_FD_SIGNER};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        int fd = start_fd_of(&t->front->start, (enum start_fd_kind)kinds[i], t->api.number);
        if (fd >= 0)
            TRY(peer_open(t, kinds[i], fd));
    }
    return OK;
}

RESULT thread_init(struct front *f, size_t number, struct problem *why)
{
    struct front_thread *t = &f->threads[number];

    t->front = f;
    t->keeper.thread = t->signer.thread = t;
    t->keeper.kind = START_FD_KEEPER;
    t->signer.kind = START_FD_SIGNER;
    t->api.shared = &f->shared;
    t->api.number = (uint8_t)number;
    TRY(loop_new(clock_system(), &t->api.loop));
    t->http_due.run = on_due;
    TRY(loop_each_turn(t->api.loop, on_turn, t));
    TRY(mailbox_new(t->api.loop, &t->api.mailbox));
    TRY(api_thread_start(&t->api));
    if (f->shared.patterns)
        TRY(patterns_scratch_new(f->shared.patterns, f->shared.random, &t->api.patterns));
    TRY(open_peers(t));
    return make_server(t, why);
}

static void *body(void *thread)
{
    struct front_thread *t = thread;

    if (loop_run(t->api.loop) != OK) {
        /* A thread without its loop answers nobody, and nobody would notice: better all of it starts anew. */
        log_error("front thread %u can't go on", t->api.number);
        abort();
    }
    return NULL;
}

RESULT thread_start(struct front_thread *t)
{
    if (pthread_create(&t->id, NULL, body, t) != 0)
        return ERR_NO_MEMORY;
    t->runs = true;
    return OK;
}

/* --- the end */

struct order {
    struct mail mail;
    struct front_thread *thread;
};

/* Orders come once or twice in a process's life. If there is no memory for one, the process's deadline does it. */
static void post(struct front_thread *t, void (*deliver)(struct mail *m))
{
    struct order *o = calloc(1, sizeof *o);

    if (!o)
        return;
    *o = (struct order){.mail.deliver = deliver, .thread = t};
    mailbox_post(t->api.mailbox, &o->mail, &o->mail);
}

static struct front_thread *thread_of(struct mail *m)
{
    struct order *o = (struct order *)(void *)((uint8_t *)m - offsetof(struct order, mail));
    struct front_thread *t = o->thread;

    free(o);
    return t;
}

static void look_drained(void *context)
{
    struct front_thread *t = context;

    if (atomic_load(&t->coming) == 0 && http_server_stats(t->http).connections == 0 && api_thread_waiting(&t->api) == 0)
        atomic_store(&t->drained, true);
}

static void on_drain(struct mail *m)
{
    struct front_thread *t = thread_of(m);

    if (t->draining)
        return;
    t->draining = true;
    http_server_drain(t->http);
    if (loop_every(t->api.loop, DRAIN_LOOK_MS, look_drained, t) != OK)
        atomic_store(&t->drained, true);
}

static void on_end(struct mail *m)
{
    loop_stop(thread_of(m)->api.loop);
}

static void on_wind_down(struct mail *m)
{
    http_server_wind_down(thread_of(m)->http);
}

void thread_wind_down(struct front_thread *t)
{
    post(t, on_wind_down);
}

void thread_drain(struct front_thread *t)
{
    post(t, on_drain);
}

void thread_end(struct front_thread *t)
{
    post(t, on_end);
    if (t->runs)
        (void)pthread_join(t->id, NULL);
    t->runs = false;
}

void thread_done(struct front_thread *t)
{
    if (!t->front)
        return;
    http_server_free(t->http);
    if (t->api.loop)
        loop_cancel(t->api.loop, &t->http_due);
    peer_close(&t->keeper);
    peer_close(&t->signer);
    if (t->api.inside)
        api_thread_stop(&t->api);
    patterns_scratch_free(t->api.patterns);
    store_close(t->api.reader);
    mailbox_free(t->api.mailbox);
    loop_free(t->api.loop);
}
