#include "domain/guard/networks_inside.h"

#include "base/fields.h"

static const char *const action_names[] = {"none", "allow", "block", NULL};
static const char *const origin_names[] = {"operator", "automatic", "feed", "configuration", NULL};

const char *const networks_reasons[] = {"none", "credentials", "attacks", "limits", "hosts", NULL};

static bool is_prefix(struct view text)
{
    struct prefix p;
    return prefix_parse(text, &p, NULL) == OK;
}

static const struct field fields[] = {
    FIELD(1, struct networks_row, network, TEXT, PREFIX_TEXT_SIZE - 1, .flags = FIELD_REQUIRED, .check = is_prefix,
          .rule = "an address, or a network such as 192.0.2.0/24 or 2001:db8::/32",
          .doc = "The addresses that it is about."),
    FIELD(2, struct networks_row, action, ENUM, 0, .min = NETWORKS_ALLOW, .flags = FIELD_REQUIRED,
          .names = action_names, .doc = "Whether they are let in or kept out."),
    FIELD(3, struct networks_row, origin, ENUM, 0, .flags = FIELD_READ_ONLY | FIELD_PRINT_ZERO, .names = origin_names,
          .doc = "Who said so."),
    FIELD_AS(4, struct networks_row, ends_ms, "ends", TIME, 0, .doc = "When it ends; never if left out."),
    FIELD_AS(5, struct networks_row, since_ms, "since", TIME, 0, .doc = "When that was said."),
    FIELD(6, struct networks_row, times, U32, 0,
          .doc = "Of an automatic block: how often in a row, this one included."),
    FIELD(7, struct networks_row, reason, ENUM, 0, .names = networks_reasons, .doc = "Of an automatic block."),
};
const struct entity networks_row_entity = ENTITY("NetworksRow", 0x0560, 1, struct networks_row, fields);

struct networks_row networks_row_of(const struct networks_rule *rule, char text[static PREFIX_TEXT_SIZE])
{
    prefix_format(&rule->network, text);
    return (struct networks_row){.network = view_str(text),
                                 .action = (uint8_t)rule->action,
                                 .origin = (uint8_t)rule->origin,
                                 .ends_ms = rule->ends_ms};
}

RESULT networks_row_rule(const struct networks_row *row, struct networks_rule *ret)
{
    struct networks_rule r = {.action = row->action, .origin = row->origin, .ends_ms = row->ends_ms};
    if (row->origin > NETWORKS_AUTOMATIC || row->action == NETWORKS_UNSAID || row->action > NETWORKS_BLOCK)
        return ERR_BAD_VALUE;
    TRY(prefix_parse(row->network, &r.network, NULL));
    *ret = r;
    return OK;
}

/* --- each */

struct each {
    bool (*visit)(void *context, const struct networks_rule *rule);
    void *context;
};

static bool tell(const struct each *e, const struct trie_item *i, bool six)
{
    struct networks_rule r = {
        .network = networks_prefix(i, six), .action = i->operator_says, .ends_ms = i->operator_ends};
    if (i->operator_says != NETWORKS_UNSAID && !e->visit(e->context, &r))
        return false;
    r.action = i->configured;
    r.origin = NETWORKS_CONFIGURED;
    r.ends_ms = 0;
    if (i->configured != NETWORKS_UNSAID && !e->visit(e->context, &r))
        return false;
    r.action = NETWORKS_BLOCK;
    r.origin = NETWORKS_AUTOMATIC;
    r.ends_ms = i->automatic_ends;
    return !i->automatic || e->visit(e->context, &r);
}

/* Copies, since visit runs without the lock, and outside of sections so that it may change what it sees. */
static bool each_of(struct networks *n, bool six, const struct each *e)
{
    struct trie_item items[NETWORKS_BATCH], last;
    const struct trie_item *after = NULL;
    for (size_t count = 1; count > 0; after = &last) {
        networks_lock(n);
        count = networks_after(n, six, after, items, NETWORKS_BATCH, &last);
        networks_unlock(n);
        for (size_t i = 0; i < count; i++)
            if (!tell(e, &items[i], six))
                return false;
    }
    return true;
}

void networks_each(struct networks *n, bool (*visit)(void *context, const struct networks_rule *rule), void *context)
{
    const struct each e = {visit, context};
    if (each_of(n, false, &e))
        (void)each_of(n, true, &e);
}
