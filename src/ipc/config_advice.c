#include "ipc/config_advice.h"

#include "base/prefix.h"

#include <stdarg.h>
#include <stdio.h>

struct advising {
    const struct config_guard *guard;
    const struct yaml_node *root; /* the section's; NULL: unknown */
    config_say say;
    void *context;
};

/* As config_guard_endpoint.permission has them. */
enum {
    PLACE_NONE,
#define PERMISSION(name, text) PLACE_##name,
#include "base/permissions.def"
#undef PERMISSION
};

#define SHOW(v) (int)(v).len, (const char *)(v).ptr

/* node: where, or NULL for nowhere in particular; name: what it is called then. */
__attribute__((format(printf, 5, 6))) static void say(const struct advising *a, enum config_weight weight,
                                                      const struct yaml_node *node, const char *name,
                                                      const char *format, ...)
{
    struct problem why = {.code = OK};
    char detail[sizeof why.detail];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(detail, sizeof detail, format, list);
    va_end(list);
    if (node)
        (void)!yaml_refuse(&why, ERR_BAD_CONFIG, node, "%s", detail);
    else
        (void)!problem_set(&why, ERR_BAD_CONFIG, name, "%s", detail);
    a->say(a->context, weight, &why);
}

/* The i-th item of a list, or the list, or the section: whatever the file has. */
static const struct yaml_node *place(const struct yaml_node *map, const char *list, size_t i)
{
    const struct yaml_node *items = yaml_get(map, list);
    if (items && items->kind == YAML_LIST && i < items->count)
        return &items->items[i];
    return items ? items : map;
}

/* --- proxies */

static bool is_everybody(struct view text)
{
    struct prefix p;
    return prefix_parse(text, &p, NULL) == OK && p.bits == (prefix_is_ipv4(&p) ? 96 : 0);
}

static void advise_proxies(const struct advising *a)
{
    const struct text_list *proxies = &a->guard->proxies;
    if (proxies->count == 0 && a->guard->endpoints.count > 0)
        say(a, CONFIG_WARNING, a->root, "guard", "proxies names nobody, so no request reaches any endpoint");
    for (size_t i = 0; i < proxies->count; i++) {
        const struct yaml_node *at = place(a->root, "proxies", i);
        if (is_everybody(proxies->items[i]))
            say(a, CONFIG_WARNING, at, "guard.proxies", "everybody is believed what he says of his clients' addresses");
        if (view_is(proxies->items[i], "unix"))
            say(a, CONFIG_NOTE, at, "guard.proxies",
                "every user of this host may ask, and name any client; unix:UID is one");
    }
}

/* --- networks */

static bool covered(const struct text_list *allow, const struct prefix *block)
{
    struct prefix p;
    for (size_t i = 0; i < allow->count; i++)
        if (prefix_parse(allow->items[i], &p, NULL) == OK && p.bits < block->bits && prefix_holds(&p, &block->base))
            return true;
    return false;
}

static bool limits_strangers(const struct config_guard *g)
{
    const struct config_guard_rate *rates = g->rates.items;
    for (size_t i = 0; i < g->rates.count; i++)
        if (rates[i].by == CONFIG_BY_ADDRESS)
            return true;
    return false;
}

static void advise_networks(const struct advising *a)
{
    const struct config_guard_networks *n = &a->guard->networks;
    const struct yaml_node *map = yaml_get(a->root, "networks"), *others = yaml_get(map, "others");
    struct prefix p;
    if (n->others == CONFIG_OTHERS_ALLOW && !limits_strangers(a->guard))
        say(a, CONFIG_WARNING, others ? others : map, "guard.networks",
            "everybody is let in, and no limit is by address: nothing slows down who tries credentials");
    for (size_t i = 0; n->others != CONFIG_OTHERS_ALLOW && i < n->block.count; i++)
        if (prefix_parse(n->block.items[i], &p, NULL) == OK && !covered(&n->allow, &p))
            say(a, CONFIG_NOTE, place(map, "block", i), "guard.networks",
                "%.*s is kept out anyway: allow names nothing around it", SHOW(n->block.items[i]));
}

/* --- endpoints */

/* Between two permissions that roles give there is no order. */
static int strength(const struct config_guard_endpoint *e)
{
    if (e->permission == PLACE_PUBLIC)
        return 0;
    return e->permission == PLACE_AUTHENTICATED ? 1 : 2;
}

static bool share_methods(const struct text_list *a, const struct text_list *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (view_eq(a->items[i], b->items[k]))
                return true;
    return a->count == 0 || b->count == 0;
}

static bool is_below(struct view narrow, struct view wide)
{
    if (view_is(wide, "/"))
        return narrow.len > 1;
    return narrow.len > wide.len && narrow.ptr[wide.len] == '/' && view_eq(VIEW(narrow.ptr, wide.len), wide);
}

static void advise_wide(const struct advising *a, size_t at)
{
    const struct config_guard_endpoint *rows = a->guard->endpoints.items, *wide = &rows[at], *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < a->guard->endpoints.count; i++) {
        if (!is_below(rows[i].path, wide->path) || strength(wide) >= strength(&rows[i]) ||
            !share_methods(&wide->methods, &rows[i].methods))
            continue;
        first = first ? first : &rows[i];
        count++;
    }
    if (first)
        say(a, CONFIG_WARNING, place(a->root, "endpoints", at), "guard.endpoints",
            "%.*s asks for less than %.*s below it%s: an application that reads paths otherwise, as without case, is "
            "open there",
            SHOW(wide->path), SHOW(first->path), count > 1 ? ", and others" : "");
}

static void advise_path(const struct advising *a, size_t at)
{
    const struct config_guard_endpoint *rows = a->guard->endpoints.items;
    const struct yaml_node *node = place(a->root, "endpoints", at);
    struct view path = rows[at].path;
    if (memchr(path.ptr, ';', path.len))
        say(a, CONFIG_WARNING, node, "guard.endpoints", "no request reaches it: what has a ';' is refused before");
    if (memchr(path.ptr, '*', path.len) || memchr(path.ptr, '{', path.len))
        say(a, CONFIG_WARNING, node, "guard.endpoints",
            "'*' and '{' are characters of the path like others; a row covers all that lies below it anyway");
    if (rows[at].permission == PLACE_PUBLIC)
        say(a, CONFIG_NOTE, node, "guard.endpoints",
            "%.*s is public: nobody is asked who he is, and nothing is recorded", SHOW(path));
}

void config_guard_advise(const struct config_guard *g, const struct yaml_node *root, config_say out, void *context)
{
    const struct advising a = {.guard = g, .root = yaml_get(root, "guard"), .say = out, .context = context};
    advise_proxies(&a);
    advise_networks(&a);
    for (size_t i = 0; i < g->endpoints.count; i++) {
        advise_path(&a, i);
        advise_wide(&a, i);
    }
}
