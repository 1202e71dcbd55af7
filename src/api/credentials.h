/* Signing credentials as the routes of credentials and of signing see them. */
#ifndef HOLDFAST_API_CREDENTIALS_H
#define HOLDFAST_API_CREDENTIALS_H

#include "api/credential_cache.h"
#include "api/credential_row.h"
#include "api/credentials_entity.h"
#include "api/refusal.h"
#include "ipc/signer_msg.h"

/* Does a key's list name this path? A pattern is a path, or ends in a component "*" that stands for everything below;
 * "*" alone is everything. */
bool credentials_pattern_matches(struct view pattern, struct view path);
/* What the caller may do with credentials, found out once for a request. */
struct credential_rights {
    bool sees_all;          /* looks after them: secrets:access, system:config or audit:view */
    bool is_key;            /* an API key, or a Unix user that stands for one */
    struct text_list named; /* the key's patterns */
    uint8_t signs_in;       /* environments, as bits: a key's own while its owner has it; those granted to a person */
};
RESULT credentials_rights(const struct http_request *req, struct credential_rights *ret);
bool credentials_named(const struct credential_rights *r, struct view path);
static inline bool credentials_visible(const struct credential_rights *r, struct view path, uint8_t environment)
{
    return r->sees_all || (credentials_named(r, path) && (r->signs_in & environment_bit(environment)));
}
/* The process's cache, made when it is first asked for; NULL without memory. */
struct credential_cache *credentials_cache(struct api_shared *s);

enum http_outcome credentials_import_key(struct http_request *req);
enum http_outcome credentials_venues(struct http_request *req);
enum http_outcome credentials_list(struct http_request *req);
enum http_outcome credentials_show(struct http_request *req);
/* The name in the address. ERR_BAD_VALUE. */
RESULT credentials_path(struct http_request *req, struct view *ret, struct problem *why);

#endif
