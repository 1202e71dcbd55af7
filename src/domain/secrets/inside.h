/* Inside of domain/secrets: what its files share. */
#ifndef HOLDFAST_DOMAIN_SECRETS_INSIDE_H
#define HOLDFAST_DOMAIN_SECRETS_INSIDE_H

#include "domain/secrets/secrets.h"

#define SECRET_PATH_RULE "1 to 12 names of A-Z a-z 0-9 . _ - with '/' between them"

RESULT secret_key(const struct row_keys *keys, struct view path, struct arena *arena, struct view *ret);
struct secret_version *secret_version_find(const struct secret_meta *meta, uint64_t number); /* NULL */
/* Rows of values: key, and the changes that put and remove one. */
RESULT secret_value_put(const struct secret_edit *by, const struct secret_sealed *value, struct txn_change *ret);
RESULT secret_value_remove(const struct secret_edit *by, const struct secret_meta *meta, uint64_t version,
                           struct txn_change *ret);

#endif
