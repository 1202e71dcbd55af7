#include "domain/guard/guard.h"

#include "domain/guard/networks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct guard {
    struct endpoints *endpoints;
    struct often *often;
    struct networks *networks;
    struct blocks *blocks;
    struct netfiles *files;
    struct attempts *attempts;
    struct automatic *automatic;
    struct prefix *trusted;
    size_t trusted_count;
    pthread_mutex_t refreshing;
    _Atomic size_t unread, distrusted; /* rows: at the load, and by the check, which finds those as well */
    bool others;                       /* are let in */
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

/* Of a proxy that asks over a Unix socket no client has the address. */
static void trust_proxies(struct guard *g)
{
    for (size_t i = 0; i < g->proxy_count; i++) {
        struct prefix p = {.bits = (uint8_t)g->proxies[i].bits};
        memcpy(p.base.b, g->proxies[i].address, sizeof p.base.b);
        if (!g->proxies[i].is_unix)
            g->trusted[g->trusted_count++] = p;
    }
}

static RESULT read_trusted(const struct text_list *texts, struct guard *g)
{
    g->trusted = calloc(texts->count + g->proxy_count + 1, sizeof *g->trusted);
    if (!g->trusted)
        return ERR_NO_MEMORY;
    for (; g->trusted_count < texts->count; g->trusted_count++)
        TRY(prefix_parse(texts->items[g->trusted_count], &g->trusted[g->trusted_count], NULL));
    trust_proxies(g);
    return OK;
}

static RESULT put_all(struct networks *n, const struct text_list *texts, enum networks_action action)
{
    for (size_t i = 0; i < texts->count; i++) {
        struct networks_rule rule = {.action = action, .origin = NETWORKS_CONFIGURED};
        TRY(prefix_parse(texts->items[i], &rule.network, NULL));
        TRY(networks_put(n, &rule));
    }
    return OK;
}

static RESULT read_networks(const struct config_guard_networks *from, struct guard *g)
{
    g->others = from->others == CONFIG_OTHERS_ALLOW;
    TRY(networks_new(&g->networks));
    TRY(put_all(g->networks, &from->allow, NETWORKS_ALLOW));
    return put_all(g->networks, &from->block, NETWORKS_BLOCK);
}

static RESULT fill(const struct config_guard *config, const struct random *random, struct guard *g, struct problem *why)
{
    TRY(read_proxies(&config->proxies, g));
    TRY(read_trusted(&config->trusted, g));
    TRY(read_networks(&config->networks, g));
    TRY(blocks_new(&g->blocks));
    TRY(netfiles_new(config, g->networks, &g->files));
    TRY(endpoints_new(config, &g->endpoints));
    TRY(often_new(config, random, &g->often, why));
    TRY(attempts_new(config, random, &g->attempts, why));
    return automatic_new(&config->automatic, random, &g->automatic, why);
}

RESULT guard_new(const struct config_guard *config, const struct random *random, struct guard **ret,
                 struct problem *why)
{
    struct guard *g = calloc(1, sizeof *g + config->proxies.count * sizeof(g->proxies[0]));
    if (!g)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&g->refreshing, NULL);
    enum err e = fill(config, random, g, why);
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
    often_free(g->often);
    netfiles_free(g->files);
    networks_free(g->networks);
    blocks_free(g->blocks);
    attempts_free(g->attempts);
    automatic_free(g->automatic);
    free(g->trusted);
    pthread_mutex_destroy(&g->refreshing);
    free(g);
}

bool guard_is_proxy(const struct guard *g, const struct network_source *from)
{
    for (size_t i = 0; i < g->proxy_count; i++)
        if (network_holds(&g->proxies[i], from))
            return true;
    return false;
}

bool guard_trusts(const struct guard *g, const struct address *a)
{
    for (size_t i = 0; i < g->trusted_count; i++)
        if (prefix_holds(&g->trusted[i], a))
            return true;
    return false;
}

bool guard_trusts_in(const struct guard *g, const struct prefix *network)
{
    for (size_t i = 0; i < g->trusted_count; i++)
        if (prefix_holds(network, &g->trusted[i].base))
            return true;
    return guard_trusts(g, &network->base);
}

struct attempts *guard_attempts(const struct guard *g)
{
    return g->attempts;
}

struct automatic *guard_automatic(const struct guard *g)
{
    return g->automatic;
}

struct networks *guard_networks(const struct guard *g)
{
    return g->networks;
}

struct blocks *guard_blocks(const struct guard *g)
{
    return g->blocks;
}

static RESULT end_automatic(struct guard *g, const struct prefix *network)
{
    enum err e = networks_remove(g->networks, network, NETWORKS_AUTOMATIC);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* What people say of a network is instead of an automatic block of the same one. */
static RESULT take(void *context, const struct kept *k)
{
    struct guard *g = context;
    TRY(networks_put(g->networks, &k->rule));
    if (k->rule.origin == NETWORKS_OPERATOR)
        TRY(end_automatic(g, &k->rule.network));
    if (k->rule.action == NETWORKS_BLOCK)
        return blocks_note(g->blocks, k);
    blocks_drop(g->blocks, &k->rule.network);
    return OK;
}

RESULT guard_load(struct guard *g, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                  struct problem *why)
{
    size_t damaged = 0;
    TRY(kept_load(reader, keys, take, g, &damaged, why));
    atomic_store(&g->unread, damaged);
    *ret_damaged = damaged;
    return OK;
}

struct distrust {
    struct guard *guard;
    const struct row_keys *keys;
    const uint8_t *row;
};

static bool drop_let_in(void *context, const struct networks_rule *r)
{
    const struct distrust *d = context;
    bool is_row = r->origin == NETWORKS_OPERATOR && r->action == NETWORKS_ALLOW &&
                  kept_is_row(d->keys, &r->network, d->row);
    if (is_row)
        (void)!networks_remove(d->guard->networks, &r->network, NETWORKS_OPERATOR);
    return !is_row;
}

void guard_distrust(struct guard *g, const struct row_keys *keys, uint16_t table, const uint8_t row[static 32])
{
    struct distrust d = {g, keys, row};
    if (table != TABLE_NETWORK)
        return;
    atomic_fetch_add(&g->distrusted, 1);
    pthread_mutex_lock(&g->refreshing);
    networks_each(g->networks, drop_let_in, &d);
    pthread_mutex_unlock(&g->refreshing);
}

size_t guard_damaged(const struct guard *g)
{
    size_t unread = atomic_load(&g->unread), distrusted = atomic_load(&g->distrusted);
    return unread > distrusted ? unread : distrusted;
}

RESULT guard_note(struct guard *g, const struct kept *block)
{
    pthread_mutex_lock(&g->refreshing);
    enum err e = take(g, block);
    pthread_mutex_unlock(&g->refreshing);
    return e;
}

static RESULT take_back(struct guard *g, const struct prefix *network)
{
    blocks_drop(g->blocks, network);
    TRY(end_automatic(g, network));
    enum err e = networks_remove(g->networks, network, NETWORKS_OPERATOR);
    return e == ERR_NOT_FOUND ? OK : e; /* nothing is said of it, here as there */
}

RESULT guard_refresh(struct guard *g, struct store *reader, const struct row_keys *keys, const struct prefix *network,
                     struct arena *arena, struct kept *ret)
{
    struct kept kept = {0};
    pthread_mutex_lock(&g->refreshing);
    enum err e = kept_get(reader, keys, network, arena, &kept);
    if (e == OK)
        e = take(g, &kept);
    else if (e == ERR_NOT_FOUND)
        e = take_back(g, network);
    pthread_mutex_unlock(&g->refreshing);
    if (e == OK)
        *ret = kept;
    return e;
}

static enum err judge_country(const struct guard *g, const struct address *from, uint64_t now_ms,
                              struct guard_answer *a)
{
    if (!netfiles_ready(g->files))
        return ERR_UNAVAILABLE;
    a->asked = netfiles_ask_countries(g->files);
    if (!a->asked)
        return OK;
    netfiles_judge(g->files, from, now_ms, &a->country);
    if (a->country.let_in)
        return OK;
    bool known = a->country.reason == GEO_LISTED || a->country.reason == GEO_UNLISTED;
    return known ? ERR_COUNTRY_BLOCKED : ERR_COUNTRY_UNKNOWN;
}

void guard_judge(const struct guard *g, const struct address *from, uint64_t now_ms, struct guard_answer *ret)
{
    ret->asked = false;
    ret->country = (struct geo_answer){0};
    networks_look_up(g->networks, from, now_ms, &ret->rule);
    if (ret->rule.action == NETWORKS_BLOCK)
        ret->verdict = ERR_ADDRESS_BLOCKED;
    else if (ret->rule.action == NETWORKS_ALLOW)
        ret->verdict = OK;
    else
        ret->verdict = g->others ? judge_country(g, from, now_ms, ret) : ERR_ADDRESS_NOT_ALLOWED;
}

RESULT guard_admits(const struct guard *g, const struct address *from, uint64_t now_ms)
{
    struct guard_answer a;
    guard_judge(g, from, now_ms, &a);
    if (a.verdict == ERR_ADDRESS_BLOCKED && a.rule.origin != NETWORKS_FEED)
        blocks_hit(g->blocks, &a.rule.network);
    return a.verdict;
}

struct netfiles *guard_netfiles(const struct guard *g)
{
    return g->files;
}

bool guard_keeps_out(const struct guard *g, const struct address *from, uint64_t now_ms)
{
    struct networks_rule rule;
    networks_look_up(g->networks, from, now_ms, &rule);
    if (rule.action != NETWORKS_BLOCK || rule.origin == NETWORKS_FEED)
        return false;
    blocks_hit(g->blocks, &rule.network);
    return true;
}

const struct endpoints *guard_endpoints(const struct guard *g)
{
    return g->endpoints;
}

struct often *guard_often(const struct guard *g)
{
    return g->often;
}
