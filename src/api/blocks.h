/* Blocks of people and of Holdfast itself, as they come into force and go. Those of feeds and countries are none. */
#ifndef HOLDFAST_API_BLOCKS_H
#define HOLDFAST_API_BLOCKS_H

#include "api/context.h"

#define BLOCKS_FOREVER UINT64_MAX

/* It comes into force, ahead of its row, and shared->on_block is told. */
RESULT blocks_begin(const struct api_shared *s, const struct kept *block);
/* What the store says of this network now, after a commit, comes into force, and shared->on_block is told. */
RESULT blocks_refresh(struct api_thread *t, const struct prefix *network, struct arena *arena);
/* Those in force, for who has to know all of them. An automatic one inside of what people let in is not in force. visit
 * returns false to stop. Looks at every rule, so not often; any thread, once the rows are loaded. */
void blocks_each(const struct api_shared *s, bool (*visit)(void *context, const struct networks_rule *rule),
                 void *context);
/* As shared->on_block has it. */
uint64_t blocks_until(const struct networks_rule *rule);

#endif
