/* What the files about tokens share. */
#ifndef HOLDFAST_API_TOKENS_H
#define HOLDFAST_API_TOKENS_H

#include "api/people.h"

struct token_request {
    struct view audience, client;
    uint32_t seconds;
};
struct refresh_request {
    struct view refresh_token, audience;
    uint32_t seconds;
};
struct token_answer {
    struct view access_token, token_type, id, grant, refresh_token;
    uint32_t expires_in;
    uint64_t expires, refresh_expires;
};
struct revoke_request {
    struct view token, id, grant, user, key;
    uint64_t issued_since;
};
struct grant_view {
    struct view grant, user, client, source, user_agent;
    uint64_t created, refreshed, expires;
    bool current;
};
struct grants_query {
    struct view user, after;
    bool all;
    uint32_t limit;
};
struct grants_page {
    struct entity_list tokens;
    struct view next;
};
#define GRANTS_PAGE_DEFAULT 100
#define GRANTS_PAGE_MAX     1000
/* Where a page ended, for who asks on: the time and the id of its last grant, in hex. */
#define GRANT_PLACE_HEX (2 * (8 + 16))
extern const struct entity token_request_entity, refresh_request_entity, token_answer_entity, revoke_request_entity,
    grant_view_entity, grants_query_entity, grants_page_entity;

/* In tokens_revoke.c. */
enum http_outcome tokens_revoke_post(struct http_request *req);
/* Into this change: everything that this subject ("user:alice"), or this session (64 hex digits), had by tokens ends.
 */
RESULT tokens_end(struct api_change *c, enum revocation_kind kind, struct view name);

#endif
