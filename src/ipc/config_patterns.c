/* What the guard does about requests that look like attacks: docs/patterns.md. */
#include "base/fields.h"
#include "base/text.h"
#include "base/yaml.h"
#include "ipc/config.h"

#include <stdio.h>

#define RULES_MAX 512
#define NAME_MAX  64

static bool is_rule(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!((v.ptr[i] >= 'a' && v.ptr[i] <= 'z') || (v.ptr[i] >= '0' && v.ptr[i] <= '9') || v.ptr[i] == '-'))
            return false;
    return v.len > 0;
}

static bool is_directory(struct view v)
{
    return v.len > 0 && v.ptr[0] == '/' && text_printable(v);
}

#define RULE_RULE "a rule's id or a class's name: a-z, 0-9 and -"

const char *const config_patterns_modes[] = {"default", "block", "count", "off", NULL};
const char *const config_patterns_longers[] = {"default", "refuse", "pass", NULL};

static const struct field rule_fields[] = {
    FIELD(1, struct config_patterns_rule, rule, TEXT, NAME_MAX, .flags = FIELD_REQUIRED, .check = is_rule,
          .rule = RULE_RULE, .doc = "a rule's id, or a class's name"),
    FIELD(2, struct config_patterns_rule, mode, ENUM, 0, .min = 1, .flags = FIELD_REQUIRED,
          .names = config_patterns_modes, .doc = "count: reported, without being part of the score"),
};
const struct entity config_patterns_rule_entity = ENTITY("ConfigPatternsRule", 0x0851, 1, struct config_patterns_rule,
                                                         rule_fields);

static const struct field exclusion_fields[] = {
    FIELD(1, struct config_patterns_exclusion, endpoint, TEXT, 512, .check = config_guard_path,
          .rule = CONFIG_GUARD_PATH_RULE, .doc = "it and what lies below it; any, if left out"),
    FIELD(2, struct config_patterns_exclusion, parameter, TEXT, 128, .check = text_printable, .rule = "printable text",
          .doc = "its name as it is sent; any, if left out"),
    FIELD(3, struct config_patterns_exclusion, rule, TEXT, NAME_MAX, .check = is_rule, .rule = RULE_RULE,
          .doc = "or a class; any, if left out"),
};
const struct entity config_patterns_exclusion_entity = ENTITY("ConfigPatternsExclusion", 0x0852, 1,
                                                              struct config_patterns_exclusion, exclusion_fields);

static const struct field fields[] = {
    FIELD(1, struct config_patterns, mode, ENUM, 0, .names = config_patterns_modes,
          .doc = "block where there are endpoints, else off"),
    FIELD(2, struct config_patterns, threshold, U32, 1000, .min = 1, .doc = "score from which a request is refused"),
    FIELD(3, struct config_patterns, body_bytes, U32, CONFIG_PATTERNS_BODY_MAX, .min = 1024,
          .doc = "of a body, or of one value, that are looked at"),
    FIELD(4, struct config_patterns, longer, ENUM, 0, .names = config_patterns_longers,
          .doc = "what becomes of a request of which something was not looked at"),
    FIELD(5, struct config_patterns, rules, LIST, RULES_MAX, .nested = &config_patterns_rule_entity,
          .doc = "modes of rules and classes"),
    FIELD(6, struct config_patterns, exclusions, LIST, 256, .nested = &config_patterns_exclusion_entity,
          .doc = "hits that are none"),
    FIELD(7, struct config_patterns, further_dir, TEXT, 4000, .check = is_directory,
          .rule = "an absolute path, beginning with /", .doc = "rules of one's own, beside those of patterns_dir"),
};
const struct entity config_patterns_entity = ENTITY("ConfigPatterns", 0x0850, 1, struct config_patterns, fields);

void config_patterns_complete(struct config_patterns *p, bool guards)
{
    if (p->mode == 0)
        p->mode = guards ? CONFIG_PATTERNS_BLOCK : CONFIG_PATTERNS_OFF;
    p->threshold = p->threshold ? p->threshold : 5;
    p->body_bytes = p->body_bytes ? p->body_bytes : 65536;
    p->longer = p->longer ? p->longer : CONFIG_LONGER_REFUSE;
}

/* list: "rules" or "exclusions"; root: the file's; NULL where the configuration came otherwise. */
static RESULT refuse(struct problem *why, const struct yaml_node *root, const char *list, size_t row,
                     const char *sentence)
{
    const struct yaml_node *rows = yaml_get(yaml_get(yaml_get(root, "guard"), "patterns"), list);
    char where[64];
    if (rows && row < rows->count)
        return yaml_refuse(why, ERR_BAD_CONFIG, &rows->items[row], "%s", sentence);
    (void)snprintf(where, sizeof where, "guard.patterns.%s[%zu]", list, row);
    return problem_set(why, ERR_BAD_CONFIG, where, "%s", sentence);
}

RESULT config_patterns_check(const struct config_patterns *p, const struct yaml_node *root, struct problem *why)
{
    const struct config_patterns_rule *rules = p->rules.items;
    const struct config_patterns_exclusion *x = p->exclusions.items;
    for (size_t i = 1; i < p->rules.count; i++)
        for (size_t k = 0; k < i; k++)
            if (view_eq(rules[i].rule, rules[k].rule))
                return refuse(why, root, "rules", i, "this rule has a mode already: keep one of them");
    for (size_t i = 0; i < p->exclusions.count; i++)
        if (x[i].endpoint.len == 0 && x[i].parameter.len == 0 && x[i].rule.len == 0)
            return refuse(why, root, "exclusions", i,
                          "name an endpoint, a parameter or a rule; to look at nothing at all say mode: off");
    return OK;
}
