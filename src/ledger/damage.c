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
    const atomic_bool *stop;
};

static bool speaks_of(const struct trace *t, const struct log_row *log, const struct leaf *leaf)
{
    for (uint8_t i = 0; i < leaf->change_count; i++)
        if (leaf->changes[i].table == t->table && memcmp(leaf->changes[i].row, t->row, 32) == 0)
            return true;
    for (uint8_t i = 0; i < log->link_count; i++)
        if (log->links[i].change < leaf->change_count && leaf->changes[log->links[i].change].table == t->table &&
            memcmp(log->links[i].row, t->row, 32) == 0)
            return true;
    return false;
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
    bool told = query_record(store, k, t.index, arena, &v) == OK && v.what.resource.len &&
                text_printable(v.what.resource);
    struct writer w = writer_fixed((uint8_t *)why->detail + used, sizeof(why->detail) - used - 1);
    writer_printf(&w, "; record %llu was the last to change it", (unsigned long long)t.index);
    if (told)
        writer_printf(&w, ", as %.*s", (int)v.what.resource.len, (const char *)v.what.resource.ptr);
    if (writer_done(&w) == OK)
        why->detail[used + w.len] = '\0';
    else
        why->detail[used] = '\0';
}
