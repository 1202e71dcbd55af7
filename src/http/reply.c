#include "http/reply.h"

#include <microhttpd.h>

struct fixed_header {
    const char *name, *value;
    enum { WITH_CONTENT, ON_TLS, UNLESS_OWN_CACHE, ON_PAGE, OFF_PAGE } when;
};

/* What tells a browser how to treat content comes with content. */
static const struct fixed_header FIXED[] = {
    {"X-Content-Type-Options", "nosniff", WITH_CONTENT},
    {"Referrer-Policy", "no-referrer", WITH_CONTENT},
    {"Cross-Origin-Resource-Policy", "same-origin", WITH_CONTENT},
    {"Cache-Control", "no-store", UNLESS_OWN_CACHE},
    {"Strict-Transport-Security", "max-age=63072000", ON_TLS},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox", OFF_PAGE},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src "
     "'self'; "
     "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
     ON_PAGE},
    {"X-Frame-Options", "DENY", ON_PAGE},
};

static bool applies(const struct fixed_header *h, const struct exchange *x)
{
    bool content = x->content_type != NULL;
    bool page = x->req.route && x->req.route->flags & ROUTE_PAGE && x->code == OK;
    switch (h->when) {
    case ON_TLS:
        return content && x->req.peer.is_tls;
    case UNLESS_OWN_CACHE:
        return !x->own_cache_control;
    case ON_PAGE:
        return page;
    case OFF_PAGE:
        return content && !page;
    case WITH_CONTENT:
        return content;
    }
    return true;
}

/* Ours, but where a protocol has the client name its requests. The record keeps ours. */
static const char *request_id(const struct http_request *req)
{
    struct view theirs;
    bool echoes = req->route && (req->route->flags & ROUTE_ECHO_ID);

    if (echoes && http_header(req, "X-Request-ID", &theirs) && theirs.len > 0 && theirs.len <= 128)
        return (const char *)theirs.ptr; /* a header's value, so without controls; NUL-terminated */
    return req->id;
}

/* --- all headers of one answer */

struct header {
    const char *name, *value;
    bool there; /* in the library's list already */
};

struct headers {
    struct header items[ARRAY_LEN(FIXED) + ANSWER_HEADERS_MAX + 3];
    size_t count;
};

/* The library refuses an empty value; white space around a value is none of it (RFC 9110 §5.5), so a space is empty. */
static void want(struct headers *all, const char *name, const char *value)
{
    all->items[all->count++] = (struct header){name, value[0] ? value : " ", false};
}

static void collect(const struct exchange *x, bool last, struct headers *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(FIXED); i++)
        if (applies(&FIXED[i], x))
            want(ret, FIXED[i].name, FIXED[i].value);
    for (size_t i = 0; i < x->header_count; i++)
        want(ret, x->headers[i].name, x->headers[i].value);
    if (x->content_type)
        want(ret, "Content-Type", x->content_type);
    if (x->req.id[0])
        want(ret, "X-Request-Id", request_id(&x->req));
    if (last)
        want(ret, "Connection", "close");
}

/* --- the library's list of them. It makes three allocations for each header, and an application's proxy is told nearly
 * the same again and again: so the response to it is kept, and only what is new in it is made anew. */

struct listed {
    struct headers *wanted;
    struct {
        const char *name, *value;
    } stale[ARRAY_LEN(((struct headers *)0)->items)]; /* where the library keeps them */
    size_t count, at; /* at: the wanted one behind that which was found last, since most stand in the same order */
};

static enum MHD_Result compare(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct listed *l = cls;
    (void)kind;
    for (size_t n = 0; n < l->wanted->count; n++, l->at++) {
        if (l->at >= l->wanted->count)
            l->at = 0;
        struct header *h = &l->wanted->items[l->at];
        if (h->there || strcmp(h->name, name) != 0 || strcmp(h->value, value) != 0)
            continue;
        h->there = true;
        l->at++;
        return MHD_YES;
    }
    l->stale[l->count].name = name;
    l->stale[l->count++].value = value;
    return MHD_YES;
}

static void put_headers(struct MHD_Response *r, struct headers *wanted)
{
    struct listed l __attribute__((uninitialized));
    l.wanted = wanted;
    l.count = l.at = 0;
    (void)MHD_get_response_headers(r, compare, &l);
    for (size_t i = 0; i < l.count; i++)
        (void)MHD_del_response_header(r, l.stale[i].name, l.stale[i].value);
    for (size_t i = 0; i < wanted->count; i++)
        if (!wanted->items[i].there)
            (void)MHD_add_response_header(r, wanted->items[i].name, wanted->items[i].value);
}

/* Of a plain 200 without content, as a proxy gets. What sets cookies or leads elsewhere, and so may be secret, has
 * another status. */
static bool is_kept(const struct exchange *x, bool last)
{
    return x->status == 200 && !x->content_type && !last;
}

struct MHD_Response *reply_take(struct exchange *x, bool last)
{
    struct headers wanted __attribute__((uninitialized));
    struct view body = exchange_body(x);
    bool kept = is_kept(x, last);
    struct MHD_Response *r = kept ? TAKE(x->kept) : NULL;
    if (!r)
        r = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_PERSISTENT);
    if (!r)
        return NULL;
    wanted.count = 0;
    collect(x, last, &wanted);
    put_headers(r, &wanted);
    if (kept)
        x->kept = r;
    return r;
}

void reply_give(struct exchange *x, struct MHD_Response *r)
{
    if (r != x->kept)
        MHD_destroy_response(r);
}

void reply_drop(struct exchange *x)
{
    if (x->kept)
        MHD_destroy_response(x->kept);
    x->kept = NULL;
}
