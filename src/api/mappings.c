/* Mappings of certificates and Unix groups to users and API keys: made and ended by whoever may users:manage, for
 * nobody who may do more than himself. */
#include "api/keys.h"
#include "api/people.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     500

/* --- what goes in and out */

static const struct field create_fields[] = {
    FIELD(1, struct mapping, match, TEXT, MAPPING_MATCH_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = mapping_match_valid, .rule = MAPPING_MATCH_RULE),
    FIELD(2, struct mapping, identity, TEXT, MAPPING_IDENTITY_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = mapping_identity_valid, .rule = MAPPING_IDENTITY_RULE,
          .doc = "Whom it stands for; a Unix group stands for a key alone."),
    FIELD(3, struct mapping, comment, TEXT, MAPPING_COMMENT_MAX, .check = text_printable, .rule = "printable text"),
};
static const struct entity create_entity = ENTITY("MappingCreate", 0x07b0, 1, struct mapping, create_fields);

struct answer {
    struct view id, match, identity, comment, created_by;
    uint64_t created;
};
static const struct field answer_fields[] = {
    FIELD(1, struct answer, id, TEXT, MAPPING_ID_LEN),
    FIELD(2, struct answer, match, TEXT, MAPPING_MATCH_MAX),
    FIELD(3, struct answer, identity, TEXT, MAPPING_IDENTITY_MAX),
    FIELD(4, struct answer, comment, TEXT, MAPPING_COMMENT_MAX),
    FIELD(5, struct answer, created_by, TEXT, 96),
    FIELD(6, struct answer, created, TIME, 0),
};
static const struct entity answer_entity = ENTITY("MappingView", 0x07b1, 1, struct answer, answer_fields);

struct page {
    struct entity_list mappings;
    struct view next;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, mappings, LIST, 0, .flags = FIELD_PRINT_ZERO, .nested = &answer_entity),
    FIELD(2, struct page, next, TEXT, MAPPING_ID_LEN, .doc = "There may be more: what `after` of the next page takes."),
};
static const struct entity page_entity = ENTITY("MappingPage", 0x07b2, 1, struct page, page_fields);

struct query {
    struct view after;
    uint32_t limit;
};
static const struct field query_fields[] = {
    FIELD(1, struct query, after, TEXT, MAPPING_ID_LEN, .doc = "Go on behind this id."),
    FIELD(2, struct query, limit, U32, PAGE_MAX, .min = 1, .doc = "100 if left out."),
};
static const struct entity query_entity = ENTITY("MappingQuery", 0x07b3, 1, struct query, query_fields);

static struct identity *table_of(const struct http_request *req)
{
    return api_of(req)->shared->identity;
}

static RESULT answer_of(const struct mapping *m, struct arena *arena, struct answer *ret)
{
    char id[MAPPING_ID_LEN + 1];
    struct answer a = {.match = m->match,
                       .identity = m->identity,
                       .comment = m->comment,
                       .created_by = m->created_by,
                       .created = m->created_ms};
    mapping_id(m->match, id);
    TRY(arena_copy(arena, view_str(id), &a.id));
    *ret = a;
    return OK;
}

static RESULT fill_page(struct http_request *req, const struct query *q, struct page *page)
{
    struct entity_list found;
    uint32_t limit = q->limit ? q->limit : PAGE_DEFAULT;
    TRY(mappings_page(table_of(req), q->after, limit, req->arena, &found));
    struct answer *out = arena_alloc(req->arena, (found.count + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < found.count; i++)
        TRY(answer_of((const struct mapping *)found.items + i, req->arena, &out[i]));
    page->mappings = (struct entity_list){.items = out, .count = found.count};
    if (found.count == limit)
        page->next = out[found.count - 1].id;
    return OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct query q = {0};
    struct page page = {0};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = fill_page(req, &q, &page);
    return e == OK ? http_answer_entity(req, 200, &page_entity, &page) : http_answer_error(req, e);
}

/* --- the change */

struct edit {
    struct http_request *req;
    struct mapping mapping;
    struct mapping_found before; /* version 0: it is new */
};

static enum http_outcome edited(struct api_change *c)
{
    const struct edit *e = c->context;
    struct answer a;
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (e->before.version)
        return http_answer_empty(e->req, 204);
    enum err error = answer_of(&e->mapping, e->req->arena, &a);
    return error == OK ? http_answer_entity(e->req, 201, &answer_entity, &a) : http_answer_error(e->req, error);
}

static RESULT fill(void *context, struct api_change *c)
{
    struct edit *e = context;
    const struct row_keys *keys = people_keys(e->req);
    struct record_object what = {.detail = e->mapping.match};
    bool gone = e->before.version != 0;
    struct txn_change change;
    what.resource = e->mapping.identity;
    if (gone)
        TRY(mapping_remove(keys, &e->before, e->req->arena, &change));
    else
        TRY(mapping_put(keys, &e->mapping, e->req->arena, &change));
    TRY(api_change_put(c, &change));
    return api_change_record(c, gone ? EVENT_MAPPING_DELETED : EVENT_MAPPING_CREATED, OUTCOME_DONE, &what,
                             (struct view){0});
}

static enum http_outcome commit(struct edit *e)
{
    return api_change_run(e->req, e, fill, edited);
}

/* --- create */

static struct view behind(struct view text, size_t n)
{
    return VIEW(text.ptr + n, text.len - n);
}

static RESULT check_user(struct edit *e, struct rights *ret, struct problem *why)
{
    struct api_shared *s = api_of(e->req)->shared;
    struct user_found f;
    if (mapping_of_group(e->mapping.match))
        return problem_set(why, ERR_BAD_VALUE, "/identity", "%s",
                           "A Unix group stands for an API key alone: a person signs in himself.");
    if (identity_user(s->identity, behind(e->mapping.identity, sizeof "user:" - 1), e->req->arena, &f) != OK ||
        identity_user_rights(s->identity, f.user.name, ret) != OK)
        return problem_set(why, ERR_BAD_VALUE, "/identity", "%s", "There is no such user, or he is disabled.");
    memcpy(e->mapping.subject, f.user.id, sizeof e->mapping.subject);
    return OK;
}

static RESULT check_key(const struct edit *e, struct rights *ret, struct problem *why)
{
    struct api_shared *s = api_of(e->req)->shared;
    struct api_key_found f;
    if (api_keys_find(s->api_keys, behind(e->mapping.identity, sizeof "key:" - 1), e->req->arena, &f) != OK ||
        f.key.status == KEY_REVOKED)
        return problem_set(why, ERR_BAD_VALUE, "/identity", "%s", "There is no such API key, or it is revoked.");
    if (rights_of(identity_roles(s->identity), &f.key.roles, f.key.secret_environments, ret) != OK)
        return problem_set(why, ERR_BAD_VALUE, "/identity", "%s", "A role of this key does not exist any more.");
    return OK;
}

/* Whoever holds the certificate is that identity from then on: so it is given away like a password. */
static bool gives_too_much(const struct edit *e, const struct rights *given)
{
    struct rights mine = api_rights_of(e->req);
    return !permission_has(mine.permissions, PERMISSION_SYSTEM_CONFIG) && !rights_within(given, &mine);
}

static RESULT read_create(struct edit *e, struct problem *why)
{
    TRY(http_request_entity(e->req, &e->mapping, why));
    if (mapping_match_normal(e->mapping.match, e->req->arena, &e->mapping.match) != OK)
        return problem_set(why, ERR_NO_MEMORY, "", "%s", "");
    e->mapping.created_ms = people_now(e->req);
    e->mapping.created_by = api_caller_of(e->req)->actor;
    return OK;
}

static RESULT check_room(const struct edit *e, struct problem *why)
{
    char id[MAPPING_ID_LEN + 1];
    struct mapping_found f;
    mapping_id(e->mapping.match, id);
    if (mappings_by_id(table_of(e->req), view_str(id), e->req->arena, &f) == OK)
        return problem_set(why, ERR_EXISTS, "/match", "%s", "It is mapped already; delete that mapping first.");
    if (mappings_count(table_of(e->req)) >= MAPPINGS_MAX)
        return problem_set(why, ERR_LIMIT_REACHED, "", "%s", "There are 10,000 mappings; delete one first.");
    return OK;
}

static enum http_outcome create_post(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct rights given = {0};
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    e->req = req;
    if (read_create(e, &why) != OK)
        return http_answer_problem(req, &why);
    bool person = view_starts(e->mapping.identity, "user:");
    enum err found = person ? check_user(e, &given, &why) : check_key(e, &given, &why);
    if (found != OK)
        return http_answer_problem(req, &why);
    if (gives_too_much(e, &given))
        return people_refuse(req, "", e->mapping.identity,
                             "nobody lets somebody else be who may do more than he may himself; that takes "
                             "system:config");
    return check_room(e, &why) == OK ? commit(e) : http_answer_problem(req, &why);
}

/* --- delete */

static enum http_outcome one_delete(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct view id = {0};
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    e->req = req;
    enum err error = http_param(req, "id", &id) ? mappings_by_id(table_of(req), id, req->arena, &e->before)
                                                : ERR_NOT_FOUND;
    if (error != OK)
        return http_answer_error(req, error);
    e->mapping = e->before.mapping;
    return commit(e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/mappings", PERMISSION_USERS_MANAGE, list_get, .name = "mapping-list",
          .summary = "List whom certificates and Unix groups stand for", .tag = "mappings", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &query_entity, .response = &page_entity),
    ROUTE(HTTP_POST, "/api/v1/mappings", PERMISSION_USERS_MANAGE, create_post, .name = "mapping-create",
          .summary = "Let a client's certificate or a Unix group stand for a user or an API key", .tag = "mappings",
          .ways = WAYS_ALL, .flags = ROUTE_STEP_UP, .event = EVENT_MAPPING_CREATED, .request = &create_entity,
          .response = &answer_entity, .status = 201, .body_limit = 4096),
    ROUTE(HTTP_DELETE, "/api/v1/mappings/{id}", PERMISSION_USERS_MANAGE, one_delete, .name = "mapping-delete",
          .summary = "End a mapping, from the next request on", .tag = "mappings", .ways = WAYS_ALL,
          .event = EVENT_MAPPING_DELETED),
};
const struct route_table mappings_routes = {routes, ARRAY_LEN(routes)};
