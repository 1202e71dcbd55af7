/* Ending tokens before their time. */
#include "api/second.h"
#include "api/tokens.h"
#include "base/text.h"

#define HOUR_MS 3600000ull
#define DAY_MS  (24 * HOUR_MS) /* no access token lives longer */

struct revoking {
    struct http_request *req;
    enum revocation_kind kind;
    struct view name;
    struct view also; /* a token's grant, or empty */
    uint64_t since_ms;
    struct view resource; /* of the record */
    unsigned tries;
};

/* --- into a change */

static RESULT end(struct api_change *c, enum revocation_kind kind, struct view name, uint64_t since_ms)
{
    const struct api_shared *s = api_of(c->req)->shared;
    uint64_t now = people_now(c->req);
    struct revocation r = {.kind = (uint8_t)kind,
                           .name = name,
                           .since_ms = since_ms,
                           .at_ms = now,
                           .until_ms = now + DAY_MS + s->config->tokens.grant_hours * HOUR_MS};
    struct txn_change put;

    TRY(tokens_revoke(s->tokens, people_keys(c->req), &r, c->req->arena, &put));
    return api_change_put(c, &put);
}

RESULT tokens_end(struct api_change *c, enum revocation_kind kind, struct view name)
{
    return end(c, kind, name, 0);
}

static RESULT fill(const struct revoking *r, struct api_change *c)
{
    struct record_object what = {.resource = r->resource};
    char since[TIME_TEXT_SIZE], detail[64];
    struct writer w = writer_fixed(detail, sizeof detail);

    if (r->kind == REVOKED_ALL) {
        time_format(r->since_ms, since);
        writer_printf(&w, "all issued since %s", since);
        TRY(arena_copy(c->req->arena, writer_view_of(&w), &what.detail));
    }
    TRY(end(c, r->kind, r->name, r->since_ms));
    if (r->also.len)
        TRY(end(c, REVOKED_GRANT, r->also, 0));
    return api_change_record(c, EVENT_TOKEN_REVOKED, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct revoking *r);

static enum http_outcome revoked(struct api_change *c)
{
    struct revoking *r = c->context;

    if (c->txn.result == ERR_CONFLICT && r->tries++ < PEOPLE_TRIES)
        return commit(r); /* another revocation was faster; this one widens it */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return http_answer_empty(c->req, 204);
}

static enum http_outcome commit(struct revoking *r)
{
    struct api_change *c = NULL;
    enum err e = api_change_new(r->req, &c);

    if (e == OK)
        e = fill(r, c);
    if (e != OK)
        return http_answer_error(r->req, e);
    c->then = revoked;
    c->context = r;
    return api_change_submit(c);
}

/* --- what was meant */

static RESULT hex_of(struct revoking *r, const uint8_t *bytes, size_t n, struct view *ret)
{
    AUTO_WRITER w = writer_new(128);

    hex_put(&w, VIEW(bytes, n));
    return arena_copy(r->req->arena, writer_view_of(&w), ret);
}

static RESULT lower(struct revoking *r, struct view text, struct view *ret)
{
    uint8_t id[16];

    TRY(hex_get(text, id, sizeof id)); /* an id has one spelling */
    return hex_of(r, id, sizeof id, ret);
}

static RESULT meant(struct revoking *r, enum revocation_kind kind, const char *prefix, struct view name)
{
    r->kind = kind;
    r->name = name;
    return people_named(r->req->arena, prefix, name, &r->resource);
}

static RESULT meant_token(struct revoking *r, const struct token_accepted *t)
{
    static const uint8_t none[16];
    struct view id;

    TRY(hex_of(r, t->id, sizeof t->id, &id));
    if (memcmp(t->grant, none, sizeof none) != 0)
        TRY(hex_of(r, t->grant, sizeof t->grant, &r->also));
    return meant(r, REVOKED_TOKEN, "token:", id);
}

/* Who has a token may end it: that it is in his hands is reason enough. */
static RESULT shown_token(struct revoking *r, struct view text)
{
    struct token_accepted t;
    struct refresh refresh;
    struct view id;
    enum err e;

    if (view_starts(text, "hfr_")) {
        TRY(refresh_parse(people_keys(r->req), text, &refresh));
        TRY(hex_of(r, refresh.id, sizeof refresh.id, &id));
        return meant(r, REVOKED_GRANT, "grant:", id);
    }
    e = tokens_accept(api_of(r->req)->shared->tokens, text, people_now(r->req), &t);
    if (e != OK && e != ERR_TOKEN_EXPIRED && e != ERR_TOKEN_REVOKED)
        return e;
    return meant_token(r, &t);
}

/* Nothing named: what this request came with. */
static RESULT own(struct revoking *r)
{
    const struct api_caller *c = api_caller_of(r->req);

    if (c->token)
        return meant_token(r, c->token);
    if (c->session_id.len)
        return meant(r, REVOKED_SESSION, "session:", c->session_id);
    TRY(meant(r, REVOKED_SUBJECT, "", c->actor));
    if (c->key_id.len)
        return people_named(r->req->arena, "key:", c->key_id, &r->name);
    return OK;
}

static bool is_mine(const struct http_request *req, const struct revoke_request *q)
{
    const struct api_caller *c = api_caller_of(req);
    struct view me = people_caller_name(req);
    struct grant_found f;
    uint8_t id[16];

    if (q->user.len)
        return me.len && view_eq(q->user, me);
    if (q->key.len)
        return c->key_id.len && view_eq(q->key, c->key_id);
    return q->grant.len && me.len && hex_get(q->grant, id, sizeof id) == OK &&
           tokens_grant(api_of(req)->shared->tokens, id, people_now(req), req->arena, &f) == OK &&
           view_eq(f.grant.user, me);
}

static RESULT named(struct revoking *r, const struct revoke_request *q)
{
    struct view id;

    if (q->user.len) {
        TRY(people_named(r->req->arena, "user:", q->user, &id));
        return meant(r, REVOKED_SUBJECT, "", id);
    }
    if (q->key.len) {
        TRY(people_named(r->req->arena, "key:", q->key, &id));
        return meant(r, REVOKED_SUBJECT, "", id);
    }
    if (q->issued_since) {
        r->since_ms = q->issued_since;
        return meant(r, REVOKED_ALL, "tokens", (struct view){0});
    }
    TRY(lower(r, q->grant.len ? q->grant : q->id, &id));
    return q->grant.len ? meant(r, REVOKED_GRANT, "grant:", id) : meant(r, REVOKED_TOKEN, "token:", id);
}

/* What the caller may not end, or NULL. */
static const char *forbidden(const struct http_request *req, const struct revoke_request *q)
{
    struct permission_set may = api_caller_of(req)->permissions;

    if (q->issued_since && !permission_has(may, PERMISSION_SYSTEM_CONFIG))
        return "everybody's tokens are ended by who holds system:config";
    if ((q->id.len || q->grant.len || q->user.len || q->key.len) && !is_mine(req, q) &&
        !permission_has(may, PERMISSION_USERS_MANAGE))
        return "other people's tokens are ended by who holds users:manage";
    return NULL;
}

enum http_outcome tokens_revoke_post(struct http_request *req)
{
    struct revoking *r = arena_alloc(req->arena, sizeof *r);
    struct revoke_request q = {0};
    struct problem why;
    unsigned said;
    enum err e;

    if (!r)
        return http_answer_error(req, ERR_NO_MEMORY);
    r->req = req;
    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    said = (q.token.len > 0) + (q.id.len > 0) + (q.grant.len > 0) + (q.user.len > 0) + (q.key.len > 0) +
           (q.issued_since > 0);
    if (said > 1)
        return people_problem(req, ERR_BAD_VALUE, "", "Name one of token, id, grant, user, key and issued_since.");
    if (forbidden(req, &q))
        return people_refuse(req, "tokens", (struct view){0}, forbidden(req, &q));
    if (q.issued_since && !second_fresh(req))
        return second_demand(req);
    e = q.token.len ? shown_token(r, q.token) : said ? named(r, &q) : own(r);
    if (e == ERR_TOKEN_INVALID)
        return people_problem(req, ERR_BAD_VALUE, "/token", "This is not a token of ours.");
    return e == OK ? commit(r) : http_answer_error(req, e);
}
