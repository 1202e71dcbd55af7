#include "http/serve.h"

#include "http/head.h"
#include "http/target.h"

/* A body that turns out too large is read on a little, so that the client gets to see why. */
#define BODY_DRAIN (256 * 1024)

static RESULT copy_text(struct arena *arena, struct view from, struct view *ret)
{
    char *text = arena_alloc(arena, from.len + 1);
    if (!text)
        return ERR_NO_MEMORY;
    if (from.len)
        memcpy(text, from.ptr, from.len);
    *ret = VIEW(text, from.len);
    return OK;
}

static struct view put_text(char **at, struct view from)
{
    struct view v = VIEW(*at, from.len);
    if (from.len)
        memcpy(*at, from.ptr, from.len);
    *at += from.len + 1; /* what follows is zero already */
    return v;
}

/* The library's memory is reused while a request is suspended, so headers move to the arena. */
static RESULT keep_headers(struct exchange *x, struct http_pairs from)
{
    size_t room = 0;
    for (size_t i = 0; i < from.count; i++)
        room += from.items[i].name.len + 1 + from.items[i].value.len + 1;
    struct http_pair *items = arena_alloc(x->req.arena, from.count * sizeof *items + 1);
    char *texts = arena_alloc(x->req.arena, room);
    if (!items || !texts)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < from.count; i++) {
        items[i].name = put_text(&texts, from.items[i].name);
        items[i].value = put_text(&texts, head_trim(from.items[i].value));
    }
    x->req.headers = (struct http_pairs){items, from.count};
    return OK;
}

/* A query that can't be read is refused before anybody asks who sent it, unless it is none of ours. */
static RESULT read_target(struct exchange *x, const struct http_config *config, struct view method, struct target *ret,
                          struct problem *why)
{
    struct route_match m = {0};
    enum err e = target_parse(x->raw_target, config->limits.query_max, x->req.arena, ret, why);
    if (e != ERR_BAD_REQUEST || target_parse_foreign(x->raw_target, x->req.arena, ret, why) != OK ||
        router_match(config->router, http_method_of(method), ret->path, &m) != OK)
        return e;
    return m.route && m.route->flags & ROUTE_FOREIGN_QUERY ? OK : e;
}

/* A GET with a body is a way to smuggle one request in another. Its length is not in doubt by now, so it is read where
 * a row takes any method with any body, for somebody else who may know what it means; nobody of ours does. */
static RESULT check_odd_body(const struct http_config *config, struct view method, struct view path,
                             struct problem *why)
{
    struct route_match m = {0};
    if (router_match(config->router, http_method_of(method), path, &m) == OK && m.route->method == HTTP_ANY &&
        m.route->flags & ROUTE_ANY_BODY)
        return OK;
    return problem_set(why, ERR_BAD_REQUEST, "", "This method takes no body.");
}

static RESULT check_head(struct exchange *x, const struct http_config *config, const struct serve_head *in,
                         struct problem *why)
{
    struct head h = {.method = in->method,
                     .version = in->version,
                     .headers = in->headers,
                     .headers_max = config->limits.headers_max};
    struct target target;
    x->has_body = true; /* until the head says otherwise */
    if (x->early != OK)
        return problem_set(why, x->early, "", "The request target is longer than %u bytes.",
                           (unsigned)config->limits.target_max);
    if (in->size > config->limits.header_max)
        return problem_set(why, ERR_HEADER_TOO_LARGE, "", "The head is longer than %u bytes.",
                           (unsigned)config->limits.header_max);
    if (in->more_headers)
        return problem_set(why, ERR_HEADER_TOO_LARGE, "", "More than %zu headers.", in->headers.count);
    if (in->ambiguous)
        return problem_set(why, ERR_BAD_REQUEST, "",
                           "The head has bare line feeds, NUL bytes, folded lines or "
                           "stray spaces.");
    TRY(head_check(&h, why));
    x->has_body = h.has_body;
    x->announced = h.chunked ? 0 : h.body_length;
    TRY(read_target(x, config, in->method, &target, why));
    if (h.odd_body)
        TRY(check_odd_body(config, in->method, target.path, why));
    if (target.asterisk && !view_is(in->method, "OPTIONS"))
        return problem_set(why, ERR_BAD_REQUEST, "", "'*' is for OPTIONS.");
    if (keep_headers(x, in->headers) != OK)
        return problem_set(why, ERR_NO_MEMORY, "", "The head is too large.");
    x->req.target = x->raw_target;
    x->req.path = target.path;
    x->req.query = target.query;
    x->req.method = http_method_of(in->method);
    if (x->req.method == HTTP_NO_METHOD && copy_text(x->req.arena, in->method, &x->req.other_method) != OK)
        return problem_set(why, ERR_NO_MEMORY, "", "The head is too large.");
    return OK;
}

static RESULT bind_params(struct exchange *x, const struct route_match *m)
{
    struct http_pair *items = arena_alloc(x->req.arena, m->params * sizeof *items + 1);
    if (!items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < m->params; i++) {
        TRY(copy_text(x->req.arena, m->names[i], &items[i].name));
        TRY(copy_text(x->req.arena, m->values[i], &items[i].value));
    }
    x->req.params = (struct http_pairs){items, m->params};
    return OK;
}

/* A query that no row describes is refused before anybody has to wonder what it meant. */
static RESULT check_query(const struct exchange *x, const struct route *route, struct problem *why)
{
    if (route->query || route->flags & ROUTE_ANY_QUERY || x->req.query.count == 0)
        return OK;
    return problem_set(why, ERR_UNKNOWN_FIELD, "?", "This address takes no query parameters.");
}

static RESULT check_length(struct exchange *x, const struct http_config *config, const struct route *route,
                           struct problem *why)
{
    size_t limit = route->body_limit;
    if (limit == 0 && route->request)
        limit = config->limits.body_max;
    x->body_limit = limit;
    if (x->announced <= limit)
        return OK;
    return problem_set(why, ERR_BODY_TOO_LARGE, "", "At most %zu bytes are taken here.", limit);
}

static void allow_header(struct exchange *x, unsigned allowed)
{
    char text[80];
    struct writer w = writer_fixed(text, sizeof text - 1);
    for (int m = HTTP_GET; m < HTTP_ANY; m++)
        if (allowed & 1u << m)
            writer_printf(&w, "%s%s", w.len ? ", " : "", http_method_name((enum http_method)m));
    text[w.len] = 0;
    if (http_answer_header(&x->req, "Allow", text) != OK)
        x->close = true;
}

static RESULT find_route(struct exchange *x, const struct http_config *config, struct route_match *m,
                         struct problem *why)
{
    enum err e = router_match(config->router, x->req.method, x->req.path, m);
    if (m->route && m->route->flags & ROUTE_UNIX_ONLY && !x->req.peer.is_unix)
        *m = (struct route_match){0};
    if (e == OK && !m->route)
        e = ERR_NO_ROUTE;
    if (e != OK)
        return problem_set(why, e, "", "%s", "");
    x->req.route = m->route;
    if (bind_params(x, m) != OK)
        return problem_set(why, ERR_NO_MEMORY, "", "The path is too large.");
    TRY(check_query(x, m->route, why));
    return check_length(x, config, m->route, why);
}

static void not_found(struct exchange *x, const struct route_match *m, const struct problem *why)
{
    bool options = x->req.method == HTTP_OPTIONS && (m->allowed || view_is(x->req.path, "*"));
    if (m->allowed && !x->req.route)
        allow_header(x, m->allowed);
    if (options && !x->req.route)
        (void)http_answer_empty(&x->req, 204);
    else
        (void)http_answer_problem(&x->req, why);
}

static void refuse_head(struct exchange *x, const struct http_config *config, struct http_pairs sent,
                        const struct problem *why)
{
    x->close = true;
    x->req.target = x->raw_target;
    x->req.headers = sent;
    if (config->refused)
        config->refused(&x->req, why);
    x->req.target = VIEW(NULL, 0);
    x->req.headers = (struct http_pairs){0};
    (void)http_answer_problem(&x->req, why);
}

void serve_head(struct exchange *x, const struct http_config *config, const struct serve_head *in)
{
    struct problem why = {0};
    struct route_match match = {0};
    x->head_done = true;
    if (check_head(x, config, in, &why) != OK) {
        refuse_head(x, config, in->headers, &why);
        return;
    }
    if (in->certificate != OK) {
        x->close = true;
        (void)http_answer_error(&x->req, in->certificate);
        return;
    }
    enum err found = find_route(x, config, &match, &why);
    if (config->admit && config->admit(&x->req) != HTTP_CONTINUE) {
        if (x->status == 0)
            (void)http_answer_error(&x->req, ERR_INTERNAL);
        return;
    }
    if (found != OK)
        not_found(x, &match, &why);
    else
        x->body = writer_new(x->body_limit);
}

bool serve_body(struct exchange *x, const void *bytes, size_t n)
{
    x->body_seen += n;
    if (x->body_seen <= x->body_limit) {
        writer_bytes(&x->body, bytes, n);
        return true;
    }
    x->close = true;
    writer_free(&x->body);
    return x->body_seen <= x->body_limit + BODY_DRAIN;
}

enum http_outcome serve_request(struct exchange *x, const struct http_config *config)
{
    if (x->body_seen > x->body_limit)
        return http_answer_error(&x->req, ERR_BODY_TOO_LARGE);
    if (writer_done(&x->body) != OK)
        return http_answer_error(&x->req, ERR_NO_MEMORY);
    x->req.body = writer_view_of(&x->body);
    x->in_handler = true;
    enum http_outcome outcome = config->handle ? config->handle(&x->req) : x->req.route->handler(&x->req);
    x->in_handler = false;
    if (outcome == HTTP_LATER && !x->finished)
        return HTTP_LATER;
    if (x->status == 0)
        return http_answer_error(&x->req, ERR_INTERNAL);
    return HTTP_ANSWER;
}
