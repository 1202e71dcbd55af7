/* Are the live rows those that the log tells of? Their multiset is summed up in small steps between commits; a commit
 * that changes a row which was counted already changes the sum, too. */
#include "ledger/inside.h"

#include "base/text.h"

#define STEP 32 /* rows: a commit waits for one step at most, also where each row is read from a disk */

struct step {
    struct ledger *l;
    struct store *reader;
    const struct row_keys *keys;
    struct problem *why;
    size_t seen;
    enum err result;
};

RESULT check_problem(struct problem *why, uint16_t table, const uint8_t hash[static 32], const char *sentence)
{
    char where[64], hex[17];
    struct writer h = writer_fixed(hex, sizeof(hex) - 1), w = writer_fixed(where, sizeof(where) - 1);
    hex_put(&h, VIEW(hash, 8));
    hex[h.len] = '\0';
    writer_printf(&w, "table %u, row %s", table, hex);
    where[w.len] = '\0';
    return problem_set(why, ERR_TAMPERED, where, "the row %s… of table %u %s", hex, table, sentence);
}

RESULT ledger_commitment(struct store *reader, const struct row_keys *keys, uint16_t table, struct view key,
                         uint64_t *ret_version, uint8_t ret_commitment[static 32])
{
    uint8_t name[META_KEY_SIZE];
    struct store_row row;
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(512, 64u * 1024, &arena));
    TRY(raw_key(keys, table, key, name));
    TRY(store_get(reader, TABLE_META, VIEW_OF(name), arena, &row));
    struct reader r = reader_new(row.value);
    if (row.value.len != RAW_VALUE_SIZE)
        return ERR_TAMPERED;
    TRY(reader_u64(&r, ret_version));
    return reader_copy(&r, ret_commitment, 32);
}

static RESULT raw_commitment(struct store *store, const struct row_keys *k, uint16_t table, const struct store_row *row,
                             uint8_t out[static 32], struct problem *why)
{
    uint64_t version = 0;
    uint8_t hash[32];
    enum err e = ledger_commitment(store, k, table, row->key, &version, out);
    row_hash(row->key, hash);
    if (e == ERR_NOT_FOUND || e == ERR_TAMPERED)
        return check_problem(why, table, hash, "is not known: it was added, moved here or had its commitment removed");
    TRY(e);
    return version == row->version
               ? OK
               : check_problem(why, table, hash, "has another version than was recorded: an old one was put back");
}

RESULT check_row(struct store *store, const struct row_keys *k, uint16_t table, const struct store_row *row,
                 uint8_t ret_commitment[static 32], struct problem *why)
{
    uint8_t hash[32];
    if (row_may_be_raw(table) && !row_is_state(row))
        return raw_commitment(store, k, table, row, ret_commitment, why);
    AUTO_WRITER plain = writer_new(STORE_VALUE_MAX);
    enum err e = row_open(k, table, row, &plain, ret_commitment);
    if (e != ERR_TAMPERED)
        return e;
    row_hash(row->key, hash);
    return check_problem(why, table, hash, "does not open: it was altered, or moved here from elsewhere");
}

/* --- the walk; all under the write lock */

static bool counted(const struct walk *w, uint16_t table, struct view key)
{
    if (!w->active || !row_is_live(table))
        return false;
    return table < w->table || (table == w->table && view_cmp(key, VIEW(w->key, w->key_len)) <= 0);
}

void walk_change(struct ledger *l, const struct row_keys *keys, const struct txn_change *c)
{
    if (!counted(&l->walk, c->table, c->key))
        return;
    if (c->expect != 0)
        row_set_remove(keys, &l->walk.sum, c->table, c->key, c->expect, c->old_commitment);
    if (!c->remove)
        row_set_add(keys, &l->walk.sum, c->table, c->key, c->version, c->commitment);
}

void walk_subject(struct ledger *l, const struct row_keys *keys, const struct subject_put *p)
{
    const struct store_change *c = &p->change;
    if (counted(&l->walk, c->table, c->key))
        row_set_add(keys, &l->walk.sum, c->table, c->key, c->version, p->commitment);
}

static bool visit_row(void *context, const struct store_row *row)
{
    struct step *s = context;
    struct walk *w = &s->l->walk;
    uint8_t commitment[32];
    s->result = check_row(s->reader, s->keys, w->table, row, commitment, s->why);
    if (s->result != OK)
        return false;
    row_set_add(s->keys, &w->sum, w->table, row->key, row->version, commitment);
    memcpy(w->key, row->key.ptr, row->key.len);
    w->key_len = row->key.len;
    s->seen++;
    return true;
}

/* The shortest key above the last one that was counted. */
static struct view next_key(const struct walk *w, uint8_t room[static STORE_KEY_MAX + 1])
{
    if (w->key_len == 0)
        return VIEW(NULL, 0);
    memcpy(room, w->key, w->key_len);
    room[w->key_len] = 0;
    return VIEW(room, w->key_len + 1);
}

static RESULT walk_step(struct step *s)
{
    struct walk *w = &s->l->walk;
    uint8_t from[STORE_KEY_MAX + 1];
    s->seen = 0;
    s->result = OK;
    if (row_is_live(w->table) && w->key_len < STORE_KEY_MAX)
        TRY(store_range(s->reader, w->table, next_key(w, from), VIEW(NULL, 0), false, STEP, visit_row, s));
    TRY(s->result);
    if (s->seen < STEP) {
        w->table++;
        w->key_len = 0;
    }
    return OK;
}

/* True while there is more. */
static bool walk_on(struct step *s, enum err *e)
{
    struct ledger *l = s->l;
    write_lock_take(l);
    *e = l->stopping ? ERR_UNAVAILABLE : walk_step(s);
    bool more = *e == OK && l->walk.table < TABLE_COUNT;
    if (!more && *e == OK && memcmp(&l->walk.sum, &l->rows, sizeof(l->rows)) != 0)
        *e = check_name(s->reader, s->keys, l->tree.frontier.size, s->why);
    if (!more)
        l->walk.active = false;
    pthread_mutex_unlock(&l->write_lock);
    return more;
}

/* --- the index */

struct index_sum {
    const struct row_keys *keys;
    struct multiset sum;
};

static bool visit_index(void *context, const struct store_row *row)
{
    static const uint8_t none[32];
    struct index_sum *s = context;
    row_set_add(s->keys, &s->sum, TABLE_INDEX, row->key, row->version, none);
    return true;
}

static RESULT check_index(struct step *s)
{
    struct index_sum sum = {.keys = s->keys};
    struct index_state state;
    pthread_mutex_lock(&s->l->index_lock);
    enum err e = index_get(s->keys, s->reader, &state);
    if (e == OK)
        e = store_range(s->reader, TABLE_INDEX, VIEW(NULL, 0), VIEW(NULL, 0), false, SIZE_MAX, visit_index, &sum);
    bool same = e == OK && memcmp(&sum.sum, &state.rows, sizeof(sum.sum)) == 0;
    pthread_mutex_unlock(&s->l->index_lock);
    if (e != OK && e != ERR_TAMPERED)
        return e;
    if (same)
        return OK;
    ledger_reindex(s->l);
    return problem_set(s->why, ERR_TAMPERED, "index",
                       "rows of the search index were altered, added or removed; it is built anew from the log");
}

/* --- all */

static RESULT check_all(struct step *s)
{
    struct ledger *l = s->l;
    struct log_state state;
    pthread_mutex_lock(&l->write_lock);
    bool busy = l->walk.active;
    enum err e = commit_state(l, &state);
    if (!busy)
        l->walk = (struct walk){.active = true, .table = 1};
    pthread_mutex_unlock(&l->write_lock);
    if (busy)
        return ERR_BUSY;
    while (e == OK && walk_on(s, &e))
        ;
    pthread_mutex_lock(&l->write_lock);
    l->walk.active = false;
    pthread_mutex_unlock(&l->write_lock);
    TRY(e);
    TRY(check_log(s->reader, &state, &l->stopping, s->why));
    return check_index(s);
}

RESULT ledger_check_rows(struct ledger *l, struct problem *why)
{
    AUTO(store_close) struct store *reader = NULL;
    TRY(ledger_reader(l, &reader));
    struct row_keys *keys = ledger_keys(l);
    struct step s = {.l = l, .reader = reader, .keys = keys, .why = why};
    enum err e = check_all(&s);
    row_keys_free(keys);
    return e;
}

void *check_thread(void *ledger)
{
    struct ledger *l = ledger;
    background_wait(l);
    struct problem why = {0};
    enum err e = ledger_check_rows(l, &why);
    if (e != OK && e != ERR_UNAVAILABLE && e != ERR_BUSY) {
        why.code = e;
        l->config.tampering(l->config.tampering_context, &why);
    }
    return NULL;
}
