/* Rows into memory, at start. */
#include "ledger/inside.h"

#define SCRATCH_MAX (256u * 1024)

struct loading {
    const struct ledger_load *load;
    struct arena *scratch;
    struct writer plain;
    size_t damaged;
    enum err result;
};

static RESULT take(struct loading *l, const struct store_row *row)
{
    struct txn_change c = {.table = l->load->table, .key = row->key, .version = row->version};
    arena_reset(l->scratch);
    writer_reset(&l->plain);
    TRY(row_open(l->load->keys, c.table, row, &l->plain, c.commitment));
    c.value = writer_view_of(&l->plain);
    return l->load->take(l->load->context, &c, l->scratch);
}

static bool visit(void *context, const struct store_row *row)
{
    struct loading *l = context;
    enum err e = take(l, row);
    if (e == ERR_NO_MEMORY || e == ERR_TOO_NEW)
        l->result = e;
    else
        l->damaged += e != OK;
    return l->result == OK;
}

RESULT ledger_load(struct store *reader, const struct ledger_load *load, size_t *ret_damaged, struct problem *why)
{
    struct loading l = {.load = load, .plain = writer_new(STORE_VALUE_MAX)};
    AUTO(arena_free) struct arena *scratch = NULL;
    TRY(arena_new(4096, SCRATCH_MAX, &scratch));
    l.scratch = scratch;
    enum err e = store_range(reader, load->table, load->from, load->to, false, SIZE_MAX, visit, &l);
    writer_free(&l.plain);
    if (e == OK)
        e = l.result;
    if (e != OK)
        return problem_set(why, e, store_table_rows(load->table), "%s",
                           e == ERR_TOO_NEW ? "a row was written by a newer Holdfast" : "the store could not be read");
    *ret_damaged = l.damaged;
    return OK;
}
