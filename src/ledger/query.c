#include "ledger/query.h"

#include "ledger/inside.h"
#include "ledger/terms.h"

#include "ledger/search.h"

/* --- single records */

RESULT tile_holds(struct store *reader, struct tile_cache *cache, const struct record_view *r)
{
    uint64_t tile = r->index / TILE_WIDTH;
    uint8_t hash[32];
    if (!cache->loaded || cache->index != tile) {
        uint8_t key[TILE_KEY_SIZE];
        struct store_row row;
        AUTO(arena_free) struct arena *arena = NULL;
        TRY(arena_new(2 * TILE_SIZE, 8 * TILE_SIZE, &arena));
        tile_key(0, tile, key);
        enum err e = store_get(reader, TABLE_TILE, VIEW_OF(key), arena, &row);
        if (e != OK && e != ERR_NOT_FOUND)
            return e;
        cache->loaded = true;
        cache->index = tile;
        cache->full = e == OK;
        if (e == OK && row.value.len != TILE_SIZE)
            return ERR_TAMPERED;
        if (e == OK)
            memcpy(cache->hashes, row.value.ptr, TILE_SIZE);
    }
    if (!cache->full) /* the tail: its hashes are checked at start and by ledger_check_rows */
        return OK;
    leaf_hash(r->leaf_bytes, hash);
    return memcmp(cache->hashes[r->index % TILE_WIDTH], hash, sizeof(hash)) == 0 ? OK : ERR_TAMPERED;
}

static RESULT read_record(struct subject_reader *subjects, uint64_t index, struct arena *arena, struct record_view *ret)
{
    uint8_t key[LOG_KEY_SIZE];
    struct store_row row;
    log_key(index, key);
    TRY(store_get(subjects->store, TABLE_LOG, VIEW_OF(key), arena, &row));
    return record_open(subjects, &row, arena, ret);
}

RESULT query_record(struct store *reader, const struct row_keys *keys, uint64_t index, struct arena *arena,
                    struct record_view *ret)
{
    struct subject_reader subjects = {.store = reader, .keys = keys};
    struct record_view r;
    struct tile_cache *cache = arena_alloc(arena, sizeof(*cache));
    if (!cache)
        return ERR_NO_MEMORY;
    TRY(arena_new(1024, 64u * 1024, &subjects.scratch));
    enum err e = read_record(&subjects, index, arena, &r);
    subject_reader_done(&subjects);
    TRY(e);
    TRY(tile_holds(reader, cache, &r));
    *ret = r;
    return OK;
}

/* --- tiles */

struct leaf_out {
    struct writer *w;
    uint64_t next;
    bool entries; /* the leaves themselves, not their hashes */
    enum err result;
};

static bool put_leaf(void *context, const struct store_row *row)
{
    struct leaf_out *o = context;
    struct log_row log;
    uint8_t hash[32];
    if (log_index(row->key) != o->next++)
        o->result = ERR_TAMPERED;
    else
        o->result = logrow_decode(row->value, &log);
    if (o->result != OK)
        return false;
    if (o->entries) {
        writer_u16(o->w, (uint16_t)log.leaf.len);
        writer_view(o->w, log.leaf);
    } else {
        leaf_hash(log.leaf, hash);
        writer_bytes(o->w, hash, sizeof(hash));
    }
    return true;
}

static RESULT put_leaves(struct store *reader, uint64_t index, uint16_t width, bool entries, struct writer *w)
{
    uint8_t from[LOG_KEY_SIZE], to[LOG_KEY_SIZE];
    uint64_t first = index * TILE_WIDTH;
    struct leaf_out o = {.w = w, .next = first, .entries = entries};
    size_t before = w->len;
    log_key(first, from);
    log_key(first + width, to);
    TRY(store_range(reader, TABLE_LOG, VIEW_OF(from), VIEW_OF(to), false, width, put_leaf, &o));
    if (o.result == OK && o.next == first + width)
        return writer_done(w);
    w->len = before;
    return o.result != OK ? o.result : ERR_NOT_FOUND;
}

static bool tile_exists(uint64_t index, uint16_t width)
{
    return width >= 1 && width <= TILE_WIDTH && index <= UINT64_MAX / TILE_WIDTH - 1;
}

RESULT query_tile_entries(struct store *reader, uint64_t index, uint16_t width, struct writer *w)
{
    return tile_exists(index, width) ? put_leaves(reader, index, width, true, w) : ERR_NOT_FOUND;
}

/* A tile that is not full is not stored: its hashes are the roots of the full tiles below. */
static RESULT put_roots(struct store *reader, uint8_t level, uint64_t index, uint16_t width, struct arena *arena,
                        struct writer *w)
{
    size_t before = w->len;
    for (uint64_t i = 0; i < width; i++) {
        uint8_t key[TILE_KEY_SIZE], root[32];
        struct store_row row;
        tile_key(level - 1, index * TILE_WIDTH + i, key);
        arena_reset(arena);
        enum err e = store_get(reader, TABLE_TILE, VIEW_OF(key), arena, &row);
        if (e == OK && row.value.len != TILE_SIZE)
            e = ERR_TAMPERED;
        if (e != OK) {
            w->len = before;
            return e;
        }
        tile_root(row.value.ptr, root);
        writer_bytes(w, root, sizeof(root));
    }
    return writer_done(w);
}

RESULT query_tile(struct store *reader, uint8_t level, uint64_t index, uint16_t width, struct writer *w)
{
    uint8_t key[TILE_KEY_SIZE];
    struct store_row row;
    AUTO(arena_free) struct arena *arena = NULL;
    if (level >= TILE_LEVELS || !tile_exists(index, width))
        return ERR_NOT_FOUND;
    TRY(arena_new(2 * TILE_SIZE, 8 * TILE_SIZE, &arena));
    tile_key(level, index, key);
    enum err e = store_get(reader, TABLE_TILE, VIEW_OF(key), arena, &row);
    if (e == ERR_NOT_FOUND)
        return level == 0 ? put_leaves(reader, index, width, false, w)
                          : put_roots(reader, level, index, width, arena, w);
    TRY(e);
    if (row.value.len != TILE_SIZE)
        return ERR_TAMPERED;
    writer_bytes(w, row.value.ptr, width * (size_t)32);
    return writer_done(w);
}

static bool put_value(void *context, const struct store_row *row)
{
    writer_view(context, row->value);
    return false;
}

RESULT query_checkpoint(struct store *reader, struct writer *w)
{
    size_t before = w->len;
    TRY(store_range(reader, TABLE_CHECKPOINT, VIEW(NULL, 0), VIEW(NULL, 0), true, 1, put_value, w));
    TRY(writer_done(w));
    return w->len > before ? OK : ERR_NOT_FOUND;
}
