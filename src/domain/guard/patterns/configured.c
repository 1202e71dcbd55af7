#include "domain/guard/patterns/configured.h"

static const enum patterns_mode modes[] = {[CONFIG_PATTERNS_BLOCK] = PATTERNS_BLOCK,
                                           [CONFIG_PATTERNS_COUNT] = PATTERNS_COUNT,
                                           [CONFIG_PATTERNS_OFF] = PATTERNS_OFF};

static bool is_class(struct view name)
{
    for (size_t i = 0; i < PATTERNS_CLASSES; i++)
        if (view_is(name, patterns_class_names[i]))
            return true;
    return false;
}

/* Later ones count before earlier ones. */
static RESULT take_settings(const struct config_patterns *c, struct arena *arena, struct patterns_options *o)
{
    const struct config_patterns_rule *rules = c->rules.items;
    struct patterns_setting *settings = arena_alloc(arena, c->rules.count * sizeof *settings + 1);
    if (!settings)
        return ERR_NO_MEMORY;
    for (int classes = 1; classes >= 0; classes--)
        for (size_t i = 0; i < c->rules.count; i++) {
            if (rules[i].mode >= ARRAY_LEN(modes))
                return ERR_BAD_CONFIG;
            if (is_class(rules[i].rule) == (classes == 1))
                settings[o->setting_count++] = (struct patterns_setting){rules[i].rule, modes[rules[i].mode], i};
        }
    o->settings = settings;
    return OK;
}

static RESULT take_exclusions(const struct config_patterns *c, struct arena *arena, struct patterns_options *o)
{
    const struct config_patterns_exclusion *rows = c->exclusions.items;
    struct patterns_exclusion *to = arena_alloc(arena, c->exclusions.count * sizeof *to + 1);
    if (!to)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->exclusions.count; i++)
        to[i] = (struct patterns_exclusion){rows[i].endpoint, rows[i].parameter, rows[i].rule};
    o->exclusions = to;
    o->exclusion_count = c->exclusions.count;
    return OK;
}

RESULT patterns_configured(const struct config_patterns *c, struct arena *arena, struct patterns_options *ret)
{
    struct patterns_options o = {
        .threshold = c->threshold, .body_limit = c->body_bytes, .pass_longer = c->longer == CONFIG_LONGER_PASS};
    TRY(take_settings(c, arena, &o));
    TRY(take_exclusions(c, arena, &o));
    *ret = o;
    return OK;
}
