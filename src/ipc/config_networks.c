/* Files that say something of networks: a database of countries, and feeds of networks that are known to be bad. */
#include "base/fields.h"
#include "base/text.h"
#include "base/yaml.h"
#include "ipc/config.h"

#define PATH_BYTES 4000
#define NAME_BYTES 32

static bool is_path(struct view text)
{
    return text.len > 0 && text.ptr[0] == '/' && text_printable(text);
}

#define PATH_RULE .check = is_path, .rule = "an absolute path, beginning with /"

static bool is_country(struct view text)
{
    return text.len == 2 && text.ptr[0] >= 'A' && text.ptr[0] <= 'Z' && text.ptr[1] >= 'A' && text.ptr[1] <= 'Z';
}

#define COUNTRY_RULE .check = is_country, .rule = "a country by its two capital letters (ISO 3166-1), such as CH"

static bool is_name(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return text.len > 0;
}

/* By enum config_without. */
const char *const config_without_names[] = {"default", "closed", "open", NULL};

static const struct field countries_fields[] = {
    FIELD(1, struct config_guard_countries, database, TEXT, PATH_BYTES, PATH_RULE,
          .doc = "MaxMind DB file (.mmdb) with countries"),
    FIELD(2, struct config_guard_countries, allow, TEXTS, 256, COUNTRY_RULE, .doc = "these alone are let in"),
    FIELD(3, struct config_guard_countries, block, TEXTS, 256, COUNTRY_RULE, .doc = "all but these are let in"),
    FIELD(4, struct config_guard_countries, without, ENUM, 0, .names = config_without_names,
          .doc = "what becomes of requests while no database can be relied on"),
    FIELD(5, struct config_guard_countries, max_age_days, U32, 3650, .min = 1,
          .doc = "since the database was built; an older one is not relied on"),
};
const struct entity config_guard_countries_entity = ENTITY("ConfigGuardCountries", 0x0828, 1,
                                                           struct config_guard_countries, countries_fields);

static const struct field feed_fields[] = {
    FIELD(1, struct config_guard_feed, name, TEXT, NAME_BYTES, .flags = FIELD_REQUIRED, .check = is_name,
          .rule = "small letters, digits, - and _", .doc = "as the status calls it"),
    FIELD(2, struct config_guard_feed, file, TEXT, PATH_BYTES, PATH_RULE, .flags = FIELD_REQUIRED,
          .doc = "of one network a line"),
    FIELD(3, struct config_guard_feed, hours, U32, 8760, .min = 1,
          .doc = "it stays in force after the file was last changed; without an end, if left out"),
};
const struct entity config_guard_feed_entity = ENTITY("ConfigGuardFeed", 0x0829, 1, struct config_guard_feed,
                                                      feed_fields);

/* --- the files, as supervisor and front count them */

size_t config_guard_files(const struct config_guard *g)
{
    return (g->countries.database.len > 0) + g->feeds.count;
}

struct config_guard_file config_guard_file(const struct config_guard *g, size_t which)
{
    const struct config_guard_feed *feeds = g->feeds.items;
    bool database = g->countries.database.len > 0;
    if (database && which == 0)
        return (struct config_guard_file){VIEW_STR("guard.countries.database"), g->countries.database, NULL};
    const struct config_guard_feed *feed = &feeds[which - database];
    return (struct config_guard_file){VIEW_STR("guard.feeds"), feed->file, feed};
}

/* --- what fits together */

/* node: where it stands in the file; NULL where the configuration came otherwise. */
static RESULT refuse(struct problem *why, const struct yaml_node *node, const char *where, const char *detail)
{
    return node ? yaml_refuse(why, ERR_BAD_CONFIG, node, "%s", detail)
                : problem_set(why, ERR_BAD_CONFIG, where, "%s", detail);
}

static RESULT check_countries(const struct config_guard_countries *c, const struct yaml_node *node, struct problem *why)
{
    static const char where[] = "guard.countries";
    bool says = c->allow.count || c->block.count || c->without || c->max_age_days;
    if (c->database.len == 0)
        return says ? refuse(why, node, where, "countries need a database") : OK;
    if (c->allow.count && c->block.count)
        return refuse(why, yaml_get(node, "block"), where,
                      "a country is let in or kept out by one list: leave out allow or block");
    if (c->allow.count == 0 && c->block.count == 0)
        return refuse(why, node, where, "name the countries that are let in (allow), or those that are not (block)");
    return OK;
}

static RESULT check_names(const struct entity_list *feeds, const struct yaml_node *list, struct problem *why)
{
    const struct config_guard_feed *f = feeds->items;
    for (size_t i = 1; i < feeds->count; i++)
        for (size_t k = 0; k < i; k++)
            if (view_eq(f[i].name, f[k].name))
                return refuse(why, list && i < list->count ? &list->items[i] : NULL, "guard.feeds",
                              "there is a feed of this name already");
    return OK;
}

/* Both decide only about addresses of which the operator says nothing; where those are refused anyway, whoever wrote
 * this expects something that it does not do. */
static RESULT check_others(const struct config_guard *g, const struct yaml_node *guard, struct problem *why)
{
    static const char detail[] =
        "this is asked only about addresses that neither list of guard.networks names, and those are refused: "
        "say networks: {others: allow}, or leave this out";
    bool countries = g->countries.database.len > 0;
    if (g->networks.others == CONFIG_OTHERS_ALLOW || config_guard_files(g) == 0)
        return OK;
    return refuse(why, yaml_get(guard, countries ? "countries" : "feeds"),
                  countries ? "guard.countries" : "guard.feeds", detail);
}

RESULT config_networks_check(const struct config_guard *g, const struct yaml_node *guard, struct problem *why)
{
    TRY(check_countries(&g->countries, yaml_get(guard, "countries"), why));
    TRY(check_names(&g->feeds, yaml_get(guard, "feeds"), why));
    return check_others(g, guard, why);
}
