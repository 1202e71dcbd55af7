/* WebSocket frames. The venue signs the parameters sorted by name, values as they are; the frame keeps the caller's
 * text and gets ours behind it. */
#include "signer/rest_sign.h"

#include "base/json.h"

#include <inttypes.h>

#define EXTRA_MAX 4096

struct pair {
    struct view name, value;
};

static int pair_order(const void *a, const void *b)
{
    struct view x = ((const struct pair *)a)->name, y = ((const struct pair *)b)->name;
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static RESULT number(const struct signing *s, uint64_t v, struct view *ret)
{
    struct writer w;
    TRY(sign_writer(s, 24, &w));
    writer_printf(&w, "%" PRIu64, v);
    *ret = writer_view_of(&w);
    return OK;
}

struct frame {
    struct view window, timestamp, expiry; /* texts of the numbers; window empty if not sent */
};

static RESULT sorted_prehash(const struct signing *s, const struct frame *f, struct view *ret)
{
    const struct venue_scheme *d = s->scheme;
    struct reading r;
    TRY(reading_new(s->arena, &r));
    if (s->request->params.len)
        TRY(params_json(s->venue, s->request->params, IN_FRAME, s->arena, &r, s->why));
    const struct pair ours[] = {{d->key_parameter, rest_key_name(s->key)},
                                {d->timestamp_parameter, f->timestamp},
                                {d->window_parameter, f->window}};
    struct pair pairs[PARAMS_MAX + ARRAY_LEN(ours)];
    size_t count = 0;
    for (size_t i = 0; i < r.count; i++)
        pairs[count++] = (struct pair){r.items[i].name, r.items[i].value};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (ours[i].name.len && ours[i].value.len)
            pairs[count++] = ours[i];
    qsort(pairs, count, sizeof(pairs[0]), pair_order);
    struct writer w;
    TRY(sign_writer(s, s->request->params.len + EXTRA_MAX, &w));
    for (size_t i = 0; i < count; i++) {
        if (i)
            writer_u8(&w, '&');
        writer_view(&w, pairs[i].name);
        writer_u8(&w, '=');
        writer_view(&w, pairs[i].value);
    }
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

static RESULT plain_prehash(const struct signing *s, const struct frame *f, struct view *ret)
{
    struct writer w;
    TRY(sign_writer(s, EXTRA_MAX, &w));
    for (size_t i = 0; i < s->scheme->token_count; i++)
        writer_view(&w, s->scheme->tokens[i] == TOKEN_KEY ? rest_key_name(s->key) : f->expiry);
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

/* The members of the caller's object, without its braces and the space around them. */
static struct view members_of(struct view json)
{
    const uint8_t *open = json.len ? memchr(json.ptr, '{', json.len) : NULL;
    const uint8_t *close = json.len ? memrchr(json.ptr, '}', json.len) : NULL;
    if (!open || !close)
        return VIEW(NULL, 0);
    struct view v = VIEW(open + 1, (size_t)(close - open) - 1);
    while (v.len && strchr(" \t\r\n", v.ptr[0]))
        v = VIEW(v.ptr + 1, v.len - 1);
    while (v.len && strchr(" \t\r\n", v.ptr[v.len - 1]))
        v.len--;
    return v;
}

static void put_member(struct writer *w, bool *first, struct view name, struct view value, bool text)
{
    if (name.len == 0 || value.len == 0)
        return;
    if (!*first)
        writer_u8(w, ',');
    *first = false;
    json_put_text(w, name);
    writer_u8(w, ':');
    if (text)
        json_put_text(w, value);
    else
        writer_view(w, value);
}

static void put_object(const struct signing *s, const struct frame *f, struct view signature, struct writer *w)
{
    const struct venue_scheme *d = s->scheme;
    struct view members = members_of(s->request->params);
    bool first = members.len == 0;
    writer_u8(w, '{');
    writer_view(w, members);
    put_member(w, &first, d->window_parameter, f->window, false);
    put_member(w, &first, d->key_parameter, rest_key_name(s->key), true);
    put_member(w, &first, d->timestamp_parameter, f->timestamp, false);
    put_member(w, &first, d->signature_parameter, signature, true);
    writer_u8(w, '}');
}

static void put_list(const struct signing *s, const struct frame *f, struct view signature, struct writer *w)
{
    writer_str(w, "[\"API\",");
    json_put_text(w, rest_key_name(s->key));
    writer_u8(w, ',');
    json_put_text(w, signature);
    writer_u8(w, ',');
    writer_view(w, f->expiry);
    writer_u8(w, ']');
}

static RESULT check_id(const struct signing *s)
{
    struct view id = s->request->id;
    if (!s->scheme->numeric_id)
        return id.len <= 64 ? OK : problem_set(s->why, ERR_TOO_LONG, "/id", "an id has at most 64 characters");
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] < '0' || id.ptr[i] > '9' || id.len > 15 || (id.len > 1 && id.ptr[0] == '0'))
            return problem_set(s->why, ERR_BAD_VALUE, "/id", "this venue takes whole numbers of at most 15 digits");
    return OK;
}

static RESULT put_frame(const struct signing *s, const struct frame *f, struct view signature, struct view *ret)
{
    struct view id = s->request->id;
    bool object = venue_scheme_has(s->scheme, TOKEN_PARAMS), first = true;
    struct writer w;
    TRY(sign_writer(s, s->request->params.len + EXTRA_MAX, &w));
    if (id.len)
        writer_u8(&w, '{');
    if (id.len && !s->scheme->numeric_id)
        put_member(&w, &first, VIEW_STR("id"), id, true);
    if (id.len) {
        put_member(&w, &first, VIEW_STR("method"), s->request->method, true);
        writer_str(&w, ",\"params\":");
    }
    if (object)
        put_object(s, f, signature, &w);
    else
        put_list(s, f, signature, &w);
    if (id.len && s->scheme->numeric_id)
        put_member(&w, &first, VIEW_STR("id"), id, false);
    if (id.len)
        writer_u8(&w, '}');
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

static RESULT frame_url(const struct signing *s, struct view *ret)
{
    const struct venue_host *h = s->venue->decl.hosts.items, *found = NULL;
    struct view host = s->request->host, path = s->request->path;
    for (size_t i = 0; !found && i < s->venue->decl.hosts.count; i++) {
        bool named = host.len == 0 || view_eq(h[i].name, host);
        bool serves = h[i].serves.count && (path.len == 0 || view_eq(h[i].serves.items[0], path));
        if (view_is(h[i].transport, "wss") && named && serves)
            found = &h[i];
    }
    if (!found)
        return problem_set(s->why, ERR_BAD_VALUE, "/host", "no declared WebSocket host of this name has this path");
    struct writer w;
    TRY(sign_writer(s, EXTRA_MAX, &w));
    writer_str(&w, "wss://");
    writer_view(&w, found->name);
    if (!view_is(found->serves.items[0], "/"))
        writer_view(&w, found->serves.items[0]);
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}

RESULT frame_sign(const struct signing *s, struct sign_result *ret)
{
    struct sign_result out = {.method = s->request->method};
    struct frame f = {0};
    uint32_t window = s->request->recv_window_ms;
    if (s->scheme->window_max && window > s->scheme->window_max)
        return problem_set(s->why, ERR_OUT_OF_RANGE, "/recv_window_ms", "the venue allows at most %u ms",
                           s->scheme->window_max);
    TRY(check_id(s));
    if (window)
        TRY(number(s, window, &f.window));
    TRY(number(s, s->request->now_ms, &f.timestamp));
    TRY(number(s, s->request->now_ms / 1000 + s->scheme->expiry_seconds, &f.expiry));
    if (venue_scheme_has(s->scheme, TOKEN_PARAMS))
        TRY(sorted_prehash(s, &f, &out.prehash));
    else
        TRY(plain_prehash(s, &f, &out.prehash));
    TRY(rest_key_sign(s->key, out.prehash, s->arena, &out.signature));
    TRY(put_frame(s, &f, out.signature, &out.body));
    TRY(frame_url(s, &out.url));
    *ret = out;
    return OK;
}
