/* Roles: listed, defined and changed by whoever may users:manage. Nobody but who holds system:config touches in a role
 * what he does not hold himself, whether it is granted or denied, and nobody changes a role that is his own. */
#include "api/people.h"
#include "api/routes.h"
#include "base/fields.h"
#include "base/text.h"

/* --- what goes in and out */

struct answer {
    struct view name, description, level;
    bool builtin;
    struct text_list grants, denies;
};
static const struct field answer_fields[] = {
    FIELD(1, struct answer, name, TEXT, ROLE_NAME_MAX),
    FIELD(2, struct answer, description, TEXT, ROLE_DESCRIPTION_MAX),
    FIELD(3, struct answer, builtin, BOOL, 0, .flags = FIELD_PRINT_ZERO, .doc = "Cannot be changed or deleted."),
    FIELD(4, struct answer, grants, TEXTS, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(5, struct answer, denies, TEXTS, 0, .flags = FIELD_PRINT_ZERO,
          .doc = "Taken from whoever has the role, whatever his other roles grant."),
    FIELD(6, struct answer, level, TEXT, 16, .flags = FIELD_PRINT_ZERO,
          .doc = "For secrets: none, read, write, admin or emergency."),
};
static const struct entity answer_entity = ENTITY("RoleView", 0x0770, 1, struct answer, answer_fields);

struct page {
    struct entity_list roles;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, roles, LIST, 0, .flags = FIELD_PRINT_ZERO, .nested = &answer_entity),
};
static const struct entity page_entity = ENTITY("RolePage", 0x0771, 1, struct page, page_fields);

#define DEFINITION_FIELDS                                                                                              \
    FIELD(2, struct role_def, description, TEXT, ROLE_DESCRIPTION_MAX, .check = text_printable,                        \
          .rule = "printable text"),                                                                                   \
        FIELD(3, struct role_def, grants, TEXTS, PERMISSION_COUNT, .check = role_permission_valid,                     \
              .rule = "a permission such as market:read"),                                                             \
        FIELD(4, struct role_def, denies, TEXTS, PERMISSION_COUNT, .check = role_permission_valid,                     \
              .rule = "a permission such as market:read", .doc = "Beats every grant of any role."),                    \
        FIELD(5, struct role_def, level, ENUM, 0, .names = access_level_names,                                         \
              .doc = "For secrets; none if left out.")

static const struct field create_fields[] = {
    FIELD(1, struct role_def, name, TEXT, ROLE_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = role_name_valid,
          .rule = ROLE_NAME_RULE),
    DEFINITION_FIELDS,
};
static const struct entity create_entity = ENTITY("RoleCreate", 0x0772, 1, struct role_def, create_fields);
static const struct field change_fields[] = {DEFINITION_FIELDS};
static const struct entity change_entity = ENTITY("RoleChange", 0x0773, 1, struct role_def, change_fields);

/* --- answering */

static struct roles *table_of(const struct http_request *req)
{
    return identity_roles(api_of(req)->shared->identity);
}

static struct answer answer_of(const struct role_def *def, bool builtin)
{
    return (struct answer){.name = def->name,
                           .description = def->description,
                           .builtin = builtin,
                           .grants = def->grants,
                           .denies = def->denies,
                           .level = view_str(access_level_names[def->level])};
}

static enum http_outcome list_get(struct http_request *req)
{
    struct entity_list found;
    struct page page = {0};
    enum err error = roles_list(table_of(req), req->arena, &found);
    if (error != OK)
        return http_answer_error(req, error);
    struct answer *out = arena_alloc(req->arena, (found.count + 1) * sizeof *out);
    if (!out)
        return http_answer_error(req, ERR_NO_MEMORY);
    for (size_t i = 0; i < found.count; i++) {
        const struct role_found *f = (const struct role_found *)found.items + i;
        out[i] = answer_of(&f->def, f->builtin);
    }
    page.roles = (struct entity_list){.items = out, .count = found.count};
    return http_answer_entity(req, 200, &page_entity, &page);
}

static RESULT named_role(struct http_request *req, struct role_found *ret)
{
    struct view name = {0};
    if (!http_param(req, "name", &name) || !role_name_valid(name))
        return ERR_NOT_FOUND;
    return roles_find(table_of(req), name, req->arena, ret);
}

static enum http_outcome one_get(struct http_request *req)
{
    struct role_found f;
    enum err error = named_role(req, &f);
    if (error != OK)
        return http_answer_error(req, error);
    struct answer a = answer_of(&f.def, f.builtin);
    return http_answer_entity(req, 200, &answer_entity, &a);
}

/* --- changing */

struct edit {
    struct http_request *req;
    struct role_found before; /* all zero: it is new */
    struct role_def def;      /* as it will be; grants, denies and level empty: it goes */
    uint16_t event;
    unsigned status;
};

static enum http_outcome edited(struct api_change *c)
{
    const struct edit *e = c->context;
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (e->status == 204)
        return http_answer_empty(e->req, 204);
    struct answer a = answer_of(&e->def, false);
    return http_answer_entity(e->req, e->status, &answer_entity, &a);
}

/* What the role says from now on. */
static RESULT describe(const struct edit *e, struct view *ret)
{
    AUTO_WRITER w = writer_new(4096);
    for (size_t i = 0; i < e->def.grants.count; i++)
        writer_printf(&w, "+%.*s ", (int)e->def.grants.items[i].len, (const char *)e->def.grants.items[i].ptr);
    for (size_t i = 0; i < e->def.denies.count; i++)
        writer_printf(&w, "-%.*s ", (int)e->def.denies.items[i].len, (const char *)e->def.denies.items[i].ptr);
    writer_printf(&w, "level=%s", access_level_names[e->def.level]);
    TRY(writer_done(&w));
    return arena_copy(e->req->arena, writer_view_of(&w), ret);
}

static RESULT fill(void *context, struct api_change *c)
{
    struct edit *e = context;
    const struct row_keys *keys = people_keys(e->req);
    struct arena *arena = e->req->arena;
    struct record_object what = {0};
    struct txn_change change;
    bool gone = e->status == 204;
    TRY(people_named(arena, "role:", e->def.name, &what.resource));
    if (!gone)
        TRY(describe(e, &what.detail));
    if (gone)
        TRY(roles_remove(keys, &e->before, arena, &change));
    else
        TRY(roles_put(keys, &e->def, e->before.version ? &e->before : NULL, arena, &change));
    TRY(api_change_put(c, &change));
    return api_change_record(c, e->event, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct edit *e)
{
    return api_change_run(e->req, e, fill, edited);
}

static bool lists(const struct text_list *l, struct view name)
{
    for (size_t i = 0; i < l->count; i++)
        if (view_eq(l->items[i], name))
            return true;
    return false;
}

/* Who asks has the role himself, or the key he asks with. Who can't be told is taken for one who has it. */
static bool is_own(const struct edit *e)
{
    struct api_shared *s = api_of(e->req)->shared;
    struct view me = people_caller_name(e->req), key = api_caller_of(e->req)->key_id;
    struct api_key_found found = {0};
    struct user_found user;
    if (key.len && api_keys_find(s->api_keys, key, e->req->arena, &found) != OK)
        return true;
    if (key.len)
        me = found.key.owner;
    if (identity_user(s->identity, me, e->req->arena, &user) != OK)
        return true;
    return lists(&user.user.roles, e->def.name) || lists(&found.key.roles, e->def.name);
}

/* Everything that this change gives, takes or denies. */
static RESULT touched(const struct edit *e, struct rights *ret)
{
    const struct role *before = &e->before.role;
    struct role after;
    TRY(role_of_def(&e->def, &after));
    *ret = (struct rights){.permissions.bits = before->grants.bits | before->denies.bits | after.grants.bits |
                                               after.denies.bits,
                           .access.level = before->level > after.level ? before->level : after.level};
    return OK;
}

/* NULL: he may. */
static const char *forbidden(const struct edit *e)
{
    struct rights mine = api_rights_of(e->req), all;
    struct role_holders holders = {0};
    if (e->before.version && is_own(e))
        return "nobody changes a role that he has himself: another administrator has to";
    if (permission_has(mine.permissions, PERMISSION_SYSTEM_CONFIG))
        return NULL;
    if (touched(e, &all) != OK || !rights_within(&all, &mine))
        return "nobody grants or denies what he does not hold himself, permissions or level; that takes system:config";
    identity_holding(api_of(e->req)->shared->identity, e->def.name, &holders);
    return holders.configures ? "only who holds system:config may change what somebody else who holds it may" : NULL;
}

/* Also of a role that came to be meanwhile: then the commit is a clean conflict. */
static enum http_outcome try_edit(struct edit *e)
{
    const char *why = forbidden(e);
    return why ? people_refuse(e->req, "role:", e->def.name, why) : commit(e);
}

static enum http_outcome create_post(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    *e = (struct edit){.req = req, .event = EVENT_ROLE_CREATED, .status = 201};
    if (http_request_entity(req, &e->def, &why) != OK)
        return http_answer_problem(req, &why);
    const struct text_list name = {.items = &e->def.name, .count = 1};
    if (roles_unknown(table_of(req), &name) == name.count)
        return people_problem(req, ERR_EXISTS, "/name", "There is a role by this name.");
    if (roles_defined(table_of(req)) >= ROLES_DEFINED_MAX)
        return people_problem(req, ERR_LIMIT_REACHED, "", "There are 240 defined roles; delete one first.");
    return try_edit(e);
}

/* The role of the address, which must be a defined one; or an answer. */
static bool begin(struct edit *e, enum http_outcome *ret)
{
    enum err error = named_role(e->req, &e->before);
    if (error != OK)
        *ret = http_answer_error(e->req, error);
    else if (e->before.builtin)
        *ret = people_problem(e->req, ERR_BAD_VALUE, "name", "Built-in roles can't be changed or deleted.");
    return error == OK && !e->before.builtin;
}

static enum http_outcome one_put(struct http_request *req)
{
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct problem why;
    enum http_outcome answered;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    *e = (struct edit){.req = req, .event = EVENT_ROLE_CHANGED, .status = 200};
    if (http_request_entity(req, &e->def, &why) != OK)
        return http_answer_problem(req, &why);
    if (!begin(e, &answered))
        return answered;
    e->def.name = e->before.def.name;
    return try_edit(e);
}

static enum http_outcome answer_held(struct http_request *req, const struct role_holders *h)
{
    struct problem why;
    if (h->count == 1)
        (void)!problem_set(&why, ERR_IN_USE, "name", "%s has this role; take it away there first.", h->first);
    else
        (void)!problem_set(&why, ERR_IN_USE, "name", "%s and %zu more have this role; take it away there first.",
                           h->first, h->count - 1);
    return http_answer_problem(req, &why);
}

/* Somebody may be given the role between this look and the commit. He then has a role that is not there, and may
 * nothing until it is taken away. */
static enum http_outcome one_delete(struct http_request *req)
{
    struct api_shared *s = api_of(req)->shared;
    struct edit *e = arena_alloc(req->arena, sizeof *e);
    struct role_holders holders = {0};
    enum http_outcome answered;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    *e = (struct edit){.req = req, .event = EVENT_ROLE_DELETED, .status = 204};
    if (!begin(e, &answered))
        return answered;
    e->def.name = e->before.def.name;
    const char *why = forbidden(e);
    if (why)
        return people_refuse(req, "role:", e->def.name, why);
    identity_holding(s->identity, e->def.name, &holders);
    enum err error = api_keys_holding(s->api_keys, e->def.name, &holders);
    if (error != OK)
        return http_answer_error(req, error);
    return holders.count ? answer_held(req, &holders) : commit(e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/roles", PERMISSION_USERS_MANAGE, list_get, .name = "role-list",
          .summary = "List roles, built-in and defined", .tag = "roles", .ways = WAYS_ALL, .durability = DURABLE_NONE,
          .response = &page_entity),
    ROUTE(HTTP_POST, "/api/v1/roles", PERMISSION_USERS_MANAGE, create_post, .name = "role-create",
          .flags = ROUTE_STEP_UP, .summary = "Define a role", .tag = "roles", .ways = WAYS_ALL,
          .event = EVENT_ROLE_CREATED, .request = &create_entity, .response = &answer_entity, .status = 201,
          .body_limit = 8192),
    ROUTE(HTTP_GET, "/api/v1/roles/{name}", PERMISSION_USERS_MANAGE, one_get, .name = "role-show",
          .summary = "Show one role", .tag = "roles", .ways = WAYS_ALL, .durability = DURABLE_NONE,
          .response = &answer_entity),
    ROUTE(HTTP_PUT, "/api/v1/roles/{name}", PERMISSION_USERS_MANAGE, one_put, .name = "role-change",
          .flags = ROUTE_STEP_UP, .summary = "Replace what a defined role grants and denies", .tag = "roles",
          .ways = WAYS_ALL, .event = EVENT_ROLE_CHANGED, .request = &change_entity, .response = &answer_entity,
          .body_limit = 8192),
    ROUTE(HTTP_DELETE, "/api/v1/roles/{name}", PERMISSION_USERS_MANAGE, one_delete, .name = "role-delete",
          .flags = ROUTE_STEP_UP, .summary = "Delete a defined role that nobody has", .tag = "roles", .ways = WAYS_ALL,
          .event = EVENT_ROLE_DELETED),
};
const struct route_table roles_routes = {routes, ARRAY_LEN(routes)};
