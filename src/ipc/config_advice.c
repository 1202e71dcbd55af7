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
    if (proxies->count > 0 && a->guard->endpoints.count == 0)
        say(a, CONFIG_WARNING, place(a->root, "proxies", 0), "guard",
            "there are no endpoints, so every request is refused");
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

/* --- what does nothing, beside something else */

/* Has the section, or this member of it, anything but its mode? */
static bool says_more(const struct yaml_node *section)
{
    const struct yaml_node *mode = yaml_get(section, "mode");
    return section && section->count > (mode ? 1 : 0);
}

static void advise_trusted(const struct advising *a)
{
    for (size_t i = 0; i < a->guard->trusted.count; i++)
        if (is_everybody(a->guard->trusted.items[i]))
            say(a, CONFIG_WARNING, place(a->root, "trusted", i), "guard.trusted",
                "everybody is trusted: log-ins have no limit, and automatic blocks nobody; name the networks that are");
}

static void advise_automatic(const struct advising *a)
{
    const struct config_guard_automatic *c = &a->guard->automatic;
    const struct yaml_node *map = yaml_get(a->root, "automatic"), *attacks = yaml_get(map, "attacks"),
                           *mode = yaml_get(map, "mode");
    if (c->mode != CONFIG_AUTOMATIC_BLOCK) {
        if (says_more(map))
            say(a, CONFIG_WARNING, map, "guard.automatic",
                "it is off, so nothing in it counts: say mode: block, or leave it out");
        return;
    }
    if (a->guard->networks.others != CONFIG_OTHERS_ALLOW)
        say(a, CONFIG_WARNING, mode, "guard.automatic",
            "nobody whom the guard lets in is ever blocked: with networks.others: refuse all of them are let in by "
            "name. "
            "Say others: allow; as it is, only log-ins at Holdfast itself from elsewhere are");
    if (attacks && a->guard->patterns.mode != CONFIG_PATTERNS_BLOCK)
        say(a, CONFIG_WARNING, attacks, "guard.automatic",
            "patterns refuse nothing, so only ambiguous paths count as attacks: say patterns.mode: block");
    if (c->prefix4 == 32 && c->prefix6 == PREFIX_SUBSCRIBER6)
        say(a, CONFIG_WARNING, map, "guard.automatic",
            "no network is ever blocked as a whole: prefix4 and prefix6 are as narrow as one client");
}

/* Does a row cover this path, or something below it? */
static bool reaches(const struct entity_list *endpoints, struct view path)
{
    const struct config_guard_endpoint *rows = endpoints->items;
    for (size_t i = 0; i < endpoints->count; i++)
        if (view_eq(rows[i].path, path) || is_below(path, rows[i].path) || is_below(rows[i].path, path))
            return true;
    return false;
}

static void advise_patterns(const struct advising *a)
{
    const struct config_patterns *c = &a->guard->patterns;
    const struct config_patterns_exclusion *x = c->exclusions.items;
    const struct yaml_node *map = yaml_get(a->root, "patterns");
    if (c->mode == CONFIG_PATTERNS_OFF && says_more(map))
        say(a, CONFIG_WARNING, map, "guard.patterns", "nothing is searched, so nothing in it counts: %s",
            a->guard->endpoints.count ? "say mode: block or count" : "there are no endpoints");
    for (size_t i = 0; c->mode != CONFIG_PATTERNS_OFF && i < c->exclusions.count; i++)
        if (x[i].endpoint.len && !reaches(&a->guard->endpoints, x[i].endpoint))
            say(a, CONFIG_WARNING, place(map, "exclusions", i), "guard.patterns",
                "no request at %.*s is let through, so there is nothing to exclude: no endpoint covers it",
                SHOW(x[i].endpoint));
}

/* Is whatever the one refuses refused by the other before? */
static bool is_wider(const struct config_guard_rate *one, const struct config_guard_rate *other)
{
    uint64_t burst = one->burst ? one->burst : one->requests, others = other->burst ? other->burst : other->requests;
    return one->by == other->by && burst >= others &&
           (uint64_t)one->requests * other->seconds >= (uint64_t)other->requests * one->seconds;
}

/* self: its place among the rates, or their count. Of two that are alike the first one counts. */
static void advise_rate(const struct advising *a, const struct config_guard_rate *one, size_t self,
                        const struct yaml_node *at)
{
    const struct config_guard_rate *rates = a->guard->rates.items;
    for (size_t i = 0; i < a->guard->rates.count; i++)
        if (i != self && is_wider(one, &rates[i]) && (i < self || !is_wider(&rates[i], one))) {
            say(a, CONFIG_WARNING, at, "guard.rates", "this limit is never reached: %.*s refuses before it",
                SHOW(rates[i].name));
            return;
        }
}

static void advise_rates(const struct advising *a)
{
    const struct config_guard_rate *rates = a->guard->rates.items;
    const struct config_guard_endpoint *rows = a->guard->endpoints.items;
    for (size_t i = 0; i < a->guard->rates.count; i++)
        advise_rate(a, &rates[i], i, place(a->root, "rates", i));
    for (size_t i = 0; i < a->guard->endpoints.count; i++) {
        struct config_guard_rate own = rows[i].rate;
        own.by = CONFIG_BY_IDENTITY;
        if (own.requests)
            advise_rate(a, &own, a->guard->rates.count, yaml_get(place(a->root, "endpoints", i), "rate"));
    }
}

void config_guard_advise(const struct config_guard *g, const struct yaml_node *root, config_say out, void *context)
{
    const struct advising a = {.guard = g, .root = yaml_get(root, "guard"), .say = out, .context = context};
    advise_proxies(&a);
    advise_networks(&a);
    advise_trusted(&a);
    advise_automatic(&a);
    advise_patterns(&a);
    advise_rates(&a);
    for (size_t i = 0; i < g->endpoints.count; i++) {
        advise_path(&a, i);
        advise_wide(&a, i);
    }
}
