/* What somebody else may do, and why: for the routes that ask it. */
#ifndef HOLDFAST_API_EXPLAIN_H
#define HOLDFAST_API_EXPLAIN_H

#include "api/people.h"

struct explain_subject {
    struct standing standing;
    struct text_list roles;
    struct view sessions_of; /* the user whose emergency access counts, in whatever session it is; empty: it does not */
    bool asks_for_second;    /* a user whose roles demand a second factor: which session showed one is not known here */
    bool is_key;
    struct api_key key; /* with is_key: its rules */
};
/* identity: "user:alice" or "key:<id>", of somebody or of nobody. ERR_BAD_VALUE: another form. Emergency access is left
 * out: it is one session's, and who is asked about may be in another. */
RESULT explain_subject(struct http_request *req, struct view identity, struct explain_subject *ret);
/* May who asks be told of this identity: himself, a key of his own, or anybody with EXPLAIN_OTHERS. */
bool explain_may_ask(struct http_request *req, struct view identity);
#define EXPLAIN_OTHERS  PERMISSION_USERS_MANAGE
#define EXPLAIN_REFUSAL "to ask about others needs users:manage"

/* Fills permission (which may be given) and resource into ret: "", "secret:<path>", "credential:<path>", or any other
 * text, which the permission alone decides. What who asks may not know of counts as not there. level: of a secret;
 * empty for read. ERR_BAD_VALUE with where. */
struct explain_asked {
    struct view permission, resource, level;
};
/* What a key's rules are judged by, as far as it is said. */
struct explain_request {
    struct view source, endpoint; /* "192.0.2.1" or "unix:1000"; "GET /api/v1/secrets" */
};
RESULT explain_what(struct http_request *req, const struct explain_asked *asked, struct decide_what *ret,
                    struct problem *why);

struct explanation { /* entity Explanation */
    bool allowed;
    struct view identity, rule, role, words;
    struct text_list not_judged;
};
extern const struct entity explanation_entity;
/* ret->identity is set already. said: of the request, NULL for nothing. */
RESULT explain(struct http_request *req, const struct explain_subject *who, const struct decide_what *what,
               const struct explain_request *said, struct explanation *ret);

#endif
