/* What stands behind the guard: which endpoint needs which permission, and which proxies may ask. */
#include "base/fields.h"
#include "base/network.h"
#include "base/prefix.h"
#include "base/text.h"
#include "base/yaml.h"
#include "ipc/config.h"

#include <stdio.h>

#define PATH_MAX_BYTES 512

/* By enum permission of the domain, which is made from the same rows. */
static const char *const permissions[] = {
    "none",
#define PERMISSION(name, text) (text),
#include "base/permissions.def"
#undef PERMISSION
    NULL,
};

/* A path as it is compared: decoded, and with one way to write it. */
bool config_guard_path(struct view p)
{
    size_t begin = 1;
    if (p.len == 0 || p.ptr[0] != '/' || !text_printable(p))
        return false;
    for (size_t i = 1; p.len > 1 && i <= p.len; i++) {
        if (i < p.len && strchr("?#%\\ ", p.ptr[i]))
            return false;
        if (i < p.len && p.ptr[i] != '/')
            continue;
        struct view segment = VIEW(p.ptr + begin, i - begin);
        if (segment.len == 0 || view_is(segment, ".") || view_is(segment, ".."))
            return false;
        begin = i + 1;
    }
    return true;
}

static bool is_method(struct view m)
{
    for (size_t i = 0; i < m.len; i++)
        if (m.ptr[i] < 'A' || m.ptr[i] > 'Z')
            return false;
    return m.len > 0 && m.len <= CONFIG_METHOD_MAX && !view_is(m, "HEAD");
}

static bool is_name(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return v.len > 0 && !view_is(v, "endpoint");
}

static const char *const bys[] = {"none", "address", "identity", NULL};

#define RATE_FIELDS(from)                                                                                              \
    FIELD(from, struct config_guard_rate, requests, U32, 1000000, .min = 1, .flags = FIELD_REQUIRED,                   \
          .doc = "in a window"),                                                                                       \
        FIELD(from + 1, struct config_guard_rate, seconds, U32, 86400, .min = 1, .doc = "of the window; 60"),          \
        FIELD(from + 2, struct config_guard_rate, burst, U32, 1000000, .min = 1, .doc = "at once; all of them"),       \
        FIELD(from + 3, struct config_guard_rate, room, U32, 16777216, .min = 64,                                      \
              .doc = "clients that are told apart; 65536, of an endpoint 4096")

static const struct field rate_fields[] = {
    FIELD(1, struct config_guard_rate, name, TEXT, 32, .flags = FIELD_REQUIRED, .check = is_name,
          .rule = "small letters, digits, - and _, but not the word endpoint", .doc = "as headers call it"),
    FIELD(2, struct config_guard_rate, by, ENUM, 0, .min = 1, .flags = FIELD_REQUIRED, .names = bys,
          .doc = "who is one client"),
    RATE_FIELDS(3),
};
const struct entity config_guard_rate_entity = ENTITY("ConfigGuardRate", 0x081d, 1, struct config_guard_rate,
                                                      rate_fields);
static const struct field endpoint_rate_fields[] = {RATE_FIELDS(1)};
const struct entity config_guard_endpoint_rate_entity = ENTITY("ConfigGuardEndpointRate", 0x081e, 1,
                                                               struct config_guard_rate, endpoint_rate_fields);

static const struct field endpoint_fields[] = {
    FIELD(1, struct config_guard_endpoint, path, TEXT, PATH_MAX_BYTES, .flags = FIELD_REQUIRED,
          .check = config_guard_path, .rule = CONFIG_GUARD_PATH_RULE, .doc = "it and what lies below it"),
    FIELD(2, struct config_guard_endpoint, methods, TEXTS, 16, .check = is_method,
          .rule = "a method in capitals, such as POST; HEAD counts as GET", .doc = "all, if left out"),
    FIELD(3, struct config_guard_endpoint, permission, ENUM, 0, .min = 1, .flags = FIELD_REQUIRED, .names = permissions,
          .doc = "that who asks must have; public: nobody is asked who he is"),
    FIELD(4, struct config_guard_endpoint, rate, ENTITY, 0, .nested = &config_guard_endpoint_rate_entity,
          .doc = "of its own, by identity"),
};
const struct entity config_guard_endpoint_entity = ENTITY("ConfigGuardEndpoint", 0x081a, 1,
                                                          struct config_guard_endpoint, endpoint_fields);

static bool is_prefix(struct view text)
{
    struct prefix p;
    return prefix_parse(text, &p, NULL) == OK;
}

#define PREFIX_RULE "an address, or a network such as 192.0.2.0/24 or 2001:db8::/32 without bits beyond its length"

static const char *const others[] = {"default", "refuse", "allow", NULL};

static const struct field network_fields[] = {
    FIELD(1, struct config_guard_networks, allow, TEXTS, 256, .check = is_prefix, .rule = PREFIX_RULE,
          .doc = "instead of the private networks; the longest prefix decides"),
    FIELD(2, struct config_guard_networks, block, TEXTS, 256, .check = is_prefix, .rule = PREFIX_RULE,
          .doc = "never from there"),
    FIELD(3, struct config_guard_networks, others, ENUM, 0, .names = others, .doc = "whom neither list names"),
};
const struct entity config_guard_networks_entity = ENTITY("ConfigGuardNetworks", 0x081c, 1,
                                                          struct config_guard_networks, network_fields);

static const char *const records[] = {"default", "durable", "behind", NULL};

static const struct field guard_fields[] = {
    FIELD(1, struct config_guard, proxies, TEXTS, 64, .check = network_valid, .rule = NETWORK_RULE,
          .doc = "who may ask for verdicts, and whose word on their clients' addresses is taken"),
    FIELD(2, struct config_guard, record, ENUM, 0, .names = records,
          .doc = "of what was allowed: durable before the answer, or behind it"),
    FIELD(3, struct config_guard, endpoints, LIST, CONFIG_GUARD_ENDPOINTS_MAX, .nested = &config_guard_endpoint_entity,
          .doc = "what no row names is refused"),
    FIELD(4, struct config_guard, networks, ENTITY, 0, .nested = &config_guard_networks_entity),
    FIELD(5, struct config_guard, rates, LIST, CONFIG_GUARD_RATES_MAX, .nested = &config_guard_rate_entity,
          .doc = "all hold at once"),
    FIELD(6, struct config_guard, firewall, ENTITY, 0, .nested = &config_guard_firewall_entity),
    FIELD(7, struct config_guard, countries, ENTITY, 0, .nested = &config_guard_countries_entity),
    FIELD(8, struct config_guard, feeds, LIST, CONFIG_GUARD_FEEDS_MAX, .nested = &config_guard_feed_entity,
          .doc = "files of networks that are kept out"),
    FIELD(9, struct config_guard, patterns, ENTITY, 0, .nested = &config_patterns_entity),
    FIELD(10, struct config_guard, trusted, TEXTS, 256, .check = is_prefix, .rule = PREFIX_RULE,
          .doc = "instead of loopback: neither limited in signing in nor ever blocked automatically"),
    FIELD(11, struct config_guard, authentication, ENTITY, 0, .nested = &config_guard_allowance_entity,
          .doc = "how often one address may sign in"),
    FIELD(12, struct config_guard, failures, ENTITY, 0, .nested = &config_guard_allowance_entity,
          .doc = "how often it may be wrong about that"),
    FIELD(13, struct config_guard, automatic, ENTITY, 0, .nested = &config_guard_automatic_entity,
          .doc = "when an address is blocked without anybody's doing"),
};
const struct entity config_guard_entity = ENTITY("ConfigGuard", 0x081b, 1, struct config_guard, guard_fields);

/* --- defaults */

void config_guard_complete(struct config_guard *g)
{
    static struct view private[] = {VIEW_STR("127.0.0.0/8"),    VIEW_STR("10.0.0.0/8"), VIEW_STR("172.16.0.0/12"),
                                    VIEW_STR("192.168.0.0/16"), VIEW_STR("::1"),        VIEW_STR("fc00::/7")};
    if (g->networks.allow.count == 0)
        g->networks.allow = (struct text_list){private, ARRAY_LEN(private)};
    g->networks.others = g->networks.others ? g->networks.others : CONFIG_OTHERS_REFUSE;
    struct config_guard_rate *rates = g->rates.items;
    for (size_t i = 0; i < g->rates.count; i++)
        rates[i].seconds = rates[i].seconds ? rates[i].seconds : 60;
    struct config_guard_endpoint *rows = g->endpoints.items;
    for (size_t i = 0; i < g->endpoints.count; i++)
        rows[i].rate.seconds = rows[i].rate.requests && rows[i].rate.seconds == 0 ? 60 : rows[i].rate.seconds;
    g->record = g->record ? g->record : CONFIG_GUARD_DURABLE;
    config_firewall_complete(&g->firewall);
    g->countries.without = g->countries.without ? g->countries.without : CONFIG_CLOSED;
    config_automatic_complete(g);
    config_patterns_complete(&g->patterns, g->endpoints.count > 0);
}

/* --- what fits together */

static bool share_a_method(const struct text_list *a, const struct text_list *b)
{
    if (a->count == 0 || b->count == 0)
        return true;
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (view_eq(a->items[i], b->items[k]))
                return true;
    return false;
}

/* root: the file's; NULL where the configuration came otherwise. */
static RESULT refuse(struct problem *why, const struct yaml_node *root, size_t row, size_t other)
{
    const struct yaml_node *rows = yaml_get(yaml_get(root, "guard"), "endpoints");
    char where[64];
    if (rows && row < rows->count && other < rows->count)
        return yaml_refuse(why, ERR_BAD_CONFIG, &rows->items[row],
                           "this method and path stand in the row at line %u already: keep one of them",
                           (unsigned)rows->items[other].line);
    (void)snprintf(where, sizeof where, "guard.endpoints[%zu]", row);
    return problem_set(why, ERR_BAD_CONFIG, where, "this method and path stand in row %zu already", other + 1);
}

/* A network on both lists, however it is written: which of the two counts is not ours to guess. */
static RESULT check_networks(const struct config_guard_networks *n, const struct yaml_node *root, struct problem *why)
{
    const struct yaml_node *block = yaml_get(yaml_get(yaml_get(root, "guard"), "networks"), "block");
    struct prefix a, b;
    for (size_t i = 0; i < n->block.count; i++) {
        TRY(prefix_parse(n->block.items[i], &b, why));
        for (size_t k = 0; k < n->allow.count; k++) {
            TRY(prefix_parse(n->allow.items[k], &a, why));
            if (memcmp(&a, &b, sizeof a) != 0)
                continue;
            return block && i < block->count
                       ? yaml_refuse(why, ERR_BAD_CONFIG, &block->items[i], "this network is on the list allow as well")
                       : problem_set(why, ERR_BAD_CONFIG, "guard.networks", "a network is on both lists");
        }
    }
    return OK;
}

RESULT config_guard_check(const struct config_guard *g, const struct yaml_node *root, struct problem *why)
{
    TRY(check_networks(&g->networks, root, why));
    TRY(config_rates_check(g, root, why));
    TRY(config_firewall_check(&g->firewall, root, why));
    TRY(config_networks_check(g, yaml_get(root, "guard"), why));
    TRY(config_automatic_check(&g->automatic, root, why));
    TRY(config_patterns_check(&g->patterns, root, why));
    const struct config_guard_endpoint *rows = g->endpoints.items;
    for (size_t i = 1; i < g->endpoints.count; i++)
        for (size_t k = 0; k < i; k++)
            if (view_eq(rows[i].path, rows[k].path) && share_a_method(&rows[i].methods, &rows[k].methods))
                return refuse(why, root, i, k);
    return OK;
}
