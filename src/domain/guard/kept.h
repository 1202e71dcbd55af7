/* What the operator and Holdfast itself say of networks at run time, as rows of TABLE_NETWORK: one for each network, so
 * that it survives a restart. Changes are committed by the caller (api/), with their records. */
#ifndef HOLDFAST_DOMAIN_GUARD_KEPT_H
#define HOLDFAST_DOMAIN_GUARD_KEPT_H

#include "domain/guard/networks.h"
#include "ledger/ledger.h"

struct kept {
    struct networks_rule rule;
    uint64_t since_ms; /* when it was said; 0: not known */
    uint32_t times;    /* of an automatic block: how often in a row, this one included */
    uint8_t reason;    /* enum networks_reason */
    uint64_t version;
    uint8_t commitment[32];
};
/* The row of this network: ERR_NOT_FOUND, ERR_TAMPERED. */
RESULT kept_get(struct store *reader, const struct row_keys *keys, const struct prefix *network, struct arena *arena,
                struct kept *ret);
/* before: as kept_get gave it, version 0 if there is none. */
RESULT kept_put(const struct row_keys *keys, const struct kept *now, const struct kept *before, struct arena *arena,
                struct txn_change *ret);
RESULT kept_remove(const struct row_keys *keys, const struct kept *before, struct arena *arena, struct txn_change *ret);
/* Is this the hash of the row's key, as leaves name it? */
bool kept_is_row(const struct row_keys *keys, const struct prefix *network, const uint8_t row[static 32]);
/* Nobody needs the row any more. An automatic block that has ended is remembered for as long again as it lasted: the
 * next one in that time lasts twice as long. */
bool kept_is_over(const struct kept *k, uint64_t now_ms);
/* Rows that have ended go along, so that they can be removed. take is given each. */
RESULT kept_load(struct store *reader, const struct row_keys *keys, RESULT (*take)(void *context, const struct kept *k),
                 void *context, size_t *ret_damaged, struct problem *why);

#endif
