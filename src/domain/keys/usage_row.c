#include "domain/keys/usage_row.h"

#include "base/fields.h"

#define PLAIN_MAX 4096u

static const struct field endpoint_fields[] = {
    FIELD(1, struct usage_endpoint, name, TEXT, USAGE_NAME_MAX),
    FIELD(2, struct usage_endpoint, now, U32, 0),
    FIELD(3, struct usage_endpoint, before, U32, 0),
};
static const struct entity endpoint_entity = ENTITY("KeyUsageEndpoint", 0x0513, 1, struct usage_endpoint,
                                                    endpoint_fields);

/* Hours and days are u32 after u32. */
struct stored {
    uint64_t at_ms, total, last_ms;
    struct view last_from, hours, days;
    struct entity_list endpoints;
};
static const struct field fields[] = {
    FIELD(1, struct stored, at_ms, TIME, 0),
    FIELD(2, struct stored, total, U64, 0),
    FIELD(3, struct stored, last_ms, TIME, 0),
    FIELD(4, struct stored, last_from, TEXT, USAGE_FROM_MAX),
    FIELD(5, struct stored, hours, BYTES, 4 * USAGE_HOURS),
    FIELD(6, struct stored, days, BYTES, 4 * USAGE_DAYS),
    FIELD(7, struct stored, endpoints, LIST, USAGE_ENDPOINTS, .nested = &endpoint_entity),
};
static const struct entity stored_entity = ENTITY("KeyUsage", 0x0512, 1, struct stored, fields);

static RESULT get_counts(struct view bytes, uint32_t *counts, size_t n)
{
    struct reader r = reader_new(bytes);
    for (size_t i = 0; i < n; i++)
        TRY(reader_u32(&r, &counts[i]));
    return reader_end(&r);
}

static RESULT decode(struct view plain, struct arena *arena, struct usage *ret)
{
    struct stored s = {0};
    TRY(entity_decode(&stored_entity, plain, arena, &s));
    struct usage u = {.at_ms = s.at_ms,
                      .total = s.total,
                      .last_ms = s.last_ms,
                      .last_from = s.last_from,
                      .endpoint_count = s.endpoints.count};
    TRY(get_counts(s.hours, u.hours, USAGE_HOURS));
    TRY(get_counts(s.days, u.days, USAGE_DAYS));
    if (u.endpoint_count)
        memcpy(u.endpoints, s.endpoints.items, u.endpoint_count * sizeof u.endpoints[0]);
    *ret = u;
    return OK;
}

RESULT usage_row_get(struct store *reader, const struct row_keys *keys, struct view id, struct arena *arena,
                     struct usage *ret, uint64_t *ret_version)
{
    uint8_t name[STORE_KEY_MAX], commitment[32];
    struct writer n = writer_fixed(name, sizeof name);
    AUTO_WRITER plain = writer_new(PLAIN_MAX);
    struct view kept;
    struct store_row row;
    TRY(row_key_exact(keys, TABLE_USAGE, id, &n));
    TRY(store_get(reader, TABLE_USAGE, writer_view_of(&n), arena, &row));
    *ret_version = row.version;
    enum err e = row_open(keys, TABLE_USAGE, &row, &plain, commitment);
    if (e == OK)
        e = arena_copy(arena, writer_view_of(&plain), &kept);
    if (e == OK)
        e = decode(kept, arena, ret);
    return e == OK || e == ERR_NO_MEMORY ? e : ERR_NOT_FOUND;
}

static RESULT encode(const struct usage *u, struct writer *w)
{
    uint8_t hours[4 * USAGE_HOURS], days[4 * USAGE_DAYS];
    struct writer h = writer_fixed(hours, sizeof hours), d = writer_fixed(days, sizeof days);
    for (size_t i = 0; i < USAGE_HOURS; i++)
        writer_u32(&h, u->hours[i]);
    for (size_t i = 0; i < USAGE_DAYS; i++)
        writer_u32(&d, u->days[i]);
    struct usage_endpoint endpoints[USAGE_ENDPOINTS];
    memcpy(endpoints, u->endpoints, sizeof endpoints);
    const struct stored s = {.at_ms = u->at_ms,
                             .total = u->total,
                             .last_ms = u->last_ms,
                             .last_from = u->last_from,
                             .hours = VIEW_OF(hours),
                             .days = VIEW_OF(days),
                             .endpoints = {endpoints, u->endpoint_count}};
    return entity_encode(&stored_entity, &s, w);
}

RESULT usage_row_put(const struct row_keys *keys, struct view id, const struct usage *u, uint64_t version,
                     struct arena *arena, struct store_change *ret)
{
    struct store_change c = {.op = STORE_PUT, .table = TABLE_USAGE, .expect = STORE_ANY, .version = version};
    uint8_t name[STORE_KEY_MAX], commitment[32];
    struct writer n = writer_fixed(name, sizeof name);
    AUTO_WRITER plain = writer_new(PLAIN_MAX);
    AUTO_WRITER sealed = writer_new(PLAIN_MAX + 1024);
    TRY(row_key_exact(keys, TABLE_USAGE, id, &n));
    TRY(arena_copy(arena, writer_view_of(&n), &c.key));
    TRY(encode(u, &plain));
    TRY(row_seal(keys, TABLE_USAGE, c.key, version, writer_view_of(&plain), random_system(), &sealed, commitment));
    TRY(writer_done(&sealed));
    TRY(arena_copy(arena, writer_view_of(&sealed), &c.value));
    *ret = c;
    return OK;
}
