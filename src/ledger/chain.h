/* The chains of keeper and signer, as they appear in a log: numbers that rise by one, each leaf naming the one before.
 * Records of one author may be a little out of order in the log. A gap is fine if the keeper declared it after a
 * restart. */
#ifndef HOLDFAST_LEDGER_CHAIN_H
#define HOLDFAST_LEDGER_CHAIN_H

#include "ledger/leaf.h"

struct chains;
RESULT chains_new(struct chains **ret);
void chains_free(struct chains *c);
/* The leaf at index. what: its canonical RecordObject, where a restart declares its gap. ERR_LOG_MISMATCH: this record
 * does not follow the one before it, or its number was there already. */
RESULT chains_add(struct chains *c, const struct leaf *l, const uint8_t hash[static 32], uint64_t index,
                  struct view what);
/* The first record after an undeclared gap that is older than the last `slack` records, or UINT64_MAX. */
uint64_t chains_gap(const struct chains *c, uint64_t size, uint64_t slack);
AUTO_DEFINE(struct chains *, chains_free);

#endif
