/* What can be done before a transaction's turn comes: sealing, hashing, building leaves, in the caller's thread. */
#include "ledger/inside.h"

#include "crypto/secmem.h"

#define CHANGES_MAX 256

struct work {
    struct ledger *l;
    struct txn *t;
    struct prepared *p;
    struct row_keys *keys;
    const struct random *random;                /* for nonces and salts */
    bool *covered;                              /* by a leaf, for each of the transaction's changes */
    struct log_link (*links)[LEAF_CHANGES_MAX]; /* for each authored record */
    uint8_t *link_counts;
    size_t used; /* changes in p */
};

/* --- rows */

static RESULT check_change(const struct txn_change *c)
{
    bool ours = row_is_live(c->table) || c->table == TABLE_META;
    if (!ours || c->key.len == 0 || c->key.len > STORE_KEY_MAX)
        return ERR_BAD_VALUE;
    if (c->raw && !row_may_be_raw(c->table))
        return ERR_BAD_VALUE;
    /* Without the version that is replaced, the multiset of live rows can't follow. */
    if (c->expect == STORE_ANY || (c->remove && c->expect == 0))
        return ERR_BAD_VALUE;
    return !c->remove && c->version <= c->expect ? ERR_BAD_VALUE : OK;
}

static RESULT seal_change(struct work *w, struct txn_change *c, struct view *ret_value)
{
    if (c->raw) {
        *ret_value = c->value;
        return OK;
    }
    size_t room = c->value.len + SEALED_OVERHEAD + 32;
    uint8_t *out = arena_alloc(w->t->arena, room);
    if (!out)
        return ERR_NO_MEMORY;
    struct writer value = writer_fixed(out, room);
    TRY(row_seal(w->keys, c->table, c->key, c->version, c->value, w->random, &value, c->commitment));
    *ret_value = writer_view_of(&value);
    return OK;
}

static void count_change(struct work *w, const struct txn_change *c)
{
    if (!row_is_live(c->table))
        return;
    if (c->expect != 0)
        row_set_remove(w->keys, &w->p->delta, c->table, c->key, c->expect, c->old_commitment);
    if (!c->remove)
        row_set_add(w->keys, &w->p->delta, c->table, c->key, c->version, c->commitment);
}

static RESULT prepare_change(struct work *w, struct txn_change *c)
{
    struct store_change *out = &w->p->changes[w->used++];
    TRY(check_change(c));
    *out = (struct store_change){.op = c->remove ? STORE_DELETE : STORE_PUT,
                                 .table = c->table,
                                 .key = c->key,
                                 .expect = c->expect,
                                 .version = c->remove ? 0 : c->version};
    if (c->remove)
        memset(c->commitment, 0, sizeof(c->commitment));
    else
        TRY(seal_change(w, c, &out->value));
    count_change(w, c);
    return OK;
}

/* A raw row tells neither its commitment nor whether it was altered, so that is kept beside it. */
static RESULT keep_commitment(struct work *w, const struct txn_change *c)
{
    const struct store_row row = {c->key, c->version, c->value};
    struct raw_state raw = {.version = c->version};
    uint8_t *key = arena_alloc(w->t->arena, META_KEY_SIZE), *value = arena_alloc(w->t->arena, RAW_VALUE_SIZE);
    if (!key || !value)
        return ERR_NO_MEMORY;
    TRY(raw_key(w->keys, c->table, c->key, key));
    memcpy(raw.commitment, c->commitment, sizeof(raw.commitment));
    TRY(row_tag(w->keys, c->table, &row, raw.tag));
    raw_encode(&raw, value);
    w->p->changes[w->used++] = (struct store_change){.op = c->remove ? STORE_DELETE : STORE_PUT,
                                                     .table = TABLE_META,
                                                     .key = VIEW(key, META_KEY_SIZE),
                                                     .expect = STORE_ANY,
                                                     .version = 1,
                                                     .value = VIEW(value, RAW_VALUE_SIZE)};
    return OK;
}

static RESULT prepare_changes(struct work *w)
{
    struct txn *t = w->t;
    for (size_t i = 0; i < t->change_count; i++)
        TRY(prepare_change(w, &t->changes[i]));
    for (size_t i = 0; i < t->change_count; i++)
        if (row_may_be_raw(t->changes[i].table) && (t->changes[i].raw || t->changes[i].remove))
            TRY(keep_commitment(w, &t->changes[i]));
    w->p->row_count = w->used;
    return OK;
}

/* --- which leaf speaks of which change */

static bool says_same(const struct leaf_change *l, const struct txn_change *c)
{
    return l->table == c->table && ct_eq(l->commitment, c->commitment, sizeof(c->commitment)) &&
           (c->remove || l->version == c->version);
}

/* Keeper and signer name rows in their own way: then the link tells which row of ours is meant. */
static void cover(struct work *w, size_t record, const struct leaf *leaf, uint8_t at)
{
    const struct leaf_change *said = &leaf->changes[at];
    for (size_t i = 0; i < w->t->change_count; i++) {
        const struct txn_change *c = &w->t->changes[i];
        struct log_link link = {.change = at};
        if (w->covered[i] || !says_same(said, c))
            continue;
        w->covered[i] = true;
        row_hash(c->key, link.row);
        w->links[record][w->link_counts[record]++] = link;
        return;
    }
}

static RESULT cover_by_authored(struct work *w)
{
    for (size_t i = 0; i < w->t->authored_count; i++) {
        struct leaf leaf;
        TRY(leaf_check_fields(&w->t->authored[i]));
        TRY(leaf_decode(w->t->authored[i].leaf, &leaf));
        if (leaf.author == AUTHOR_FRONT)
            return ERR_BAD_VALUE;
        for (uint8_t k = 0; k < leaf.change_count; k++)
            cover(w, i, &leaf, k);
    }
    return OK;
}

/* The next changes that no leaf speaks of, for one of the front's own records. */
static size_t take_uncovered(struct work *w, struct leaf_change out[static LEAF_CHANGES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < w->t->change_count && n < LEAF_CHANGES_MAX; i++) {
        const struct txn_change *c = &w->t->changes[i];
        if (w->covered[i])
            continue;
        w->covered[i] = true;
        out[n].table = c->table;
        out[n].version = c->remove ? c->expect : c->version;
        row_hash(c->key, out[n].row);
        memcpy(out[n].commitment, c->commitment, sizeof(c->commitment));
        n++;
    }
    return n;
}

/* --- records */

static RESULT seal_side(struct work *w, struct log_part *part, const uint8_t bound[static 32], enum side side,
                        const struct view salt_and_fields[2])
{
    uint8_t key[32];
    const struct ledger_config *config = &w->l->config; /* a subject may get its key here, so not the pool */
    part->alg = (uint8_t)row_keys_alg(w->keys);
    TRY(subjects_use(w->l->subjects, w->keys, &part->subject, config->random, config->clock->wall_ms(config->clock),
                     key));
    enum err e = logrow_seal(part, key, bound, side, salt_and_fields, w->t->arena);
    wipe(key, sizeof(key));
    return e;
}

static RESULT seal_record(struct work *w, const struct authored_record *a, struct log_row *row,
                          struct prepared_record *out)
{
    struct request_context who = {0};
    uint8_t bound[32], nonces[SIDE_COUNT][AEAD_NONCE_SIZE]; /* from one system call */
    const struct view sides[SIDE_COUNT][2] = {{VIEW_OF(a->who_salt), a->who}, {VIEW_OF(a->what_salt), a->what}};
    TRY(entity_decode(&request_context_entity, a->who, w->t->arena, &who));
    leaf_hash(a->leaf, out->hash);
    out->leaf = a->leaf;
    row->leaf = a->leaf;
    logrow_bound(row, bound);
    TRY(subject_name(w->keys, SIDE_WHO, who.actor, row->part[SIDE_WHO].subject.key));
    memcpy(row->part[SIDE_WHAT].subject.key, w->l->system_subject, SUBJECT_KEY_SIZE);
    TRY(w->random->fill(w->random, nonces, sizeof(nonces)));
    for (enum side s = SIDE_WHO; s < SIDE_COUNT; s++) {
        memcpy(row->part[s].nonce, nonces[s], sizeof(nonces[s]));
        TRY(seal_side(w, &row->part[s], bound, s, sides[s]));
        out->subjects[s] = row->part[s].subject;
    }
    return OK;
}

static RESULT prepare_record(struct work *w, const struct authored_record *a, struct log_row *row)
{
    struct prepared_record *out = &w->p->records[w->p->record_count++];
    TRY(seal_record(w, a, row, out));
    size_t room = row->leaf.len + row->part[SIDE_WHO].sealed.len + row->part[SIDE_WHAT].sealed.len +
                  SIDE_COUNT * (SUBJECT_KEY_SIZE + 8 + 1 + AEAD_NONCE_SIZE + 4) + row->link_count * 33u + 4;
    uint8_t *bytes = arena_alloc(w->t->arena, room);
    if (!bytes)
        return ERR_NO_MEMORY;
    struct writer value = writer_fixed(bytes, room);
    logrow_encode(row, &value);
    TRY(writer_done(&value));
    w->p->changes[w->used++] = (struct store_change){.op = STORE_PUT,
                                                     .table = TABLE_LOG,
                                                     .key = VIEW_OF(out->key),
                                                     .expect = STORE_ANY,
                                                     .version = 1,
                                                     .value = writer_view_of(&value)};
    return OK;
}

static RESULT prepare_authored(struct work *w, size_t i)
{
    struct log_row row = {.link_count = w->link_counts[i]};
    memcpy(row.links, w->links[i], sizeof(row.links));
    return prepare_record(w, &w->t->authored[i], &row);
}

static RESULT prepare_own(struct work *w, const struct record *r)
{
    const struct ledger_config *config = &w->l->config;
    struct leaf_chain chain = {.author = AUTHOR_FRONT};
    struct leaf_change changes[LEAF_CHANGES_MAX];
    struct authored_record a;
    struct log_row row = {0};
    size_t n = take_uncovered(w, changes);
    TRY(leaf_author(&chain, r, changes, n, config->clock->wall_ms(config->clock), w->random, w->t->arena, &a));
    return prepare_record(w, &a, &row);
}

static bool is_left(const struct work *w)
{
    for (size_t i = 0; i < w->t->change_count; i++)
        if (!w->covered[i])
            return true;
    return false;
}

static RESULT prepare_records(struct work *w)
{
    struct txn *t = w->t;
    TRY(cover_by_authored(w));
    for (size_t i = 0; i < t->authored_count; i++)
        TRY(prepare_authored(w, i));
    for (size_t i = 0; i < t->record_count; i++)
        TRY(prepare_own(w, &t->records[i]));
    /* More than one leaf can speak of: the last record is there once more for each further leaf. */
    while (t->record_count && is_left(w))
        TRY(prepare_own(w, &t->records[t->record_count - 1]));
    return is_left(w) ? ERR_BAD_VALUE : OK; /* a change without a record */
}

static RESULT make_room(struct work *w)
{
    struct txn *t = w->t;
    size_t records = t->record_count + t->authored_count;
    records += records ? t->change_count / LEAF_CHANGES_MAX : 0;
    if (t->change_count > CHANGES_MAX || records == 0 || records > RECORDS_MAX)
        return ERR_BAD_VALUE;
    w->p = arena_alloc(t->arena, sizeof(*w->p));
    w->covered = arena_alloc(t->arena, t->change_count + 1);
    w->links = arena_alloc(t->arena, (t->authored_count + 1) * sizeof(*w->links));
    w->link_counts = arena_alloc(t->arena, t->authored_count + 1);
    if (!w->p || !w->covered || !w->links || !w->link_counts)
        return ERR_NO_MEMORY;
    size_t changes = 2 * t->change_count + (1 + SIDE_COUNT) * records;
    w->p->changes = arena_alloc(t->arena, changes * sizeof(*w->p->changes));
    w->p->records = arena_alloc(t->arena, records * sizeof(*w->p->records));
    return w->p->changes && w->p->records ? OK : ERR_NO_MEMORY;
}

RESULT ledger_prepare(struct ledger *l, struct txn *t)
{
    struct work w = {.l = l, .t = t, .random = t->random ? t->random : l->config.random};
    t->prepared = NULL;
    TRY(make_room(&w));
    w.keys = ledger_keys(l);
    enum err e = prepare_changes(&w);
    if (e == OK)
        e = prepare_records(&w);
    row_keys_free(w.keys);
    TRY(e);
    t->prepared = w.p;
    return OK;
}
