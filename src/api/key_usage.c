/* What an API key was used for (KEY-5): by its owner, who manages users, and the key itself. */
#include "api/keys_op.h"
#include "api/routes.h"
#include "base/fields.h"

#define HOUR_MS 3600000u
#define DAY_MS  86400000u

struct span {
    uint64_t since;
    uint32_t count;
};
static const struct field span_fields[] = {
    FIELD(1, struct span, since, TIME, 0, .doc = "When it begins."),
    FIELD(2, struct span, count, U32, 0, .flags = FIELD_PRINT_ZERO),
};
static const struct entity span_entity = ENTITY("KeyUsageSpan", 0x0729, 1, struct span, span_fields);

struct endpoint {
    struct view endpoint;
    uint32_t count;
};
static const struct field endpoint_fields[] = {
    FIELD(1, struct endpoint, endpoint, TEXT, USAGE_NAME_MAX,
          .doc = "The name of the operation, as in the OpenAPI document."),
    FIELD(2, struct endpoint, count, U32, 0),
};
static const struct entity endpoint_entity = ENTITY("KeyUsageTop", 0x072a, 1, struct endpoint, endpoint_fields);

struct answer {
    struct view id, last_source;
    uint64_t count, last_used;
    uint32_t this_hour, today, average_per_day;
    struct entity_list hours, days, endpoints;
};
static const struct field answer_fields[] = {
    FIELD(1, struct answer, id, TEXT, API_KEY_ID_LEN, .flags = FIELD_REQUIRED),
    FIELD(2, struct answer, count, U64, 0, .flags = FIELD_PRINT_ZERO, .doc = "Requests since the key was made."),
    FIELD(3, struct answer, last_used, TIME, 0),
    FIELD(4, struct answer, last_source, TEXT, USAGE_FROM_MAX, .doc = "Where the last one came from."),
    FIELD(5, struct answer, this_hour, U32, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(6, struct answer, today, U32, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(7, struct answer, average_per_day, U32, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Of the last 30 days, today included, or of the key's life if that is shorter; rounded."),
    FIELD(8, struct answer, hours, LIST, USAGE_HOURS, .flags = FIELD_PRINT_ZERO, .nested = &span_entity,
          .doc = "The last 24 hours of UTC in which it was used, newest first."),
    FIELD(9, struct answer, days, LIST, USAGE_DAYS, .flags = FIELD_PRINT_ZERO, .nested = &span_entity,
          .doc = "The last 30 days of UTC in which it was used, newest first."),
    FIELD(10, struct answer, endpoints, LIST, USAGE_TOP, .flags = FIELD_PRINT_ZERO, .nested = &endpoint_entity,
          .doc = "What it was used for most in the last 15 to 30 days."),
};
static const struct entity answer_entity = ENTITY("KeyUsageView", 0x0728, 1, struct answer, answer_fields);

static RESULT fill_spans(const uint32_t *counts, size_t n, uint64_t newest_ms, uint64_t length_ms, struct arena *arena,
                         struct entity_list *ret)
{
    struct span *out = arena_alloc(arena, n * sizeof *out);
    size_t used = 0;
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        if (counts[i])
            out[used++] = (struct span){.since = newest_ms - i * length_ms, .count = counts[i]};
    *ret = (struct entity_list){out, used};
    return OK;
}

static RESULT fill_endpoints(const struct usage *u, struct arena *arena, struct entity_list *ret)
{
    struct usage_endpoint top[USAGE_TOP];
    size_t n = usage_top(u, top);
    struct endpoint *out = arena_alloc(arena, USAGE_TOP * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct endpoint){.endpoint = top[i].name, .count = top[i].now + top[i].before};
    *ret = (struct entity_list){out, n};
    return OK;
}

static uint32_t average(const struct usage *u, const struct api_key *k)
{
    uint64_t sum = 0, days = u->at_ms / DAY_MS - k->created_ms / DAY_MS + 1;
    if (u->at_ms < k->created_ms || days > USAGE_DAYS)
        days = USAGE_DAYS;
    for (size_t i = 0; i < USAGE_DAYS; i++)
        sum += u->days[i];
    return (uint32_t)((sum + days / 2) / days);
}

static RESULT fill(struct http_request *req, const struct api_key *k, struct answer *ret)
{
    struct usage u;
    TRY(key_op_usage(req, k->id, &u));
    *ret = (struct answer){.id = k->id,
                           .count = u.total,
                           .last_used = u.last_ms,
                           .last_source = u.last_from,
                           .this_hour = u.hours[0],
                           .today = u.days[0],
                           .average_per_day = average(&u, k)};
    TRY(fill_spans(u.hours, USAGE_HOURS, u.at_ms - u.at_ms % HOUR_MS, HOUR_MS, req->arena, &ret->hours));
    TRY(fill_spans(u.days, USAGE_DAYS, u.at_ms - u.at_ms % DAY_MS, DAY_MS, req->arena, &ret->days));
    return fill_endpoints(&u, req->arena, &ret->endpoints);
}

static enum http_outcome usage_get(struct http_request *req)
{
    struct api_key_found f;
    struct answer a;
    enum http_outcome answered;
    if (!key_op_find(req, MAY_MANAGE | MAY_OWN | MAY_SELF, &f, &answered))
        return answered;
    enum err e = fill(req, &f.key, &a);
    return e == OK ? http_answer_entity(req, 200, &answer_entity, &a) : http_answer_error(req, e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/keys/{id}/usage", PERMISSION_AUTHENTICATED, usage_get, .name = "key-usage",
          .summary = "How much an API key is used, from where and what for", .tag = "keys", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .response = &answer_entity),
};
const struct route_table key_usage_routes = {routes, ARRAY_LEN(routes)};
