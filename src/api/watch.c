#include "api/watch.h"

#include "api/people.h"
#include "api/routes.h"
#include "base/fields.h"
#include "domain/guard/heavy.h"
#include "domain/guard/ring.h"

#include <stdio.h>
#include <stdlib.h>

#define TOP_MAX      100
#define TOP_USUAL    20
#define LIVE_AT_ONCE 500

enum heavy_of { ADDRESSES, ADDRESSES_REFUSED, IDENTITIES, IDENTITIES_REFUSED, HEAVIES };

struct watch {
    struct ring *ring;
    size_t threads;
    struct heavy *of[CONFIG_FRONT_THREADS_MAX][HEAVIES];
};

RESULT watch_new(const struct random *random, size_t threads, struct watch **ret)
{
    AUTO(watch_free) struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    w->threads = threads;
    TRY(ring_new(&w->ring));
    for (size_t i = 0; i < threads; i++)
        for (size_t k = 0; k < HEAVIES; k++)
            TRY(heavy_new(random, &w->of[i][k]));
    *ret = TAKE(w);
    return OK;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->threads; i++)
        for (size_t k = 0; k < HEAVIES; k++)
            heavy_free(w->of[i][k]);
    ring_free(w->ring);
    free(w);
}

/* --- what is seen */

static void write_client(struct view key, char out[static HEAVY_NAME_MAX + 1])
{
    struct prefix p;
    _Static_assert(PREFIX_TEXT_SIZE <= HEAVY_NAME_MAX, "a network's text is a name");
    memcpy(&p, key.ptr, sizeof p);
    prefix_format(&p, out);
}

static void write_text(struct view key, char out[static HEAVY_NAME_MAX + 1])
{
    size_t n = key.len < HEAVY_NAME_MAX ? key.len : HEAVY_NAME_MAX;
    memcpy(out, key.ptr, n);
    out[n] = '\0';
}

static void count(const struct api_thread *t, const struct http_request *req, bool refused, uint64_t now_ms)
{
    struct heavy *const *of = t->shared->watch->of[t->number];
    const struct view actor = api_caller_of(req)->actor;
    const struct heavy_name who = {actor, write_text};
    struct address from;
    memcpy(from.b, req->peer.address, sizeof from.b);
    const struct prefix client = rates_client(&from);
    const struct heavy_name where = {VIEW((const uint8_t *)&client, sizeof client), write_client};
    if (!req->peer.is_unix)
        heavy_count(of[ADDRESSES], &where, now_ms);
    if (!req->peer.is_unix && refused)
        heavy_count(of[ADDRESSES_REFUSED], &where, now_ms);
    if (actor.len)
        heavy_count(of[IDENTITIES], &who, now_ms);
    if (actor.len && refused)
        heavy_count(of[IDENTITIES_REFUSED], &who, now_ms);
}

/* Of a text its beginning, in whole characters. */
static void put_text(struct view text, char *out, size_t size)
{
    size_t n = text.len < size - 1 ? text.len : size - 1;
    while (n > 0 && n < text.len && (text.ptr[n] & 0xc0) == 0x80)
        n--;
    if (n)
        memcpy(out, text.ptr, n);
    out[n] = '\0';
}

static void show(const struct api_thread *t, const struct http_request *req, enum err code)
{
    struct ring_decision d = {.wall_ms = req->wall_ms, .code = code};
    put_text(http_request_method(req), d.method, sizeof d.method);
    put_text(view_str(req->peer.text), d.address, sizeof d.address);
    put_text(api_caller_of(req)->actor, d.identity, sizeof d.identity);
    put_text(req->path, d.path, sizeof d.path);
    ring_put(t->shared->watch->ring, &d);
}

/* Verdicts and tries to sign in. */
static bool is_decision(const struct route *r)
{
    return r && (r->event == EVENT_REQUEST_ALLOWED || r->rate != ATTEMPTS_NONE);
}

void watch_saw(struct api_thread *t, const struct http_request *req, const struct http_ended *how)
{
    if (!is_decision(req->route) || !t->shared->watch || how->status == 0)
        return;
    uint64_t now_ms = t->shared->clock->mono_ms(t->shared->clock);
    bool refused = how->status >= 400;
    count(t, req, refused, now_ms);
    if (ring_is_watched(t->shared->watch->ring, now_ms))
        show(t, req, how->code);
}

/* --- top */

struct top {
    struct view who;
    uint64_t requests, refused;
};
static const struct field top_fields[] = {
    FIELD(1, struct top, who, TEXT, HEAVY_NAME_MAX, .flags = FIELD_PRINT_ZERO,
          .doc = "An IPv4 address, a /64 of IPv6, or an identity such as user:alice or key:ID."),
    FIELD(2, struct top, refused, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Of its requests, in the last minutes."),
    FIELD(3, struct top, requests, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "In the last five to ten minutes."),
};
static const struct entity top_entity = ENTITY("GuardTop", 0x07ca, 1, struct top, top_fields);
struct top_page {
    struct entity_list top;
};
static const struct field page_fields[] = {
    FIELD(1, struct top_page, top, LIST, TOP_MAX, .flags = FIELD_PRINT_ZERO, .nested = &top_entity,
          .doc = "Those that were refused most first, then those with most requests."),
};
static const struct entity page_entity = ENTITY("GuardTopList", 0x07cb, 1, struct top_page, page_fields);

struct top_query {
    uint32_t limit;
};
static const struct field top_query_fields[] = {
    FIELD(1, struct top_query, limit, U32, TOP_MAX, .min = 1, .doc = "20, if nothing is said."),
};
static const struct entity top_query_entity = ENTITY("GuardTopQuery", 0x07cc, 1, struct top_query, top_query_fields);

struct gathering {
    struct arena *arena;
    struct heavy_seen *seen; /* room for one table */
    struct top *all;
    size_t count;
};

static RESULT gather(struct gathering *g, const struct heavy *h, bool refused)
{
    size_t n = heavy_read(h, g->seen);
    for (size_t i = 0; i < n; i++) {
        struct top *t = &g->all[g->count++];
        *t = (struct top){.requests = refused ? 0 : g->seen[i].count, .refused = refused ? g->seen[i].count : 0};
        TRY(arena_copy(g->arena, view_str(g->seen[i].name), &t->who));
    }
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return view_cmp(((const struct top *)a)->who, ((const struct top *)b)->who);
}

static int by_refusals(const void *x, const void *y)
{
    const struct top *a = x, *b = y;
    if (a->refused != b->refused)
        return a->refused < b->refused ? 1 : -1;
    return a->requests == b->requests ? view_cmp(a->who, b->who) : a->requests < b->requests ? 1 : -1;
}

/* Each of them once. Who is refused is in one table, and may have lost his place in the other. */
static void join(struct gathering *g)
{
    size_t n = 0;
    qsort(g->all, g->count, sizeof *g->all, by_name);
    for (size_t i = 0; i < g->count; i++) {
        if (n > 0 && view_eq(g->all[n - 1].who, g->all[i].who)) {
            g->all[n - 1].requests += g->all[i].requests;
            g->all[n - 1].refused += g->all[i].refused;
        } else {
            g->all[n++] = g->all[i];
        }
    }
    for (size_t i = 0; i < n; i++)
        if (g->all[i].requests < g->all[i].refused)
            g->all[i].requests = g->all[i].refused;
    g->count = n;
    qsort(g->all, g->count, sizeof *g->all, by_refusals);
}

static RESULT gather_all(const struct watch *w, struct gathering *g)
{
    g->seen = arena_alloc(g->arena, HEAVY_PLACES * sizeof *g->seen);
    g->all = arena_alloc(g->arena, w->threads * HEAVIES * HEAVY_PLACES * sizeof *g->all);
    if (!g->seen || !g->all)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < w->threads; i++)
        for (size_t k = 0; k < HEAVIES; k++)
            TRY(gather(g, w->of[i][k], k == ADDRESSES_REFUSED || k == IDENTITIES_REFUSED));
    join(g);
    return OK;
}

static enum http_outcome top_get(struct http_request *req)
{
    struct gathering g = {.arena = req->arena};
    struct top_query q = {0};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = gather_all(api_of(req)->shared->watch, &g);
    size_t most = q.limit ? q.limit : TOP_USUAL;
    const struct top_page page = {{g.all, g.count < most ? g.count : most}};
    return e == OK ? http_answer_entity(req, 200, &page_entity, &page) : http_answer_error(req, e);
}

/* --- live */

struct decision {
    uint64_t time_ms;
    struct view verdict, method, path, address, identity;
};
static const struct field decision_fields[] = {
    FIELD_AS(1, struct decision, time_ms, "time", TIME, 0),
    FIELD(2, struct decision, verdict, TEXT, 64, .doc = "allowed, or the code of the refusal."),
    FIELD(3, struct decision, address, TEXT, 64, .doc = "Of the client."),
    FIELD(4, struct decision, identity, TEXT, 128, .doc = "Absent for nobody."),
    FIELD(5, struct decision, method, TEXT, 16),
    FIELD(6, struct decision, path, TEXT, 256, .doc = "Its first 127 bytes."),
};
static const struct entity decision_entity = ENTITY("GuardDecision", 0x07cd, 1, struct decision, decision_fields);
struct live {
    struct entity_list decisions;
    uint64_t next, lost;
    bool more;
};
static const struct field live_fields[] = {
    FIELD(1, struct live, decisions, LIST, LIVE_AT_ONCE, .flags = FIELD_PRINT_ZERO, .nested = &decision_entity),
    FIELD(2, struct live, next, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "What to ask for with `after` next."),
    FIELD(3, struct live, lost, U64, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Decisions that were made since, and are not kept any more."),
    FIELD(4, struct live, more, BOOL, 0, .doc = "There may be more at once."),
};
static const struct entity live_entity = ENTITY("GuardLive", 0x07ce, 1, struct live, live_fields);

static bool is_network(struct view text)
{
    struct prefix p;
    return prefix_parse(text, &p, NULL) == OK;
}

enum live_outcome { OUTCOME_ANY, OUTCOME_ALLOWED, OUTCOME_NOT_ALLOWED };
static const char *const outcomes[] = {"any", "allowed", "refused", NULL};
struct live_query {
    uint64_t after;
    uint8_t outcome; /* enum live_outcome */
    struct view network, identity;
    struct prefix prefix; /* of network */
};
static const struct field live_query_fields[] = {
    FIELD(1, struct live_query, after, U64, 0, .doc = "What `next` was; left out, from now on."),
    FIELD(2, struct live_query, outcome, ENUM, 0, .names = outcomes),
    FIELD(3, struct live_query, network, TEXT, PREFIX_TEXT_SIZE - 1, .check = is_network,
          .rule = "an address, or a network such as 192.0.2.0/24 or 2001:db8::/32", .doc = "Of clients."),
    FIELD(4, struct live_query, identity, TEXT, 128, .doc = "Such as user:alice or key:ID."),
};
static const struct entity live_query_entity = ENTITY("GuardLiveQuery", 0x07cf, 1, struct live_query,
                                                      live_query_fields);

static bool is_wanted(const struct live_query *q, const struct ring_decision *d)
{
    struct address a;
    if (q->outcome != OUTCOME_ANY && (d->code == OK) != (q->outcome == OUTCOME_ALLOWED))
        return false;
    if (q->identity.len && !view_is(q->identity, d->identity))
        return false;
    return q->network.len == 0 || (address_parse(view_str(d->address), &a) == OK && prefix_holds(&q->prefix, &a));
}

static RESULT look(struct http_request *req, const struct live_query *q, struct live *ret)
{
    const struct api_shared *s = api_of(req)->shared;
    struct ring_decision *seen = arena_alloc(req->arena, LIVE_AT_ONCE * sizeof *seen);
    struct decision *out = arena_alloc(req->arena, LIVE_AT_ONCE * sizeof *out);
    size_t n = 0;
    if (!seen || !out)
        return ERR_NO_MEMORY;
    size_t count = ring_read(s->watch->ring, q->after, s->clock->mono_ms(s->clock), seen, LIVE_AT_ONCE, &ret->next,
                             &ret->lost);
    for (size_t i = 0; i < count; i++)
        if (is_wanted(q, &seen[i]))
            out[n++] = (struct decision){.time_ms = seen[i].wall_ms,
                                         .verdict = view_str(seen[i].code == OK ? "allowed" : err_code(seen[i].code)),
                                         .method = view_str(seen[i].method),
                                         .path = view_str(seen[i].path),
                                         .address = view_str(seen[i].address),
                                         .identity = view_str(seen[i].identity)};
    ret->decisions = (struct entity_list){out, n};
    ret->more = count == LIVE_AT_ONCE;
    return OK;
}

static enum http_outcome live_get(struct http_request *req)
{
    struct live_query q = {0};
    struct live live = {0};
    struct problem why = {0};
    if (http_request_query(req, &q, &why) != OK || (q.network.len && prefix_parse(q.network, &q.prefix, &why) != OK))
        return http_answer_problem(req, &why);
    enum err e = look(req, &q, &live);
    return e == OK ? http_answer_entity(req, 200, &live_entity, &live) : http_answer_error(req, e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/guard/top", PERMISSION_AUDIT_VIEW, top_get, .name = "guard-top",
          .summary = "Addresses and identities that were refused most, or asked most, in the last minutes",
          .tag = "guard", .ways = WAYS_ALL, .durability = DURABLE_NONE, .query = &top_query_entity,
          .response = &page_entity),
    ROUTE(HTTP_GET, "/api/v1/guard/live", PERMISSION_AUDIT_VIEW, live_get, .name = "guard-live",
          .summary = "Verdicts and log-ins as they are decided: ask again and again, with `next` as `after`",
          .tag = "guard", .ways = WAYS_ALL, .durability = DURABLE_NONE, .query = &live_query_entity,
          .response = &live_entity),
};
const struct route_table watch_routes = {routes, ARRAY_LEN(routes)};
