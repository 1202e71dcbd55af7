#include "ledger/tree.h"

void tile_key(uint8_t level, uint64_t index, uint8_t out[static TILE_KEY_SIZE])
{
    struct writer w = writer_fixed(out, TILE_KEY_SIZE);
    writer_u8(&w, level);
    writer_u64(&w, index);
}

void tile_root(const uint8_t hashes[static TILE_SIZE], uint8_t out[static 32])
{
    uint8_t level[TILE_WIDTH / 2][32];
    for (size_t i = 0; i < TILE_WIDTH / 2; i++)
        merkle_node(hashes + 64 * i, hashes + 64 * i + 32, level[i]);
    for (size_t n = TILE_WIDTH / 4; n > 0; n /= 2)
        for (size_t i = 0; i < n; i++)
            merkle_node(level[2 * i], level[2 * i + 1], level[i]);
    memcpy(out, level[0], 32);
}

unsigned tile_partial(uint64_t size, uint8_t level)
{
    return (unsigned)(size >> (8 * level)) % TILE_WIDTH;
}

RESULT tile_put(void *store, uint8_t level, uint64_t index, const uint8_t hashes[static TILE_SIZE])
{
    uint8_t key[TILE_KEY_SIZE];
    tile_key(level, index, key);
    const struct store_change c = {.op = STORE_PUT,
                                   .table = TABLE_TILE,
                                   .key = VIEW_OF(key),
                                   .expect = STORE_ANY,
                                   .version = 1,
                                   .value = VIEW(hashes, TILE_SIZE)};
    return store_apply(store, &c, 1, NULL);
}

RESULT tree_append(struct tree *t, const uint8_t leaf_hash[static 32], tile_fn full, void *context)
{
    uint64_t at = t->frontier.size;
    uint8_t h[32];
    memcpy(h, leaf_hash, sizeof(h));
    frontier_append(&t->frontier, leaf_hash);
    for (uint8_t level = 0; level < TILE_LEVELS; level++, at /= TILE_WIDTH) {
        uint8_t(*tile)[32] = t->edge[level];
        memcpy(tile[at % TILE_WIDTH], h, sizeof(h));
        if (at % TILE_WIDTH != TILE_WIDTH - 1)
            return OK;
        TRY(full(context, level, at / TILE_WIDTH, (const uint8_t *)tile));
        tile_root((const uint8_t *)tile, h);
    }
    return OK;
}

void tree_copy(struct tree *to, const struct tree *from)
{
    to->frontier = from->frontier;
    for (uint8_t level = 0; level < TILE_LEVELS && (from->frontier.size >> (8 * level)) != 0; level++)
        memcpy(to->edge[level], from->edge[level], sizeof(to->edge[level]));
}

struct tile_read {
    uint8_t (*out)[32]; /* of the level above */
    uint64_t next;      /* the tile that must come now */
    size_t done;
};

static bool read_tile(void *context, const struct store_row *row)
{
    struct tile_read *r = context;
    uint8_t key[TILE_KEY_SIZE];
    tile_key((uint8_t)row->key.ptr[0], r->next, key);
    if (!view_eq(row->key, VIEW_OF(key)) || row->value.len != TILE_SIZE)
        return false;
    tile_root(row->value.ptr, r->out[r->done++]);
    r->next++;
    return true;
}

/* A level's partial tile holds the roots of the full tiles below it. */
static RESULT load_level(struct tree *t, uint64_t size, uint8_t level, struct store *s, struct problem *why)
{
    uint8_t below = level - 1, from[TILE_KEY_SIZE], to[TILE_KEY_SIZE];
    uint64_t end = size >> (8 * level), count = end % TILE_WIDTH;
    struct tile_read r = {.out = t->edge[level], .next = end - count};
    tile_key(below, r.next, from);
    tile_key(below, end, to);
    TRY(store_range(s, TABLE_TILE, VIEW_OF(from), VIEW_OF(to), false, count, read_tile, &r));
    if (r.done == count)
        return OK;
    return problem_set(why, ERR_TAMPERED, "log", "Merkle tile %u/%llu is missing or damaged", below,
                       (unsigned long long)r.next);
}

/* The bits of the size are those of its levels' counts, so the frontier is that of each level in turn. */
static void collect_frontier(struct tree *t, uint64_t size)
{
    size_t used = 0;
    t->frontier = (struct frontier){.size = size};
    for (int level = TILE_LEVELS - 1; level >= 0; level--) {
        struct frontier f = {0};
        unsigned count = tile_partial(size, (uint8_t)level);
        for (unsigned i = 0; i < count; i++)
            frontier_append(&f, t->edge[level][i]);
        size_t n = (size_t)__builtin_popcount(count);
        memcpy(t->frontier.hashes[used], f.hashes, n * 32);
        used += n;
    }
}

RESULT tree_load(struct tree *t, uint64_t size, struct store *s, struct problem *why)
{
    for (uint8_t level = 1; level < TILE_LEVELS && (size >> (8 * level)) != 0; level++)
        TRY(load_level(t, size, level, s, why));
    collect_frontier(t, size);
    return OK;
}
