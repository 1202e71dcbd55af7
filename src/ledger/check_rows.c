/* Are the live rows those that the log tells of? Their multiset is summed up in small steps between commits; a commit
 * that changes a row which was counted already changes the sum, too. */
#include "ledger/inside.h"

#include "crypto/secmem.h"

#define AGAIN_MS 60000 /* after a check that could not be finished */
#define TRACED   16    /* damaged rows of which the log is asked for a name */
#define STEP     32    /* rows: a commit waits for one step at most, also where each row is read from a disk */

struct step {
    struct ledger *l;
    struct store *reader;
    const struct row_keys *keys;
    struct damages damages; /* of the part under way */
    size_t seen;
    enum err result;
};

RESULT ledger_commitment(struct store *reader, const struct row_keys *keys, uint16_t table, struct view key,
                         uint64_t *ret_version, uint8_t ret_commitment[static 32])
{
    struct raw_state raw;
    TRY(raw_get(reader, keys, table, key, &raw));
    *ret_version = raw.version;
    memcpy(ret_commitment, raw.commitment, sizeof(raw.commitment));
    return OK;
}

static RESULT raw_commitment(struct store *store, const struct row_keys *k, uint16_t table, const struct store_row *row,
                             uint8_t out[static 32], struct damages *d)
{
    uint8_t hash[32], tag[32];
    struct raw_state raw;
    enum err e = raw_get(store, k, table, row->key, &raw);
    row_hash(row->key, hash);
    if (e == ERR_NOT_FOUND || e == ERR_TAMPERED)
        return damage_add(d, table, hash, "is not known: it was added, moved here or had its commitment removed");
    TRY(e);
    if (raw.version != row->version)
        return damage_add(d, table, hash, "has another version than was recorded: an old one was put back");
    TRY(row_tag(k, table, row, tag));
    if (!ct_eq(tag, raw.tag, sizeof(tag)))
        return damage_add(d, table, hash, "is not what was stored there: it was altered, or moved here");
    memcpy(out, raw.commitment, sizeof(raw.commitment));
    return OK;
}

RESULT check_row(struct store *store, const struct row_keys *k, uint16_t table, const struct store_row *row,
                 uint8_t ret_commitment[static 32], struct damages *d)
{
    uint8_t hash[32];
    if (row_may_be_raw(table) && !row_is_state(row))
        return raw_commitment(store, k, table, row, ret_commitment, d);
    AUTO_WRITER plain = writer_new(STORE_VALUE_MAX);
    enum err e = row_open(k, table, row, &plain, ret_commitment);
    if (e != ERR_TAMPERED)
        return e;
    row_hash(row->key, hash);
    return damage_add(d, table, hash, "does not open: it was altered, or moved here from elsewhere");
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
    s->result = check_row(s->reader, s->keys, w->table, row, commitment, &s->damages);
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

/* Once something is wrong, everything that is wrong is looked for. */
static RESULT name_all(struct step *s)
{
    s->damages.count = 0;
    return check_name(s->reader, s->keys, s->l->tree.frontier.size, &s->damages);
}

/* True while there is more. */
static bool walk_on(struct step *s, enum err *e)
{
    struct ledger *l = s->l;
    write_lock_take(l);
    *e = l->stopping ? ERR_UNAVAILABLE : walk_step(s);
    bool more = *e == OK && l->walk.table < TABLE_COUNT;
    bool same = more || memcmp(&l->walk.sum, &l->rows, sizeof(l->rows)) == 0;
    if (*e == ERR_TAMPERED || (*e == OK && !same))
        *e = name_all(s);
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
    return problem_set(&s->damages.why, ERR_TAMPERED, "index",
                       "rows of the search index were altered, added or removed; it is built anew from the log");
}

/* --- all */

static RESULT check_live(struct step *s, struct log_state *ret)
{
    struct ledger *l = s->l;
    pthread_mutex_lock(&l->write_lock);
    bool busy = l->walk.active;
    enum err e = commit_state(l, ret);
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
    return e;
}

enum part { PART_ROWS, PART_LOG, PART_TEXTS, PART_INDEX, PART_COUNT };

static RESULT check_part(struct step *s, enum part part, struct log_state *state)
{
    switch (part) {
    case PART_ROWS:
        return check_live(s, state);
    case PART_LOG:
        return check_log(s->reader, state, &s->l->stopping, &s->damages.why);
    case PART_TEXTS:
        return check_texts(s->l, s->reader, s->keys, state->frontier.size, &s->damages.why);
    default:
        return check_index(s);
    }
}

struct report {
    void (*tell)(void *context, const struct ledger_finding *f); /* may be NULL */
    void *context;
    struct ledger_finding first;
    enum err result;
    bool texts; /* can be checked: the log is whole, and so are the subjects' keys */
};

static void add_finding(struct report *r, const struct ledger_finding *f)
{
    if (r->result == OK) {
        r->first = *f;
        r->result = f->why.code;
    }
    r->texts = r->texts && f->table != TABLE_SUBJECT;
    if (r->tell && f->why.code == ERR_TAMPERED)
        r->tell(r->context, f);
}

static void report_part(struct step *s, struct report *r, enum err e)
{
    struct ledger_finding f = {.why = s->damages.why};
    for (size_t i = 0; e == ERR_TAMPERED && i < s->damages.count; i++) {
        damage_explain(&s->damages.list[i], &f);
        if (i < TRACED)
            damage_trace(s->reader, s->keys, &s->l->stopping, &f);
        add_finding(r, &f);
    }
    f.why.code = e;
    if (e == ERR_TAMPERED && !*f.why.detail)
        (void)!problem_set(&f.why, e, "store", "the store's own file is damaged");
    if (s->damages.count == 0 || e != ERR_TAMPERED)
        add_finding(r, &f);
}

/* What one part finds does not keep the others from looking. */
static RESULT check_all(struct step *s, struct report *r)
{
    struct log_state state;
    r->texts = true;
    for (enum part part = PART_ROWS; part < PART_COUNT; part++) {
        if (part == PART_TEXTS && !r->texts)
            continue;
        s->damages = (struct damages){0};
        enum err e = check_part(s, part, &state);
        if (e != OK)
            report_part(s, r, e);
        free(s->damages.list);
        if (e != OK && e != ERR_TAMPERED)
            return e;
        r->texts = r->texts && (part != PART_LOG || e == OK);
    }
    return r->result;
}

static RESULT check_with(struct ledger *l, struct report *r)
{
    AUTO(store_close) struct store *reader = NULL;
    TRY(ledger_reader(l, &reader));
    struct row_keys *keys = ledger_keys(l);
    struct step s = {.l = l, .reader = reader, .keys = keys};
    enum err e = check_all(&s, r);
    row_keys_free(keys);
    return e;
}

RESULT ledger_check_rows(struct ledger *l, struct problem *why)
{
    struct report r = {0};
    enum err e = check_with(l, &r);
    if (e != OK && why)
        *why = r.first.why;
    return e;
}

/* One that could not be finished is made again. */
void *check_thread(void *ledger)
{
    struct ledger *l = ledger;
    background_wait(l);
    for (;;) {
        struct report r = {.tell = l->config.tampering, .context = l->config.tampering_context};
        enum err e = check_with(l, &r);
        if (e == OK || e == ERR_TAMPERED || l->stopping)
            return NULL;
        struct ledger_finding failed = {.why = {.code = e}};
        if (e != ERR_BUSY)
            r.tell(r.context, &failed);
        background_sleep(l, AGAIN_MS);
    }
}
