/* The end of a session by whoever has it, with the tokens that came from it. */
#include "api/cookie.h"
#include "api/people.h"
#include "api/routes.h"
#include "api/tokens.h"
#include "base/text.h"

struct leaving {
    unsigned tries;
};
static enum http_outcome log_out(struct http_request *req, struct leaving *l);

static enum http_outcome logged_out(struct api_change *c)
{
    struct leaving *l = c->context;
    if (c->txn.result == ERR_CONFLICT && l->tries++ < PEOPLE_TRIES)
        return log_out(c->req, l); /* ended already, by a log-in elsewhere or an administrator; its tokens may not be */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    struct view token;
    if (cookie_find(c->req, &token) == OK && token.len && cookie_clear(c->req) != OK)
        return http_answer_error(c->req, ERR_INTERNAL);
    return http_answer_empty(c->req, 204);
}

static RESULT fill_logout(struct http_request *req, const struct txn_change *session, struct api_change *c)
{
    const struct record_object what = {.resource = api_caller_of(req)->actor, .detail = VIEW_STR("log-out")};
    if (session)
        TRY(api_change_put(c, session));
    TRY(tokens_end(c, REVOKED_SESSION, api_caller_of(req)->session_id));
    return api_change_record(c, EVENT_SESSION_ENDED, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome log_out(struct http_request *req, struct leaving *l)
{
    struct txn_change session;
    struct api_change *c = NULL;
    uint8_t hash[32];
    if (hex_get(api_caller_of(req)->session_id, hash, sizeof hash) != OK)
        return http_answer_error(req, ERR_INTERNAL);
    enum err found = identity_remove_session(api_of(req)->shared->identity, people_keys(req), hash, req->arena,
                                             &session);
    enum err e = found == ERR_NOT_FOUND ? OK : found;
    if (e == OK)
        e = api_change_new(req, &c);
    if (e == OK)
        e = fill_logout(req, found == OK ? &session : NULL, c);
    if (e != OK)
        return http_answer_error(req, e);
    c->then = logged_out;
    c->context = l;
    return api_change_submit(c);
}

static enum http_outcome logout_post(struct http_request *req)
{
    struct leaving *l = arena_alloc(req->arena, sizeof *l);
    return l ? log_out(req, l) : http_answer_error(req, ERR_NO_MEMORY);
}

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/api/v1/logout", PERMISSION_AUTHENTICATED, logout_post, .name = "logout", .flags = ROUTE_ENROLS,
          .summary = "End this session and the tokens that came from it", .tag = "session", .ways = WAY_SESSION,
          .event = EVENT_SESSION_ENDED),
};
const struct route_table logout_routes = {routes, ARRAY_LEN(routes)};
