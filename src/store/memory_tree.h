/* Inside of the memory backend: an ordered map that is never changed, only replaced. A change makes a new tree which
 * shares nearly all nodes with the old one, so that a reader keeps what it began with, and taking a change back is
 * forgetting the new tree. A tree is its root; NULL is the empty one. */
#ifndef HOLDFAST_STORE_MEMORY_TREE_H
#define HOLDFAST_STORE_MEMORY_TREE_H

#include "store/backend.h"

struct tree;

struct tree *tree_ref(struct tree *t);
void tree_unref(struct tree *t);

/* NULL if it isn't there. The row lives as long as the tree. */
const struct store_row *tree_get(const struct tree *t, uint16_t table, struct view key);
/* New trees for the caller to release; t stays his. ERR_NO_MEMORY. Deleting what isn't there is fine. */
RESULT tree_put(struct tree *t, uint16_t table, const struct store_row *row, struct tree **ret);
RESULT tree_delete(struct tree *t, uint16_t table, struct view key, struct tree **ret);
void tree_range(const struct tree *t, const struct store_range_of *of);

AUTO_DEFINE(struct tree *, tree_unref);

#endif
