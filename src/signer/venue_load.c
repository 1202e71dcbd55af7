/* From the text of a venue file to the form that requests are judged by: names become numbers, sets are unfolded, and
 * what could not be meant that way stops the start. */
#include "signer/venue_model.h"

#include "base/yaml.h"

#define VENUE_TEXT_MAX   (1024 * 1024)
#define VENUE_MEMORY_MAX ((size_t)32 * 1024 * 1024)

struct loader {
    struct venue *venue;
    struct arena *arena;
    const struct yaml_node *root, *at; /* at: the row that is being read */
    struct problem *why;
};

#define BAD(l, ...) yaml_refuse((l)->why, ERR_BAD_CONFIG, (l)->at, __VA_ARGS__)
#define SHOW(v)     (int)(v).len, (const char *)(v).ptr

static void stand_at(struct loader *l, const char *list, size_t row)
{
    const struct yaml_node *rows = yaml_get(l->root, list);
    l->at = rows && row < rows->count ? &rows->items[row] : l->root;
}

static int name_order(const void *a, const void *b, void *context)
{
    const struct venue *v = context;
    return view_cmp(v->names[*(const uint16_t *)a].name, v->names[*(const uint16_t *)b].name);
}

static RESULT load_names(struct loader *l)
{
    struct venue *v = l->venue;
    const struct venue_param *p = v->decl.params.items;
    size_t total = 0;
    for (size_t i = 0; i < v->decl.params.count; i++)
        total += p[i].names.count;
    if (total > NAMES_MAX)
        return BAD(l, "more than %d parameters are declared", NAMES_MAX);
    v->names = arena_alloc(l->arena, (total + 1) * sizeof(*v->names));
    v->sorted = arena_alloc(l->arena, (total + 1) * sizeof(*v->sorted));
    if (!v->names || !v->sorted)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < v->decl.params.count; i++)
        for (size_t k = 0; k < p[i].names.count; k++) {
            v->sorted[v->name_count] = (uint16_t)v->name_count;
            v->names[v->name_count++] = (struct venue_name){p[i].names.items[k], &p[i]};
        }
    qsort_r(v->sorted, v->name_count, sizeof(*v->sorted), name_order, v);
    for (size_t i = 1; i < v->name_count; i++)
        if (view_eq(v->names[v->sorted[i - 1]].name, v->names[v->sorted[i]].name))
            return BAD(l, "parameter %.*s is declared twice", SHOW(v->names[v->sorted[i]].name));
    return OK;
}

/* Calls `each` for every word of text between bars. */
static RESULT split_bars(struct loader *l, struct view text, RESULT (*each)(struct loader *, struct view, void *),
                         void *context)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '|')
            continue;
        TRY(each(l, VIEW(text.ptr + start, i - start), context));
        start = i + 1;
    }
    return OK;
}

static RESULT need_add(struct loader *l, struct view word, void *context)
{
    static const struct {
        const char *name;
        enum param_role role;
    } needs[] = {{"price", ROLE_PRICE},
                 {"price_rule", ROLE_PRICE_RULE},
                 {"stop_price", ROLE_STOP_PRICE},
                 {"trailing", ROLE_TRAILING},
                 {"size", ROLE_SIZE},
                 {"quote_size", ROLE_QUOTE_SIZE}};
    uint32_t *bits = context;
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (view_is(word, needs[i].name)) {
            *bits |= ROLE_BIT(needs[i].role);
            return OK;
        }
    return BAD(l, "an order type can't need '%.*s'", SHOW(word));
}

static RESULT load_order_types(struct loader *l)
{
    struct venue_order_type *t = l->venue->decl.order_types.items;
    for (size_t i = 0; i < l->venue->decl.order_types.count; i++) {
        stand_at(l, "order_types", i);
        for (size_t k = 0; k < t[i].needs.count; k++)
            TRY(split_bars(l, t[i].needs.items[k], need_add, &t[i].need_bits[k]));
    }
    return OK;
}

static RESULT declared(struct loader *l, struct view name, uint16_t *ret)
{
    *ret = venue_name_id(l->venue, name);
    if (*ret == NAME_NONE)
        return BAD(l, "parameter %.*s is used but not declared in params", SHOW(name));
    return OK;
}

static RESULT maybe_declared(struct loader *l, struct view name, uint16_t *ret)
{
    *ret = NAME_NONE;
    return name.len ? declared(l, name, ret) : OK;
}

static RESULT load_schemes(struct loader *l)
{
    static const char *const tokens[] = {"path", "query", "expiry", "body", "key", "params"};
    struct venue_scheme *s = l->venue->decl.schemes.items;
    for (size_t i = 0; i < l->venue->decl.schemes.count; i++) {
        stand_at(l, "schemes", i);
        for (size_t k = 0; k < s[i].prehash.count; k++) {
            size_t t = 0;
            while (t < ARRAY_LEN(tokens) && !view_is(s[i].prehash.items[k], tokens[t]))
                t++;
            if (t == ARRAY_LEN(tokens))
                return BAD(l, "no such part of a signed text: %.*s", SHOW(s[i].prehash.items[k]));
            s[i].tokens[s[i].token_count++] = (uint8_t)t;
        }
        TRY(maybe_declared(l, s[i].key_parameter, &s[i].key_id));
        TRY(maybe_declared(l, s[i].timestamp_parameter, &s[i].timestamp_id));
        TRY(maybe_declared(l, s[i].window_parameter, &s[i].window_id));
        TRY(maybe_declared(l, s[i].signature_parameter, &s[i].signature_id));
        if ((s[i].algorithm == ALGORITHM_NONE) != (s[i].token_count == 0))
            return BAD(l, "scheme %.*s: an algorithm and a signed text go together", SHOW(s[i].name));
        if (venue_scheme_has(&s[i], TOKEN_EXPIRY) && s[i].expiry_seconds == 0)
            return BAD(l, "scheme %.*s needs expiry_seconds", SHOW(s[i].name));
    }
    return OK;
}

static const struct text_list *find_set(const struct loader *l, struct view name)
{
    const struct venue_set *s = l->venue->decl.sets.items;
    for (size_t i = 0; i < l->venue->decl.sets.count; i++)
        if (view_eq(s[i].name, name))
            return &s[i].params;
    return NULL;
}

static RESULT group_add(struct loader *l, struct view word, void *context)
{
    struct venue_group *g = context;
    if (g->count == ALTERNATIVES_MAX)
        return BAD(l, "more than %d alternatives", ALTERNATIVES_MAX);
    return declared(l, word, &g->ids[g->count++]);
}

static RESULT load_required(struct loader *l, struct venue_endpoint *e)
{
    e->groups = arena_alloc(l->arena, (e->required.count + 1) * sizeof(*e->groups));
    if (!e->groups)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < e->required.count; i++) {
        struct venue_group *g = &e->groups[e->group_count++];
        TRY(split_bars(l, e->required.items[i], group_add, g));
        for (size_t k = 0; k < g->count; k++)
            name_set_add(&e->all, g->ids[k]);
    }
    return OK;
}

static RESULT optional_add(struct loader *l, struct venue_endpoint *e, struct view name)
{
    uint16_t id;
    TRY(declared(l, name, &id));
    if (name_set_has(&e->all, id))
        return BAD(l, "%.*s names %.*s twice", SHOW(e->call), SHOW(name));
    name_set_add(&e->all, id);
    return OK;
}

static RESULT load_optional(struct loader *l, struct venue_endpoint *e)
{
    for (size_t i = 0; i < e->optional.count; i++) {
        struct view name = e->optional.items[i];
        if (!view_starts(name, "+")) {
            TRY(optional_add(l, e, name));
            continue;
        }
        const struct text_list *set = find_set(l, VIEW(name.ptr + 1, name.len - 1));
        if (!set)
            return BAD(l, "there is no set %.*s", SHOW(name));
        for (size_t k = 0; k < set->count; k++)
            TRY(optional_add(l, e, set->items[k]));
    }
    for (size_t i = 0; i < e->plain.count; i++) {
        uint16_t id;
        TRY(declared(l, e->plain.items[i], &id));
        name_set_add(&e->roleless, id);
    }
    return OK;
}

static RESULT load_call(struct loader *l, struct venue_endpoint *e)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    const uint8_t *space = memchr(e->call.ptr, ' ', e->call.len);
    e->method = e->call;
    if (!space)
        return OK;
    e->method.len = (size_t)(space - e->call.ptr);
    e->path = VIEW(space + 1, e->call.len - e->method.len - 1);
    if (!view_starts(e->path, "/"))
        return BAD(l, "the path of '%.*s' must begin with /", SHOW(e->call));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (view_is(e->method, methods[i]))
            return OK;
    return BAD(l, "'%.*s' has an unknown method", SHOW(e->call));
}

static const struct venue_endpoint *find_call(const struct venue *v, struct view call)
{
    for (size_t i = 0; i < v->decl.endpoints.count; i++)
        if (view_eq(venue_endpoint_at(v, i)->call, call))
            return venue_endpoint_at(v, i);
    return NULL;
}

static RESULT load_endpoints(struct loader *l)
{
    struct venue_endpoint *e = l->venue->decl.endpoints.items;
    size_t count = l->venue->decl.endpoints.count;
    for (size_t i = 0; i < count; i++) {
        stand_at(l, "endpoints", i);
        TRY(load_call(l, &e[i]));
        TRY(load_required(l, &e[i]));
        TRY(load_optional(l, &e[i]));
        if (find_call(l->venue, e[i].call) != &e[i])
            return BAD(l, "'%.*s' is declared twice", SHOW(e[i].call));
        e[i].member = e[i].each.len ? find_call(l->venue, e[i].each) : NULL;
        if (e[i].each.len && !e[i].member)
            return BAD(l, "'%.*s' is like '%.*s', which is not declared", SHOW(e[i].call), SHOW(e[i].each));
    }
    return OK;
}

static RESULT load(struct loader *l)
{
    TRY(load_names(l));
    TRY(load_order_types(l));
    TRY(load_schemes(l));
    return load_endpoints(l);
}

RESULT venue_parse(const char *name, struct view yaml, struct venue **ret, struct problem *why)
{
    if (yaml.len > VENUE_TEXT_MAX)
        return problem_set(why, ERR_BAD_CONFIG, name, "a venue file has at most %d bytes", VENUE_TEXT_MAX);
    AUTO(venue_free) struct venue *v = calloc(1, sizeof(*v));
    if (!v)
        return ERR_NO_MEMORY;
    TRY(arena_new(65536, VENUE_MEMORY_MAX, &v->arena));
    const struct yaml_node *root = NULL;
    TRY(yaml_read(name, yaml, v->arena, &root, why));
    enum err e = yaml_entity(&venue_decl_entity, root, v->arena, &v->decl, why);
    if (e == OK) {
        struct loader l = {v, v->arena, root, root, why};
        e = load(&l);
    }
    if (e && e != ERR_NO_MEMORY) {
        if (why)
            why->code = ERR_BAD_CONFIG;
        return ERR_BAD_CONFIG;
    }
    TRY(e);
    *ret = TAKE(v);
    return OK;
}
