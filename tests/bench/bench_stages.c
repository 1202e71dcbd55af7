/* verdict_stages: CPU time of all stages of a verdict on an ordinary GET, one after the other in one thread, among
 * 1,000,000 API keys and 1,000,000 prefixes, against the same among 1,000 and 100. What each stage costs alone, in time
 * and in instructions, goes to standard error as the table of docs/performance.md. Not in it are HTTP, TLS and the
 * record. */
#include "bench.h"
#include "counter.h"
#include "key_table.h"
#include "prefixes.h"
#include "source.h"

#include "api/proxied.h"
#include "crypto/secmem.h"
#include "domain/guard/guard.h"
#include "domain/identity/decide.h"

#include <stdio.h>

#define NOW      KEY_TABLE_NOW
#define CALLS    20000u                       /* in a round */
#define PLANS    (CALLS * (BENCH_ROUNDS + 1)) /* the first round warms up */
#define SERVICES 100u
#define KNOWN    256u
#define SIZES    4

static const struct size {
    const char *name;
    unsigned keys, prefixes;
} sizes[SIZES] = {{"10³ keys, 10² prefixes", 1000, 100},
                  {"10⁴ keys, 10⁴ prefixes", 10000, 10000},
                  {"10⁵ keys, 10⁵ prefixes", 100000, 100000},
                  {"10⁶ keys, 10⁶ prefixes", 1000000, 1000000}};

/* --- the desk */

/* One request that a proxy asks about, each of another client. */
struct plan {
    char target[48], from[ADDRESS_TEXT_SIZE], actor[sizeof "key:" + API_KEY_ID_LEN];
    struct address address;
    bool listed; /* half of them are */
    uint32_t key;
};

static struct desk {
    struct arena *arena; /* of one request */
    struct arena *kept;
    struct config config;
    struct guard *guard;
    struct networks *networks;
    struct geo *geo;
    struct geo_rule countries;
    struct identity *people;
    struct key_table keys;
    struct api_key_found known[KNOWN]; /* some of the keys, as api_keys_verify copies them out */
    struct patterns *patterns;
    struct patterns_scratch *scratch;
    struct plan plans[PLANS];
    uint64_t now_ns;
} desk;

/* The limits are so wide that nobody reaches them. */
static void make_guard(void)
{
    AUTO_WRITER text = writer_new(32768);
    struct problem why = {0};
    writer_str(&text, "guard:\n  proxies: [127.0.0.1, 10.0.0.0/8]\n  networks: {others: allow}\n"
                      "  rates:\n    - {name: address, by: address, requests: 1000000, seconds: 1}\n"
                      "    - {name: desk, by: identity, requests: 1000000, seconds: 1}\n  endpoints:\n");
    for (unsigned i = 0; i < SERVICES; i++)
        writer_printf(&text,
                      "    - {path: /api/v1/service-%02u/orders, methods: [GET, POST], permission: mev:execute, rate: "
                      "{requests: 1000000, seconds: 1}}\n",
                      i);
    bench_must(writer_done(&text), "a configuration");
    if (config_parse(writer_view_of(&text), "bench", desk.kept, &desk.config, &why) != OK)
        bench_must(why.code, why.detail);
    bench_must(guard_new(&desk.config.guard, random_system(), &desk.guard, &why), "the guard");
    desk.networks = guard_networks(desk.guard);
}

static void make_countries(const char *database)
{
    const struct view file = source_read(database);
    struct problem why = {0};
    bench_must(geo_new(&desk.geo), "countries");
    bench_must(geo_load(desk.geo, (uint8_t *)(uintptr_t)file.ptr, file.len, NOW, &why), why.detail);
    bench_must(geo_countries_add(&desk.countries.countries, VIEW_STR("KP")), "a country");
}

static void make_people(void)
{
    static struct view roles[] = {VIEW_STR("trader")};
    bench_must(identity_new(&desk.people), "people");
    for (unsigned i = 0; i < KEY_TABLE_OWNERS; i++, arena_reset(desk.arena)) {
        struct txn_change c;
        char name[16];
        (void)snprintf(name, sizeof name, "user%u", i);
        const struct user u = {.id = {(uint8_t)i, (uint8_t)(i >> 8)},
                               .name = view_str(name),
                               .roles = {roles, 1},
                               .state = USER_ACTIVE,
                               .environments = ENVIRONMENTS_ALL};
        bench_must(identity_put_user(desk.keys.row_keys, &u, NULL, desk.arena, &c), "a user");
        bench_must(identity_applied(desk.people, &c), "a user");
    }
}

static void make(const char *countries)
{
    bench_must(arena_new(16384, 1u << 20, &desk.arena), "an arena");
    bench_must(arena_new(65536, 64u << 20, &desk.kept), "an arena");
    make_guard();
    make_countries(countries);
    key_table_init(&desk.keys);
    make_people();
    desk.patterns = source_patterns();
    bench_must(patterns_scratch_new(desk.patterns, random_system(), &desk.scratch), "scratch memory");
}

static struct prefix *feed(unsigned count)
{
    struct prefix *all = calloc(count, sizeof *all);
    bench_must(all ? OK : ERR_NO_MEMORY, "prefixes");
    for (unsigned i = 0; i < count; i++)
        all[i] = prefixes_random(i % 2);
    (void)prefixes_load(desk.networks, all, count);
    return all;
}

static void grow(const struct size *s)
{
    struct prefix *all = feed(s->prefixes);
    key_table_grow(&desk.keys, s->keys, desk.arena);
    for (unsigned i = 0; i < PLANS; i++) {
        struct plan *p = &desk.plans[i];
        p->key = (uint32_t)(prefixes_dice() % s->keys);
        p->listed = prefixes_dice() >> 63;
        p->address = prefixes_address(all, s->prefixes, p->listed);
        address_format(&p->address, p->from);
        (void)snprintf(p->target, sizeof p->target, "/api/v1/service-%02u/orders?chain=1&limit=50",
                       (unsigned)(prefixes_dice() % SERVICES));
        (void)snprintf(p->actor, sizeof p->actor, "key:%.*s", API_KEY_ID_LEN, key_table_id(&desk.keys, p->key));
    }
    free(all);
    for (unsigned i = 0; i < KNOWN; i++) {
        const struct view id = VIEW(key_table_id(&desk.keys, desk.plans[i].key), API_KEY_ID_LEN);
        bench_must(api_keys_find(desk.keys.keys, id, desk.kept, &desk.known[i]), "a key");
    }
}

/* --- the stages, as src/api/verdict.c asks them */

#define AGENT                                                                                                          \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

/* What a proxy passes on of a browser's request, with its own words in front. */
enum { SAID_METHOD, SAID_URI, SAID_FOR, SAID };
static struct http_pair headers[] = {
    [SAID_METHOD] = {VIEW_STR("X-Forwarded-Method"), VIEW_STR("GET")},
    [SAID_URI] = {VIEW_STR("X-Forwarded-Uri"), {0}},
    [SAID_FOR] = {VIEW_STR("X-Forwarded-For"), {0}},
    [SAID] = {VIEW_STR("X-Forwarded-Proto"), VIEW_STR("https")},
    {VIEW_STR("Host"), VIEW_STR("desk.example.com")},
    {VIEW_STR("User-Agent"), VIEW_STR(AGENT)},
    {VIEW_STR("Accept"), VIEW_STR("application/json, text/plain, */*")},
    {VIEW_STR("Accept-Language"), VIEW_STR("en-GB,en;q=0.9,de;q=0.8")},
    {VIEW_STR("Accept-Encoding"), VIEW_STR("gzip, deflate, br, zstd")},
    {VIEW_STR("Referer"), VIEW_STR("https://desk.example.com/orders?tab=open")},
    {VIEW_STR("Sec-Fetch-Mode"), VIEW_STR("cors")},
    {VIEW_STR("Sec-Fetch-Site"), VIEW_STR("same-origin")},
};

static void nothing(const struct plan *p)
{
    (void)p;
}

static void ask_reading(const struct plan *p)
{
    static const struct route route = {.method = HTTP_GET};
    struct http_request req = {
        .route = &route,
        .method = HTTP_GET,
        .headers = {headers, ARRAY_LEN(headers)},
        .arena = desk.arena,
        .peer.address = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
    };
    struct proxied said;
    struct problem why = {0};
    headers[SAID_URI].value = view_str(p->target);
    headers[SAID_FOR].value = view_str(p->from);
    bench_must(proxied_read(&req, desk.guard, &said, &why), why.detail);
}

static void ask_networks(const struct plan *p)
{
    struct networks_rule rule;
    networks_look_up(desk.networks, &p->address, NOW, &rule);
    bench_must(p->listed && rule.action == NETWORKS_UNSAID ? ERR_INTERNAL : OK, "a network");
}

/* Addresses from all over IPv4, which the database knows as good as all. */
static void ask_countries(const struct plan *p)
{
    const uint32_t mixed = p->key * UINT32_C(2654435761); /* Knuth's multiplicative hash */
    const struct address a = {{[10] = 0xff,
                               0xff,
                               (uint8_t)(1 + (mixed >> 24) % 223),
                               (uint8_t)(mixed >> 16),
                               (uint8_t)(mixed >> 8),
                               (uint8_t)mixed}};
    struct geo_answer answer;
    geo_judge(desk.geo, &desk.countries, &a, NOW, &answer);
    bench_must(answer.reason == GEO_UNLISTED && answer.let_in ? OK : ERR_INTERNAL, "a country");
}

static void ask_endpoints(const struct plan *p)
{
    const struct config_guard_endpoint *row;
    const struct view path = VIEW(p->target, sizeof "/api/v1/service-00/orders" - 1);
    bench_must(endpoints_find(guard_endpoints(desk.guard), VIEW_STR("GET"), path, &row), "an endpoint");
}

static void verify(const struct plan *p, struct api_key_found *ret)
{
    const struct key_text *t = &desk.keys.texts[p->key];
    struct network_source from = {0};
    struct api_key_parts parts;
    struct api_key_shown shown = {.text = VIEW(t->text, t->len), .parts = &parts, .from = &from, .now_ms = NOW};
    memcpy(from.address, p->address.b, sizeof from.address);
    bench_must(api_keys_verify(desk.keys.keys, desk.keys.row_keys, &shown, desk.arena, ret), "a key");
}

static void ask_key(const struct plan *p)
{
    struct api_key_found found;
    verify(p, &found);
}

static void decide(const struct api_key *key)
{
    static const struct decide_what what = {.permission = PERMISSION_MEV_EXECUTE, .use = USE_EXECUTE};
    struct standing s;
    standing_of_key(desk.people, key, NOW, &s);
    bench_must(decide_may(&s, &what) == RULE_GRANTED ? OK : ERR_FORBIDDEN, "a permission");
}

static void ask_standing(const struct plan *p)
{
    decide(&desk.known[p->key % KNOWN].key);
}

static void ask_rates(const struct plan *p)
{
    uint8_t policy_text[1024] __attribute__((uninitialized)), state_text[1024] __attribute__((uninitialized));
    struct writer policy = writer_fixed(policy_text, sizeof policy_text);
    struct writer state = writer_fixed(state_text, sizeof state_text);
    const struct config_guard_endpoint *rows = desk.config.guard.endpoints.items;
    const struct often_ask ask = {.from = p->address,
                                  .actor = VIEW(p->actor, sizeof p->actor - 1),
                                  .row = &rows[p->key % SERVICES],
                                  .now_ns = desk.now_ns += 1000};
    uint64_t retry;
    bench_must(often_take(guard_often(desk.guard), &ask, &policy, &state, &retry) ? OK : ERR_RATE_LIMITED, "a limit");
}

static void check(const struct patterns_request *r)
{
    struct patterns_verdict v;
    bench_must(patterns_check(desk.patterns, r, desk.scratch, &v), "patterns");
    bench_must(v.blocked ? ERR_INTERNAL : OK, "an ordinary request");
}

static struct patterns_field fields[ARRAY_LEN(headers) - SAID];

/* The same of a client that nobody has seen: each text ends in four letters that come again after 160,000 requests, and
 * make no word. */
static char unseen_target[] = "/api/v1/service-aaaa/orders?chain=aaaa&limit=aaaa",
            unseen_values[ARRAY_LEN(fields)][128];
static struct patterns_field unseen_fields[ARRAY_LEN(fields)];

static void end_anew(char *end, uint32_t number)
{
    static const char letters[] = "bcdfghjkmnpqrstvwxyz";
    for (int i = 1; i <= 4; i++, number /= 20)
        end[-i] = letters[number % 20];
}

static struct patterns_request unseen_get(void)
{
    static uint32_t number;
    end_anew(strstr(unseen_target, "/orders"), ++number);
    end_anew(strchr(unseen_target, '&'), number);
    end_anew(unseen_target + sizeof unseen_target - 1, number);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        end_anew(unseen_values[i] + unseen_fields[i].value.len, number);
    return (struct patterns_request){.target = VIEW(unseen_target, sizeof unseen_target - 1),
                                     .headers = unseen_fields,
                                     .header_count = ARRAY_LEN(unseen_fields)};
}

static void ask_unseen_get(const struct plan *p)
{
    const struct patterns_request r = unseen_get();
    (void)p;
    check(&r);
}

static void ask_get(const struct plan *p)
{
    const struct patterns_request r = {
        .target = view_str(p->target), .headers = fields, .header_count = ARRAY_LEN(fields)};
    check(&r);
}

static char order_json[1025];

static void ask_unseen_post(const struct plan *p)
{
    struct patterns_request r = unseen_get();
    (void)p;
    r.kind = PATTERNS_BODY_JSON;
    r.body = view_str(order_json);
    check(&r);
}

static void ask_post(const struct plan *p)
{
    const struct patterns_request r = {.target = view_str(p->target),
                                       .headers = fields,
                                       .header_count = ARRAY_LEN(fields),
                                       .kind = PATTERNS_BODY_JSON,
                                       .body = view_str(order_json)};
    check(&r);
}

static void ask_all(const struct plan *p)
{
    struct api_key_found found;
    ask_reading(p);
    ask_networks(p);
    ask_countries(p);
    ask_endpoints(p);
    verify(p, &found);
    decide(&found.key);
    ask_rates(p);
    ask_get(p);
}

/* Orders as a venue takes them, 1 KiB of them. */
static void make_requests(void)
{
    struct writer w = writer_fixed((uint8_t *)order_json, sizeof order_json - 1);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct view value = headers[SAID + i].value;
        fields[i] = (struct patterns_field){headers[SAID + i].name, value};
        bench_must(value.len < sizeof unseen_values[i] ? OK : ERR_TOO_LONG, "a header");
        memcpy(unseen_values[i], value.ptr, value.len);
        unseen_fields[i] = (struct patterns_field){fields[i].name, VIEW(unseen_values[i], value.len)};
    }
    writer_str(&w, "{\"orders\":[");
    for (unsigned i = 0; i < 8; i++)
        writer_printf(&w,
                      "%s{\"symbol\":\"BTC/USDT;PERP\",\"side\":\"buy\",\"type\":\"limit\",\"price\":\"6%u150.25\","
                      "\"quantity\":\"0.0%u5\",\"clientId\":\"a3f9%u\"}",
                      i ? "," : "", i, i, i);
    writer_str(&w, "],\"note\":\"");
    while (w.len < sizeof order_json - 3)
        writer_u8(&w, (uint8_t)("rebalance at the close "[w.len % 23]));
    writer_str(&w, "\"}");
    bench_must(writer_done(&w), "a body");
}

/* --- the table */

static const struct stage {
    const char *name;
    void (*ask)(const struct plan *p);
} stages[] = {
    {"the request: its target, and the client behind the proxy", ask_reading},
    {"networks: one address among all prefixes", ask_networks},
    {"countries: one address in the database", ask_countries},
    {"endpoints: one path among 100", ask_endpoints},
    {"API key: checked, and copied out", ask_key},
    {"permission: roles of the key and of its owner", ask_standing},
    {"rates: three limits, and their headers", ask_rates},
    {"patterns: a GET with a browser's headers, never seen", ask_unseen_get},
    {"patterns: the same, each text seen before", ask_get},
    {"patterns: a POST with 1 KiB of JSON, never seen", ask_unseen_post},
    {"patterns: the same, each text of its head seen before", ask_post},
    {"all of a GET, one after the other", ask_all},
};

static struct counter costs[SIZES][ARRAY_LEN(stages)];

static struct counter round_of(void (*ask)(const struct plan *p), const struct plan *plans)
{
    const struct counter start = counter_now();
    for (unsigned i = 0; i < CALLS; i++, arena_reset(desk.arena))
        ask(&plans[i]);
    const struct counter end = counter_now();
    return (struct counter){(end.ns - start.ns) / CALLS, (end.instructions - start.instructions) / CALLS};
}

/* Of one call, without the loop around it. */
static struct counter cost_of(void (*ask)(const struct plan *p))
{
    double ns[BENCH_ROUNDS], instructions[BENCH_ROUNDS];
    (void)round_of(ask, desk.plans);
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        const struct counter loop = round_of(nothing, desk.plans);
        const struct counter c = round_of(ask, &desk.plans[(i + 1) * CALLS]);
        ns[i] = c.ns - loop.ns;
        instructions[i] = c.instructions - loop.instructions;
    }
    return (struct counter){bench_median(ns, BENCH_ROUNDS), bench_median(instructions, BENCH_ROUNDS)};
}

static void print_table(bool counted)
{
    fputs("| stage |", stderr);
    for (size_t s = 0; s < SIZES; s++)
        fprintf(stderr, " %s |", sizes[s].name);
    fputs("\n|---|---|---|---|---|\n", stderr);
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        fprintf(stderr, "| %s |", stages[i].name);
        for (size_t s = 0; s < SIZES; s++) {
            fprintf(stderr, " %.0f / ", costs[s][i].ns);
            fprintf(stderr, counted ? "%.0f |" : "- |", costs[s][i].instructions);
        }
        fputc('\n', stderr);
    }
}

int main(int argc, char **argv)
{
    AUTO_WRITER json = writer_new(1024);
    const size_t all = ARRAY_LEN(stages) - 1;
    bool locked;
    if (argc != 2)
        bench_must(ERR_BAD_VALUE, "usage: bench_stages COUNTRIES.mmdb");
    bench_must(crypto_init(&locked), "crypto");
    make(argv[1]);
    make_requests();
    bool counted = counter_open();
    for (size_t s = 0; s < SIZES; s++) {
        grow(&sizes[s]);
        for (size_t i = 0; i < ARRAY_LEN(stages); i++)
            costs[s][i] = cost_of(stages[i].ask);
    }
    print_table(counted);
    bench_result(&json, "verdict_stages", costs[SIZES - 1][all].ns, costs[0][all].ns, "ns");
    bench_print(&json);
    return 0;
}
