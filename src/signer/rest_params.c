#include "signer/rest_params.h"

#include "base/json.h"
#include "base/text.h"

#define SHOW(v) (int)((v).len > 64 ? 64 : (v).len), (const char *)(v).ptr

static RESULT problem_named(struct problem *why, enum err code, struct view name, const char *detail)
{
    char where[80];
    struct writer w = writer_fixed(where, sizeof(where) - 1);
    writer_view(&w, VIEW(name.ptr, name.len > 64 ? 64 : name.len));
    where[w.len] = 0;
    return problem_set(why, code, text_printable(name) ? where : "", "%s", detail);
}

RESULT reading_new(struct arena *arena, struct reading *ret)
{
    *ret = (struct reading){0};
    ret->cap = PARAMS_MAX;
    ret->items = arena_alloc(arena, PARAMS_MAX * sizeof(*ret->items));
    return ret->items ? OK : ERR_NO_MEMORY;
}

RESULT reading_copy(struct arena *arena, const struct reading *from, struct reading *ret)
{
    *ret = (struct reading){.cap = from->count + 1};
    ret->items = arena_alloc(arena, ret->cap * sizeof(*ret->items));
    if (!ret->items)
        return ERR_NO_MEMORY;
    memcpy(ret->items, from->items, from->count * sizeof(*from->items));
    ret->count = from->count;
    ret->have = from->have;
    return OK;
}

RESULT reading_add(struct reading *r, const struct given *g, struct problem *why)
{
    for (size_t i = 0; i < r->count; i++)
        if (view_eq(r->items[i].name, g->name))
            return problem_named(why, ERR_DUPLICATE_PARAMETER, g->name, "send each parameter once, in one place");
    if (r->count == r->cap)
        return problem_set(why, ERR_LIMIT_REACHED, "", "a request has at most %d parameters", PARAMS_MAX);
    r->items[r->count++] = *g;
    /* A venue treats a parameter without a value as one that is not there. */
    if (g->id != NAME_NONE && g->value.len)
        name_set_add(&r->have, g->id);
    return OK;
}

void reading_remove(struct reading *r, size_t index)
{
    if (r->items[index].id != NAME_NONE)
        name_set_remove(&r->have, r->items[index].id);
    memmove(&r->items[index], &r->items[index + 1], (r->count - index - 1) * sizeof(*r->items));
    r->count--;
}

const struct given *reading_find(const struct reading *r, uint16_t id)
{
    for (size_t i = 0; id != NAME_NONE && i < r->count; i++)
        if (r->items[i].id == id)
            return &r->items[i];
    return NULL;
}

static RESULT decode(struct view raw, struct arena *arena, struct view *ret)
{
    uint8_t *out = arena_alloc(arena, raw.len + 1);
    if (!out)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(out, raw.len + 1);
    TRY(percent_get(raw, false, &w));
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return text_printable(*ret) ? OK : ERR_MALFORMED;
}

/* Characters that one reader takes literally and another does not. */
static bool value_clear(struct view raw)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] <= ' ' || raw.ptr[i] >= 0x7f || strchr("+=#;", raw.ptr[i]))
            return false;
    return true;
}

static RESULT form_token(const struct venue *v, struct view token, enum param_place place, struct arena *arena,
                         struct given *ret, struct problem *why)
{
    const uint8_t *equals = token.len ? memchr(token.ptr, '=', token.len) : NULL;
    if (!equals || equals == token.ptr)
        return problem_set(why, ERR_MALFORMED, "", "parameters are written name=value, joined by single &");
    struct view name = VIEW(token.ptr, (size_t)(equals - token.ptr));
    *ret = (struct given){.place = (uint8_t)place, .raw = VIEW(equals + 1, token.len - name.len - 1)};
    /* A name that needs escapes is not one of ours, and a name in two spellings is how duplicates hide. */
    if (!value_clear(name) || memchr(name.ptr, '%', name.len) || !text_printable(name))
        return problem_set(why, ERR_UNKNOWN_PARAMETER, "", "a parameter's name is written without escapes");
    ret->name = name;
    ret->id = venue_name_id(v, name);
    if (!value_clear(ret->raw))
        return problem_named(why, ERR_MALFORMED, name,
                             "write + = # ; spaces and anything beyond ASCII as percent escapes");
    enum err e = decode(ret->raw, arena, &ret->value);
    if (e == ERR_NO_MEMORY)
        return e;
    return e ? problem_named(why, ERR_MALFORMED, name, "the value has a bad percent escape or control characters") : OK;
}

static bool next_token(struct view *rest, struct view *token)
{
    if (!rest->ptr)
        return false;
    const uint8_t *end = rest->len ? memchr(rest->ptr, '&', rest->len) : NULL;
    if (!end) {
        *token = *rest;
        *rest = VIEW(NULL, 0);
        return true;
    }
    *token = VIEW(rest->ptr, (size_t)(end - rest->ptr));
    *rest = VIEW(end + 1, rest->len - token->len - 1);
    return true;
}

RESULT params_form(const struct venue *v, struct view text, enum param_place place, struct arena *arena,
                   struct reading *r, struct problem *why)
{
    struct view rest = text, token;
    while (text.len && next_token(&rest, &token)) {
        struct given g = {0};
        TRY(form_token(v, token, place, arena, &g, why));
        TRY(reading_add(r, &g, why));
    }
    return OK;
}

RESULT params_lenient(const struct venue *v, struct view text, struct arena *arena, struct reading *r)
{
    struct view rest = text, token;
    while (text.len && r->count < r->cap && next_token(&rest, &token)) {
        struct given g;
        enum err e = form_token(v, token, IN_QUERY, arena, &g, NULL);
        if (e == ERR_NO_MEMORY) /* a parameter that is left out would hide what the text can form */
            return e;
        /* What is not a parameter is what a lenient reader skips. */
        if (e == OK && reading_add(r, &g, NULL) != OK)
            return OK;
    }
    return OK;
}

static RESULT json_value(const json_t *j, const struct given *g, const struct venue *v, struct arena *arena,
                         struct view *ret)
{
    if (json_is_string(j))
        return arena_copy(arena, VIEW(json_string_value(j), json_string_length(j)), ret);
    if (json_is_boolean(j)) {
        *ret = view_str(json_is_true(j) ? "true" : "false");
        return OK;
    }
    bool json = g->id != NAME_NONE && v->names[g->id].param->type == PARAM_JSON;
    if (!json_is_integer(j) && !(json && (json_is_array(j) || json_is_object(j))))
        return ERR_WRONG_TYPE;
    char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return ERR_NO_MEMORY;
    enum err e = arena_copy(arena, view_str(text), ret);
    free(text);
    return e;
}

/* Separators inside a value would let joined texts be read in another way. */
static bool json_clear(struct view value, enum param_place place)
{
    const char *bad = place == IN_FRAME ? "&=%+" : "&={}";
    for (size_t i = 0; i < value.len; i++)
        if (strchr(bad, value.ptr[i]) && value.ptr[i])
            return false;
    return text_printable(value);
}

static RESULT json_members(const struct venue *v, json_t *root, enum param_place place, struct arena *arena,
                           struct reading *r, struct problem *why)
{
    const char *key;
    json_t *member;
    json_object_foreach(root, key, member)
    {
        struct given g = {.place = (uint8_t)place};
        TRY(arena_copy(arena, view_str(key), &g.name));
        g.id = venue_name_id(v, g.name);
        enum err e = json_value(member, &g, v, arena, &g.value);
        if (e == ERR_WRONG_TYPE)
            return problem_named(why, e, g.name, "send text, true, false or an integer; other numbers as text");
        TRY(e);
        if (!json_clear(g.value, place) || !json_clear(g.name, place))
            return problem_named(why, ERR_BAD_VALUE, g.name,
                                 "separators and control characters can't be signed safely");
        g.raw = g.value;
        TRY(reading_add(r, &g, why));
    }
    return OK;
}

RESULT params_json(const struct venue *v, struct view text, enum param_place place, struct arena *arena,
                   struct reading *r, struct problem *why)
{
    AUTO(json_decref) json_t *root = NULL;
    TRY(json_read(text, &root, why));
    if (!json_is_object(root))
        return problem_set(why, ERR_WRONG_TYPE, "", "expected one JSON object");
    return json_members(v, root, place, arena, r, why);
}

static RESULT add_signed_by_us(const struct venue *v, uint16_t id, struct reading *r, struct problem *why)
{
    if (id == NAME_NONE)
        return OK;
    if (reading_find(r, id))
        return problem_named(why, ERR_DUPLICATE_PARAMETER, v->names[id].name,
                             "the signer places this parameter itself");
    struct given g = {
        .id = id, .place = BY_SIGNER, .name = v->names[id].name, .value = VIEW_STR("1"), .raw = VIEW_STR("1")};
    return reading_add(r, &g, why);
}

static RESULT add_signer_params(const struct venue *v, const struct venue_scheme *s, const struct sign_request *q,
                                struct reading *r, struct problem *why)
{
    if (reading_find(r, s->signature_id))
        return problem_named(why, ERR_DUPLICATE_PARAMETER, s->signature_parameter, "the signature is made here");
    if (q->presigned && venue_scheme_has(s, TOKEN_QUERY)) {
        for (size_t i = 0; i < r->count; i++)
            if (r->items[i].id != NAME_NONE && (r->items[i].id == s->timestamp_id || r->items[i].id == s->window_id))
                r->items[i].place = BY_SIGNER;
        return OK;
    }
    TRY(add_signed_by_us(v, s->key_id, r, why));
    TRY(add_signed_by_us(v, s->timestamp_id, r, why));
    return add_signed_by_us(v, s->window_id, r, why);
}

/* Where a query is followed by a body without a separator, it must not look as if the body had begun. */
static bool query_plain(struct view query)
{
    for (size_t i = 0; i < query.len; i++)
        if (query.ptr[i] && strchr("{}[]\"\\<>", query.ptr[i]))
            return false;
    return true;
}

RESULT params_request(const struct venue *v, const struct venue_scheme *s, const struct sign_request *q,
                      struct arena *arena, struct reading *r, struct problem *why)
{
    TRY(reading_new(arena, r));
    if (venue_scheme_has(s, TOKEN_PARAMS) || s->place == PLACE_FRAME) {
        if (q->query.len || q->body.len)
            return problem_set(why, ERR_BAD_VALUE, "/query", "a WebSocket frame has params, and no query or body");
        if (q->params.len)
            TRY(params_json(v, q->params, IN_FRAME, arena, r, why));
        return add_signer_params(v, s, q, r, why);
    }
    if (q->params.len)
        return problem_set(why, ERR_BAD_VALUE, "/params", "send the exact query or body of this request");
    if (venue_scheme_has(s, TOKEN_PATH) && !query_plain(q->query))
        return problem_set(why, ERR_MALFORMED, "/query", "write brackets, quotes and backslashes as percent escapes");
    TRY(params_form(v, q->query, IN_QUERY, arena, r, why));
    if (q->body.len && s->json_body)
        TRY(params_json(v, q->body, IN_BODY, arena, r, why));
    else
        TRY(params_form(v, q->body, IN_BODY, arena, r, why));
    return add_signer_params(v, s, q, r, why);
}

static bool type_fits(uint8_t type, struct view value)
{
    struct decimal d;
    switch (type) {
    case PARAM_DECIMAL:
        return decimal_parse(value, &d) == OK && !decimal_is_negative(d);
    case PARAM_INTEGER:
        return decimal_parse(value, &d) == OK && d.scale == 0 && !memchr(value.ptr, '.', value.len);
    case PARAM_BOOLEAN:
        return view_is(value, "true") || view_is(value, "false") || view_is(value, "TRUE") || view_is(value, "FALSE");
    default:
        return true;
    }
}

static bool value_listed(const struct text_list *values, struct view value)
{
    for (size_t i = 0; i < values->count; i++)
        if (view_eq(values->items[i], value))
            return true;
    return values->count == 0;
}

static RESULT check_one(const struct venue *v, const struct venue_endpoint *e, const struct given *g,
                        struct problem *why)
{
    if (g->place == BY_SIGNER)
        return OK;
    if (g->id == NAME_NONE || !name_set_has(&e->all, g->id))
        return problem_named(why, ERR_UNKNOWN_PARAMETER, g->name,
                             "not among the parameters declared for this endpoint");
    const struct venue_param *p = v->names[g->id].param;
    if (g->value.len == 0)
        return problem_named(why, ERR_BAD_VALUE, g->name, "leave a parameter out rather than sending it empty");
    bool plain = name_set_has(&e->roleless, g->id);
    if (!plain && !type_fits(p->type, g->value))
        return problem_named(why, ERR_BAD_VALUE, g->name, "the value has not the declared form");
    if (!plain && !value_listed(&p->values, g->value))
        return problem_named(why, ERR_BAD_VALUE, g->name, "the value is not one of those declared");
    return OK;
}

RESULT params_check(const struct venue *v, const struct venue_endpoint *e, const struct reading *r, struct problem *why)
{
    for (size_t i = 0; i < r->count; i++)
        TRY(check_one(v, e, &r->items[i], why));
    if (venue_formable(e, &r->have))
        return OK;
    for (size_t i = 0; i < e->group_count; i++) {
        struct venue_endpoint single = {.groups = &e->groups[i], .group_count = 1};
        if (!venue_formable(&single, &r->have))
            return problem_named(why, ERR_MISSING_FIELD, e->required.items[i], "the venue demands this parameter");
    }
    return ERR_MISSING_FIELD;
}
