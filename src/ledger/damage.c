/* Damaged rows: collected, and put into words. */
#include "ledger/inside.h"

#include "base/text.h"
#include "ledger/query.h"

RESULT damage_add(struct damages *d, uint16_t table, const uint8_t row[static 32], const char *sentence)
{
    if (d->count == d->room) {
        size_t room = d->room ? 2 * d->room : 16;
        struct damage *list = realloc(d->list, room * sizeof(*list));
        if (!list)
            return ERR_NO_MEMORY;
        d->list = list;
        d->room = room;
    }
    struct damage *new = &d->list[d->count++];
    *new = (struct damage){.table = table, .sentence = sentence};
    memcpy(new->row, row, sizeof(new->row));
    return ERR_TAMPERED;
}

void damage_explain(const struct damage *d, struct ledger_finding *ret)
{
    char where[64], hex[17];
    const char *name = store_table_name(d->table);
    struct writer h = writer_fixed(hex, sizeof(hex) - 1), w = writer_fixed(where, sizeof(where) - 1);
    hex_put(&h, VIEW(d->row, 8));
    hex[h.len] = '\0';
    writer_printf(&w, "table %s, row %s", name, hex);
    where[w.len] = '\0';
    *ret = (struct ledger_finding){.table = d->table};
    memcpy(ret->row, d->row, sizeof(ret->row));
    (void)!problem_set(&ret->why, ERR_TAMPERED, where, "the row %s… of table %s (%s) %s", hex, name,
                       store_table_rows(d->table), d->sentence);
}

/* --- what the log calls a row */

struct trace {
    const uint8_t *row;
    uint16_t table;
    bool found;
    uint64_t index;
    uint8_t change; /* of that record */
    const atomic_bool *stop;
};

static bool speaks_of(struct trace *t, const struct log_row *log, const struct leaf *leaf)
{
    for (t->change = 0; t->change < leaf->change_count; t->change++)
        if (leaf->changes[t->change].table == t->table && memcmp(leaf->changes[t->change].row, t->row, 32) == 0)
            return true;
    for (uint8_t i = 0; i < log->link_count; i++) {
        t->change = log->links[i].change;
        if (t->change < leaf->change_count && leaf->changes[t->change].table == t->table &&
            memcmp(log->links[i].row, t->row, 32) == 0)
            return true;
    }
    return false;
}

/* Of a record that names several things, the one that this change is of. */
static struct view thing_of(const struct record_object *what, uint8_t change)
{
    struct view things[RECORD_THINGS_MAX];
    size_t n = record_things(what, things);
    return n > 1 && change < n ? things[change] : things[0];
}

static bool visit_newest(void *context, const struct store_row *row)
{
    struct trace *t = context;
    struct log_row log;
    struct leaf leaf;
    if (*t->stop || logrow_decode(row->value, &log) != OK || leaf_decode(log.leaf, &leaf) != OK)
        return false;
    t->found = speaks_of(t, &log, &leaf);
    t->index = log_index(row->key);
    return !t->found;
}

void damage_trace(struct store *store, const struct row_keys *k, const atomic_bool *stop, struct ledger_finding *f)
{
    struct trace t = {.row = f->row, .table = f->table, .stop = stop};
    struct problem *why = &f->why;
    struct record_view v;
    AUTO(arena_free) struct arena *arena = NULL;
    size_t used = strlen(why->detail);
    if (f->table == 0 || arena_new(16384, 8u << 20, &arena) != OK)
        return;
    if (store_range(store, TABLE_LOG, VIEW(NULL, 0), VIEW(NULL, 0), true, SIZE_MAX, visit_newest, &t) != OK || !t.found)
        return;
    struct view thing = {0};
    if (query_record(store, k, t.index, arena, &v) == OK)
        thing = thing_of(&v.what, t.change);
    struct writer w = writer_fixed((uint8_t *)why->detail + used, sizeof(why->detail) - used - 1);
    writer_printf(&w, "; record %llu was the last to change it", (unsigned long long)t.index);
    if (thing.len && text_printable(thing))
        writer_printf(&w, ", as %.*s", (int)thing.len, (const char *)thing.ptr);
    if (writer_done(&w) == OK)
        why->detail[used + w.len] = '\0';
    else
        why->detail[used] = '\0';
}
