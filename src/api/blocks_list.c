/* Which networks are kept out now, why, until when, and how many requests that refused. */
#include "api/blocks.h"
#include "api/people.h"
#include "api/routes.h"
#include "base/fields.h"

#define LIST_MAX 1000

struct shown {
    struct networks_row row; /* its fields by their own names */
    uint64_t hits;
};
static const char *const origins[] = {"operator", "automatic", "feed", "configuration", NULL};
static const struct field shown_fields[] = {
    FIELD_AS(1, struct shown, row.network, "network", TEXT, PREFIX_TEXT_SIZE - 1, .flags = FIELD_PRINT_ZERO),
    FIELD_AS(2, struct shown, row.origin, "origin", ENUM, 0, .flags = FIELD_PRINT_ZERO, .names = origins,
             .doc = "Who said so."),
    FIELD_AS(3, struct shown, row.reason, "reason", ENUM, 0, .names = networks_reasons,
             .doc = "Of an automatic block."),
    FIELD_AS(4, struct shown, row.times, "times", U32, 0,
             .doc = "Of an automatic block: how often in a row, this one included."),
    FIELD_AS(5, struct shown, row.since_ms, "since", TIME, 0, .doc = "When it began, if it was said at run time."),
    FIELD_AS(6, struct shown, row.ends_ms, "ends", TIME, 0, .doc = "When it ends; never if left out."),
    FIELD(7, struct shown, hits, U64, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Requests that were refused by it, since the start of the server."),
};
static const struct entity shown_entity = ENTITY("Block", 0x07c8, 1, struct shown, shown_fields);

struct page {
    struct entity_list blocks;
    bool more;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, blocks, LIST, LIST_MAX, .flags = FIELD_PRINT_ZERO, .nested = &shown_entity),
    FIELD(2, struct page, more, BOOL, 0, .doc = "There are more than are listed."),
};
static const struct entity page_entity = ENTITY("BlockList", 0x07c9, 1, struct page, page_fields);

struct listing {
    struct http_request *req;
    struct shown *blocks;
    size_t count;
    bool more;
    enum err error;
};

static bool list_one(void *context, const struct networks_rule *rule)
{
    struct listing *l = context;
    struct block b = {0};
    char text[PREFIX_TEXT_SIZE];
    l->more = l->count == LIST_MAX;
    if (l->more)
        return false;
    struct shown *s = &l->blocks[l->count++];
    (void)blocks_find(guard_blocks(api_of(l->req)->shared->guard), &rule->network, &b);
    s->row = networks_row_of(rule, text);
    s->row.since_ms = b.since_ms;
    s->row.times = b.times;
    s->row.reason = b.reason;
    s->hits = b.hits;
    l->error = arena_copy(l->req->arena, s->row.network, &s->row.network);
    return l->error == OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct listing l = {.req = req, .blocks = arena_alloc(req->arena, LIST_MAX * sizeof *l.blocks)};
    if (!l.blocks)
        return http_answer_error(req, ERR_NO_MEMORY);
    blocks_each(api_of(req)->shared, list_one, &l);
    const struct page page = {{l.blocks, l.count}, l.more};
    return l.error == OK ? http_answer_entity(req, 200, &page_entity, &page) : http_answer_error(req, l.error);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/guard/blocks", PERMISSION_AUDIT_VIEW, list_get, .name = "guard-blocks",
          .summary = "Blocks that are in force, but for those of feeds", .tag = "networks", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .response = &page_entity),
};
const struct route_table blocks_list_routes = {routes, ARRAY_LEN(routes)};
