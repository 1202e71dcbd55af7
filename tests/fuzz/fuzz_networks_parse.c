/* A feed, and what is kept of networks. A feed's line is taken exactly if it names a network, and what is taken reads
 * back as what was written; restored rows are what was saved. */
#include "domain/guard/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void check(struct networks *n, size_t wanted)
{
    size_t count = 0;
    networks_each(n, each_one, &count);
    if (count != wanted)
        abort();
}

static void restore(struct networks *n, struct view saved)
{
    AUTO_WRITER first = writer_new(1u << 20), second = writer_new(1u << 20);
    AUTO(networks_free) struct networks *again = NULL;
    if (networks_restore(n, saved, 1) != OK)
        return;
    networks_save(n, &first);
    if (writer_done(&first) != OK || networks_new(&again) != OK ||
        networks_restore(again, writer_view_of(&first), 1) != OK)
        abort();
    networks_save(again, &second);
    if (!view_eq(writer_view_of(&first), writer_view_of(&second)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(networks_free) struct networks *n = NULL;
    struct networks_feed_report report;
    if (size == 0 || networks_new(&n) != OK)
        return 0;
    if (data[0] & 1)
        restore(n, VIEW(data + 1, size - 1));
    else if (networks_feed_load(n, "f", VIEW(data + 1, size - 1), 0, &report, NULL) == OK)
        check(n, report.prefixes);
    return 0;
}
