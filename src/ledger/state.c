#include "ledger/inside.h"

#define STATE_VERSION 1
#define STATE_MAX     4096

static RESULT meta_key(const struct row_keys *k, struct view name, uint8_t out[static META_KEY_SIZE])
{
    struct writer w = writer_fixed(out, META_KEY_SIZE);
    return row_key_exact(k, TABLE_META, name, &w);
}

RESULT state_key(const struct row_keys *k, uint8_t out[static META_KEY_SIZE])
{
    return meta_key(k, VIEW_STR("log"), out);
}

RESULT raw_key(const struct row_keys *k, uint16_t table, struct view key, uint8_t out[static META_KEY_SIZE])
{
    uint8_t name[8 + STORE_KEY_MAX];
    struct writer w = writer_fixed(name, sizeof(name));
    writer_str(&w, "raw:");
    writer_u16(&w, table);
    writer_view(&w, key);
    TRY(writer_done(&w));
    return meta_key(k, writer_view_of(&w), out);
}

void raw_encode(const struct raw_state *raw, uint8_t out[static RAW_VALUE_SIZE])
{
    struct writer w = writer_fixed(out, RAW_VALUE_SIZE);
    writer_u64(&w, raw->version);
    writer_bytes(&w, raw->commitment, sizeof(raw->commitment));
    writer_bytes(&w, raw->tag, sizeof(raw->tag));
}

RESULT raw_get(struct store *store, const struct row_keys *k, uint16_t table, struct view key, struct raw_state *ret)
{
    uint8_t name[META_KEY_SIZE];
    struct store_row row;
    struct raw_state raw;
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(512, 64u * 1024, &arena));
    TRY(raw_key(k, table, key, name));
    TRY(store_get(store, TABLE_META, VIEW_OF(name), arena, &row));
    struct reader r = reader_new(row.value);
    if (row.value.len != RAW_VALUE_SIZE)
        return ERR_TAMPERED;
    TRY(reader_u64(&r, &raw.version));
    TRY(reader_copy(&r, raw.commitment, sizeof(raw.commitment)));
    TRY(reader_copy(&r, raw.tag, sizeof(raw.tag)));
    *ret = raw;
    return OK;
}

RESULT state_put(const struct row_keys *k, const struct log_state *s, const struct random *random, struct writer *w,
                 struct view key)
{
    uint8_t plain[STATE_MAX], frontier[8 + 64 * 32], unused[32];
    struct writer p = writer_fixed(plain, sizeof(plain)), f = writer_fixed(frontier, sizeof(frontier));
    TRY(frontier_encode(&s->frontier, &f));
    writer_u8(&p, STATE_VERSION);
    writer_u64(&p, s->commits);
    for (size_t i = 0; i < ARRAY_LEN(s->rows.limb); i++)
        writer_u64(&p, s->rows.limb[i]);
    writer_var(&p, writer_view_of(&f));
    writer_bytes(&p, s->stubs, tile_partial(s->frontier.size, 0) * (size_t)STUB_SIZE);
    TRY(writer_done(&p));
    return row_seal(k, TABLE_META, key, s->commits, writer_view_of(&p), random, w, unused);
}

static RESULT decode(struct view plain, struct log_state *s)
{
    struct reader r = reader_new(plain);
    uint8_t version = 0;
    struct view frontier = {0};
    TRY(reader_u8(&r, &version));
    if (version > STATE_VERSION)
        return ERR_TOO_NEW;
    TRY(reader_u64(&r, &s->commits));
    for (size_t i = 0; i < ARRAY_LEN(s->rows.limb); i++)
        TRY(reader_u64(&r, &s->rows.limb[i]));
    TRY(reader_var(&r, STATE_MAX, &frontier));
    TRY(frontier_decode(frontier, &s->frontier));
    TRY(reader_copy(&r, s->stubs, tile_partial(s->frontier.size, 0) * (size_t)STUB_SIZE));
    return reader_end(&r);
}

RESULT state_get(const struct row_keys *k, struct store *store, struct log_state *ret)
{
    uint8_t key[META_KEY_SIZE], plain[STATE_MAX], unused[32];
    struct store_row row;
    struct writer w = writer_fixed(plain, sizeof(plain));
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(8192, 64u * 1024, &arena));
    TRY(state_key(k, key));
    TRY(store_get(store, TABLE_META, VIEW_OF(key), arena, &row));
    TRY(row_open(k, TABLE_META, &row, &w, unused));
    struct log_state s = {0};
    enum err e = decode(writer_view_of(&w), &s);
    if (e != OK)
        return e == ERR_TOO_NEW ? e : ERR_TAMPERED;
    if (s.commits != row.version)
        return ERR_TAMPERED;
    *ret = s;
    return OK;
}
