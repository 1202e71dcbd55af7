/* Setting answers. Nothing here sends; server.c does, once the answer is due. */
#include "base/eight.h"
#include "base/json.h"
#include "http/exchange.h"
#include "http/head.h"

static void start(struct exchange *x, unsigned status, const char *content_type)
{
    x->status = x->few_statuses && status >= 400 && status < 500 && status != 401 ? 403 : status;
    x->content_type = content_type;
    x->static_body = VIEW(NULL, 0);
    x->code = OK;
}

struct writer *http_body(struct http_request *req)
{
    return &exchange_of(req)->answer;
}

enum http_outcome http_answer_empty(struct http_request *req, unsigned status)
{
    writer_reset(&exchange_of(req)->answer);
    start(exchange_of(req), status, NULL);
    return HTTP_ANSWER;
}

enum http_outcome http_answer_body(struct http_request *req, unsigned status, const char *content_type)
{
    struct exchange *x = exchange_of(req);
    enum err e = writer_done(&x->answer);
    if (e != OK)
        return http_answer_error(req, e == ERR_NO_MEMORY ? e : ERR_INTERNAL);
    start(x, status, content_type);
    return HTTP_ANSWER;
}

enum http_outcome http_answer_json(struct http_request *req, unsigned status)
{
    return http_answer_body(req, status, "application/json");
}

enum http_outcome http_answer_entity(struct http_request *req, unsigned status, const struct entity *entity,
                                     const void *object)
{
    writer_reset(&exchange_of(req)->answer);
    entity_to_json(entity, object, &exchange_of(req)->answer);
    return http_answer_json(req, status);
}

enum http_outcome http_answer_static(struct http_request *req, unsigned status, const char *content_type,
                                     struct view bytes)
{
    struct exchange *x = exchange_of(req);
    writer_reset(&x->answer);
    start(x, status, content_type);
    x->static_body = bytes.ptr ? bytes : VIEW("", 0);
    return HTTP_ANSWER;
}

/* RFC 9457. where is a JSON pointer (RFC 6901) when it begins with '/', else a parameter or the like. */
enum http_outcome http_answer_problem(struct http_request *req, const struct problem *why)
{
    struct exchange *x = exchange_of(req);
    struct writer *w = &x->answer;
    enum err code = why->code == OK ? ERR_INTERNAL : why->code;
    char type[96];
    snprintf(type, sizeof type, "/errors/%s", err_code(code));
    writer_reset(w);
    json_open(w, '{');
    json_text(w, "type", view_str(type));
    json_text(w, "title", view_str(err_sentence(code)));
    json_u64(w, "status", (uint64_t)err_http(code));
    json_text(w, "code", view_str(err_code(code)));
    if (why->detail[0])
        json_text(w, "detail", view_str(why->detail));
    if (why->where[0])
        json_text(w, why->where[0] == '/' ? "pointer" : "where", view_str(why->where));
    json_text(w, "requestId", view_str(req->id));
    json_close(w, '}');
    start(x, (unsigned)err_http(code), "application/problem+json");
    x->code = code;
    return HTTP_ANSWER;
}

enum http_outcome http_answer_error(struct http_request *req, enum err code)
{
    struct problem why = {.code = code};
    return http_answer_problem(req, &why);
}

static bool is_owned(struct view name)
{
    static const struct view OWNED[] = {VIEW_STR("content-length"), VIEW_STR("transfer-encoding"),
                                        VIEW_STR("connection"),     VIEW_STR("content-type"),
                                        VIEW_STR("date"),           VIEW_STR("x-request-id")};
    for (size_t i = 0; i < ARRAY_LEN(OWNED); i++)
        if (head_name_is(name, OWNED[i]))
            return true;
    return false;
}

static bool is_clean(struct view text)
{
    size_t i = 0;
    for (; text.len - i >= 8; i += 8)
        if (eight_control(eight_at(text.ptr + i)))
            return false;
    for (; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return true;
}

RESULT http_answer_text(struct http_request *req, const char *name, struct view value)
{
    struct exchange *x = exchange_of(req);
    const struct view named = view_str(name);
    if (named.len == 0 || is_owned(named) || !is_clean(named) || !is_clean(value))
        return ERR_BAD_VALUE;
    if (x->header_count == ANSWER_HEADERS_MAX)
        return ERR_TOO_LONG;
    struct answer_header h = {name, arena_str(req->arena, value)};
    if (!h.value)
        return ERR_NO_MEMORY;
    x->headers[x->header_count++] = h;
    x->own_cache_control |= head_name_is(named, VIEW_STR("cache-control"));
    return OK;
}

RESULT http_answer_header(struct http_request *req, const char *name, const char *value)
{
    return http_answer_text(req, name, view_str(value));
}

RESULT http_answer_list(struct http_request *req, const char *name, struct view items)
{
    struct exchange *x = exchange_of(req);
    size_t i = 0;
    while (i < x->header_count && strcmp(x->headers[i].name, name) != 0)
        i++;
    if (i == x->header_count)
        return http_answer_text(req, name, items);
    const struct view before = view_str(x->headers[i].value);
    if (!is_clean(items))
        return ERR_BAD_VALUE;
    size_t room = before.len + 2 + items.len;
    char *joined = arena_alloc(req->arena, room + 1); /* which is zeroed */
    if (!joined)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(joined, room);
    writer_view(&w, before);
    writer_str(&w, ", ");
    writer_view(&w, items);
    TRY(writer_done(&w));
    x->headers[i].value = joined;
    return OK;
}

void http_answer_few_statuses(struct http_request *req)
{
    exchange_of(req)->few_statuses = true;
}

void http_answer_close(struct http_request *req)
{
    exchange_of(req)->close = true;
}
