/* Inside of queries: a Merkle tile at hand, and the intersection of blind index lists. */
#ifndef HOLDFAST_LEDGER_SEARCH_H
#define HOLDFAST_LEDGER_SEARCH_H

#include "ledger/terms.h"

struct tile_cache {
    bool loaded, full;
    uint64_t index;
    uint8_t hashes[256][32];
};
/* The record's leaf is the one that its full tile knows. ERR_TAMPERED. */
RESULT tile_holds(struct store *reader, struct tile_cache *cache, const struct record_view *r);

#define POSITION_NONE UINT64_MAX /* above every position that is asked for: no further one */

struct lists; /* the positions that all of a filter's conditions have in common, newest first */
RESULT lists_new(struct store *reader, const struct row_keys *keys, const struct record_filter *filter,
                 struct lists **ret);
void lists_free(struct lists *l);
bool lists_any(const struct lists *l); /* false: the filter has no condition that an index knows */
/* The largest common position <= most, or POSITION_NONE. */
RESULT lists_next(struct lists *l, uint64_t most, uint64_t *ret);
AUTO_DEFINE(struct lists *, lists_free);

#endif
