/* The guard's policy that is in force, for whoever wants to compare it with a file. */
#include "api/inspect.h"
#include "api/routes.h"
#include "base/fields.h"

struct policy_in_force {
    uint8_t hash[CONFIG_POLICY_HASH];
    struct config_guard guard;
    struct entity_list rules;
};
static const struct field fields[] = {
    FIELD(1, struct policy_in_force, hash, FIXED, CONFIG_POLICY_HASH, .doc = "SHA-256, as the record names it."),
    FIELD(2, struct policy_in_force, guard, ENTITY, 0, .flags = FIELD_PRINT_ZERO, .nested = &config_guard_entity,
          .doc = "With all that the file leaves out."),
    FIELD(3, struct policy_in_force, rules, LIST, INSPECT_FILES_MAX, .flags = FIELD_PRINT_ZERO,
          .nested = &inspect_file_entity, .doc = "Against attack patterns: the files whose texts the hash covers."),
};
static const struct entity in_force_entity = ENTITY("GuardPolicy", 0x07d8, 1, struct policy_in_force, fields);

static enum http_outcome policy_get(struct http_request *req)
{
    const struct api_shared *s = api_of(req)->shared;
    struct policy_in_force p = {.guard = s->config->guard};

    memcpy(p.hash, s->policy_hash, sizeof p.hash);
    if (inspect_files(s, req->arena, &p.rules) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return http_answer_entity(req, 200, &in_force_entity, &p);
}

/* --- why the newest file is not in force */

void api_news_set(struct api_news *n, struct view refused)
{
    pthread_mutex_lock(&n->lock);
    n->len = refused.len < sizeof n->refused ? refused.len : 0;
    if (n->len)
        memcpy(n->refused, refused.ptr, n->len);
    pthread_mutex_unlock(&n->lock);
}

RESULT api_news_get(struct api_news *n, struct arena *arena, struct view *ret_refused)
{
    pthread_mutex_lock(&n->lock);
    enum err e = arena_copy(arena, VIEW(n->refused, n->len), ret_refused);
    pthread_mutex_unlock(&n->lock);
    return e;
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/guard/policy", PERMISSION_AUDIT_VIEW, policy_get, .name = "guard-policy",
          .summary = "The guard's policy in force, and its hash", .tag = "networks", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .response = &in_force_entity),
};
const struct route_table policy_routes = {routes, ARRAY_LEN(routes)};
