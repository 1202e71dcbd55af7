/* Reading a request: look-ups, and body and query by their entities. */
#include "http/request.h"

#include "http/exchange.h"
#include "http/head.h"

#include "base/json.h"
#include "base/text.h"

#define QUERY_JSON_MAX ((size_t)64 * 1024) /* a query of 8 KiB with every byte escaped, and the names */

static bool find(struct http_pairs pairs, const char *name, struct view *ret)
{
    for (size_t i = 0; i < pairs.count; i++)
        if (view_is(pairs.items[i].name, name)) {
            *ret = pairs.items[i].value;
            return true;
        }
    return false;
}

struct view http_request_method(const struct http_request *req)
{
    return req->method == HTTP_NO_METHOD ? req->other_method : view_str(http_method_name(req->method));
}

bool http_param(const struct http_request *req, const char *name, struct view *ret)
{
    return find(req->params, name, ret);
}

bool http_query(const struct http_request *req, const char *name, struct view *ret)
{
    return find(req->query, name, ret);
}

bool http_header(const struct http_request *req, const char *name, struct view *ret)
{
    const struct view wanted = view_str(name);
    for (size_t i = 0; i < req->headers.count; i++)
        if (head_name_is(req->headers.items[i].name, wanted)) {
            *ret = req->headers.items[i].value;
            return true;
        }
    return false;
}

/* One "name=value" of a Cookie header (RFC 6265 §4.2.1). */
static bool cookie_is(struct view pair, const char *name, struct view *ret)
{
    size_t n = strlen(name);
    pair = head_trim(pair);
    if (pair.len <= n || memcmp(pair.ptr, name, n) != 0 || pair.ptr[n] != '=')
        return false;
    *ret = VIEW(pair.ptr + n + 1, pair.len - n - 1);
    return true;
}

bool http_cookie(const struct http_request *req, const char *name, struct view *ret)
{
    struct view all, value = {0}, one;
    if (!http_header(req, "cookie", &all))
        return false;
    size_t start = 0, found = 0;
    for (size_t i = 0; i <= all.len; i++)
        if (i == all.len || all.ptr[i] == ';') {
            if (cookie_is(VIEW(all.ptr + start, i - start), name, &one)) {
                value = one;
                found++;
            }
            start = i + 1;
        }
    if (found != 1)
        return false;
    *ret = value;
    return true;
}

/* "application/json", also with parameters behind it, of which only charset=utf-8 has a meaning. */
static bool is_json(const struct http_request *req)
{
    struct view type;
    if (!http_header(req, "content-type", &type))
        return false;
    const uint8_t *semicolon = type.len ? memchr(type.ptr, ';', type.len) : NULL;
    struct view parameter = {0};
    if (semicolon) {
        parameter = head_trim(VIEW(semicolon + 1, type.len - (size_t)(semicolon - type.ptr) - 1));
        type.len = (size_t)(semicolon - type.ptr);
    }
    return head_name_is(head_trim(type), VIEW_STR("application/json")) &&
           (parameter.len == 0 || head_name_is(parameter, VIEW_STR("charset=utf-8")));
}

RESULT http_request_entity(struct http_request *req, void *ret_object, struct problem *why)
{
    if (!req->route || !req->route->request)
        return problem_set(why, ERR_INTERNAL, "", "The route has no request entity.");
    if (!is_json(req))
        return problem_set(why, ERR_UNSUPPORTED_MEDIA_TYPE, "", "The Content-Type is missing or another one.");
    return entity_parse(req->route->request, req->body, req->arena, ret_object, why);
}

/* --- the query as an entity: turned into the JSON object that says the same, then judged by the entity's rules */

static const struct field *field_of(const struct entity *e, struct view name)
{
    for (size_t i = 0; i < e->count; i++)
        if (view_is(name, e->fields[i].name) && !(e->fields[i].flags & FIELD_HIDDEN))
            return &e->fields[i];
    return NULL;
}

static bool is_number(struct view text)
{
    if (text.len == 0 || text.len > 16 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

/* One occurrence; a parameter of type TEXTS has several, each a text. */
static bool put_value(struct writer *w, enum field_type type, struct view text)
{
    switch (type) {
    case FIELD_BOOL:
        writer_view(w, text);
        return view_is(text, "true") || view_is(text, "false");
    case FIELD_U8:
    case FIELD_U16:
    case FIELD_U32:
    case FIELD_U64:
        writer_view(w, text);
        return is_number(text);
    case FIELD_JSON:
    case FIELD_ENTITY:
    case FIELD_LIST:
        return false;
    default:
        json_put_text(w, text);
        return utf8_valid(text);
    }
}

static enum err refuse(struct problem *why, enum err code, struct view name, const char *detail)
{
    char where[64];
    snprintf(where, sizeof where, "?%.*s", (int)(name.len < 60 ? name.len : 60), (const char *)name.ptr);
    return problem_set(why, code, where, "%s", detail);
}

static RESULT put_parameter(const struct http_request *req, const struct field *f, struct writer *w,
                            struct problem *why)
{
    bool several = f->type == FIELD_TEXTS, there = false;
    for (size_t i = 0; i < req->query.count; i++) {
        const struct http_pair *p = &req->query.items[i];
        if (!view_is(p->name, f->name))
            continue;
        if (there && !several)
            return refuse(why, ERR_DUPLICATE_FIELD, p->name, "The query parameter is there twice.");
        if (!there)
            json_name(w, f->name);
        if (!there && several)
            json_open(w, '[');
        if (several)
            json_item(w);
        if (!put_value(w, f->type, p->value))
            return refuse(why, ERR_WRONG_TYPE, p->name, "The query parameter's value has the wrong form.");
        there = true;
    }
    if (there && several)
        json_close(w, ']');
    return OK;
}

static RESULT put_query(const struct http_request *req, struct writer *w, struct problem *why)
{
    const struct entity *e = req->route->query;
    for (size_t i = 0; i < req->query.count && !(req->route->flags & ROUTE_ANY_QUERY); i++)
        if (!field_of(e, req->query.items[i].name))
            return refuse(why, ERR_UNKNOWN_FIELD, req->query.items[i].name, "This query parameter is not known here.");
    json_open(w, '{');
    for (size_t i = 0; i < e->count; i++)
        if (!(e->fields[i].flags & FIELD_HIDDEN))
            TRY(put_parameter(req, &e->fields[i], w, why));
    json_close(w, '}');
    return writer_done(w) == OK ? OK : problem_set(why, writer_done(w), "", "query");
}

RESULT http_request_query(struct http_request *req, void *ret_object, struct problem *why)
{
    AUTO_WRITER w = writer_new(QUERY_JSON_MAX);
    struct problem inner = {0};
    if (!req->route || !req->route->query)
        return problem_set(why, ERR_INTERNAL, "", "The route has no query entity.");
    TRY(put_query(req, &w, why));
    enum err e = entity_parse(req->route->query, writer_view_of(&w), req->arena, ret_object, &inner);
    if (e == OK)
        return OK;
    /* "/limit" in the object is "?limit" in the query */
    if (inner.where[0] == '/')
        inner.where[0] = '?';
    if (why)
        *why = inner;
    return e;
}

bool http_request_wanted(const struct http_request *req)
{
    return ((const struct exchange *)(const void *)req)->conn != NULL;
}
