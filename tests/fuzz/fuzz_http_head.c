/* What a stranger's request head goes through: the header scan, the target with its query, and the route look-up. The
 * input is method, target, version and header lines, separated by line feeds. */
#include "http/head.h"
#include "http/route.h"
#include "http/target.h"

#include "base/text.h"

static enum http_outcome nothing(struct http_request *req)
{
    return http_answer_empty(req, 204);
}

static const struct route ROUTES[] = {
    ROUTE(HTTP_GET, "/", 1, nothing, .name = "root"),
    ROUTE(HTTP_GET, "/api/v1/secrets", 1, nothing, .name = "list"),
    ROUTE(HTTP_GET, "/api/v1/secrets/{path...}", 1, nothing, .name = "get"),
    ROUTE(HTTP_POST, "/api/v1/secrets/rotate", 1, nothing, .name = "rotate"),
    ROUTE(HTTP_GET, "/api/{version}/keys/{id}", 1, nothing, .name = "key"),
    ROUTE(HTTP_DELETE, "/{a}/{b}/{c}/{d}", 1, nothing, .name = "four"),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view next_line(struct view *left)
{
    const uint8_t *end = left->len ? memchr(left->ptr, '\n', left->len) : NULL;
    struct view line = VIEW(left->ptr, end ? (size_t)(end - left->ptr) : left->len);
    *left = end ? VIEW(end + 1, left->len - line.len - 1) : VIEW("", 0);
    return line;
}

static void check_path(const struct router *router, struct view method, const struct target *t)
{
    struct route_match m;
    if (!text_printable(t->path) || (t->path.ptr[0] != '/' && !t->asterisk))
        abort();
    if (memmem(t->path.ptr, t->path.len, "/../", 4) || memmem(t->path.ptr, t->path.len, "//", 2))
        abort();
    if (router_match(router, http_method_of(method), t->path, &m) != OK)
        return;
    for (size_t i = 0; i < m.params; i++)
        if (m.values[i].len == 0 || m.values[i].ptr < t->path.ptr ||
            m.values[i].ptr + m.values[i].len > t->path.ptr + t->path.len)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct router *router;
    struct route_table table = {ROUTES, ARRAY_LEN(ROUTES)};
    if (!router && router_new(&table, 1, &router, NULL) != OK)
        abort();
    struct view left = VIEW(data, size);
    struct head h = {.headers_max = 30};
    struct http_pair pairs[40];
    size_t n = 0;
    h.method = next_line(&left);
    struct view target = next_line(&left);
    h.version = next_line(&left);
    while (left.len && n < ARRAY_LEN(pairs)) {
        struct view line = next_line(&left);
        const uint8_t *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
        size_t name = colon ? (size_t)(colon - line.ptr) : line.len;
        pairs[n++] = (struct http_pair){VIEW(line.ptr, name),
                                        colon ? VIEW(colon + 1, line.len - name - 1) : VIEW("", 0)};
    }
    h.headers = (struct http_pairs){pairs, n};
    struct problem why = {0};
    if (head_check(&h, &why) == OK && h.chunked && h.body_length)
        abort();
    struct arena *arena = NULL;
    if (arena_new(4096, 1 << 20, &arena) != OK)
        return 0;
    struct target t = {0};
    struct target alone = {0};
    bool whole = target_parse(target, 64, arena, &t, &why) == OK;
    if (whole)
        check_path(router, h.method, &t);
    /* Whoever reads the path alone reads the same, and no less. */
    if (target_parse_foreign(target, arena, &alone, &why) != OK ? whole : whole && !view_eq(alone.path, t.path))
        abort();
    arena_free(arena);
    return 0;
}
