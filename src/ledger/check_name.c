/* When the live rows are not those of the log: which one? The whole log is read for what each row must be now. */
#include "ledger/inside.h"

struct known {
    uint8_t hash[32]; /* of the row's key */
    uint16_t table;
    bool used, gone, seen, has_commitment;
    uint64_t version;
    uint8_t commitment[32];
};

struct search {
    struct store *store;
    const struct row_keys *keys;
    struct known *map;  /* open addressing */
    size_t count, room; /* room is a power of two */
    uint16_t table;
    struct damages *damages;
    enum err result;
};

static struct known *slot_of(const struct search *s, uint16_t table, const uint8_t hash[static 32])
{
    uint64_t h = 0;
    memcpy(&h, hash, sizeof(h));
    for (size_t i = (size_t)h & (s->room - 1);; i = (i + 1) & (s->room - 1)) {
        struct known *k = &s->map[i];
        if (!k->used || (k->table == table && memcmp(k->hash, hash, 32) == 0))
            return k;
    }
}

static RESULT grow(struct search *s)
{
    struct search bigger = *s;
    bigger.room = s->room ? 2 * s->room : 1024;
    bigger.map = calloc(bigger.room, sizeof(*bigger.map));
    if (!bigger.map)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < s->room; i++)
        if (s->map[i].used)
            *slot_of(&bigger, s->map[i].table, s->map[i].hash) = s->map[i];
    free(s->map);
    s->map = bigger.map;
    s->room = bigger.room;
    return OK;
}

static RESULT know(struct search *s, uint16_t table, const uint8_t hash[static 32], struct known **ret)
{
    if (2 * s->count >= s->room)
        TRY(grow(s));
    struct known *k = slot_of(s, table, hash);
    if (!k->used) {
        k->used = true;
        k->table = table;
        memcpy(k->hash, hash, 32);
        s->count++;
    }
    *ret = k;
    return OK;
}

/* --- what the log says */

static RESULT learn_change(struct search *s, const struct log_row *row, const struct leaf *leaf, uint8_t at)
{
    static const uint8_t none[32];
    const struct leaf_change *c = &leaf->changes[at];
    const uint8_t *hash = leaf->author == AUTHOR_FRONT ? c->row : NULL;
    struct known *k = NULL;
    for (size_t i = 0; i < row->link_count; i++)
        if (row->links[i].change == at)
            hash = row->links[i].row;
    if (!hash) /* keeper and signer name rows in their own way */
        return OK;
    TRY(know(s, c->table, hash, &k));
    k->version = c->version;
    k->gone = memcmp(c->commitment, none, sizeof(none)) == 0;
    k->has_commitment = true;
    memcpy(k->commitment, c->commitment, sizeof(k->commitment));
    return OK;
}

/* Subjects come to be with the first record that needs them; only their erasure is a change of its own. */
static RESULT learn_subject(struct search *s, const struct subject_ref *ref)
{
    uint8_t hash[32];
    struct known *k = NULL;
    row_hash(VIEW_OF(ref->key), hash);
    TRY(know(s, TABLE_SUBJECT, hash, &k));
    if (k->gone && k->version == ref->version)
        return OK;
    k->gone = false;
    k->version = ref->version;
    return OK;
}

static RESULT learn(struct search *s, const struct store_row *row)
{
    struct log_row log;
    struct leaf leaf;
    TRY(logrow_decode(row->value, &log));
    if (leaf_decode(log.leaf, &leaf) != OK)
        return ERR_TAMPERED;
    for (size_t i = 0; i < SIDE_COUNT; i++)
        TRY(learn_subject(s, &log.part[i].subject));
    for (uint8_t i = 0; i < leaf.change_count; i++)
        TRY(learn_change(s, &log, &leaf, i));
    return OK;
}

static bool visit_record(void *context, const struct store_row *row)
{
    struct search *s = context;
    s->result = learn(s, row);
    if (s->result == ERR_TAMPERED)
        s->result = problem_set(&s->damages->why, ERR_TAMPERED, "log",
                                "record %llu was altered: its bytes are no record",
                                (unsigned long long)log_index(row->key));
    return s->result == OK;
}

/* --- against what is there */

static RESULT accuse(struct search *s, const uint8_t hash[static 32], const char *sentence)
{
    return damage_add(s->damages, s->table, hash, sentence);
}

static RESULT compare(struct search *s, const struct store_row *row)
{
    uint8_t hash[32], commitment[32];
    row_hash(row->key, hash);
    struct known *k = slot_of(s, s->table, hash);
    k->seen = k->used;
    TRY(check_row(s->store, s->keys, s->table, row, commitment, s->damages));
    if (!k->used)
        return accuse(s, hash, "was never recorded: it was added");
    if (k->gone)
        return accuse(s, hash, "was deleted, and has been put back");
    bool same = k->version == row->version;
    if (same && k->has_commitment && s->table != TABLE_SUBJECT)
        same = memcmp(k->commitment, commitment, sizeof(commitment)) == 0;
    return same ? OK : accuse(s, hash, "is not the newest version: an old one was put back");
}

static bool visit_row(void *context, const struct store_row *row)
{
    struct search *s = context;
    s->result = compare(s, row);
    if (s->result == ERR_TAMPERED) /* there may be more */
        s->result = OK;
    return s->result == OK;
}

static RESULT find_missing(struct search *s)
{
    for (size_t i = 0; i < s->room; i++) {
        const struct known *k = &s->map[i];
        if (!k->used || k->gone || k->seen || !row_is_live(k->table))
            continue;
        enum err e = damage_add(s->damages, k->table, k->hash, "is missing: it was deleted");
        if (e != ERR_TAMPERED)
            return e;
    }
    if (s->damages->count)
        return ERR_TAMPERED;
    return problem_set(&s->damages->why, ERR_TAMPERED, "rows",
                       "the live rows are not those that the log's state counts");
}

static RESULT search(struct search *s, uint64_t log_size)
{
    uint8_t to[LOG_KEY_SIZE];
    log_key(log_size, to);
    TRY(grow(s));
    TRY(store_range(s->store, TABLE_LOG, VIEW(NULL, 0), VIEW_OF(to), false, SIZE_MAX, visit_record, s));
    TRY(s->result);
    for (s->table = 1; s->table < TABLE_COUNT; s->table++) {
        if (!row_is_live(s->table))
            continue;
        TRY(store_range(s->store, s->table, VIEW(NULL, 0), VIEW(NULL, 0), false, SIZE_MAX, visit_row, s));
        TRY(s->result);
    }
    return find_missing(s);
}

RESULT check_name(struct store *store, const struct row_keys *k, uint64_t log_size, struct damages *d)
{
    struct search s = {.store = store, .keys = k, .damages = d};
    enum err e = search(&s, log_size);
    free(s.map);
    return e;
}
