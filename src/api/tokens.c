/* Access tokens: had from a session or an API key, refreshed, listed, and the keys to check them with. */
#include "api/tokens.h"

#include "api/inside.h"
#include "api/login.h"
#include "api/routes.h"
#include "api/token_share.h"
#include "base/text.h"

#define HOUR_MS       3600000ull
#define MINUTE_MS     60000ull
#define REFRESH_TRIES 4 /* each costs a signature */

/* One token under way. */
struct issue {
    struct http_request *req;
    struct keeper_token_sign ask;
    struct keeper_token_signed got;
    bool has_grant;
    struct grant grant;
    struct grant_found before; /* of a refresh */
    struct refresh shown;
    bool refreshes;
    unsigned tries;
    char refresh[REFRESH_TEXT_SIZE];
};

static struct tokens *tokens_of(const struct http_request *req)
{
    return api_of(req)->shared->tokens;
}

static RESULT hex_of(struct arena *arena, const char *prefix, const uint8_t *bytes, size_t n, struct view *ret)
{
    AUTO_WRITER w = writer_new(128);

    writer_str(&w, prefix);
    hex_put(&w, VIEW(bytes, n));
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* --- the answer */

static RESULT fill_answer(const struct issue *i, struct token_answer *a)
{
    struct arena *arena = i->req->arena;

    *a = (struct token_answer){.access_token = i->got.token,
                               .token_type = VIEW_STR("Bearer"),
                               .expires_in = (uint32_t)((i->got.expires_ms - i->got.issued_ms) / 1000),
                               .expires = i->got.expires_ms};
    TRY(hex_of(arena, "", i->got.id, sizeof i->got.id, &a->id));
    if (!i->has_grant)
        return OK;
    a->refresh_token = view_str(i->refresh);
    a->refresh_expires = i->grant.expires_ms;
    return hex_of(arena, "", i->grant.id, sizeof i->grant.id, &a->grant);
}

static enum http_outcome refresh_again(struct issue *i);

static enum http_outcome issued(struct api_change *c)
{
    struct issue *i = c->context;
    struct token_answer a;

    /* Somebody else showed the same refresh token, and was faster; memory may learn of it a moment later. */
    if (c->txn.result == ERR_CONFLICT && i->refreshes && i->tries++ < REFRESH_TRIES)
        return refresh_again(i);
    if (c->txn.result == ERR_CONFLICT && i->refreshes)
        c->txn.result = ERR_BUSY;
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (fill_answer(i, &a) != OK)
        return http_answer_error(c->req, ERR_NO_MEMORY);
    return http_answer_entity(c->req, i->refreshes ? 200 : 201, &token_answer_entity, &a);
}

/* --- the change: the keeper's record, and the grant with the front's own */

static RESULT put_grant(struct issue *i, struct api_change *c)
{
    const struct api_shared *s = api_of(i->req)->shared;
    struct record_object what = {.detail = i->refreshes ? VIEW_STR("refreshed") : VIEW_STR("new")};
    struct txn_change put, *gone = NULL;
    struct view actor;
    size_t count = 0;

    TRY(refresh_make(people_keys(i->req), s->random, i->grant.id, i->grant.generation, i->refresh, i->grant.verifier));
    TRY(grant_put(people_keys(i->req), &i->grant, i->refreshes ? &i->before : NULL, i->req->arena, &put));
    TRY(api_change_put(c, &put));
    if (!i->refreshes)
        TRY(tokens_make_room(s->tokens, people_keys(i->req), i->grant.user, people_now(i->req), i->req->arena, &gone,
                             &count));
    for (size_t n = 0; n < count; n++)
        TRY(api_change_put(c, &gone[n]));
    TRY(hex_of(i->req->arena, "grant:", i->grant.id, sizeof i->grant.id, &what.resource));
    TRY(people_named(i->req->arena, "user:", i->grant.user, &actor));
    return people_record_as(c, EVENT_TOKEN_GRANTED, OUTCOME_DONE, actor, &what);
}

static RESULT fill_issue(struct issue *i, struct view entity, struct api_change **ret)
{
    struct view kept;

    TRY(arena_copy(i->req->arena, entity, &kept));
    TRY(entity_decode(&keeper_token_signed_entity, kept, i->req->arena, &i->got));
    TRY(api_change_new(i->req, ret));
    (*ret)->then = issued;
    (*ret)->context = i;
    if (i->has_grant)
        TRY(put_grant(i, *ret));
    return api_change_authored(*ret, i->got.authored);
}

static enum http_outcome on_signed(struct http_request *req, void *context, enum err error, struct view entity,
                                   const struct problem *why)
{
    struct api_change *c;

    if (error == ERR_BUSY)
        api_retry_after(req, 5);
    if (error != OK)
        return http_answer_problem(req, why);
    error = fill_issue(context, entity, &c);
    if (error == OK)
        return api_change_submit(c);
    atomic_store(&api_of(req)->shared->health.look_for_lost, true);
    return http_answer_error(req, error);
}

static enum http_outcome ask_keeper(struct issue *i)
{
    if (!token_share_take(i->req, i->ask.subject, i->tries == 0))
        return token_share_refuse(i->req, i->ask.subject);
    if (i->has_grant)
        memcpy(i->ask.grant, i->grant.id, sizeof i->ask.grant);
    return api_call_keeper(i->req, KEEPER_TOKEN_SIGN, &keeper_token_sign_entity, &i->ask, on_signed, i);
}

/* --- from a session or a key */

static RESULT new_grant(struct issue *i, struct view user)
{
    const struct api_shared *s = api_of(i->req)->shared;
    const struct config_tokens *limits = &s->config->tokens;
    uint64_t now = people_now(i->req);
    struct session session;
    struct user unused;

    i->has_grant = true;
    i->grant = (struct grant){.user = user,
                              .client = i->ask.client,
                              .created_ms = now,
                              .used_ms = now,
                              .expires_ms = now + limits->grant_hours * HOUR_MS,
                              .idle_ms = limits->idle_minutes * MINUTE_MS,
                              .generation = 1,
                              .source = view_str(i->req->peer.text),
                              .user_agent = login_user_agent(i->req)};
    TRY(s->random->fill(s->random, i->grant.id, sizeof i->grant.id));
    TRY(hex_get(api_caller_of(i->req)->session_id, i->grant.session, sizeof i->grant.session));
    TRY(identity_session(s->identity, i->grant.session, now, i->req->arena, &session, &unused));
    i->grant.auth_ms = i->ask.auth_ms = session.created_ms;
    i->grant.shown = session.shown | (session.second_ms ? SHOWN_SECOND : 0);
    return OK;
}

/* What is had by a former secret ends with it. */
static void cap_to_grace(const struct api_caller *c, uint64_t now_ms, uint32_t *seconds)
{
    uint64_t left = c->former_until_ms > now_ms ? (c->former_until_ms - now_ms) / 1000 : 0;
    uint32_t most = left == 0 ? 1 : left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;

    if (*seconds == 0 || *seconds > most)
        *seconds = most;
}

static RESULT fill_ask(struct issue *i, const struct token_request *q)
{
    const struct api_caller *c = api_caller_of(i->req);
    struct view user = people_caller_name(i->req);

    i->ask = (struct keeper_token_sign){.audience = q->audience, .client = q->client, .seconds = q->seconds};
    TRY(api_who(i->req, (struct view){0}, &i->ask.who));
    if (c->by_former)
        cap_to_grace(c, people_now(i->req), &i->ask.seconds);
    if (c->key_id.len)
        return people_named(i->req->arena, "key:", c->key_id, &i->ask.subject);
    if (user.len == 0)
        return ERR_FORBIDDEN;
    i->ask.subject = c->actor;
    TRY(new_grant(i, user));
    return shown_methods(i->grant.shown, i->req->arena, &i->ask.methods);
}

static enum http_outcome create_post(struct http_request *req)
{
    struct issue *i = arena_alloc(req->arena, sizeof *i);
    struct token_request q = {0};
    struct problem why;
    enum err e;

    if (!i)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    i->req = req;
    e = fill_ask(i, &q);
    return e == OK ? ask_keeper(i) : http_answer_error(req, e);
}

/* --- refreshing */

static enum http_outcome refuse(struct http_request *req, enum err code)
{
    (void)!http_answer_header(req, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
    return http_answer_error(req, code);
}

static enum http_outcome refuse_stranger(struct http_request *req, enum err code)
{
    anonymous_count(api_of(req), req, code);
    return refuse(req, code);
}

static enum http_outcome reuse_recorded(struct api_change *c)
{
    struct issue *i = c->context;

    if (c->txn.result == ERR_CONFLICT && i->tries++ < PEOPLE_TRIES)
        return refresh_again(i);
    if (c->txn.result == ERR_CONFLICT)
        c->txn.result = ERR_BUSY; /* he lost too often in a row: the next try is judged */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return refuse(c->req, ERR_TOKEN_REUSED);
}

/* RFC 9700 §4.14.2: who of the two is the thief nobody can tell, so both lose it. */
static enum http_outcome end_reused(struct issue *i)
{
    struct record_object what = {.error = view_str(err_code(ERR_TOKEN_REUSED))};
    struct view actor, name;
    struct api_change *c = NULL;
    enum err e = api_change_new(i->req, &c);

    if (e == OK)
        e = hex_of(i->req->arena, "grant:", i->grant.id, sizeof i->grant.id, &what.resource);
    if (e == OK)
        e = hex_of(i->req->arena, "", i->grant.id, sizeof i->grant.id, &name);
    if (e == OK)
        e = people_named(i->req->arena, "user:", i->grant.user, &actor);
    if (e == OK)
        e = tokens_end(c, REVOKED_GRANT, name);
    if (e == OK)
        e = people_record_as(c, EVENT_TOKEN_REUSED, OUTCOME_REFUSED, actor, &what);
    if (e != OK)
        return http_answer_error(i->req, e);
    c->then = reuse_recorded;
    c->context = i;
    return api_change_submit(c);
}

static RESULT owner_may(struct issue *i)
{
    struct user_found f;
    enum err e = identity_user(api_of(i->req)->shared->identity, i->grant.user, i->req->arena, &f);

    return e == OK && f.user.state != USER_DISABLED ? OK : ERR_TOKEN_REVOKED;
}

static enum http_outcome refresh_again(struct issue *i)
{
    uint64_t now = people_now(i->req);
    enum err e = tokens_grant(tokens_of(i->req), i->shown.id, now, i->req->arena, &i->before);

    if (e != OK)
        return refuse_stranger(i->req, e == ERR_NOT_FOUND ? ERR_TOKEN_REVOKED : e);
    i->grant = i->before.grant;
    if (i->shown.generation != i->grant.generation || !ct_eq(i->shown.verifier, i->grant.verifier, 32))
        return end_reused(i);
    if (grant_over(&i->grant, now))
        return refuse_stranger(i->req, ERR_TOKEN_EXPIRED);
    e = owner_may(i);
    if (e != OK)
        return refuse_stranger(i->req, e);
    i->grant.generation++;
    i->grant.used_ms = now;
    i->has_grant = i->refreshes = true;
    i->ask.client = i->grant.client;
    i->ask.auth_ms = i->grant.auth_ms;
    e = people_named(i->req->arena, "user:", i->grant.user, &i->ask.subject);
    if (e == OK)
        e = api_who(i->req, (struct view){0}, &i->ask.who);
    if (e == OK)
        e = shown_methods(i->grant.shown, i->req->arena, &i->ask.methods);
    return e == OK ? ask_keeper(i) : http_answer_error(i->req, e);
}

static enum http_outcome refresh_post(struct http_request *req)
{
    struct issue *i = arena_alloc(req->arena, sizeof *i);
    struct refresh_request q = {0};
    struct problem why;

    if (!i)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    i->req = req;
    i->ask = (struct keeper_token_sign){.audience = q.audience, .seconds = q.seconds};
    if (refresh_parse(people_keys(req), q.refresh_token, &i->shown) != OK)
        return refuse_stranger(req, ERR_TOKEN_INVALID);
    return refresh_again(i);
}

/* --- listing */

static RESULT view_of(struct http_request *req, const struct grant *g, struct grant_view *ret)
{
    const struct token_accepted *mine = api_caller_of(req)->token;

    *ret = (struct grant_view){.user = g->user,
                               .client = g->client,
                               .source = g->source,
                               .user_agent = g->user_agent,
                               .created = g->created_ms,
                               .refreshed = g->used_ms,
                               .expires = g->expires_ms,
                               .current = mine && memcmp(mine->grant, g->id, sizeof g->id) == 0};
    return hex_of(req->arena, "", g->id, sizeof g->id, &ret->grant);
}

static RESULT place_get(struct view text, struct grant_place *ret)
{
    uint8_t bytes[GRANT_PLACE_HEX / 2];
    struct reader r = reader_new(VIEW_OF(bytes));

    if (text.len == 0)
        return OK;
    TRY(hex_get(text, bytes, sizeof bytes));
    TRY(reader_u64(&r, &ret->created_ms));
    return reader_copy(&r, ret->id, sizeof ret->id);
}

static RESULT place_put(const struct grant *g, struct arena *arena, struct view *ret)
{
    uint8_t bytes[GRANT_PLACE_HEX / 2];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    writer_u64(&w, g->created_ms);
    writer_bytes(&w, g->id, sizeof g->id);
    TRY(writer_done(&w));
    return hex_of(arena, "", bytes, sizeof bytes, ret);
}

static RESULT fill_page(struct http_request *req, const struct grants_query *q, struct grants_page *page)
{
    size_t limit = q->limit ? q->limit : GRANTS_PAGE_DEFAULT;
    struct grants_range range = {.user = q->user, .limit = limit + 1, .now_ms = people_now(req)};
    struct entity_list found;
    struct grant_view *out;

    TRY(place_get(q->after, &range.after));
    TRY(tokens_grants(tokens_of(req), &range, req->arena, &found));
    size_t n = found.count < limit ? found.count : limit;
    const struct grant *grants = found.items;
    out = arena_alloc(req->arena, (n + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        TRY(view_of(req, &grants[i], &out[i]));
    if (found.count > n)
        TRY(place_put(&grants[n - 1], req->arena, &page->next));
    page->tokens = (struct entity_list){out, n};
    return OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct view me = people_caller_name(req);
    struct grants_query q = {0};
    struct grants_page page = {0};
    struct problem why;
    enum err e;

    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if ((q.all || (q.user.len && !view_eq(q.user, me))) &&
        !permission_has(api_caller_of(req)->permissions, PERMISSION_USERS_MANAGE))
        return people_refuse(req, "user:", q.user, "other people's tokens are shown to who holds users:manage");
    if (!q.all && q.user.len == 0)
        q.user = me;
    if (!q.all && q.user.len == 0)
        return http_answer_entity(req, 200, &grants_page_entity, &(struct grants_page){0}); /* an API key has none */
    if (q.all)
        q.user = (struct view){0};
    e = fill_page(req, &q, &page);
    return e == OK ? http_answer_entity(req, 200, &grants_page_entity, &page) : http_answer_error(req, e);
}

static enum http_outcome jwks_get(struct http_request *req)
{
    enum err e = tokens_jwks(tokens_of(req), people_now(req), http_body(req));

    if (e != OK)
        return http_answer_error(req, e);
    if (http_answer_header(req, "Cache-Control", "public, max-age=300") != OK)
        return http_answer_error(req, ERR_INTERNAL);
    return http_answer_body(req, 200, "application/jwk-set+json");
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/tokens", PERMISSION_AUTHENTICATED, create_post, .name = "token-create",
          .summary = "An access token for who asks; with a session also a refresh token", .tag = "tokens",
          .ways = WAY_SESSION | WAY_API_KEY | WAY_PEER, .event = EVENT_TOKEN_ISSUED, .request = &token_request_entity,
          .response = &token_answer_entity, .status = 201, .body_limit = 4096),
    ROUTE(HTTP_POST, "/api/v1/tokens/refresh", PERMISSION_PUBLIC, refresh_post, .name = "token-refresh",
          .rate = ATTEMPTS_PROOF,
          .summary = "A new access token and refresh token for a refresh token, which is used up", .tag = "tokens",
          .event = EVENT_TOKEN_ISSUED, .request = &refresh_request_entity, .response = &token_answer_entity,
          .body_limit = 4096),
    ROUTE(HTTP_POST, "/api/v1/tokens/revoke", PERMISSION_AUTHENTICATED, tokens_revoke_post, .name = "token-revoke",
          .summary = "End tokens now: one's own, or as an administrator a user's or all since a time", .tag = "tokens",
          .ways = WAYS_ALL, .event = EVENT_TOKEN_REVOKED, .request = &revoke_request_entity, .body_limit = 8192),
    ROUTE(HTTP_GET, "/api/v1/tokens", PERMISSION_AUTHENTICATED, list_get, .name = "token-list",
          .summary = "What refresh tokens stand for, the oldest first", .tag = "tokens", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &grants_query_entity, .response = &grants_page_entity),
    ROUTE(HTTP_GET, "/.well-known/jwks.json", PERMISSION_PUBLIC, jwks_get, .name = "jwks",
          .summary = "The keys to check access tokens with (RFC 7517)", .tag = "tokens", .durability = DURABLE_NONE,
          .media = "application/jwk-set+json"),
};
const struct route_table tokens_routes = {routes, ARRAY_LEN(routes)};
