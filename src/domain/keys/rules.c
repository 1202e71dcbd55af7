#include "domain/keys/rules.h"

static bool any_holds(const struct text_list *rules, const struct network_source *from)
{
    struct network n;
    for (size_t i = 0; i < rules->count; i++)
        if (network_parse(rules->items[i], &n) == OK && network_holds(&n, from))
            return true;
    return false;
}

bool rules_allow_source(const struct text_list *allowed, const struct text_list *blocked,
                        const struct network_source *from)
{
    if (allowed->count == 0 && blocked->count == 0)
        return true;
    if (!from || any_holds(blocked, from))
        return false;
    return allowed->count == 0 || any_holds(allowed, from);
}

/* --- endpoints */

struct endpoint {
    struct view method, path; /* path without a slash at its end */
};

static bool method_valid(struct view m)
{
    if (view_is(m, "*"))
        return true;
    for (size_t i = 0; i < m.len; i++)
        if (m.ptr[i] < 'A' || m.ptr[i] > 'Z')
            return false;
    return m.len > 0 && m.len <= 16 && !view_is(m, "HEAD"); /* counts as GET */
}

static bool path_valid(struct view p)
{
    for (size_t i = 0; i < p.len; i++)
        if (p.ptr[i] <= ' ' || p.ptr[i] >= 0x7f || p.ptr[i] == '?' || p.ptr[i] == '#' || p.ptr[i] == '%')
            return false;
    return p.len > 0 && p.ptr[0] == '/';
}

static bool endpoint_get(struct view rule, struct endpoint *ret)
{
    const uint8_t *space = rule.len ? memchr(rule.ptr, ' ', rule.len) : NULL;
    if (!space)
        return false;
    size_t n = (size_t)(space - rule.ptr);
    struct endpoint e = {VIEW(rule.ptr, n), VIEW(space + 1, rule.len - n - 1)};
    if (!method_valid(e.method) || !path_valid(e.path))
        return false;
    if (e.path.ptr[e.path.len - 1] == '/')
        e.path.len--;
    *ret = e;
    return true;
}

bool rules_endpoint_valid(struct view rule)
{
    struct endpoint e;
    return rule.len <= RULES_TEXT_MAX && endpoint_get(rule, &e);
}

static bool any_covers(const struct text_list *rules, struct view method, struct view path)
{
    struct endpoint e;
    for (size_t i = 0; i < rules->count; i++) {
        if (!endpoint_get(rules->items[i], &e) || (!view_is(e.method, "*") && !view_eq(e.method, method)))
            continue;
        bool under = path.len >= e.path.len && view_eq(VIEW(path.ptr, e.path.len), e.path);
        if (under && (path.len == e.path.len || path.ptr[e.path.len] == '/'))
            return true;
    }
    return false;
}

bool rules_allow_endpoint(const struct text_list *allowed, const struct text_list *blocked, struct view method,
                          struct view path)
{
    if (allowed->count == 0 && blocked->count == 0)
        return true;
    if (view_is(method, "HEAD"))
        method = VIEW_STR("GET");
    if (method.len == 0 || path.len == 0 || any_covers(blocked, method, path))
        return false;
    return allowed->count == 0 || any_covers(allowed, method, path);
}
