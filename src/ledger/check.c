/* Is the log what its state says? */
#include "ledger/inside.h"

struct leaves {
    uint64_t next;
    uint8_t (*hashes)[32];
    size_t count;
    struct problem *why;
    enum err result;
};

RESULT check_record(struct problem *why, uint64_t index, const char *sentence)
{
    char where[64];
    struct writer w = writer_fixed(where, sizeof(where) - 1);
    writer_printf(&w, "record %llu", (unsigned long long)index);
    where[w.len] = '\0';
    return problem_set(why, ERR_TAMPERED, where, "record %llu %s", (unsigned long long)index, sentence);
}

static RESULT hash_row(const struct store_row *row, uint64_t index, uint8_t out[static 32], struct problem *why)
{
    struct log_row log;
    struct leaf leaf;
    if (logrow_decode(row->value, &log) != OK || leaf_decode(log.leaf, &leaf) != OK)
        return check_record(why, index, "was altered: its bytes are no record");
    leaf_hash(log.leaf, out);
    return OK;
}

static bool visit_leaf(void *context, const struct store_row *row)
{
    struct leaves *l = context;
    if (log_index(row->key) != l->next)
        return false; /* told by what is missing */
    l->result = hash_row(row, l->next, l->hashes[l->count], l->why);
    if (l->result != OK)
        return false;
    l->next++;
    l->count++;
    return true;
}

/* Leaf hashes of at most a tile's width, from first to end. */
static RESULT read_leaves(struct store *store, uint64_t first, uint64_t end, uint8_t (*hashes)[32], struct problem *why)
{
    uint8_t from[LOG_KEY_SIZE], to[LOG_KEY_SIZE];
    struct leaves l = {.next = first, .hashes = hashes, .why = why};
    log_key(first, from);
    log_key(end, to);
    TRY(store_range(store, TABLE_LOG, VIEW_OF(from), VIEW_OF(to), false, TILE_WIDTH, visit_leaf, &l));
    TRY(l.result);
    return l.next == end ? OK : check_record(why, l.next, "is missing: it was deleted, or the log was cut");
}

/* --- at start */

static bool any_row(void *context, const struct store_row *row)
{
    uint64_t *index = context;
    *index = log_index(row->key);
    return false;
}

static RESULT check_end(struct store *store, uint64_t size, struct problem *why)
{
    uint8_t from[LOG_KEY_SIZE], last[1][32];
    uint64_t beyond = 0;
    bool found = false;
    log_key(size, from);
    beyond = size - 1;
    TRY(store_range(store, TABLE_LOG, VIEW_OF(from), VIEW(NULL, 0), false, 1, any_row, &beyond));
    found = beyond != size - 1;
    if (found)
        return check_record(why, beyond,
                            "lies beyond the log's end: an older state was put back, or the record was added");
    return size ? read_leaves(store, size - 1, size, last, why) : OK;
}

RESULT check_tail(struct store *store, const struct log_state *state, struct tree *ret, struct problem *why)
{
    uint64_t size = state->frontier.size;
    unsigned n = tile_partial(size, 0);
    TRY(check_end(store, size, why));
    TRY(read_leaves(store, size - n, size, ret->edge[0], why));
    for (unsigned i = 0; i < n; i++)
        if (memcmp(ret->edge[0][i], state->stubs[i], STUB_SIZE) != 0)
            return check_record(why, size - n + i, "was altered or replaced");
    TRY(tree_load(ret, size, store, why));
    uint8_t now[32], then[32];
    frontier_root(&ret->frontier, now);
    frontier_root(&state->frontier, then);
    if (memcmp(now, then, sizeof(now)) == 0)
        return OK;
    TRY(check_log(store, state, NULL, why)); /* to say which */
    return problem_set(why, ERR_TAMPERED, "log", "the Merkle tiles do not match the log's state");
}

/* --- all of it */

struct tile_check {
    struct store *store;
    struct arena *arena;
    struct problem *why;
};

static RESULT differs(const struct tile_check *c, uint8_t level, uint64_t index, const uint8_t *hashes,
                      const uint8_t *stored)
{
    size_t i = 0;
    while (memcmp(hashes + 32 * i, stored + 32 * i, 32) == 0)
        i++;
    if (level == 0)
        return check_record(c->why, index * TILE_WIDTH + i,
                            "and its hash in the Merkle tile differ: one of them was altered or replaced");
    return problem_set(c->why, ERR_TAMPERED, "log", "Merkle tile %u/%llu was altered", level,
                       (unsigned long long)index);
}

static enum err compare_tile(void *context, uint8_t level, uint64_t index, const uint8_t hashes[static TILE_SIZE])
{
    const struct tile_check *c = context;
    uint8_t key[TILE_KEY_SIZE];
    struct store_row row;
    tile_key(level, index, key);
    arena_reset(c->arena);
    enum err e = store_get(c->store, TABLE_TILE, VIEW_OF(key), c->arena, &row);
    if (e == ERR_NOT_FOUND || (e == OK && row.value.len != TILE_SIZE))
        return problem_set(c->why, ERR_TAMPERED, "log", "Merkle tile %u/%llu is missing or cut", level,
                           (unsigned long long)index);
    TRY(e);
    return memcmp(row.value.ptr, hashes, TILE_SIZE) == 0 ? OK : differs(c, level, index, hashes, row.value.ptr);
}

static RESULT walk_log(struct tree *t, struct tile_check *c, uint64_t size, const atomic_bool *stop)
{
    uint8_t hashes[TILE_WIDTH][32];
    for (uint64_t at = 0; at < size; at += TILE_WIDTH) {
        uint64_t end = size - at < TILE_WIDTH ? size : at + TILE_WIDTH;
        if (stop && *stop)
            return ERR_UNAVAILABLE;
        TRY(read_leaves(c->store, at, end, hashes, c->why));
        for (uint64_t i = at; i < end; i++)
            TRY(tree_append(t, hashes[i - at], compare_tile, c));
    }
    return OK;
}

RESULT check_log(struct store *store, const struct log_state *state, const atomic_bool *stop, struct problem *why)
{
    uint64_t size = state->frontier.size, tail = size - tile_partial(size, 0);
    uint8_t now[32], then[32];
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(2 * TILE_SIZE, 8 * TILE_SIZE, &arena));
    struct tile_check c = {store, arena, why};
    struct tree *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NO_MEMORY;
    enum err e = walk_log(t, &c, size, stop);
    frontier_root(&t->frontier, now);
    frontier_root(&state->frontier, then);
    for (uint64_t i = tail; e == OK && i < size; i++)
        if (memcmp(t->edge[0][i - tail], state->stubs[i - tail], STUB_SIZE) != 0)
            e = check_record(why, i, "was altered or replaced");
    free(t);
    TRY(e);
    if (memcmp(now, then, sizeof(now)) == 0)
        return OK;
    return problem_set(why, ERR_TAMPERED, "log", "records and their Merkle tiles were replaced together");
}
