/* What the routes of sign-in, users and API keys share. */
#ifndef HOLDFAST_API_PEOPLE_H
#define HOLDFAST_API_PEOPLE_H

#include "api/context.h"
#include "api/passwords.h"

#define PEOPLE_TRIES 16 /* of a change that somebody else was faster with */

static inline const struct row_keys *people_keys(const struct http_request *req)
{
    return atomic_load(&api_of(req)->shared->keys);
}
static inline uint64_t people_now(const struct http_request *req)
{
    const struct clock *c = api_of(req)->shared->clock;
    return c->wall_ms(c);
}

/* Environments as the API writes them: "development", "staging", "production"; "none" alone for an empty set. */
extern const char *const people_environments[];
RESULT people_environments_get(const struct text_list *names, uint8_t *ret);
RESULT people_environments_put(uint8_t bits, struct arena *arena, struct text_list *ret);
RESULT people_permissions(struct permission_set set, struct arena *arena, struct text_list *ret);
/* Each of them is a role now: ERR_BAD_VALUE with the place of the first that is not. */
RESULT people_roles_known(const struct http_request *req, const struct text_list *roles, struct problem *why);
/* prefix and text in one, in the arena: "user:" and a name. */
RESULT people_named(struct arena *arena, const char *prefix, struct view text, struct view *ret);

static inline const struct config_passwords *people_rules(const struct http_request *req)
{
    return &api_of(req)->shared->config->passwords;
}

/* A durable change reaches the memory tables. */
void people_applied(const struct api_change *c);
/* A record whose actor is not the caller of the request: somebody who is just signing in. */
RESULT people_record_as(struct api_change *c, uint16_t type, enum outcome outcome, struct view actor,
                        const struct record_object *what);
/* A refusal of who asks, for what he asked: durable, then the problem. */
enum http_outcome people_refuse(struct http_request *req, const char *prefix, struct view what, const char *detail);
/* An answer whose detail says what would mend it. */
enum http_outcome people_problem(struct http_request *req, enum err code, const char *where, const char *detail);
/* The answer to a new password that could not be hashed; where is its field. */
enum http_outcome people_not_hashed(struct http_request *req, const struct password_task *task, const char *where);
/* The caller's user name when he is a person; empty else. */
struct view people_caller_name(const struct http_request *req);
/* Ends this user's sessions but the one that asks. ERR_NOT_FOUND: that one has ended meanwhile. */
RESULT people_end_other_sessions(struct http_request *req, struct view user, struct api_change *c);

#endif
