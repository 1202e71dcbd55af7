/* Usage as it is stored: one row of TABLE_USAGE for each key, by the key's id. */
#ifndef HOLDFAST_DOMAIN_KEYS_USAGE_ROW_H
#define HOLDFAST_DOMAIN_KEYS_USAGE_ROW_H

#include "domain/keys/usage.h"

/* ERR_NOT_FOUND, also for a row that does not open. ret's texts are in arena. */
RESULT usage_row_get(struct store *reader, const struct row_keys *keys, struct view id, struct arena *arena,
                     struct usage *ret, uint64_t *ret_version);
/* The row's change; all in arena. */
RESULT usage_row_put(const struct row_keys *keys, struct view id, const struct usage *u, uint64_t version,
                     struct arena *arena, struct store_change *ret);

#endif
