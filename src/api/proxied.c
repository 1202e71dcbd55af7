#include "api/proxied.h"

#include "api/cookie.h"
#include "base/network.h"
#include "domain/guard/forwarded.h"
#include "http/head.h"
#include "http/target.h"

#include <stdio.h>

struct dialect {
    const char *method, *uri, *address;
    enum forwarded_header header;
    bool few_statuses;
};
static const struct dialect dialects[] = {
    {"X-Original-Method", "X-Original-URI", "X-Real-IP", FORWARDED_REAL_IP, true},
    {"X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-For", FORWARDED_FOR, false},
};
static const struct dialect by_kind[] = {
    [PROXIED_FORWARD_AUTH] = {"X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-For", FORWARDED_FOR, false},
    [PROXIED_AUTH_REQUEST] = {"X-Original-Method", "X-Original-URL", "X-Forwarded-For", FORWARDED_FOR, true},
    [PROXIED_EXT_AUTHZ] = {NULL, NULL, "X-Forwarded-For", FORWARDED_FOR, false},
};

struct said {
    struct view method, uri;
    bool tls; /* the URI says so itself */
};

/* --- what was said */

/* How often a header is there; twice, one of them could be the client's own. */
static size_t times(const struct http_request *req, const char *name)
{
    const struct view wanted = view_str(name);
    size_t n = 0;
    for (size_t i = 0; i < req->headers.count; i++)
        n += head_name_is(req->headers.items[i].name, wanted);
    return n;
}

/* Of both dialects at once, one part could be the client's own as well. */
static RESULT find_dialect(const struct http_request *req, const struct dialect **ret, struct problem *why)
{
    const struct dialect *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        const struct dialect *d = &dialects[i];
        if (times(req, d->method) + times(req, d->uri) == 0)
            continue;
        if (found)
            return problem_set(why, ERR_REQUEST_UNNAMED, "",
                               "X-Original-* and X-Forwarded-Uri or -Method are both there: the proxy must drop the "
                               "ones that it does not set itself");
        found = d;
    }
    if (!found)
        return problem_set(why, ERR_REQUEST_UNNAMED, "",
                           "the proxy must say X-Original-Method, X-Original-URI and X-Real-IP, or "
                           "X-Forwarded-Method, X-Forwarded-Uri and X-Forwarded-For");
    *ret = found;
    return OK;
}

static RESULT need(const struct http_request *req, const char *name, struct view *ret, struct problem *why)
{
    if (times(req, name) == 1 && http_header(req, name, ret) && ret->len)
        return OK;
    return problem_set(why, ERR_REQUEST_UNNAMED, "", "the proxy must say %s, and once", name);
}

/* https://desk.example/api?x=1: what stands behind the host is the target. */
static RESULT cut_url(struct said *said, struct problem *why)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!view_starts(said->uri, schemes[i]))
            continue;
        size_t n = strlen(schemes[i]);
        while (n < said->uri.len && !strchr("/?#", said->uri.ptr[n]))
            n++;
        said->uri = VIEW(said->uri.ptr + n, said->uri.len - n);
        said->tls = i == 1;
        return OK;
    }
    return problem_set(why, ERR_REQUEST_UNNAMED, "", "X-Original-URL must begin with http:// or https://");
}

static RESULT cut_prefix(const struct http_request *req, const char *prefix, struct said *ret, struct problem *why)
{
    size_t n = strlen(prefix);
    if (!view_starts(req->target, prefix))
        return problem_set(why, ERR_REQUEST_UNNAMED, "", "the path must begin with %s as it stands", prefix);
    ret->uri = VIEW(req->target.ptr + n, req->target.len - n);
    ret->method = http_request_method(req);
    return OK;
}

static RESULT listen_to(const struct http_request *req, const struct dialect *d, struct said *ret, struct problem *why)
{
    const struct proxied_way *way = req->route->extra;
    if (way && way->kind == PROXIED_EXT_AUTHZ)
        return cut_prefix(req, way->prefix, ret, why);
    TRY(need(req, d->method, &ret->method, why));
    TRY(need(req, d->uri, &ret->uri, why));
    return way && way->kind == PROXIED_AUTH_REQUEST ? cut_url(ret, why) : OK;
}

/* What Envoy takes from the request before it goes on: credentials, a session of Holdfast's among the cookies, and what
 * some applications read instead of what was judged. */
static RESULT take_away(struct http_request *req)
{
    static const char names[] = "authorization, x-api-key, x-original-url, x-original-uri, x-original-method, "
                                "x-rewrite-url, x-http-method, x-http-method-override, x-method-override, x-real-ip, "
                                "forwarded, remote_user, remote_groups, remote_name, remote_email";
    static const char cookie_too[] = "cookie, ";
    struct view cookie;
    char text[sizeof names + sizeof cookie_too];
    bool session = http_header(req, "Cookie", &cookie) &&
                   memmem(cookie.ptr, cookie.len, COOKIE_NAME, sizeof COOKIE_NAME - 1) != NULL;
    (void)snprintf(text, sizeof text, "%s%s", session ? cookie_too : "", names);
    return http_answer_header(req, "X-Envoy-Auth-Headers-To-Remove", text);
}

/* --- what it means */

static bool is_method(struct view m)
{
    for (size_t i = 0; i < m.len; i++)
        if (m.ptr[i] < 'A' || m.ptr[i] > 'Z')
            return false;
    return m.len > 0 && m.len <= 16;
}

struct asked {
    const struct guard *guard;
    struct address peer; /* of whoever asks; none over a Unix socket, where he was let in already */
};

static bool is_proxy(const void *context, const struct address *a)
{
    const struct asked *asked = context;
    struct network_source from = {0};
    memcpy(from.address, a->b, sizeof from.address);
    return address_eq(a, &asked->peer) || guard_is_proxy(asked->guard, &from);
}

/* All lines of one name, in their order. */
static RESULT lines_of(const struct http_request *req, const char *name, struct view **ret, size_t *ret_count)
{
    struct view *lines = arena_alloc(req->arena, (req->headers.count + 1) * sizeof *lines);
    const struct view wanted = view_str(name);
    size_t n = 0;
    if (!lines)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < req->headers.count; i++)
        if (head_name_is(req->headers.items[i].name, wanted))
            lines[n++] = req->headers.items[i].value;
    *ret = lines;
    *ret_count = n;
    return OK;
}

static RESULT read_client(const struct http_request *req, const struct guard *guard, const struct dialect *d,
                          struct address *ret, struct problem *why)
{
    struct asked asked = {.guard = guard};
    struct view *lines = NULL;
    size_t count = 0;
    TRY(lines_of(req, d->address, &lines, &count));
    memcpy(asked.peer.b, req->peer.address, sizeof asked.peer.b);
    const struct forwarded_ask ask = {.peer = asked.peer,
                                      .header = d->header,
                                      .lines = lines,
                                      .count = count,
                                      .is_proxy = is_proxy,
                                      .context = &asked};
    return forwarded_client(&ask, ret, why);
}

static RESULT read_peer(const struct http_request *req, const struct guard *guard, const struct dialect *d,
                        struct http_peer *ret, struct problem *why)
{
    struct http_peer p = {.uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1};
    struct view proto = {0};
    struct address client;
    TRY(read_client(req, guard, d, &client, why));
    memcpy(p.address, client.b, sizeof p.address);
    address_format(&client, p.text);
    p.is_tls = times(req, "X-Forwarded-Proto") == 1 && http_header(req, "X-Forwarded-Proto", &proto) &&
               view_is(proto, "https");
    *ret = p;
    return OK;
}

static RESULT read_path(struct http_request *req, struct view uri, struct view *ret, struct problem *why)
{
    struct target t = {0};
    struct problem found = {0};
    enum err e = target_parse_foreign(uri, req->arena, &t, &found);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e != OK || t.asterisk)
        return problem_set(why, ERR_PATH_AMBIGUOUS, "", "%s", t.asterisk ? "'*' is no path." : found.detail);
    for (size_t i = 0; i < t.path.len; i++)
        if (t.path.ptr[i] == ';' || t.path.ptr[i] == '%')
            return problem_set(why, ERR_PATH_AMBIGUOUS, "", "%s",
                               "some applications cut a segment off at ';', and some decode a '%' once more");
    *ret = t.path;
    return OK;
}

RESULT proxied_read(struct http_request *req, const struct guard *guard, struct proxied *ret, struct problem *why)
{
    const struct proxied_way *way = req->route->extra;
    const struct dialect *d = way ? &by_kind[way->kind] : &dialects[0];
    struct said said = {0};
    struct proxied p = {0};
    if (!way)
        TRY(find_dialect(req, &d, why));
    else if (way->kind == PROXIED_EXT_AUTHZ)
        TRY(take_away(req));
    p.few_statuses = d->few_statuses;
    *ret = p; /* how to answer is known, whatever comes */
    TRY(listen_to(req, d, &said, why));
    if (!is_method(said.method))
        return problem_set(why, ERR_REQUEST_UNNAMED, "", "%s is no method", d->method ? d->method : "what was asked");
    p.method = said.method;
    TRY(read_peer(req, guard, d, &p.peer, why));
    p.peer.is_tls |= said.tls;
    *ret = p; /* and so is whose request it is, also of one that is refused for its path */
    TRY(read_path(req, said.uri, &p.path, why));
    p.target = said.uri;
    *ret = p;
    return OK;
}

void proxied_stand_for(struct http_request *req, const struct proxied *p)
{
    req->method = http_method_of(p->method);
    req->other_method = p->method;
    req->path = p->path;
    req->peer = p->peer;
}

void proxied_refused(struct http_request *req, const struct problem *why)
{
    static const char *const verdicts[] = {"/api/v1/guard/verdict", "/api/v1/guard/envoy/", "/api/authz/"};
    bool asks = false;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
        asks |= view_starts(req->target, verdicts[i]);
    if (!asks)
        return;
    if (times(req, dialects[0].method)) /* one that says it so hands on 401 and 403 alone */
        http_answer_few_statuses(req);
    (void)!http_answer_header(req, "X-Holdfast-Verdict", err_code(why->code));
}
