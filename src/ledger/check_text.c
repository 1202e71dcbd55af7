/* Does each record say what its leaf commits to? And whose record is empty because he was erased: was he? */
#include "ledger/inside.h"
#include "ledger/terms.h"

#define STEP 128 /* records */

/* The erasures that the log tells of, in order; read only when there is a record that needs one. */
struct erasure {
    uint8_t row[32];
    uint64_t version;
};
struct erasures {
    struct erasure *list;
    size_t count, room;
    uint64_t read; /* the log up to here */
};

struct gone {
    struct erasure of;
    uint64_t index;
};

struct texts {
    struct subject_reader subjects;
    struct arena *arena;
    struct problem *why;
    struct erasures erasures;
    struct gone gone[STEP]; /* of the records of this step */
    size_t gone_count;
    uint64_t next;
    enum err result;
};

/* --- erasures */

static int compare(const void *a, const void *b)
{
    const struct erasure *x = a, *y = b;
    int rows = memcmp(x->row, y->row, sizeof(x->row));
    return rows ? rows : (x->version > y->version) - (x->version < y->version);
}

static RESULT add_erasure(struct erasures *e, const struct leaf_change *c)
{
    if (e->count == e->room) {
        size_t room = e->room ? 2 * e->room : 64;
        struct erasure *list = realloc(e->list, room * sizeof(*list));
        if (!list)
            return ERR_NO_MEMORY;
        e->list = list;
        e->room = room;
    }
    struct erasure *new = &e->list[e->count++];
    memcpy(new->row, c->row, sizeof(new->row));
    new->version = c->version;
    return OK;
}

static bool visit_leaf(void *context, const struct store_row *row)
{
    static const uint8_t none[32];
    struct texts *t = context;
    struct log_row log;
    struct leaf leaf;
    if (logrow_decode(row->value, &log) != OK || leaf_decode(log.leaf, &leaf) != OK) {
        t->result = check_record(t->why, log_index(row->key), "was altered: its bytes are no record");
        return false;
    }
    for (uint8_t i = 0; i < leaf.change_count && t->result == OK; i++)
        if (leaf.changes[i].table == TABLE_SUBJECT && memcmp(leaf.changes[i].commitment, none, sizeof(none)) == 0)
            t->result = add_erasure(&t->erasures, &leaf.changes[i]);
    t->erasures.read = log_index(row->key) + 1;
    return t->result == OK;
}

static bool is_listed(const struct erasures *e, const struct erasure *wanted)
{
    return e->count && bsearch(wanted, e->list, e->count, sizeof(*e->list), compare);
}

/* Also by an erasure that was logged while this check went on. */
static RESULT was_erased(struct texts *t, const struct gone *g)
{
    struct erasures *e = &t->erasures;
    uint8_t from[LOG_KEY_SIZE];
    if (is_listed(e, &g->of))
        return OK;
    log_key(e->read, from);
    TRY(store_range(t->subjects.store, TABLE_LOG, VIEW_OF(from), VIEW(NULL, 0), false, SIZE_MAX, visit_leaf, t));
    TRY(t->result);
    if (e->count)
        qsort(e->list, e->count, sizeof(*e->list), compare);
    if (is_listed(e, &g->of))
        return OK;
    return check_record(t->why, g->index,
                        "is empty as if its person were erased, but nobody erased him: it was altered");
}

/* --- texts */

static RESULT note_gone(struct texts *t, const struct store_row *row, uint64_t index)
{
    struct log_row log;
    struct gone *g = &t->gone[t->gone_count++];
    TRY(logrow_decode(row->value, &log));
    row_hash(VIEW_OF(log.part[SIDE_WHO].subject.key), g->of.row);
    g->of.version = log.part[SIDE_WHO].subject.version;
    g->index = index;
    return OK;
}

static bool visit_text(void *context, const struct store_row *row)
{
    struct texts *t = context;
    struct record_view v;
    arena_reset(t->arena);
    t->result = record_open(&t->subjects, row, t->arena, &v);
    if (t->result == ERR_TAMPERED)
        t->result = check_record(t->why, log_index(row->key), "does not say what its leaf commits to: it was altered");
    if (t->result == OK && v.erased)
        t->result = note_gone(t, row, v.index);
    t->next = log_index(row->key) + 1;
    return t->result == OK;
}

static RESULT step(struct texts *t, uint64_t end)
{
    uint8_t from[LOG_KEY_SIZE], to[LOG_KEY_SIZE];
    uint64_t first = t->next;
    log_key(t->next, from);
    log_key(end, to);
    t->gone_count = 0;
    TRY(store_range(t->subjects.store, TABLE_LOG, VIEW_OF(from), VIEW_OF(to), false, STEP, visit_text, t));
    TRY(t->result);
    for (size_t i = 0; i < t->gone_count; i++)
        TRY(was_erased(t, &t->gone[i]));
    return t->next > first ? OK : check_record(t->why, first, "is missing: it was deleted");
}

RESULT check_texts(struct ledger *l, struct store *reader, const struct row_keys *k, uint64_t size, struct problem *why)
{
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(16384, 8u << 20, &arena));
    struct texts *t = calloc(1, sizeof(*t));
    if (!t)
        return ERR_NO_MEMORY;
    *t = (struct texts){.subjects = {.store = reader, .keys = k}, .arena = arena, .why = why};
    enum err e = arena_new(1024, 64u * 1024, &t->subjects.scratch);
    while (e == OK && t->next < size)
        e = l->stopping ? ERR_UNAVAILABLE : step(t, size);
    subject_reader_done(&t->subjects);
    free(t->erasures.list);
    free(t);
    return e;
}
