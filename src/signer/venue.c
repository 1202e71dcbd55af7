#include "signer/venue_model.h"

#include "base/text.h"

bool venue_scheme_has(const struct venue_scheme *s, enum prehash_token token)
{
    for (size_t i = 0; i < s->token_count; i++)
        if (s->tokens[i] == token)
            return true;
    return false;
}

const struct venue_scheme *venue_scheme_of(const struct venue *v, struct view name)
{
    const struct venue_scheme *s = v->decl.schemes.items;
    for (size_t i = 0; i < v->decl.schemes.count; i++)
        if (view_eq(s[i].name, name))
            return &s[i];
    return NULL;
}

const struct venue_endpoint *venue_endpoint_of(const struct venue *v, struct view method, struct view path)
{
    for (size_t i = 0; i < v->decl.endpoints.count; i++) {
        const struct venue_endpoint *e = venue_endpoint_at(v, i);
        if (view_eq(e->method, method) && view_eq(e->path, path))
            return e;
    }
    return NULL;
}

static bool host_serves(const struct venue_host *h, struct view path)
{
    for (size_t i = 0; i < h->serves.count; i++) {
        struct view begin = h->serves.items[i];
        if (path.len >= begin.len && view_eq(VIEW(path.ptr, begin.len), begin))
            return true;
    }
    return false;
}

const struct venue_host *venue_host_of(const struct venue *v, struct view host, struct view path)
{
    const struct venue_host *h = v->decl.hosts.items;
    for (size_t i = 0; i < v->decl.hosts.count; i++)
        if ((host.len == 0 || view_eq(h[i].name, host)) && host_serves(&h[i], path))
            return &h[i];
    return NULL;
}

uint16_t venue_name_id(const struct venue *v, struct view name)
{
    size_t low = 0, high = v->name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = view_cmp(v->names[v->sorted[middle]].name, name);
        if (order == 0)
            return v->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NAME_NONE;
}

const struct venue_order_type *venue_order_type_of(const struct venue *v, struct view name)
{
    const struct venue_order_type *t = v->decl.order_types.items;
    for (size_t i = 0; i < v->decl.order_types.count; i++)
        if (view_eq(t[i].name, name))
            return &t[i];
    return NULL;
}

bool venue_formable(const struct venue_endpoint *e, const struct name_set *have)
{
    for (size_t i = 0; i < e->group_count; i++) {
        bool there = false;
        for (size_t k = 0; k < e->groups[i].count; k++)
            there = there || name_set_has(have, e->groups[i].ids[k]);
        if (!there)
            return false;
    }
    return true;
}

bool venue_signable(const struct venue_endpoint *e, uint8_t a)
{
    static const char *const names[] = {"none", "hmac-sha256", "rsa-sha256", "ed25519"};
    if (e->unsigned_call)
        return a == ALGORITHM_NONE;
    if (a == ALGORITHM_NONE)
        return false;
    for (size_t i = 0; i < e->schemes.count; i++)
        if (view_is(e->schemes.items[i], names[a]))
            return true;
    return e->schemes.count == 0;
}

static bool view_contains(struct view text, struct view part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

bool venue_symbol_fits(const struct venue_endpoint *e, struct view symbol)
{
    if (symbol.len == 0)
        return true;
    if (e->symbol_has.len && !view_contains(symbol, e->symbol_has))
        return false;
    return !e->symbol_lacks.len || !view_contains(symbol, e->symbol_lacks);
}

struct view venue_name(const struct venue *v)
{
    return v->decl.name;
}

bool venue_has_scheme(const struct venue *v, struct view scheme)
{
    return venue_scheme_of(v, scheme) != NULL;
}

void venue_free(struct venue *v)
{
    if (!v)
        return;
    arena_free(v->arena);
    free(v);
}
