/* What the operator says of networks at run time: which the guard keeps out, and which it lets in. */
#include "api/blocks.h"
#include "api/people.h"
#include "api/routes.h"
#include "api/strikes.h"
#include "base/fields.h"

#include "domain/guard/guard.h"

#define MINUTE_MS 60000ull
#define LIST_MAX  1000

/* --- what goes in and out */

struct put {
    struct view network;
    uint8_t action; /* enum networks_action */
    uint32_t minutes;
};

static bool is_prefix(struct view text)
{
    struct prefix p;
    return prefix_parse(text, &p, NULL) == OK;
}

static bool is_address(struct view text)
{
    struct address a;
    return address_parse(text, &a) == OK;
}

#define NETWORK(number, type, member, ...)                                                                             \
    FIELD(number, type, member, TEXT, PREFIX_TEXT_SIZE - 1, .min = 1, .check = is_prefix,                              \
          .rule = "an address, or a network such as 192.0.2.0/24 or 2001:db8::/32 without bits beyond its length",     \
          __VA_ARGS__)

static const char *const actions[] = {"none", "allow", "block", NULL};
static const struct field put_fields[] = {
    NETWORK(1, struct put, network, .flags = FIELD_REQUIRED),
    FIELD(2, struct put, action, ENUM, 0, .min = NETWORKS_ALLOW, .flags = FIELD_REQUIRED, .names = actions),
    FIELD(3, struct put, minutes, U32, 5256000, .min = 1,
          .doc = "How long. Left out, a block ends after a day, and what is let in stays."),
};
static const struct entity put_entity = ENTITY("NetworkPut", 0x07c0, 1, struct put, put_fields);

struct page {
    struct entity_list networks;
    bool more;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, networks, LIST, LIST_MAX, .flags = FIELD_PRINT_ZERO, .nested = &networks_row_entity),
    FIELD(2, struct page, more, BOOL, 0, .doc = "There are more than are listed."),
};
static const struct entity page_entity = ENTITY("NetworkList", 0x07c1, 1, struct page, page_fields);

struct query {
    struct view network, address;
};
static const struct field which_fields[] = {
    NETWORK(1, struct query, network, .flags = FIELD_REQUIRED, .doc = "As it was put."),
};
static const struct entity which_entity = ENTITY("NetworkWhich", 0x07c2, 1, struct query, which_fields);
static const struct field test_fields[] = {
    FIELD(1, struct query, address, TEXT, ADDRESS_TEXT_SIZE - 1, .min = 1, .flags = FIELD_REQUIRED, .check = is_address,
          .rule = "an IPv4 or IPv6 address", .doc = "Of a client."),
};
static const struct entity test_entity = ENTITY("NetworkTest", 0x07c3, 1, struct query, test_fields);

struct test {
    struct view address, verdict, automatic;
    struct networks_row rule; /* that decides; empty if none does */
    struct view feed, country;
    uint8_t why_country;
};
/* In the order of enum geo_reason, behind "nobody asked". */
static const char *const geo_reasons[] = {"not-asked",   "listed",           "not-listed", "unknown",
                                          "no-database", "database-too-old", NULL};
static const struct field verdict_fields[] = {
    FIELD(1, struct test, address, TEXT, ADDRESS_TEXT_SIZE - 1, .flags = FIELD_REQUIRED),
    FIELD(2, struct test, verdict, TEXT, 64, .flags = FIELD_REQUIRED,
          .doc = "allowed, or the code with which its requests are refused."),
    FIELD(3, struct test, rule, ENTITY, 0, .nested = &networks_row_entity,
          .doc = "What decides; absent if nothing does."),
    FIELD(4, struct test, feed, TEXT, 0, .doc = "Whose rule it is, where a feed decides."),
    FIELD(5, struct test, country, TEXT, 2,
          .doc = "As the database says, also where something else decides; absent if it says none."),
    FIELD_AS(
        6, struct test, why_country, "country_rule", ENUM, 0, .names = geo_reasons,
        .doc = "What the rule of countries found, where it was asked: the country is on its list or not, unknown, or "
               "there is no database to rely on."),
    FIELD(10, struct test, automatic, TEXT, 512,
          .doc = "How much more would lead to an automatic block of it, or why nothing does."),
};
static const struct entity verdict_entity = ENTITY("NetworkVerdict", 0x07c4, 1, struct test, verdict_fields);

static struct guard *guard_of(const struct http_request *req)
{
    return api_of(req)->shared->guard;
}

/* --- list, test */

struct listing {
    struct arena *arena;
    struct networks_row *rows;
    size_t count;
    uint64_t now_ms;
    bool more;
    enum err error;
};

static bool list_one(void *context, const struct networks_rule *rule)
{
    struct listing *l = context;
    char text[PREFIX_TEXT_SIZE];
    struct networks_row row = networks_row_of(rule, text);
    if (rule->origin == NETWORKS_FEED || (rule->ends_ms && rule->ends_ms <= l->now_ms))
        return true;
    l->more = l->count == LIST_MAX;
    if (l->more)
        return false;
    l->error = arena_copy(l->arena, row.network, &row.network);
    l->rows[l->count++] = row;
    return l->error == OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct listing l = {.arena = req->arena, .now_ms = people_now(req)};
    l.rows = arena_alloc(req->arena, LIST_MAX * sizeof *l.rows);
    if (!l.rows)
        return http_answer_error(req, ERR_NO_MEMORY);
    networks_each(guard_networks(guard_of(req)), list_one, &l);
    const struct page page = {{l.rows, l.count}, l.more};
    return l.error == OK ? http_answer_entity(req, 200, &page_entity, &page) : http_answer_error(req, l.error);
}

static enum http_outcome test_get(struct http_request *req)
{
    struct query q = {0};
    struct problem why;
    struct address a;
    struct guard_answer found;
    char text[PREFIX_TEXT_SIZE];
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (address_parse(q.address, &a) != OK)
        return http_answer_error(req, ERR_BAD_VALUE);
    guard_judge(guard_of(req), &a, people_now(req), &found);
    struct test answer = {.address = q.address,
                          .verdict = view_str(found.verdict == OK ? "allowed" : err_code(found.verdict))};
    if (found.rule.action != NETWORKS_UNSAID)
        answer.rule = networks_row_of(&found.rule, text);
    if (found.rule.action != NETWORKS_UNSAID && found.rule.origin == NETWORKS_FEED)
        answer.feed = view_str(found.rule.feed);
    if (found.asked)
        answer.why_country = (uint8_t)(found.country.reason + 1);
    else if (netfiles_ask_countries(guard_netfiles(guard_of(req))))
        netfiles_judge(guard_netfiles(guard_of(req)), &a, people_now(req), &found.country);
    answer.country = view_str(found.country.country);
    enum err e = strikes_explain(api_of(req), &a, req->arena, &answer.automatic);
    return e == OK ? http_answer_entity(req, 200, &verdict_entity, &answer) : http_answer_error(req, e);
}

/* --- changes */

struct edit {
    struct http_request *req;
    struct kept now, before;
    bool gone;
    bool unsaved;     /* there is no row, and there will be none */
    struct view name; /* "network:192.0.2.0/24" */
};

static enum http_outcome edited(struct api_change *c)
{
    const struct edit *e = c->context;
    const struct http_request *req = e->req;
    if (c->txn.result != OK)
        return api_change_failed(c);
    char text[PREFIX_TEXT_SIZE];
    enum err error = blocks_refresh(api_of(req), &e->now.rule.network, req->arena);
    if (error != OK)
        return http_answer_error(e->req, error);
    if (e->gone)
        return http_answer_empty(e->req, 204);
    struct networks_row row = networks_row_of(&e->now.rule, text);
    row.since_ms = e->now.since_ms;
    return http_answer_entity(e->req, 200, &networks_row_entity, &row);
}

static uint16_t event_of(const struct edit *e)
{
    if (e->gone)
        return EVENT_NETWORK_FREED;
    return e->now.rule.action == NETWORKS_BLOCK ? EVENT_ADDRESS_BLOCKED : EVENT_NETWORK_ALLOWED;
}

static RESULT fill(void *context, struct api_change *c)
{
    struct edit *e = context;
    AUTO_WRITER until = writer_new(64);
    struct record_object what = {.resource = e->name};
    char time[TIME_TEXT_SIZE];
    struct txn_change change;
    if (e->unsaved)
        return api_change_record(c, EVENT_NETWORK_FREED, OUTCOME_DONE, &what, (struct view){0});
    if (e->gone)
        TRY(kept_remove(people_keys(e->req), &e->before, e->req->arena, &change));
    else
        TRY(kept_put(people_keys(e->req), &e->now, &e->before, e->req->arena, &change));
    if (!e->gone && e->now.rule.ends_ms) {
        time_format(e->now.rule.ends_ms, time);
        writer_printf(&until, "until %s", time);
        TRY(writer_done(&until));
        TRY(arena_copy(e->req->arena, writer_view_of(&until), &what.detail));
    }
    TRY(api_change_put(c, &change));
    return api_change_record(c, event_of(e), OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct edit *e)
{
    char text[PREFIX_TEXT_SIZE];
    prefix_format(&e->now.rule.network, text);
    enum err error = people_named(e->req->arena, "network:", view_str(text), &e->name);
    if (error != OK)
        return http_answer_error(e->req, error);
    return api_change_run(e->req, e, fill, edited);
}

static RESULT find(struct edit *e)
{
    return kept_get(api_of(e->req)->reader, people_keys(e->req), &e->now.rule.network, e->req->arena, &e->before);
}

static bool holds_caller(const struct edit *e)
{
    struct address a;
    memcpy(a.b, e->req->peer.address, sizeof a.b);
    return !e->req->peer.is_unix && prefix_holds(&e->now.rule.network, &a);
}

static RESULT read_put(struct edit *e, struct problem *why)
{
    struct put q = {0};
    TRY(http_request_entity(e->req, &q, why));
    TRY(prefix_parse(q.network, &e->now.rule.network, why));
    e->now.rule.action = q.action;
    uint64_t lasts = q.minutes * MINUTE_MS;
    if (lasts == 0 && q.action == NETWORKS_BLOCK)
        lasts = NETWORKS_BLOCK_MS;
    e->now.since_ms = people_now(e->req);
    e->now.rule.ends_ms = lasts ? e->now.since_ms + lasts : 0;
    if (q.action == NETWORKS_BLOCK && holds_caller(e))
        return problem_set(why, ERR_BAD_VALUE, "/network", "your own address is in this network");
    return OK;
}

static enum http_outcome one_put(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct problem why = {0};
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    *e = (struct edit){.req = req};
    if (read_put(e, &why) != OK)
        return http_answer_problem(req, &why);
    if (e->now.rule.action == NETWORKS_ALLOW &&
        !permission_has(api_caller_of(req)->permissions, PERMISSION_SYSTEM_CONFIG))
        return people_refuse(req, "network:", VIEW_STR("allow"), "letting a network in takes system:config");
    enum err error = find(e);
    return error == OK || error == ERR_NOT_FOUND ? commit(e) : http_answer_error(req, error);
}

/* An automatic block is in force before it has a row. One that is in force, and neither waits for its row nor has one,
 * got it after this turn's look into the store: the next look finds it. */
static RESULT find_unsaved(struct edit *e, struct problem *why)
{
    const struct prefix *network = &e->now.rule.network;
    struct networks_rule said[2];
    enum err error = strikes_withdraw(api_of(e->req)->shared->strikes, network, &e->before);
    e->unsaved = error == OK && e->before.version == 0;
    size_t n = error == ERR_NOT_FOUND
                   ? networks_said(guard_networks(guard_of(e->req)), network, people_now(e->req), said)
                   : 0;
    for (size_t i = 0; i < n; i++) {
        if (said[i].origin == NETWORKS_AUTOMATIC)
            return ERR_BUSY;
        (void)!problem_set(why, error, "/network", "only the configuration says it (guard.networks): change it there");
    }
    return error;
}

static enum http_outcome one_delete(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct query q = {0};
    struct problem why = {0};
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    *e = (struct edit){.req = req, .gone = true};
    if (http_request_query(req, &q, &why) != OK || prefix_parse(q.network, &e->now.rule.network, &why) != OK)
        return http_answer_problem(req, &why);
    enum err error = find(e);
    if (error == ERR_NOT_FOUND)
        error = find_unsaved(e, &why);
    if (error == ERR_BUSY)
        api_retry_after(req, 1);
    if (error == OK)
        return commit(e);
    return error == why.code ? http_answer_problem(req, &why) : http_answer_error(req, error);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/guard/networks", PERMISSION_AUDIT_VIEW, list_get, .name = "network-list",
          .summary = "Networks that the guard lets in or keeps out, but for those of feeds", .tag = "networks",
          .ways = WAYS_ALL, .durability = DURABLE_NONE, .response = &page_entity),
    ROUTE(HTTP_PUT, "/api/v1/guard/networks", PERMISSION_EMERGENCY_OVERRIDE, one_put, .name = "network-put",
          .summary = "Keep a network out, or let it in, from the next request on", .tag = "networks", .ways = WAYS_ALL,
          .event = EVENT_ADDRESS_BLOCKED, .request = &put_entity, .body_limit = 1024, .response = &networks_row_entity),
    ROUTE(HTTP_DELETE, "/api/v1/guard/networks", PERMISSION_EMERGENCY_OVERRIDE, one_delete, .name = "network-delete",
          .summary = "Take back what was said of a network; the configuration holds again", .tag = "networks",
          .ways = WAYS_ALL, .event = EVENT_NETWORK_FREED, .query = &which_entity, .status = 204),
    ROUTE(HTTP_GET, "/api/v1/guard/test", PERMISSION_AUDIT_VIEW, test_get, .name = "guard-test",
          .summary = "What becomes of requests from this address, and by which rule", .tag = "networks",
          .ways = WAYS_ALL, .durability = DURABLE_NONE, .query = &test_entity, .response = &verdict_entity),
};
const struct route_table networks_routes = {routes, ARRAY_LEN(routes)};
