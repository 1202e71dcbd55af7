/* A feed, or what is kept of networks (by bit 0 of the first byte). A feed lists exactly what its report says, and each
 * of its networks reads back as what was written; restored rows are what was saved. */
#include "domain/guard/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Kept between runs, and emptied by each: to free one waits for readers. */
static struct networks *first, *second;

static bool each_one(void *context, const struct networks_rule *r)
{
    char text[PREFIX_TEXT_SIZE];
    struct prefix again;
    size_t *count = context;
    prefix_format(&r->network, text);
    if (prefix_parse(view_str(text), &again, NULL) != OK || again.bits != r->network.bits ||
        !address_eq(&again.base, &r->network.base))
        abort();
    ++*count;
    return true;
}

static void load(struct view text)
{
    struct networks_feed_report report;
    size_t count = 0;
    if (networks_feed_load(first, "f", text, 0, &report, NULL) != OK)
        return;
    networks_each(first, each_one, &count);
    if (count != report.prefixes || networks_feed_drop(first, "f") != OK)
        abort();
}

static bool remove_one(void *context, const struct networks_rule *r)
{
    if (networks_remove(context, &r->network, r->origin) != OK)
        abort();
    return true;
}

static void restore(struct view saved)
{
    AUTO_WRITER once = writer_new(1u << 20), twice = writer_new(1u << 20);
    if (networks_restore(first, saved, 1) == OK) {
        networks_save(first, &once);
        if (writer_done(&once) != OK || networks_restore(second, writer_view_of(&once), 1) != OK)
            abort();
        networks_save(second, &twice);
        if (!view_eq(writer_view_of(&once), writer_view_of(&twice)))
            abort();
    }
    networks_each(first, remove_one, first);
    networks_each(second, remove_one, second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || (!first && networks_new(&first) != OK) || (!second && networks_new(&second) != OK))
        return 0;
    if (data[0] & 1)
        restore(VIEW(data + 1, size - 1));
    else
        load(VIEW(data + 1, size - 1));
    if (networks_count(first).prefixes || networks_count(first).bytes || networks_count(second).prefixes)
        abort();
    return 0;
}
