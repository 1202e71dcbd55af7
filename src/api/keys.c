/* API keys: made by people for themselves and their bots, never with more rights than they have; looked after by their
 * owner and by whoever may users:manage. */
#include "api/keys.h"

#include "api/routes.h"
#include "crypto/secmem.h"

#define DAY_MS    (24ull * 3600 * 1000)
#define SECOND_MS 1000ull

struct work {
    struct http_request *req;
    struct api_key_found before;
    bool is_new;
    struct api_key key;           /* as it will be */
    char text[API_KEY_TEXT_SIZE]; /* "" unless this change shows it */
    uint16_t event;
    unsigned status; /* of the answer; 204 without a body */
};

static struct api_keys *table_of(const struct http_request *req)
{
    return api_of(req)->shared->api_keys;
}

static bool manages(const struct http_request *req)
{
    return permission_has(api_caller_of(req)->permissions, PERMISSION_USERS_MANAGE);
}

/* --- the change */

static enum http_outcome changed(struct api_change *c)
{
    struct work *w = c->context;
    struct key_view v;
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (w->event == EVENT_KEY_REACTIVATED || w->event == EVENT_KEY_ROTATED)
        api_keys_forgive(table_of(w->req), w->key.id);
    if (w->status == 204)
        return http_answer_empty(w->req, 204);
    enum err e = key_view_fill(&w->key, view_str(w->text), people_now(w->req), w->req->arena, &v);
    return e == OK ? http_answer_entity(w->req, w->status, &key_view_entity, &v) : http_answer_error(w->req, e);
}

static RESULT fill(struct work *w, struct api_change *c)
{
    struct record_object what = {.detail = w->key.name};
    struct txn_change put;
    TRY(people_named(w->req->arena, "key:", w->key.id, &what.resource));
    TRY(api_key_put(people_keys(w->req), &w->key, w->is_new ? NULL : &w->before, w->req->arena, &put));
    TRY(api_change_put(c, &put));
    return api_change_record(c, w->event, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct work *w)
{
    struct api_change *c = NULL;
    enum err e = api_change_new(w->req, &c);
    if (e == OK)
        e = fill(w, c);
    if (e != OK)
        return http_answer_error(w->req, e);
    c->then = changed;
    c->context = w;
    return api_change_submit(c);
}

/* What is kept of a new text. */
static RESULT keep(struct work *w, const struct api_key_parts *parts)
{
    const struct row_keys *keys = people_keys(w->req);
    w->key.pepper_epoch = keyring_epoch(row_keys_ring(keys));
    return api_key_verifier(keys, w->key.pepper_epoch, parts->hash, w->key.verifier);
}

/* --- create */

static RESULT fill_key(struct work *w, const struct key_create *q)
{
    uint64_t now = people_now(w->req);
    w->key = (struct api_key){.name = q->name,
                              .owner = q->owner.len ? q->owner : people_caller_name(w->req),
                              .description = q->description,
                              .environment = q->environment,
                              .status = KEY_ACTIVE,
                              .usage = q->usage,
                              .roles = q->roles,
                              .credentials = q->credentials,
                              .created_ms = now,
                              .expires_ms = now + (q->expires_days ? q->expires_days : KEY_DAYS_DEFAULT) * DAY_MS,
                              .proof_key = q->proof_key,
                              .unix_uid = q->unix_uid,
                              .has_unix_uid = q->unix_uid != 0,
                              .per_hour = q->per_hour ? q->per_hour : LIMITS_PER_HOUR,
                              .per_day = q->per_day ? q->per_day : LIMITS_PER_DAY,
                              .burst = q->burst ? q->burst : LIMITS_BURST,
                              .allowed_networks = q->allowed_networks,
                              .blocked_networks = q->blocked_networks,
                              .allowed_endpoints = q->allowed_endpoints,
                              .blocked_endpoints = q->blocked_endpoints};
    return people_environments_get(&q->environments, &w->key.secret_environments);
}

/* What it could never do is better said now than found out by a bot. */
static RESULT check_owner(const struct work *w, struct problem *why)
{
    struct identity *identity = api_of(w->req)->shared->identity;
    struct rights owner;
    if (identity_user_rights(identity, w->key.owner, &owner) != OK)
        return problem_set(why, ERR_BAD_VALUE, "/owner", "%s", "There is no such user, or he is disabled.");
    if (!key_is_within(identity, &w->key, &owner))
        return problem_set(
            why, ERR_BAD_VALUE, "/owner", "%s",
            "A key can't do more than its owner: he lacks a permission, a level or an environment of it.");
    if (w->key.credentials.count && !key_signs_in(identity, &w->key))
        return problem_set(why, ERR_BAD_VALUE, "/environment", "%s",
                           "Its owner has no grant for this environment, so nothing could be signed with the key.");
    return OK;
}

static RESULT check_create(struct work *w, struct problem *why)
{
    TRY(check_owner(w, why));
    if (w->key.has_unix_uid && api_keys_uid_taken(table_of(w->req), w->key.unix_uid))
        return problem_set(why, ERR_EXISTS, "/unix_uid", "%s", "Another key is this Unix user's.");
    return OK;
}

/* By naming a credential one lets somebody sign with it, and look at it. */
static bool may_name_credentials(const struct work *w)
{
    const struct api_caller *c = api_caller_of(w->req);
    bool signs = permission_has(c->permissions, PERMISSION_MEV_EXECUTE) &&
                 (c->access.environments & environment_bit(w->key.environment));
    return signs || manages(w->req);
}

static const char *forbidden(const struct work *w)
{
    struct rights mine = api_rights_of(w->req);
    struct view me = people_caller_name(w->req);
    if (!view_eq(w->key.owner, me) && !manages(w->req))
        return "a key for somebody else needs users:manage";
    if (!key_is_within(api_of(w->req)->shared->identity, &w->key, &mine))
        return "a key can't do more than who makes it: permissions, level and environments for secrets";
    if (w->key.credentials.count && !may_name_credentials(w))
        return "who may not sign in this environment can't let a key do it: that needs mev:execute and a grant for the "
               "environment, or users:manage";
    return NULL;
}

static RESULT make(struct work *w)
{
    struct api_key_parts parts;
    TRY(api_key_make(api_of(w->req)->shared->random, w->key.environment, w->text, &parts));
    TRY(arena_copy(w->req->arena, VIEW(parts.id, API_KEY_ID_LEN), &w->key.id));
    return keep(w, &parts);
}

static enum http_outcome create_post(struct http_request *req)
{
    struct key_create q = {0};
    struct work *w = arena_alloc(req->arena, sizeof *w);
    struct problem why;
    if (!w)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    *w = (struct work){.req = req, .is_new = true, .event = EVENT_API_KEY_CREATED, .status = 201};
    if (fill_key(w, &q) != OK)
        return people_problem(req, ERR_BAD_VALUE, "/environments", "none stands alone.");
    if (people_roles_known(req, &w->key.roles, &why) != OK)
        return http_answer_problem(req, &why);
    const char *refused = forbidden(w);
    if (refused)
        return people_refuse(req, "key:", w->key.name, refused);
    if (check_create(w, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = make(w);
    return e == OK ? commit(w) : http_answer_error(req, e);
}

/* --- one key: who may, and whether there is one */

enum may {
    MAY_MANAGE = 1, /* users:manage */
    MAY_OWN = 2,    /* its owner, signed in himself */
    MAY_SELF = 4,   /* the key itself */
};

static bool may(const struct http_request *req, const struct api_key *k, unsigned who)
{
    struct view me = people_caller_name(req);
    const struct api_caller *caller = api_caller_of(req);
    return ((who & MAY_MANAGE) && manages(req)) || ((who & MAY_OWN) && me.len && view_eq(me, k->owner)) ||
           ((who & MAY_SELF) && caller->way == WAY_API_KEY && view_eq(caller->key_id, k->id));
}

/* Finds the key of the address into ret and returns true, or answers: who may not look can't tell whether there is one.
 */
static bool find(struct http_request *req, unsigned who, struct api_key_found *ret, enum http_outcome *ret_outcome)
{
    struct view id = {0};
    if (!http_param(req, "id", &id) || !api_key_id_valid(id)) {
        *ret_outcome = people_problem(req, ERR_BAD_VALUE, "id", "An id has 16 letters and digits.");
        return false;
    }
    enum err e = api_keys_find(table_of(req), id, req->arena, ret);
    if (e == OK && may(req, &ret->key, who))
        return true;
    if (e != OK && e != ERR_NOT_FOUND)
        *ret_outcome = http_answer_error(req, e);
    else if (e == ERR_NOT_FOUND && manages(req))
        *ret_outcome = http_answer_error(req, e);
    else
        *ret_outcome = people_refuse(req, "key:", id, NULL);
    return false;
}

static struct work *work_on(struct http_request *req, const struct api_key_found *f, uint16_t event, unsigned status)
{
    struct work *w = arena_alloc(req->arena, sizeof *w);
    if (w)
        *w = (struct work){.req = req, .before = *f, .key = f->key, .event = event, .status = status};
    return w;
}

static enum http_outcome one_get(struct http_request *req)
{
    struct api_key_found f;
    struct key_view v;
    enum http_outcome answered;
    if (!find(req, MAY_MANAGE | MAY_OWN | MAY_SELF, &f, &answered))
        return answered;
    enum err e = key_view_fill(&f.key, (struct view){0}, people_now(req), req->arena, &v);
    v.suspended_sources = (uint32_t)api_keys_suspended_sources(table_of(req), f.key.id, people_now(req));
    return e == OK ? http_answer_entity(req, 200, &key_view_entity, &v) : http_answer_error(req, e);
}

/* --- rotate */

static RESULT renew(struct work *w, uint32_t grace_seconds)
{
    struct api_key *k = &w->key;
    struct api_key_parts parts;
    uint64_t now = people_now(w->req), since = k->rotated_ms ? k->rotated_ms : k->created_ms;
    TRY(api_key_remake(api_of(w->req)->shared->random, k, w->text, &parts));
    memset(k->old_verifier, 0, sizeof k->old_verifier);
    k->old_pepper_epoch = 0;
    k->old_until_ms = 0;
    if (grace_seconds) {
        memcpy(k->old_verifier, k->verifier, sizeof k->old_verifier);
        k->old_pepper_epoch = k->pepper_epoch;
        k->old_until_ms = now + grace_seconds * SECOND_MS;
    }
    k->expires_ms = now + (k->expires_ms > since ? k->expires_ms - since : 0); /* lasts as long as the one before */
    k->rotated_ms = now;
    return keep(w, &parts);
}

static enum http_outcome not_active(struct http_request *req, uint8_t status)
{
    if (status == KEY_REVOKED)
        return http_answer_error(req, ERR_REVOKED);
    return people_problem(req, ERR_CONFLICT, "id",
                          status == KEY_EXPIRED ? "The key has expired; make a new one."
                                                : "The key is suspended; reactivate it first.");
}

static enum http_outcome rotate_post(struct http_request *req)
{
    struct key_rotate q = {0};
    struct api_key_found f;
    struct problem why;
    enum http_outcome answered;
    if (!find(req, MAY_MANAGE | MAY_OWN | MAY_SELF, &f, &answered))
        return answered;
    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    /* The answer shows the new key: whoever gets it must be allowed what it is allowed. */
    struct rights mine = api_rights_of(req);
    if (!may(req, &f.key, MAY_SELF) && !key_is_within(api_of(req)->shared->identity, &f.key, &mine))
        return people_refuse(req, "key:", f.key.id, "the key may do more than you: its owner has to rotate it");
    uint8_t status = api_key_status_at(&f.key, people_now(req));
    if (status != KEY_ACTIVE)
        return not_active(req, status);
    struct work *w = work_on(req, &f, EVENT_KEY_ROTATED, 200);
    enum err e = w ? renew(w, q.grace_seconds) : ERR_NO_MEMORY;
    return e == OK ? commit(w) : http_answer_error(req, e);
}

/* --- status: one row for each step that there is */

static const struct step {
    unsigned who;
    uint8_t from; /* 0: any but revoked */
    uint8_t to;
    uint16_t event;
    unsigned status;
    const char *otherwise;
} suspend = {MAY_MANAGE | MAY_OWN, KEY_ACTIVE, KEY_SUSPENDED,
             EVENT_KEY_SUSPENDED,  200,        "Only an active key can be suspended."},
  /* Not its owner: who suspended it may have had a reason. */
    reactivate = {MAY_MANAGE, KEY_SUSPENDED, KEY_ACTIVE, EVENT_KEY_REACTIVATED, 200, "The key is not suspended."},
  revoke = {MAY_MANAGE | MAY_OWN, 0, KEY_REVOKED, EVENT_KEY_REVOKED, 204, ""};

/* An active key that is suspended for a source is put back there, too. */
static bool forgives(const struct http_request *req, const struct step *s, const struct api_key *k)
{
    return s == &reactivate && k->status == s->to && api_keys_suspended_sources(table_of(req), k->id, people_now(req));
}

static enum http_outcome take_step(struct http_request *req, const struct step *s)
{
    struct api_key_found f;
    enum http_outcome answered;
    if (!find(req, s->who, &f, &answered))
        return answered;
    if (f.key.status == KEY_REVOKED)
        return http_answer_error(req, ERR_REVOKED);
    if (s->from && f.key.status != s->from && !forgives(req, s, &f.key))
        return people_problem(req, ERR_CONFLICT, "id", s->otherwise);
    struct work *w = work_on(req, &f, s->event, s->status);
    if (!w)
        return http_answer_error(req, ERR_NO_MEMORY);
    w->key.status = s->to;
    return commit(w);
}

static enum http_outcome suspend_post(struct http_request *req)
{
    return take_step(req, &suspend);
}

static enum http_outcome reactivate_post(struct http_request *req)
{
    return take_step(req, &reactivate);
}

static enum http_outcome revoke_delete(struct http_request *req)
{
    return take_step(req, &revoke);
}

/* --- list */

static RESULT fill_page(struct http_request *req, const struct api_keys_range *range, struct key_page *ret)
{
    struct api_keys_range more = *range;
    struct entity_list found;
    more.limit++; /* one more tells whether there is a next page */
    TRY(api_keys_page(table_of(req), &more, req->arena, &found));
    struct key_view *out = arena_alloc(req->arena, (found.count + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    size_t n = found.count < range->limit ? found.count : range->limit;
    for (size_t i = 0; i < n; i++)
        TRY(key_view_fill((const struct api_key *)found.items + i, (struct view){0}, people_now(req), req->arena,
                          &out[i]));
    ret->keys = (struct entity_list){.items = out, .count = n};
    if (found.count > n)
        ret->next = out[n - 1].id;
    return OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct key_query q = {0};
    struct key_page page = {0};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    struct view me = people_caller_name(req);
    if (!manages(req) && (me.len == 0 || (q.owner.len && !view_eq(q.owner, me))))
        return people_refuse(req, "keys:", q.owner, "the keys of others need users:manage");
    struct api_keys_range range = {
        .owner = manages(req) ? q.owner : me, .after = q.after, .limit = q.limit ? q.limit : KEY_PAGE_DEFAULT};
    enum err e = fill_page(req, &range, &page);
    return e == OK ? http_answer_entity(req, 200, &key_page_entity, &page) : http_answer_error(req, e);
}

/* --- routes */

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/keys", PERMISSION_AUTHENTICATED, create_post, .name = "key-create",
          .summary = "Create an API key; the answer shows it, once", .tag = "keys", .ways = WAY_SESSION,
          .event = EVENT_API_KEY_CREATED, .request = &key_create_entity, .response = &key_view_entity, .status = 201),
    ROUTE(HTTP_GET, "/api/v1/keys", PERMISSION_AUTHENTICATED, list_get, .name = "key-list",
          .summary = "List API keys: one's own, or all with users:manage", .tag = "keys", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &key_query_entity, .response = &key_page_entity),
    ROUTE(HTTP_GET, "/api/v1/keys/{id}", PERMISSION_AUTHENTICATED, one_get, .name = "key-show",
          .summary = "Show one API key", .tag = "keys", .ways = WAYS_ALL, .durability = DURABLE_NONE,
          .response = &key_view_entity),
    ROUTE(HTTP_POST, "/api/v1/keys/{id}/rotate", PERMISSION_AUTHENTICATED, rotate_post, .name = "key-rotate",
          .summary = "Replace a key's secret; the old one works on for grace_seconds", .tag = "keys", .ways = WAYS_ALL,
          .event = EVENT_KEY_ROTATED, .request = &key_rotate_entity, .response = &key_view_entity),
    ROUTE(HTTP_POST, "/api/v1/keys/{id}/suspend", PERMISSION_AUTHENTICATED, suspend_post, .name = "key-suspend",
          .summary = "Suspend a key until it is reactivated", .tag = "keys", .ways = WAYS_ALL,
          .event = EVENT_KEY_SUSPENDED, .response = &key_view_entity),
    ROUTE(HTTP_POST, "/api/v1/keys/{id}/reactivate", PERMISSION_USERS_MANAGE, reactivate_post, .name = "key-reactivate",
          .summary = "Put a suspended key back into use", .tag = "keys", .ways = WAYS_ALL,
          .event = EVENT_KEY_REACTIVATED, .response = &key_view_entity),
    ROUTE(HTTP_DELETE, "/api/v1/keys/{id}", PERMISSION_AUTHENTICATED, revoke_delete, .name = "key-revoke",
          .summary = "Revoke a key for good", .tag = "keys", .ways = WAYS_ALL, .event = EVENT_KEY_REVOKED),
};
const struct route_table keys_routes = {routes, ARRAY_LEN(routes)};
