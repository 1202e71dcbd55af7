/* Sessions, listed and ended: one's own, and with users:manage everybody's. To end them takes no right of one's own
 * over those whose they are: it takes away, and gives nothing. */
#include "api/people.h"
#include "api/routes.h"
#include "api/second.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000
#define ID_HEX       (2 * SESSION_ID_SIZE)

/* --- what goes in and out */

struct answer {
    struct view id, user;
    uint64_t created, used, expires;
    struct view source, user_agent;
    bool cookie, current;
};
static const struct field answer_fields[] = {
    FIELD(1, struct answer, id, TEXT, ID_HEX, .doc = "Names the session; opens nothing."),
    FIELD(2, struct answer, user, TEXT, USER_NAME_MAX),
    FIELD(3, struct answer, created, TIME, 0),
    FIELD(4, struct answer, used, TIME, 0, .doc = "Last; since the server's start at the earliest."),
    FIELD(5, struct answer, expires, TIME, 0, .doc = "At the latest."),
    FIELD(6, struct answer, source, TEXT, 64, .doc = "Where it began."),
    FIELD(7, struct answer, user_agent, TEXT, SESSION_AGENT_MAX),
    FIELD(8, struct answer, cookie, BOOL, 0, .flags = FIELD_PRINT_ZERO, .doc = "A browser's."),
    FIELD(9, struct answer, current, BOOL, 0, .flags = FIELD_PRINT_ZERO, .doc = "The one that asks."),
};
static const struct entity answer_entity = ENTITY("SessionView", 0x0730, 1, struct answer, answer_fields);

struct page {
    struct entity_list sessions;
    struct view next;
};
static const struct field page_fields[] = {
    FIELD(1, struct page, sessions, LIST, PAGE_MAX, .flags = FIELD_PRINT_ZERO, .nested = &answer_entity),
    FIELD(2, struct page, next, TEXT, ID_HEX, .doc = "Send it as after for the next page; missing at the end."),
};
static const struct entity page_entity = ENTITY("SessionPage", 0x0731, 1, struct page, page_fields);

struct query {
    struct view user, after;
    bool all;
    uint32_t limit;
};
static const struct field query_fields[] = {
    FIELD(1, struct query, user, TEXT, USER_NAME_MAX, .doc = "Whose; one's own if left out."),
    FIELD(2, struct query, after, TEXT, ID_HEX, .doc = "Ids behind this one."),
    FIELD(3, struct query, all, BOOL, 0, .doc = "Everybody's."),
    FIELD(4, struct query, limit, U32, PAGE_MAX, .doc = "At most so many; 100 if left out."),
};
static const struct entity query_entity = ENTITY("SessionQuery", 0x0732, 1, struct query, query_fields);

struct revoke {
    struct view id, user;
    bool others, all;
};
static const struct field revoke_fields[] = {
    FIELD(1, struct revoke, id, TEXT, ID_HEX, .doc = "This one."),
    FIELD(2, struct revoke, user, TEXT, USER_NAME_MAX, .doc = "All of this user."),
    FIELD(3, struct revoke, others, BOOL, 0, .doc = "All of one's own but the one that asks."),
    FIELD(4, struct revoke, all, BOOL, 0, .doc = "Everybody's."),
};
static const struct entity revoke_entity = ENTITY("SessionRevoke", 0x0733, 1, struct revoke, revoke_fields);

static bool manages(const struct http_request *req)
{
    return permission_has(api_caller_of(req)->permissions, PERMISSION_USERS_MANAGE);
}

static RESULT put_hex(const uint8_t *bytes, size_t n, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(80);
    hex_put(&w, VIEW(bytes, n));
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* --- listing */

static RESULT fill_answer(struct http_request *req, const struct session_seen *s, struct answer *ret)
{
    struct view mine = api_caller_of(req)->session_id, hash;
    TRY(put_hex(s->session.token_hash, sizeof s->session.token_hash, req->arena, &hash));
    *ret = (struct answer){.id = VIEW(hash.ptr, ID_HEX),
                           .user = s->session.user,
                           .created = s->session.created_ms,
                           .used = s->used_ms,
                           .expires = s->session.expires_ms,
                           .source = s->session.source,
                           .user_agent = s->session.user_agent,
                           .cookie = s->session.cookie,
                           .current = mine.len && view_eq(mine, hash)};
    return OK;
}

static RESULT fill_page(struct http_request *req, const struct query *q, struct view user, struct page *ret)
{
    size_t limit = q->limit ? q->limit : PAGE_DEFAULT, count = 0;
    struct sessions_range range = {.user = user, .limit = limit + 1, .now_ms = people_now(req)};
    struct session_seen *found;
    if (q->after.len)
        TRY(hex_get(q->after, range.after, sizeof range.after));
    TRY(identity_sessions_page(api_of(req)->shared->identity, &range, req->arena, &found, &count));
    size_t n = count < limit ? count : limit;
    struct answer *out = arena_alloc(req->arena, (n + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        TRY(fill_answer(req, &found[i], &out[i]));
    if (count > n)
        ret->next = out[n - 1].id;
    ret->sessions = (struct entity_list){.items = out, .count = n};
    return OK;
}

static enum http_outcome list_get(struct http_request *req)
{
    struct view me = people_caller_name(req);
    struct page page = {0};
    struct query q = {0};
    struct problem why;
    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    struct view user = q.user.len ? q.user : me;
    bool own = me.len && !q.all && view_eq(user, me);
    if (!own && !manages(req))
        return people_refuse(req, "sessions:", q.user, "the sessions of others need users:manage");
    if (!q.all && user.len == 0)
        return people_problem(req, ERR_MISSING_FIELD, "?user", "Say whose sessions: a key has none.");
    if (q.all)
        user = (struct view){0};
    enum err e = fill_page(req, &q, user, &page);
    if (e == ERR_MALFORMED || e == ERR_BAD_VALUE)
        return people_problem(req, ERR_BAD_VALUE, "?after", "An id is 32 hex digits.");
    return e == OK ? http_answer_entity(req, 200, &page_entity, &page) : http_answer_error(req, e);
}

/* --- ending */

struct ending {
    struct http_request *req;
    struct revoke what;
    struct session one; /* with an id */
    struct view user;   /* whose, unless everybody's */
    unsigned tries;
};

static RESULT end_one(const struct ending *e, const uint8_t hash[static 32], struct api_change *c)
{
    struct txn_change end;
    struct view hex;
    TRY(put_hex(hash, 32, e->req->arena, &hex));
    TRY(identity_remove_session(api_of(e->req)->shared->identity, people_keys(e->req), hash, e->req->arena, &end));
    TRY(api_change_put(c, &end));
    return tokens_end(c, REVOKED_SESSION, hex);
}

/* His access tokens end, all of them, as with a changed password. */
static RESULT end_others(const struct ending *e, struct api_change *c)
{
    TRY(people_end_other_sessions(e->req, e->user, c));
    return tokens_end(c, REVOKED_SUBJECT, api_caller_of(e->req)->actor);
}

static RESULT end_many(const struct ending *e, struct api_change *c)
{
    struct identity *identity = api_of(e->req)->shared->identity;
    struct txn_change *ends = NULL;
    uint64_t now = people_now(e->req);
    size_t count = 0;
    if (e->what.all)
        TRY(identity_end_all(identity, now, e->req->arena, &ends, &count));
    else
        TRY(identity_end_sessions(identity, e->user, now, 0, e->req->arena, &ends, &count));
    for (size_t i = 0; i < count; i++)
        TRY(api_change_put(c, &ends[i]));
    struct view actor = {0};
    if (e->what.all)
        return tokens_end(c, REVOKED_ALL, actor);
    TRY(people_named(e->req->arena, "user:", e->user, &actor));
    return tokens_end(c, REVOKED_SUBJECT, actor);
}

static RESULT fill(struct ending *e, struct api_change *c)
{
    struct record_object what = {.resource = VIEW_STR("sessions"), .detail = VIEW_STR("everybody's")};
    if (!e->what.all) {
        TRY(people_named(e->req->arena, "user:", e->user, &what.resource));
        what.detail = e->what.others ? VIEW_STR("all but this one") : e->what.id.len ? e->what.id : VIEW_STR("all");
    }
    if (e->what.id.len)
        TRY(end_one(e, e->one.token_hash, c));
    else if (e->what.others)
        TRY(end_others(e, c));
    else
        TRY(end_many(e, c));
    return api_change_record(c, EVENT_SESSION_ENDED, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome commit(struct ending *e);

static enum http_outcome ended(struct api_change *c)
{
    struct ending *e = c->context;
    if (c->txn.result == ERR_CONFLICT && e->tries++ < PEOPLE_TRIES)
        return commit(e); /* some ended by themselves meanwhile */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    /* More than fit one transaction: the rest follows, and nobody is told before all have ended. */
    return e->what.all && c->txn.change_count >= IDENTITY_ENDED_MAX ? commit(e) : http_answer_empty(e->req, 204);
}

static enum http_outcome commit(struct ending *e)
{
    struct api_change *c = NULL;
    enum err error = api_change_new(e->req, &c);
    if (error == OK)
        error = fill(e, c);
    if (error == ERR_NOT_FOUND) /* it ended while we looked: that is what was asked for */
        return http_answer_empty(e->req, 204);
    if (error != OK)
        return http_answer_error(e->req, error);
    c->then = ended;
    c->context = e;
    return api_change_submit(c);
}

static RESULT find(struct ending *e)
{
    uint8_t id[SESSION_ID_SIZE];
    if (hex_get(e->what.id, id, sizeof id) != OK)
        return ERR_BAD_VALUE;
    TRY(identity_session_by_id(api_of(e->req)->shared->identity, id, e->req->arena, &e->one));
    e->user = e->one.user;
    return OK;
}

static enum http_outcome revoke_post(struct http_request *req)
{
    struct ending *e = arena_alloc(req->arena, sizeof *e);
    struct view me = people_caller_name(req);
    struct problem why;
    if (!e)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (http_request_entity(req, &e->what, &why) != OK)
        return http_answer_problem(req, &why);
    if ((e->what.id.len != 0) + (e->what.user.len != 0) + e->what.others + e->what.all != 1)
        return people_problem(req, ERR_BAD_VALUE, "", "Say one of id, user, others and all.");
    e->req = req;
    e->user = e->what.user.len ? e->what.user : me;
    enum err error = e->what.id.len ? find(e) : OK;
    if (error == ERR_BAD_VALUE)
        return people_problem(req, error, "/id", "An id is 32 hex digits.");
    bool own = error == OK && me.len && !e->what.all && view_eq(e->user, me);
    if (!own && !manages(req)) /* nor whether there is one */
        return people_refuse(req, "sessions:", e->what.user, "the sessions of others need users:manage");
    if (error != OK)
        return http_answer_error(req, error);
    if (e->what.all && !second_fresh(req)) /* as with everybody's tokens, which end along */
        return second_demand(req);
    if (e->what.others && api_caller_of(req)->session_id.len == 0)
        return people_problem(req, ERR_BAD_VALUE, "/others", "This request came with no session.");
    return commit(e);
}

static const struct route routes[] = {
    ROUTE(HTTP_GET, "/api/v1/sessions", PERMISSION_AUTHENTICATED, list_get, .name = "session-list",
          .summary = "List sessions: one's own, or others' with users:manage", .tag = "session", .ways = WAYS_ALL,
          .durability = DURABLE_NONE, .query = &query_entity, .response = &page_entity),
    ROUTE(HTTP_POST, "/api/v1/sessions/revoke", PERMISSION_AUTHENTICATED, revoke_post, .name = "session-revoke",
          .summary = "End one session, all but this, a user's or everybody's, and the tokens that came from them",
          .tag = "session", .ways = WAYS_ALL, .event = EVENT_SESSION_ENDED, .request = &revoke_entity,
          .body_limit = 4096),
};
const struct route_table sessions_routes = {routes, ARRAY_LEN(routes)};
