#include "domain/guard/guard.h"

#include <stdlib.h>

struct guard {
    struct endpoints *endpoints;
    size_t proxy_count;
    struct network proxies[];
};

/* A text that the configuration's check let through is read the same way here. */
static RESULT read_proxies(const struct text_list *texts, struct guard *g)
{
    for (size_t i = 0; i < texts->count; i++)
        TRY(network_parse(texts->items[i], &g->proxies[i]));
    g->proxy_count = texts->count;
    return OK;
}

RESULT guard_new(const struct config_guard *config, struct guard **ret)
{
    struct guard *g = calloc(1, sizeof *g + config->proxies.count * sizeof(g->proxies[0]));
    if (!g)
        return ERR_NO_MEMORY;
    enum err e = read_proxies(&config->proxies, g);
    if (e == OK)
        e = endpoints_new(config, &g->endpoints);
    if (e == OK)
        *ret = g;
    else
        guard_free(g);
    return e;
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    endpoints_free(g->endpoints);
    free(g);
}

bool guard_is_proxy(const struct guard *g, const struct network_source *from)
{
    for (size_t i = 0; i < g->proxy_count; i++)
        if (network_holds(&g->proxies[i], from))
            return true;
    return false;
}

const struct endpoints *guard_endpoints(const struct guard *g)
{
    return g->endpoints;
}
