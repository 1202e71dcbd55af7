/* The server: its limits, the course of its requests, the sweep, and its public face. */
#include "http/inside.h"

#include "base/text.h"

#include <unistd.h>

static const struct http_limits DEFAULTS = {
    .header_max = 16384,
    .target_max = 8192,
    .headers_max = 100,
    .query_max = 64,
    .body_max = 65536,
    .answer_max = 16 * 1024 * 1024,
    .arena_max = 8 * 1024 * 1024,
    .header_ms = 10000,
    .request_ms = 30000,
    .send_ms = 30000,
    .idle_ms = 60000,
    .connections = 4096,
    .requests_per_connection = 10000,
};

/* All limits are uint32_t, so that they can be gone through as an array. */
static void fill_limits(struct http_limits *l)
{
    enum { COUNT = sizeof(struct http_limits) / sizeof(uint32_t) };
    uint32_t set[COUNT], standard[COUNT];
    memcpy(set, l, sizeof set);
    memcpy(standard, &DEFAULTS, sizeof standard);
    for (size_t i = 0; i < COUNT; i++)
        set[i] = set[i] ? set[i] : standard[i];
    memcpy(l, set, sizeof set);
    if (l->connections_per_peer == 0)
        l->connections_per_peer = l->connections;
}

static uint64_t now_of(const struct http_server *s)
{
    return s->config.clock->mono_ms(s->config.clock);
}

/* --- start and end */

static RESULT check_config(const struct http_config *config, bool *ret_tls, struct problem *why)
{
    bool tls = false;
    if (!config->router)
        return problem_set(why, ERR_BAD_CONFIG, "router", "A router is needed.");
    if (config->listener_count == 0 || config->listener_count > LISTENERS_MAX)
        return problem_set(why, ERR_BAD_CONFIG, "listeners", "1 to %d listeners are needed.", LISTENERS_MAX);
    for (size_t i = 0; i < config->listener_count; i++) {
        enum http_listener_kind kind = config->listeners[i].kind;
        if (kind < HTTP_LISTEN_TLS || kind > HTTP_LISTEN_PLAINTEXT)
            return problem_set(why, ERR_BAD_CONFIG, "listeners", "Unknown kind of listener.");
        if (kind == HTTP_LISTEN_PLAINTEXT && !config->plaintext_allowed)
            return problem_set(why, ERR_BAD_CONFIG, "listeners", "TCP is served with TLS only.");
        tls |= kind == HTTP_LISTEN_TLS;
    }
    *ret_tls = tls;
    return OK;
}

RESULT http_server_new(const struct http_config *config, struct http_server **ret, struct problem *why)
{
    bool tls = false;
    TRY(check_config(config, &tls, why));
    AUTO(http_server_free) struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return problem_set(why, ERR_NO_MEMORY, "", "server");
    s->epoll = s->wake = s->timer = s->reserve = -1;
    s->config = *config;
    s->config.listeners = NULL;
    s->config.tls = (struct http_tls){0};
    s->config.clock = config->clock ? config->clock : clock_system();
    s->config.random = config->random ? config->random : random_system();
    random_pool_init(&s->ids, s->config.random);
    s->conns.next_ms = s->timer_at_ms = UINT64_MAX;
    fill_limits(&s->config.limits);
    TRY(s->config.random->fill(s->config.random, &s->conns.seed, sizeof s->conns.seed));
    s->now_ms = now_of(s);
    if (tls)
        TRY(tls_new(&config->tls, &s->tls, why));
    TRY(accept_open(s, config, why));
    TRY(library_open(s, why));
    *ret = TAKE(s);
    return OK;
}

/* Somebody still works on it: it is his alone now. */
static void orphan(struct exchange *x)
{
    x->conn = NULL;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    accept_stop(s);
    s->stopping = true;
    for (struct conn *c = s->conns.first; c; c = c->next) {
        if (c->suspended) {
            if (c->x)
                orphan(c->x);
            c->x = NULL;
            c->suspended = false;
            library_resume(c);
        }
        if (c->parked)
            library_unpark(s, c);
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    library_close(s);
    while (s->spare) {
        struct exchange *next = s->spare->next;
        exchange_free(s->spare);
        s->spare = next;
    }
    linger_end(&s->lingering);
    accept_close(s);
    tls_free(s->tls);
    free(s);
}

/* --- the course of a request */

static struct exchange *exchange_take(struct http_server *s)
{
    struct exchange *x = s->spare;
    if (x) {
        s->spare = x->next;
        s->spare_count--;
        x->next = NULL;
        return x;
    }
    return exchange_new(&s->config.limits, &x) == OK ? x : NULL;
}

static void exchange_give(struct http_server *s, struct exchange *x)
{
    if (s->spare_count == SPARE_MAX || s->stopping) {
        exchange_free(x);
        return;
    }
    exchange_reset(x, &s->config.limits);
    x->next = s->spare;
    s->spare = x;
    s->spare_count++;
}

static struct exchange *exchange_start(struct http_server *s, struct conn *c)
{
    struct exchange *x = exchange_take(s);
    if (!x)
        return NULL;
    x->conn = c;
    x->started_ms = s->now_ms;
    x->req.server_context = s->config.context;
    x->req.peer = c->peer;
    x->req.peer.certificate = VIEW(NULL, 0);
    return x;
}

struct exchange *server_request_line(struct http_server *s, struct conn *c, const char *target)
{
    struct exchange *x = exchange_start(s, c);
    struct id id;
    if (c->x)
        exchange_give(s, c->x);
    c->x = x;
    c->requests++;
    s->stats.requests++;
    conn_phase(&s->conns, c, CONN_HEAD, s->now_ms + s->config.limits.header_ms);
    if (!x)
        return NULL;
    if (s->ids.random.fill(&s->ids.random, &id, sizeof id) == OK)
        id_format(&id, x->req.id);
    size_t length = strlen(target);
    x->uri = target;
    x->raw_target = VIEW(arena_str(x->req.arena, VIEW(target, length)), length);
    if (!x->raw_target.ptr || length > s->config.limits.target_max)
        x->early = ERR_HEADER_TOO_LARGE;
    return x;
}

static void check_certificate(struct http_server *s, struct conn *c, void *session)
{
    size_t length = 0;
    if (!c->certificate_checked)
        c->certificate_error = tls_client(s->tls, session, s->config.clock->wall_ms(s->config.clock), &c->certificate,
                                          &length);
    if (!c->certificate_checked && c->certificate)
        c->peer.certificate = VIEW(c->certificate, length);
    c->certificate_checked = true;
    if (c->certificate && arena_copy(c->x->req.arena, c->peer.certificate, &c->x->req.peer.certificate) != OK)
        c->x->early = ERR_NO_MEMORY;
}

void server_head_done(struct http_server *s, struct conn *c, void *tls_session)
{
    if (s->tls && tls_session)
        check_certificate(s, c, tls_session);
    c->x->req.wall_ms = s->config.clock->wall_ms(s->config.clock);
    c->x->req.deadline_ms = s->now_ms + s->config.limits.request_ms;
    conn_phase(&s->conns, c, CONN_REQUEST, c->x->req.deadline_ms);
}

bool server_is_last(const struct http_server *s, const struct conn *c)
{
    return c->x->close || s->winding_down || c->requests >= s->config.limits.requests_per_connection;
}

void server_suspended(struct http_server *s, struct conn *c)
{
    (void)c;
    s->stats.suspended++;
}

static void report(struct http_server *s, const struct exchange *x, bool complete)
{
    bool malformed = x->code == ERR_BAD_REQUEST || x->code == ERR_HEADER_TOO_LARGE;
    s->stats.malformed += malformed;
    if (!s->config.ended)
        return;
    struct http_ended how = {
        .status = x->queued ? x->status : 0,
        .code = x->code,
        .sent = x->queued && complete ? exchange_body(x).len : 0,
        .took_ms = s->now_ms - x->started_ms,
        .complete = complete && x->queued,
    };
    s->config.ended(s->config.context, &x->req, &how);
}

static void let_go(struct http_server *s, struct exchange *x)
{
    if (x->later && !x->finished)
        orphan(x);
    else
        exchange_give(s, x);
}

void server_ended(struct http_server *s, struct conn *c, bool complete)
{
    struct exchange *x = c->x;
    c->x = NULL;
    conn_phase(&s->conns, c, CONN_IDLE, s->now_ms + s->config.limits.idle_ms);
    if (!x)
        return;
    report(s, x, complete);
    let_go(s, x);
}

void server_closed(struct http_server *s, struct conn *c)
{
    if (c->linger && !c->shut && !s->stopping) {
        linger_add(&s->lingering, c->fd, s->now_ms);
        s->linger_at_ms = s->now_ms;
    }
    if (c->x)
        let_go(s, TAKE(c->x));
    library_forget(s, c);
    conn_remove(&s->conns, c);
}

static void resume(struct conn *c)
{
    c->suspended = false;
    c->server->stats.suspended--;
    library_resume(c);
    if (c->server->config.finished)
        c->server->config.finished(c->server->config.context);
    else
        accept_wake(c->server);
}

void http_request_finish(struct http_request *req)
{
    struct exchange *x = exchange_of(req);
    struct conn *c = x->conn;
    if (!c) {
        exchange_free(x);
        return;
    }
    if (x->status == 0)
        (void)http_answer_error(req, ERR_INTERNAL);
    x->finished = true;
    if (c->suspended)
        resume(c);
}

/* --- the sweep */

/* The handler goes on with the old exchange, unheard; a new one tells the client. What was begun may yet be done, so
 * the answer must not say that nothing was changed. */
static void give_up(struct http_server *s, struct conn *c)
{
    struct exchange *old = c->x, *x = exchange_start(s, c);
    orphan(old);
    c->x = x;
    if (x) {
        memcpy(x->req.id, old->req.id, sizeof x->req.id);
        x->req.route = old->req.route;
        x->req.method = old->req.method;
        x->req.wall_ms = old->req.wall_ms;
        x->started_ms = old->started_ms;
        x->head_done = x->close = x->finished = true;
        (void)http_answer_error(&x->req, ERR_OUTCOME_UNKNOWN);
    }
    conn_phase(&s->conns, c, CONN_SEND, s->now_ms + s->config.limits.send_ms);
    resume(c);
}

/* The library finds out through its epoll and closes. A reset instead of a farewell frees the kernel's memory at once
 * when the client does not take its answer. */
static void shut(struct http_server *s, struct conn *c)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (c->phase == CONN_SEND)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)shutdown(c->fd, SHUT_RDWR);
    c->shut = true;
    c->deadline_ms = UINT64_MAX;
    if (c->parked)
        library_unpark(s, c);
}

/* Nobody holds up the end by sending or reading slowly; what is worked on is waited for. */
static bool is_over(const struct http_server *s, const struct conn *c)
{
    return c->deadline_ms <= s->now_ms || (s->draining && s->drain_by_ms <= s->now_ms && !c->suspended && !c->shut);
}

static void sweep(struct http_server *s)
{
    uint64_t next = s->draining && s->now_ms < s->drain_by_ms ? s->drain_by_ms : UINT64_MAX;
    for (struct conn *c = s->conns.first; c; c = c->next) {
        if (is_over(s, c)) {
            s->stats.timed_out += c->phase != CONN_IDLE;
            if (c->suspended)
                give_up(s, c);
            else
                shut(s, c);
        }
        if (c->deadline_ms < next)
            next = c->deadline_ms;
    }
    s->conns.next_ms = next;
}

static void sweep_lingering(struct http_server *s)
{
    if (s->lingering.count == 0 || s->now_ms < s->linger_at_ms)
        return;
    linger_turn(&s->lingering, s->now_ms);
    s->linger_at_ms = s->now_ms + 50;
}

void http_server_turn(struct http_server *s)
{
    s->now_ms = now_of(s);
    accept_turn(s);
    library_turn(s);
    if (s->now_ms >= s->conns.next_ms) {
        sweep(s);
        library_turn(s);
    }
    sweep_lingering(s);
    if (s->tls)
        tls_prune(s->tls, s->now_ms);
    accept_timer(s);
}

/* --- the rest of the face */

int http_server_fd(const struct http_server *s)
{
    return s->epoll;
}

RESULT http_server_reload_tls(struct http_server *s, const struct http_tls *tls, struct problem *why)
{
    if (!s->tls)
        return problem_set(why, ERR_BAD_CONFIG, "tls", "This server has no TLS listener.");
    return tls_replace(s->tls, tls, now_of(s), (uint64_t)s->config.limits.header_ms + 1000, why);
}

void http_server_wind_down(struct http_server *s)
{
    s->winding_down = true;
}

void http_server_drain(struct http_server *s)
{
    accept_stop(s);
    s->winding_down = s->draining = true;
    s->drain_by_ms = now_of(s) + DRAIN_MS;
    s->conns.next_ms = s->drain_by_ms < s->conns.next_ms ? s->drain_by_ms : s->conns.next_ms;
    for (struct conn *c = s->conns.first; c; c = c->next) {
        if (c->phase == CONN_IDLE)
            conn_phase(&s->conns, c, CONN_IDLE, 0);
        if (c->phase == CONN_HEAD && c->deadline_ms > s->now_ms + DRAIN_HEAD_MS)
            conn_phase(&s->conns, c, CONN_HEAD, s->now_ms + DRAIN_HEAD_MS);
    }
    accept_wake(s);
}

uint32_t http_server_load(const struct http_server *s)
{
    return s->conns.count;
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
    struct http_server_stats stats = s->stats;
    stats.connections = s->conns.count;
    return stats;
}
