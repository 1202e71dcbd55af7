/* What is known of the blocks of people and of Holdfast itself beside their rule: since when, why, and how many
 * requests they refused. In memory; any thread. */
#ifndef HOLDFAST_DOMAIN_GUARD_BLOCKS_H
#define HOLDFAST_DOMAIN_GUARD_BLOCKS_H

#include "domain/guard/kept.h"

struct block {
    uint64_t since_ms, ends_ms; /* 0: not known; never */
    uint64_t hits;              /* requests that were refused by it, since the start */
    uint32_t times;             /* of an automatic one: how often in a row, this one included */
    uint8_t reason;             /* enum networks_reason */
};

struct blocks;
RESULT blocks_new(struct blocks **ret);
void blocks_free(struct blocks *b);
/* This rule of a block came into force; the hits of one on the same network are kept. */
RESULT blocks_note(struct blocks *b, const struct kept *k);
void blocks_drop(struct blocks *b, const struct prefix *network);
void blocks_hit(struct blocks *b, const struct prefix *network);
bool blocks_find(struct blocks *b, const struct prefix *network, struct block *ret);

AUTO_DEFINE(struct blocks *, blocks_free);

#endif
