#include "signer/rest_sign.h"

#include "base/text.h"

#include <inttypes.h>

#define EXTRA_MAX          4096 /* what the signer adds to the caller's text at most */
#define PRESIGNED_DRIFT_MS 60000

RESULT sign_writer(const struct signing *s, size_t cap, struct writer *ret)
{
    void *memory = arena_alloc(s->arena, cap);
    if (!memory)
        return ERR_NO_MEMORY;
    *ret = writer_fixed(memory, cap);
    return OK;
}

RESULT sign_header(struct sign_result *ret, struct view name, struct view value)
{
    if (name.len == 0)
        return OK;
    if (ret->header_count == ARRAY_LEN(ret->headers))
        return ERR_LIMIT_REACHED;
    ret->headers[ret->header_count++] = (struct sign_header){name, value};
    return OK;
}

/* The caller's text with time and window around it, in the order in which the venue's own clients place them. */
static RESULT place_parameters(const struct signing *s, struct view text, struct view *ret)
{
    const struct venue_scheme *d = s->scheme;
    if (s->request->presigned || d->timestamp_parameter.len == 0) {
        *ret = text;
        return OK;
    }
    struct writer w;
    TRY(sign_writer(s, text.len + EXTRA_MAX, &w));
    writer_view(&w, d->timestamp_parameter);
    writer_printf(&w, "=%" PRIu64, s->request->now_ms);
    if (text.len) {
        writer_u8(&w, '&');
        writer_view(&w, text);
    }
    if (s->request->recv_window_ms && d->window_parameter.len) {
        writer_u8(&w, '&');
        writer_view(&w, d->window_parameter);
        writer_printf(&w, "=%" PRIu32, s->request->recv_window_ms);
    }
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

static RESULT place_signature(const struct signing *s, struct view text, struct view signature, struct view *ret)
{
    struct writer w;
    TRY(sign_writer(s, text.len + EXTRA_MAX, &w));
    writer_view(&w, text);
    if (text.len)
        writer_u8(&w, '&');
    writer_view(&w, s->scheme->signature_parameter);
    writer_u8(&w, '=');
    percent_put(&w, signature);
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

static RESULT join_prehash(const struct signing *s, struct view query, struct view body, struct view expiry,
                           struct view *ret)
{
    const struct view parts[] = {
        [TOKEN_PATH] = s->request->path,     [TOKEN_QUERY] = query,     [TOKEN_EXPIRY] = expiry, [TOKEN_BODY] = body,
        [TOKEN_KEY] = rest_key_name(s->key), [TOKEN_PARAMS] = {NULL, 0}};
    struct writer w;
    TRY(sign_writer(s, s->request->path.len + query.len + body.len + EXTRA_MAX, &w));
    for (size_t i = 0; i < s->scheme->token_count; i++)
        writer_view(&w, parts[s->scheme->tokens[i]]);
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

static RESULT join_url(const struct signing *s, struct view query, struct view *ret)
{
    const struct venue_host *h = venue_host_of(s->venue, s->request->host, s->request->path);
    if (!h || !view_is(h->transport, "https"))
        return problem_set(s->why, ERR_BAD_VALUE, "/host", "no declared host of this name serves this path");
    struct writer w;
    TRY(sign_writer(s, s->request->path.len + query.len + EXTRA_MAX, &w));
    writer_view(&w, h->transport);
    writer_str(&w, "://");
    writer_view(&w, h->name);
    writer_view(&w, s->request->path);
    if (query.len) {
        writer_u8(&w, '?');
        writer_view(&w, query);
    }
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

/* What somebody else dated must be of now: else it could be kept for later. */
static RESULT check_presigned(const struct signing *s)
{
    if (!s->request->presigned || s->scheme->timestamp_id == NAME_NONE)
        return OK;
    struct reading r;
    TRY(reading_new(s->arena, &r));
    TRY(params_lenient(s->venue, s->request->query.len ? s->request->query : s->request->body, s->arena, &r));
    const struct given *g = reading_find(&r, s->scheme->timestamp_id);
    struct decimal d = {0};
    if (!g || decimal_parse(g->value, &d) != OK || d.scale != 0 || d.digits < 0)
        return problem_set(s->why, ERR_MISSING_FIELD, "timestamp", "a text that holds its own time is expected");
    __int128 drift = d.digits - (__int128)s->request->now_ms;
    if (drift > PRESIGNED_DRIFT_MS || drift < -PRESIGNED_DRIFT_MS)
        return problem_set(s->why, ERR_BAD_VALUE, "timestamp", "the time is more than a minute away from now");
    return OK;
}

static RESULT expiry_text(const struct signing *s, struct view *ret)
{
    struct writer w;
    TRY(sign_writer(s, 32, &w));
    writer_printf(&w, "%" PRIu64, s->request->now_ms / 1000 + s->scheme->expiry_seconds);
    *ret = writer_view_of(&w);
    return OK;
}

static bool in_body(const struct sign_request *q)
{
    bool writes = view_is(q->method, "POST") || view_is(q->method, "PUT");
    return q->body.len || (writes && q->query.len == 0);
}

RESULT rest_sign(const struct signing *s, struct sign_result *ret)
{
    const struct venue_scheme *d = s->scheme;
    const struct sign_request *q = s->request;
    if (d->window_max && q->recv_window_ms > d->window_max)
        return problem_set(s->why, ERR_OUT_OF_RANGE, "/recv_window_ms", "the venue allows at most %u ms",
                           d->window_max);
    TRY(check_presigned(s));
    struct sign_result out = {.method = q->method};
    struct view query = q->query, body = q->body, expiry;
    struct view *holder = in_body(q) ? &body : &query;
    TRY(place_parameters(s, *holder, holder));
    TRY(expiry_text(s, &expiry));
    TRY(sign_header(&out, d->key_header, rest_key_name(s->key)));
    if (d->algorithm != ALGORITHM_NONE) {
        TRY(join_prehash(s, query, body, expiry, &out.prehash));
        TRY(rest_key_sign(s->key, out.prehash, s->arena, &out.signature));
        TRY(sign_header(&out, d->expiry_header, expiry));
        TRY(sign_header(&out, d->signature_header, out.signature));
    }
    if (d->place == PLACE_PARAMETER)
        TRY(place_signature(s, *holder, out.signature, holder));
    TRY(join_url(s, query, &out.url));
    out.body = body;
    *ret = out;
    return OK;
}
