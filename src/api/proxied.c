#include "api/proxied.h"

#include "api/cookie.h"
#include "base/network.h"
#include "domain/guard/forwarded.h"
#include "http/head.h"
#include "http/target.h"

#include <stdio.h>

/* What proxies say in headers. */
enum heard_of {
    NOT_HEARD, /* said in another way */
    ORIGINAL_METHOD,
    ORIGINAL_URI,
    ORIGINAL_URL,
    REAL_IP,
    FORWARDED_METHOD,
    FORWARDED_URI,
    FORWARDED_ADDRESSES,
    FORWARDED_PROTO,
    HEARD_OF
};
static const struct view header_names[HEARD_OF] = {
    [ORIGINAL_METHOD] = VIEW_STR("X-Original-Method"),   [ORIGINAL_URI] = VIEW_STR("X-Original-URI"),
    [ORIGINAL_URL] = VIEW_STR("X-Original-URL"),         [REAL_IP] = VIEW_STR("X-Real-IP"),
    [FORWARDED_METHOD] = VIEW_STR("X-Forwarded-Method"), [FORWARDED_URI] = VIEW_STR("X-Forwarded-Uri"),
    [FORWARDED_ADDRESSES] = VIEW_STR("X-Forwarded-For"), [FORWARDED_PROTO] = VIEW_STR("X-Forwarded-Proto"),
};

struct dialect {
    enum heard_of method, uri, address;
    enum forwarded_header header;
    bool few_statuses;
};
static const struct dialect dialects[] = {
    {ORIGINAL_METHOD, ORIGINAL_URI, REAL_IP, FORWARDED_REAL_IP, true},
    {FORWARDED_METHOD, FORWARDED_URI, FORWARDED_ADDRESSES, FORWARDED_FOR, false},
};
static const struct dialect by_kind[] = {
    [PROXIED_FORWARD_AUTH] = {FORWARDED_METHOD, FORWARDED_URI, FORWARDED_ADDRESSES, FORWARDED_FOR, false},
    [PROXIED_AUTH_REQUEST] = {ORIGINAL_METHOD, ORIGINAL_URL, FORWARDED_ADDRESSES, FORWARDED_FOR, true},
    [PROXIED_EXT_AUTHZ] = {NOT_HEARD, NOT_HEARD, FORWARDED_ADDRESSES, FORWARDED_FOR, false},
};

struct said {
    struct view method, uri;
    bool tls; /* the URI says so itself */
};

/* --- what was said */

/* How often each of them is there, and what it says first: twice, one of them could be the client's own. */
struct heard {
    unsigned times[HEARD_OF];
    struct view first[HEARD_OF];
};

static enum heard_of heard_of(struct view name)
{
    if (name.len < 2 || (name.ptr[0] | 0x20) != 'x' || name.ptr[1] != '-')
        return NOT_HEARD;
    for (enum heard_of i = NOT_HEARD + 1; i < HEARD_OF; i++)
        if (head_name_is(name, header_names[i]))
            return i;
    return NOT_HEARD;
}

static void hear(const struct http_request *req, struct heard *ret)
{
    *ret = (struct heard){0};
    for (size_t i = 0; i < req->headers.count; i++) {
        enum heard_of n = heard_of(req->headers.items[i].name);
        if (ret->times[n]++ == 0)
            ret->first[n] = req->headers.items[i].value;
    }
}

/* Of both dialects at once, one part could be the client's own as well. */
static RESULT find_dialect(const struct heard *heard, const struct dialect **ret, struct problem *why)
{
    const struct dialect *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        const struct dialect *d = &dialects[i];
        if (heard->times[d->method] + heard->times[d->uri] == 0)
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

static RESULT need(const struct heard *heard, enum heard_of what, struct view *ret, struct problem *why)
{
    *ret = heard->first[what];
    if (heard->times[what] == 1 && ret->len)
        return OK;
    return problem_set(why, ERR_REQUEST_UNNAMED, "", "the proxy must say %s, and once",
                       (const char *)header_names[what].ptr);
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

static RESULT listen_to(const struct http_request *req, const struct heard *heard, const struct dialect *d,
                        struct said *ret, struct problem *why)
{
    const struct proxied_way *way = req->route->extra;
    if (way && way->kind == PROXIED_EXT_AUTHZ)
        return cut_prefix(req, way->prefix, ret, why);
    TRY(need(heard, d->method, &ret->method, why));
    TRY(need(heard, d->uri, &ret->uri, why));
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

/* All lines of what was heard more than once, in their order. */
static RESULT lines_of(const struct http_request *req, enum heard_of what, size_t times, const struct view **ret)
{
    struct view *lines = arena_alloc(req->arena, times * sizeof *lines);
    size_t n = 0;
    if (!lines)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < req->headers.count; i++)
        if (head_name_is(req->headers.items[i].name, header_names[what]))
            lines[n++] = req->headers.items[i].value;
    *ret = lines;
    return OK;
}

static RESULT read_client(const struct http_request *req, const struct guard *guard, const struct heard *heard,
                          const struct dialect *d, struct address *ret, struct problem *why)
{
    struct asked asked = {.guard = guard};
    struct forwarded_ask ask = {.header = d->header,
                                .lines = &heard->first[d->address],
                                .count = heard->times[d->address],
                                .is_proxy = is_proxy,
                                .context = &asked};
    if (ask.count > 1)
        TRY(lines_of(req, d->address, ask.count, &ask.lines));
    memcpy(asked.peer.b, req->peer.address, sizeof asked.peer.b);
    ask.peer = asked.peer;
    return forwarded_client(&ask, ret, why);
}

static RESULT read_peer(const struct http_request *req, const struct guard *guard, const struct heard *heard,
                        const struct dialect *d, struct http_peer *ret, struct problem *why)
{
    struct address client;
    TRY(read_client(req, guard, heard, d, &client, why));
    *ret = (struct http_peer){.uid = (uid_t)-1, .gid = (gid_t)-1, .pid = -1};
    memcpy(ret->address, client.b, sizeof ret->address);
    address_format(&client, ret->text);
    ret->is_tls = heard->times[FORWARDED_PROTO] == 1 && view_is(heard->first[FORWARDED_PROTO], "https");
    return OK;
}

RESULT proxied_path(struct view uri, struct arena *arena, struct view *ret, struct problem *why)
{
    struct target t = {0};
    struct problem found;
    enum err e = target_parse_foreign(uri, arena, &t, &found);
    if (e == ERR_NO_MEMORY)
        return e;
    if (e != OK || t.asterisk)
        return problem_set(why, ERR_PATH_AMBIGUOUS, "", "%s", t.asterisk ? "'*' is no path." : found.detail);
    if (memchr(t.path.ptr, ';', t.path.len) || memchr(t.path.ptr, '%', t.path.len))
        return problem_set(why, ERR_PATH_AMBIGUOUS, "", "%s",
                           "some applications cut a segment off at ';', and some decode a '%' once more");
    *ret = t.path;
    return OK;
}

RESULT proxied_read(struct http_request *req, const struct guard *guard, struct proxied *ret, struct problem *why)
{
    const struct proxied_way *way = req->route->extra;
    const struct dialect *d = way ? &by_kind[way->kind] : &dialects[0];
    struct heard heard;
    struct said said = {0};
    *ret = (struct proxied){0};
    hear(req, &heard);
    if (!way)
        TRY(find_dialect(&heard, &d, why));
    else if (way->kind == PROXIED_EXT_AUTHZ)
        TRY(take_away(req));
    ret->few_statuses = d->few_statuses;
    TRY(listen_to(req, &heard, d, &said, why));
    if (!is_method(said.method))
        return problem_set(why, ERR_REQUEST_UNNAMED, "", "%s is no method",
                           d->method == NOT_HEARD ? "what was asked" : (const char *)header_names[d->method].ptr);
    ret->method = said.method;
    TRY(read_peer(req, guard, &heard, d, &ret->peer, why));
    ret->peer.is_tls |= said.tls;
    TRY(proxied_path(said.uri, req->arena, &ret->path, why));
    ret->target = said.uri;
    return OK;
}

void proxied_stand_for(struct http_request *req, const struct proxied *p)
{
    req->method = http_method_of(p->method);
    req->other_method = p->method;
    req->path = p->path;
    req->peer = p->peer;
}

static bool asks_for_verdict(const struct http_request *req)
{
    static const char *const verdicts[] = {"/api/v1/guard/verdict", "/api/v1/guard/envoy/", "/api/authz/"};
    bool asks = false;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
        asks |= view_starts(req->target, verdicts[i]);
    return asks;
}

void proxied_refused(struct http_request *req, const struct problem *why)
{
    struct heard heard;
    if (!asks_for_verdict(req))
        return;
    hear(req, &heard);
    if (heard.times[dialects[0].method]) /* one that says it so hands on 401 and 403 alone */
        http_answer_few_statuses(req);
    (void)!http_answer_header(req, "X-Holdfast-Verdict", err_code(why->code));
}

void proxied_failed(struct http_request *req, enum err code)
{
    if (asks_for_verdict(req))
        (void)!http_answer_header(req, "X-Holdfast-Verdict", err_code(code));
}
