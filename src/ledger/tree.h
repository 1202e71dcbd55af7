/* The log's Merkle tree as the committing thread keeps it: the frontier, and of each level of C2SP tiles (256 hashes)
 * the tile that is being filled. Full tiles are rows of TABLE_TILE: u8 level ‖ u64 index → 256 × 32 bytes. */
#ifndef HOLDFAST_LEDGER_TREE_H
#define HOLDFAST_LEDGER_TREE_H

#include "ledger/merkle.h"
#include "store/store.h"

#define TILE_WIDTH    256
#define TILE_SIZE     ((size_t)TILE_WIDTH * 32)
#define TILE_LEVELS   8
#define TILE_KEY_SIZE 9

struct tree {
    struct frontier frontier;
    uint8_t edge[TILE_LEVELS][TILE_WIDTH][32];
};

void tile_key(uint8_t level, uint64_t index, uint8_t out[static TILE_KEY_SIZE]);
void tile_root(const uint8_t hashes[static TILE_SIZE], uint8_t out[static 32]); /* of a full tile */
/* Of level, how many hashes does a tree of this size have in its last, partial tile. */
unsigned tile_partial(uint64_t size, uint8_t level);

/* What is done with each tile that becomes full. */
typedef enum err (*tile_fn)(void *context, uint8_t level, uint64_t index, const uint8_t hashes[static TILE_SIZE]);
RESULT tree_append(struct tree *t, const uint8_t leaf_hash[static 32], tile_fn full, void *context);
/* A tile_fn: into the commit under way on the struct store. */
RESULT tile_put(void *store, uint8_t level, uint64_t index, const uint8_t hashes[static TILE_SIZE]);
void tree_copy(struct tree *to, const struct tree *from); /* only what is in use */
/* Rebuilds edges and frontier for a log of size leaves from full tiles and the tail's leaf hashes (which the caller has
 * put into edge[0]). ERR_TAMPERED with a sentence if a tile is missing. */
RESULT tree_load(struct tree *t, uint64_t size, struct store *s, struct problem *why);

#endif
