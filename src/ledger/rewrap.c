/* After a rotation: every row that is sealed under an older epoch is sealed again. Which ones those are is told by the
 * rows themselves, so a walk that was killed is simply begun anew. */
#include "ledger/inside.h"

#include "crypto/secmem.h"

#define STEP 64

struct found {
    struct view key, value, fresh;
    uint64_t version;
};

struct rewrap {
    struct ledger *l;
    struct store *reader;
    struct row_keys *keys;
    struct arena *arena;
    ledger_raw_fn raw;
    void *context;
    uint16_t table;
    uint32_t newest;
    uint8_t next[STORE_KEY_MAX + 1]; /* where the walk goes on */
    size_t next_len, seen, count;
    struct found rows[STEP];
    enum err result;
    uint64_t done, damaged;
};

static RESULT seal_again(struct rewrap *r, const struct store_row *row, struct writer *w)
{
    uint32_t epoch = 0;
    if (row_may_be_raw(r->table) && !row_is_state(row))
        return r->raw ? r->raw(r->context, r->table, row, w) : OK;
    if (!row_is_state(row) || sealed_epoch(row->value, &epoch) != OK || epoch >= r->newest)
        return OK;
    return row_rewrap(r->keys, r->table, row, r->l->config.random, w);
}

static RESULT take_row(struct rewrap *r, const struct store_row *row)
{
    struct found *f = &r->rows[r->count];
    TRY(arena_copy(r->arena, row->key, &f->key));
    TRY(arena_copy(r->arena, row->value, &f->value));
    f->version = row->version;
    r->count++;
    return OK;
}

static bool visit(void *context, const struct store_row *row)
{
    struct rewrap *r = context;
    r->result = take_row(r, row);
    memcpy(r->next, row->key.ptr, row->key.len);
    r->next[row->key.len] = 0;
    r->next_len = row->key.len + 1;
    r->seen++;
    return r->result == OK;
}

/* Outside of the lock, since raw rows take a message to the keeper. */
static RESULT seal_found(struct rewrap *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct found *f = &r->rows[i];
        struct store_row row = {f->key, f->version, f->value};
        AUTO_WRITER w = writer_new(STORE_VALUE_MAX);
        enum err e = seal_again(r, &row, &w);
        if (e == ERR_TAMPERED) { /* stays as it is */
            r->damaged++;
            continue;
        }
        TRY(e);
        TRY(writer_done(&w));
        TRY(arena_copy(r->arena, writer_view_of(&w), &f->fresh));
    }
    return OK;
}

/* Versions alone don't tell that a row was deleted and made anew meanwhile; its bytes do. */
static RESULT unchanged(struct rewrap *r, const struct found *f, bool *ret)
{
    struct store_row now;
    enum err e = store_get(r->reader, r->table, f->key, r->arena, &now);
    *ret = e == OK && now.version == f->version && view_eq(now.value, f->value);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* A raw row's tag changes with its bytes. One that did not fit before is not made to fit. */
static RESULT tag_again(struct rewrap *r, const struct found *f, const struct store_row *fresh,
                        uint8_t key[static META_KEY_SIZE], uint8_t value[static RAW_VALUE_SIZE])
{
    const struct store_row former = {f->key, f->version, f->value};
    uint8_t tag[32];
    struct raw_state raw;
    TRY(raw_get(r->reader, r->keys, r->table, f->key, &raw));
    TRY(row_tag(r->keys, r->table, &former, tag));
    if (!ct_eq(tag, raw.tag, sizeof(tag)))
        return ERR_TAMPERED;
    TRY(row_tag(r->keys, r->table, fresh, raw.tag));
    TRY(raw_key(r->keys, r->table, f->key, key));
    raw_encode(&raw, value);
    return OK;
}

static RESULT write_one(struct rewrap *r, const struct found *f)
{
    const struct store_row fresh = {f->key, f->version, f->fresh};
    uint8_t key[META_KEY_SIZE], value[RAW_VALUE_SIZE];
    bool raw = row_may_be_raw(r->table) && !row_is_state(&fresh);
    if (raw)
        TRY(tag_again(r, f, &fresh, key, value));
    const struct store_change c[] = {
        {STORE_PUT, r->table, f->key, f->version, f->version, f->fresh},
        {STORE_PUT, TABLE_META, VIEW_OF(key), STORE_ANY, 1, VIEW_OF(value)},
    };
    return store_apply(r->l->writer, c, raw ? 2 : 1, NULL);
}

static RESULT write_found(struct rewrap *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct found *f = &r->rows[i];
        bool same = false;
        TRY(unchanged(r, f, &same));
        if (!same || f->fresh.len == 0)
            continue;
        enum err e = write_one(r, f);
        if (e != OK && e != ERR_CONFLICT && e != ERR_TAMPERED)
            return e;
        r->done += e == OK;
        r->damaged += e == ERR_TAMPERED;
    }
    return OK;
}

static bool anything(const struct rewrap *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i].fresh.len)
            return true;
    return false;
}

static RESULT commit_found(struct rewrap *r)
{
    struct ledger *l = r->l;
    uint64_t before = r->done;
    if (!anything(r))
        return OK;
    write_lock_take(l);
    enum err e = store_begin(l->writer);
    if (e == OK)
        e = write_found(r);
    if (e == OK)
        e = store_commit(l->writer);
    else
        store_rollback(l->writer);
    pthread_mutex_unlock(&l->write_lock);
    if (e != OK)
        r->done = before;
    return e;
}

static RESULT step(struct rewrap *r)
{
    arena_reset(r->arena);
    r->count = r->seen = 0;
    r->result = OK;
    memset(r->rows, 0, sizeof(r->rows));
    if (r->next_len > STORE_KEY_MAX)
        return OK;
    TRY(store_range(r->reader, r->table, VIEW(r->next, r->next_len), VIEW(NULL, 0), false, STEP, visit, r));
    TRY(r->result);
    TRY(seal_found(r));
    return commit_found(r);
}

static RESULT walk(struct rewrap *r)
{
    for (r->table = 1; r->table < TABLE_COUNT; r->table++) {
        if (!row_is_live(r->table) && r->table != TABLE_META && r->table != TABLE_USAGE)
            continue;
        r->next_len = 0;
        do {
            if (r->l->stopping)
                return ERR_UNAVAILABLE;
            TRY(step(r));
        } while (r->seen == STEP);
    }
    return OK;
}

RESULT ledger_rewrap(struct ledger *l, ledger_raw_fn raw, void *context, uint64_t *ret_count)
{
    AUTO(store_close) struct store *reader = NULL;
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(ledger_reader(l, &reader));
    TRY(arena_new(256u * 1024, (size_t)4 * STEP * STORE_VALUE_MAX, &arena));
    struct rewrap r = {
        .l = l, .reader = reader, .keys = ledger_keys(l), .arena = arena, .raw = raw, .context = context};
    r.newest = keyring_epoch(row_keys_ring(r.keys));
    index_await_old_keys(l);
    enum err e = walk(&r);
    if (e == OK && r.damaged)
        e = ERR_TAMPERED;
    row_keys_free(r.keys);
    *ret_count = r.done;
    return e;
}
