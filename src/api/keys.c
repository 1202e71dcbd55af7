/* API keys: made by people for themselves and their bots, never with more rights than they have; looked after by their
 * owner and by whoever may users:manage. */
#include "api/keys_op.h"
#include "api/routes.h"
#include "api/second.h"
#include "crypto/secmem.h"

#define DAY_MS    (24ull * 3600 * 1000)
#define HOUR_MS   (3600ull * 1000)
#define SECOND_MS 1000ull

/* --- create */

static RESULT fill_key(struct key_work *w, const struct key_create *q)
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
                              .blocked_endpoints = q->blocked_endpoints,
                              .mfa_required = q->mfa_required,
                              .renewable = q->renewable,
                              .term_ms = now};
    return people_environments_get(&q->environments, &w->key.secret_environments);
}

/* What it could never do is better said now than found out by a bot. */
static RESULT check_owner(const struct key_work *w, struct problem *why)
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

/* Whoever may sign in has a session: he must not fill the memory, nor have more than a removal can end. */
static RESULT check_room(const struct key_work *w, struct problem *why)
{
    uint64_t now = people_now(w->req);
    if (key_op_manages(w->req))
        return OK;
    struct api_keys_owned o = api_keys_owned(key_op_table(w->req), w->key.owner, now > DAY_MS ? now - DAY_MS : 0);
    if (o.not_revoked >= KEYS_OWN_MAX)
        return problem_set(why, ERR_LIMIT_REACHED, "", "You have %d API keys: revoke some first.", KEYS_OWN_MAX);
    if (o.since >= KEYS_OWN_DAY)
        return problem_set(why, ERR_LIMIT_REACHED, "", "You have made %d API keys within a day.", KEYS_OWN_DAY);
    return OK;
}

static RESULT check_create(struct key_work *w, struct problem *why)
{
    TRY(check_owner(w, why));
    TRY(check_room(w, why));
    if (w->key.has_unix_uid && api_keys_uid_taken(key_op_table(w->req), w->key.unix_uid))
        return problem_set(why, ERR_EXISTS, "/unix_uid", "%s", "Another key is this Unix user's.");
    return OK;
}

/* By naming a credential one lets somebody sign with it, and look at it. */
static bool may_name_credentials(const struct key_work *w)
{
    const struct api_caller *c = api_caller_of(w->req);
    bool signs = permission_has(c->permissions, PERMISSION_MEV_EXECUTE) &&
                 (c->access.environments & environment_bit(w->key.environment));
    return signs || key_op_manages(w->req);
}

/* Whoever's key it is, the requests of that user of the host become this key's, and no longer his group's. */
static bool may_claim_unix_user(const struct key_work *w)
{
    return permission_has(api_caller_of(w->req)->permissions, PERMISSION_MEV_EXECUTE) || key_op_manages(w->req);
}

static const char *forbidden(const struct key_work *w)
{
    struct rights mine = api_rights_of(w->req);
    struct view me = people_caller_name(w->req);
    if (w->key.has_unix_uid && !may_claim_unix_user(w))
        return "which Unix user is a bot says who runs bots or manages users: mev:execute or users:manage";
    if (!view_eq(w->key.owner, me) && !key_op_manages(w->req))
        return "a key for somebody else needs users:manage";
    if (!key_is_within(api_of(w->req)->shared->identity, &w->key, &mine))
        return "a key can't do more than who makes it: permissions, level and environments for secrets";
    if (w->key.credentials.count && !may_name_credentials(w))
        return "who may not sign in this environment can't let a key do it: that needs mev:execute and a grant for the "
               "environment, or users:manage";
    return NULL;
}

static RESULT make(struct key_work *w)
{
    struct api_key_parts parts;
    TRY(api_key_make(api_of(w->req)->shared->random, w->key.environment, w->text, &parts));
    TRY(arena_copy(w->req->arena, VIEW(parts.id, API_KEY_ID_LEN), &w->key.id));
    return key_op_keep(w, &parts);
}

/* Nobody's text has a SHA-256 of zeros. */
static bool is_import(const struct key_create *q)
{
    static const uint8_t none[sizeof q->sha256];
    return memcmp(q->sha256, none, sizeof none) != 0;
}

static RESULT take_over(struct key_work *w, const struct key_create *q)
{
    struct api_key_parts parts;
    struct api_key_found there;
    TRY(api_key_foreign(people_keys(w->req), q->sha256, &parts));
    if (api_keys_find(key_op_table(w->req), view_str(parts.id), w->req->arena, &there) == OK)
        return ERR_EXISTS;
    TRY(arena_copy(w->req->arena, VIEW(parts.id, API_KEY_ID_LEN), &w->key.id));
    w->key.imported = true;
    w->event = EVENT_API_KEY_IMPORTED;
    return key_op_keep(w, &parts);
}

static enum http_outcome create_post(struct http_request *req)
{
    struct key_create q = {0};
    struct key_work *w = arena_alloc(req->arena, sizeof *w);
    struct problem why;
    if (!w)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    *w = (struct key_work){.req = req, .is_new = true, .event = EVENT_API_KEY_CREATED, .status = 201};
    if (fill_key(w, &q) != OK)
        return people_problem(req, ERR_BAD_VALUE, "/environments", "none stands alone.");
    if (people_roles_known(req, &w->key.roles, &why) != OK)
        return http_answer_problem(req, &why);
    const char *refused = forbidden(w);
    if (refused)
        return people_refuse(req, "key:", w->key.name, refused);
    if (!key_op_fresh_for(req, &w->key))
        return second_demand(req);
    if (check_create(w, &why) != OK)
        return http_answer_problem(req, &why);
    enum err e = is_import(&q) ? take_over(w, &q) : make(w);
    return e == OK ? key_op_commit(w) : http_answer_error(req, e);
}

/* --- one key */

static enum http_outcome one_get(struct http_request *req)
{
    struct api_key_found f;
    struct key_view v;
    struct usage usage;
    enum http_outcome answered;
    if (!key_op_find(req, MAY_MANAGE | MAY_OWN | MAY_SELF, &f, &answered))
        return answered;
    enum err e = key_view_fill(&f.key, (struct view){0}, people_now(req), req->arena, &v);
    if (e == OK)
        e = key_op_usage(req, f.key.id, &usage);
    if (e == OK && usage.last_ms > v.last_used)
        v.last_used = usage.last_ms; /* before this run of the server */
    v.suspended_sources = (uint32_t)api_keys_suspended_sources(key_op_table(req), f.key.id, people_now(req));
    return e == OK ? http_answer_entity(req, 200, &key_view_entity, &v) : http_answer_error(req, e);
}

/* --- rotate */

/* A key's end is put off by people: whoever stole one must not make it, or another, last. */
static bool is_person(const struct http_request *req)
{
    return api_caller_of(req)->key_id.len == 0;
}

static RESULT remake(struct key_work *w, uint32_t grace_seconds)
{
    struct api_key *k = &w->key;
    struct api_key_parts parts;
    uint64_t now = people_now(w->req);
    TRY(api_key_remake(api_of(w->req)->shared->random, k, w->text, &parts));
    memset(k->old_verifier, 0, sizeof k->old_verifier);
    k->old_pepper_epoch = 0;
    k->old_until_ms = 0;
    if (grace_seconds) {
        memcpy(k->old_verifier, k->verifier, sizeof k->old_verifier);
        k->old_pepper_epoch = k->pepper_epoch;
        k->old_until_ms = now + grace_seconds * SECOND_MS;
    }
    if (is_person(w->req))
        api_key_begin(k, now); /* lasts as long as the one before */
    k->imported = false;
    k->rotated_ms = now;
    return key_op_keep(w, &parts);
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
    if (!key_op_find_to_change(req, MAY_MANAGE | MAY_OWN | MAY_SELF, &f, &answered))
        return answered;
    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    /* A thief may be why it was rotated: he must not get the next one for it, and shut its owner out. */
    if (api_caller_of(req)->by_former)
        return people_refuse(req, "key:", f.key.id,
                             "a key's former secret rotates nothing: show the one that followed");
    /* The answer shows the new key: whoever gets it must be allowed what it is allowed. */
    struct rights mine = api_rights_of(req);
    if (!key_op_may(req, &f.key, MAY_SELF) && !key_is_within(api_of(req)->shared->identity, &f.key, &mine))
        return people_refuse(req, "key:", f.key.id, "the key may do more than you: its owner has to rotate it");
    if (!key_op_fresh_for(req, &f.key))
        return second_demand(req);
    uint8_t status = api_key_status_at(&f.key, people_now(req));
    if (status != KEY_ACTIVE)
        return not_active(req, status);
    struct key_work *w = key_op_work(req, &f, EVENT_KEY_ROTATED, 200);
    enum err e = w ? remake(w, q.grace_seconds) : ERR_NO_MEMORY;
    return e == OK ? key_op_commit(w) : http_answer_error(req, e);
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
    return s == &reactivate && k->status == s->to &&
           api_keys_suspended_sources(key_op_table(req), k->id, people_now(req));
}

static enum http_outcome take_step(struct http_request *req, const struct step *s)
{
    struct api_key_found f;
    enum http_outcome answered;
    if (!key_op_find_to_change(req, s->who, &f, &answered))
        return answered;
    if (f.key.status == KEY_REVOKED)
        return http_answer_error(req, ERR_REVOKED);
    if (s->from && f.key.status != s->from && !forgives(req, s, &f.key))
        return people_problem(req, ERR_CONFLICT, "id", s->otherwise);
    struct key_work *w = key_op_work(req, &f, s->event, s->status);
    if (!w)
        return http_answer_error(req, ERR_NO_MEMORY);
    w->key.status = s->to;
    return key_op_commit(w);
}

static enum http_outcome suspend_post(struct http_request *req)
{
    return take_step(req, &suspend);
}

static enum http_outcome reactivate_post(struct http_request *req)
{
    return take_step(req, &reactivate);
}

/* Not the key itself: who stole one must not make it last. */
static enum http_outcome renew_post(struct http_request *req)
{
    struct api_key_found f;
    enum http_outcome answered;
    if (!key_op_find_to_change(req, MAY_MANAGE | MAY_OWN, &f, &answered))
        return answered;
    if (!key_op_fresh_for(req, &f.key))
        return second_demand(req);
    uint8_t status = api_key_status_at(&f.key, people_now(req));
    if (status != KEY_ACTIVE)
        return not_active(req, status);
    struct key_work *w = key_op_work(req, &f, EVENT_KEY_RENEWED, 200);
    if (!w)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (!f.key.renewable)
        return people_problem(req, ERR_CONFLICT, "id", "The key was made to end; rotate it, or make a new one.");
    if (api_key_renew(&w->key, people_now(req)) != OK)
        return people_problem(req, ERR_CONFLICT, "id", "A key is renewed in the last 7 days before it expires.");
    return key_op_commit(w);
}

/* Its owner alone, who has shown a second factor a short while ago. */
static enum http_outcome unlock_post(struct http_request *req)
{
    struct key_unlock q = {0};
    struct api_key_found f;
    struct problem why;
    enum http_outcome answered;
    if (!key_op_find(req, MAY_OWN, &f, &answered))
        return answered;
    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (!api_caller_of(req)->has_second)
        return http_answer_error(req, ERR_NO_SECOND_FACTOR);
    uint8_t status = api_key_status_at(&f.key, people_now(req));
    if (status != KEY_ACTIVE)
        return not_active(req, status);
    if (!f.key.mfa_required)
        return people_problem(req, ERR_CONFLICT, "id", "The key works without being unlocked.");
    struct key_work *w = key_op_work(req, &f, EVENT_KEY_UNLOCKED, 200);
    if (!w)
        return http_answer_error(req, ERR_NO_MEMORY);
    w->key.unlocked_ms = people_now(req) + (q.hours ? q.hours : KEY_UNLOCK_HOURS) * HOUR_MS;
    return key_op_commit(w);
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
    TRY(api_keys_page(key_op_table(req), &more, req->arena, &found));
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
    if (!key_op_manages(req) && (me.len == 0 || (q.owner.len && !view_eq(q.owner, me))))
        return people_refuse(req, "keys:", q.owner, "the keys of others need users:manage");
    uint64_t now = people_now(req);
    struct api_keys_range range = {.owner = key_op_manages(req) ? q.owner : me,
                                   .after = q.after,
                                   .limit = q.limit ? q.limit : KEY_PAGE_DEFAULT,
                                   .now_ms = now,
                                   .expires_by_ms = q.expires_within_days ? now + q.expires_within_days * DAY_MS : 0,
                                   .rotation_due = q.rotation_due};
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
    ROUTE(HTTP_POST, "/api/v1/keys/{id}/renew", PERMISSION_AUTHENTICATED, renew_post, .name = "key-renew",
          .summary = "Prolong a renewable key that expires within 7 days", .tag = "keys", .ways = WAY_SESSION,
          .event = EVENT_KEY_RENEWED, .response = &key_view_entity),
    ROUTE(HTTP_POST, "/api/v1/keys/{id}/unlock", PERMISSION_AUTHENTICATED, unlock_post, .name = "key-unlock",
          .summary = "Let a key work for some hours that demands its owner's second factor", .tag = "keys",
          .ways = WAY_SESSION, .flags = ROUTE_STEP_UP, .event = EVENT_KEY_UNLOCKED, .request = &key_unlock_entity,
          .response = &key_view_entity),
    ROUTE(HTTP_DELETE, "/api/v1/keys/{id}", PERMISSION_AUTHENTICATED, revoke_delete, .name = "key-revoke",
          .summary = "Revoke a key for good", .tag = "keys", .ways = WAYS_ALL, .event = EVENT_KEY_REVOKED),
};
const struct route_table keys_routes = {routes, ARRAY_LEN(routes)};
