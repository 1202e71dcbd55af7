/* What somebody else may do, and why: for the routes that ask it. */
#ifndef HOLDFAST_API_EXPLAIN_H
#define HOLDFAST_API_EXPLAIN_H

#include "api/people.h"

struct explain_subject {
    struct standing standing;
    struct text_list roles;
};
/* identity: "user:alice" or "key:<id>", of somebody or of nobody. ERR_BAD_VALUE: another form. */
RESULT explain_subject(struct http_request *req, struct view identity, struct explain_subject *ret);
/* Fills permission (which may be given) and resource into ret: "", "secret:<path>", "credential:<path>", or any other
 * text, which the permission alone decides. What who asks may not know of counts as not there. level: of a secret;
 * empty for read. ERR_BAD_VALUE with where. */
struct explain_asked {
    struct view permission, resource, level;
};
RESULT explain_what(struct http_request *req, const struct explain_asked *asked, struct decide_what *ret,
                    struct problem *why);

struct explanation { /* entity Explanation */
    bool allowed;
    struct view identity, rule, role, words;
};
extern const struct entity explanation_entity;
RESULT explain(struct http_request *req, const struct explain_subject *who, const struct decide_what *what,
               struct explanation *ret);

#endif
