/* What of the guard's policy is said of it as a whole: its hash, and limits that can't be counted. */
#include "base/yaml.h"
#include "crypto/hash.h"
#include "ipc/config.h"

#define ENCODED_MAX (2u << 20)

RESULT config_guard_hash(const struct config_guard *g, struct view rules, uint8_t ret[static CONFIG_POLICY_HASH])
{
    AUTO_WRITER encoded = writer_new(ENCODED_MAX), w = writer_new(2 * ENCODED_MAX + rules.len);
    TRY(entity_encode(&config_guard_entity, g, &encoded));
    TRY(writer_done(&encoded));
    writer_var(&w, writer_view_of(&encoded));
    writer_view(&w, rules);
    TRY(writer_done(&w));
    sha256(writer_view_of(&w), ret);
    return OK;
}

RESULT config_policy_hash(const struct config_guard *g, struct view files, uint8_t ret[static CONFIG_POLICY_HASH])
{
    AUTO_WRITER rules = writer_new(files.len + 1);
    struct reader r = reader_new(files);
    struct view name, text;
    while (r.left > 0) {
        TRY(reader_var(&r, r.left, &name));
        TRY(reader_var(&r, r.left, &text));
        writer_var(&rules, text);
    }
    TRY(writer_done(&rules));
    return config_guard_hash(g, writer_view_of(&rules), ret);
}

/* --- limits: a whole burst is counted in nanoseconds, in 62 bits */

#define NS_OF_SECOND UINT64_C(1000000000)
#define BURST_NS_MAX (UINT64_C(1) << 62)

static bool countable(const struct config_guard_rate *r)
{
    uint64_t seconds = r->seconds ? r->seconds : 60, burst = r->burst ? r->burst : r->requests;
    return r->requests == 0 || seconds * NS_OF_SECOND / r->requests <= BURST_NS_MAX / burst;
}

/* The row's place in the file; without one, its number. */
static RESULT refuse(struct problem *why, const struct yaml_node *root, const char *list, size_t row, const char *what)
{
    const struct yaml_node *rows = yaml_get(yaml_get(root, "guard"), list);
    char where[64];
    if (rows && row < rows->count)
        return yaml_refuse(why, ERR_BAD_CONFIG, &rows->items[row], "%s", what);
    (void)snprintf(where, sizeof where, "guard.%s[%zu]", list, row);
    return problem_set(why, ERR_BAD_CONFIG, where, "%s", what);
}

static const char uncountable[] = "the burst takes longer than 146 years to come back: make it smaller, or the "
                                  "requests more";

RESULT config_rates_check(const struct config_guard *g, const struct yaml_node *root, struct problem *why)
{
    const struct config_guard_rate *rates = g->rates.items;
    const struct config_guard_endpoint *rows = g->endpoints.items;
    for (size_t i = 0; i < g->rates.count; i++) {
        if (!countable(&rates[i]))
            return refuse(why, root, "rates", i, uncountable);
        for (size_t k = 0; k < i; k++)
            if (view_eq(rates[i].name, rates[k].name))
                return refuse(why, root, "rates", i, "a limit of this name is there already");
    }
    for (size_t i = 0; i < g->endpoints.count; i++)
        if (!countable(&rows[i].rate))
            return refuse(why, root, "endpoints", i, uncountable);
    return OK;
}
