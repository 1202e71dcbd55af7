/* A feed, or a row of what is said of a network (by bit 0 of the first byte). A feed lists exactly what its report
 * says, and each of its networks reads back as what was written; a row that is taken is written as it was read. */
#include "domain/guard/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Kept between runs, and emptied by each: to free one waits for readers. */
static struct networks *first;

static void load(struct view text)
{
    struct networks_feed_report report;
    if (networks_feed_load(first, "f", text, 0, &report, NULL) != OK)
        return;
    if (networks_count(first).prefixes != report.prefixes || networks_feed_drop(first, "f") != OK)
        abort();
}

static bool remove_one(void *context, const struct networks_rule *r)
{
    if (networks_remove(context, &r->network, r->origin) != OK)
        abort();
    return true;
}

static void read_row(struct view bytes)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER again = writer_new(4096);
    struct networks_row row;
    struct networks_rule rule;
    char text[PREFIX_TEXT_SIZE];
    if (arena_new(1024, 65536, &arena) != OK || entity_decode(&networks_row_entity, bytes, arena, &row) != OK ||
        networks_row_rule(&row, &rule) != OK)
        return;
    bool as_written = view_eq(row.network, networks_row_of(&rule, text).network);
    row = networks_row_of(&rule, text);
    if (entity_encode(&networks_row_entity, &row, &again) != OK ||
        (as_written && !view_eq(bytes, writer_view_of(&again))))
        abort();
    if (networks_put(first, &rule) == OK)
        networks_each(first, remove_one, first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || (!first && networks_new(&first) != OK))
        return 0;
    if (data[0] & 1)
        read_row(VIEW(data + 1, size - 1));
    else
        load(VIEW(data + 1, size - 1));
    if (networks_count(first).prefixes || networks_count(first).bytes)
        abort();
    return 0;
}
