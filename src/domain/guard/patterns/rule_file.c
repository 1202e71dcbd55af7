#include "domain/guard/patterns/rule_file.h"

#include "base/fields.h"
#include "base/yaml.h"
#include "domain/guard/patterns/patterns.h"

#define PATTERN_MAX 2048

const char *const patterns_class_names[PATTERNS_CLASSES + 1] = {"sqli", "xss", "traversal", "command", "header", NULL};
const char *const patterns_part_names[PATTERNS_PARTS + 1] = {"path", "query", "cookie", "agent", "header",
                                                             "form", "json",  "text",   NULL};
static const char *const on_names[] = {"text", "sql", NULL};

static bool is_id(struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!((v.ptr[i] >= 'a' && v.ptr[i] <= 'z') || (v.ptr[i] >= '0' && v.ptr[i] <= '9') || v.ptr[i] == '-'))
            return false;
    return v.len > 0;
}

static const struct field rule_fields[] = {
    FIELD(1, struct rule, id, TEXT, 64, .flags = FIELD_REQUIRED, .check = is_id, .rule = "a-z, 0-9 and -",
          .doc = "name"),
    FIELD(2, struct rule, score, U8, RULE_SCORE_MAX, .min = 1, .flags = FIELD_REQUIRED, .doc = "what a hit adds"),
    FIELD(3, struct rule, on, ENUM, 0, .names = on_names, .doc = "which lines it reads"),
    FIELD(4, struct rule, in, TEXTS, PATTERNS_PARTS, .doc = "parts of the request; all if left out"),
    FIELD(5, struct rule, description, TEXT, 512, .flags = FIELD_REQUIRED, .doc = "what it means"),
    FIELD(6, struct rule, pattern, TEXT, PATTERN_MAX, .flags = FIELD_REQUIRED, .doc = "regular expression"),
    FIELD(7, struct rule, hits, TEXTS, 64, .flags = FIELD_REQUIRED, .doc = "texts that it hits"),
    FIELD(8, struct rule, misses, TEXTS, 64, .flags = FIELD_REQUIRED, .doc = "texts that it does not hit"),
};
static const struct entity rule_entity = ENTITY("PatternRule", 0x0571, 1, struct rule, rule_fields);

struct document {
    uint8_t class;
    struct entity_list rules;
};

static const struct field file_fields[] = {
    FIELD_AS(1, struct document, class, "class", ENUM, 0, .names = patterns_class_names, .flags = FIELD_REQUIRED,
             .doc = "of all its rules"),
    FIELD(2, struct document, rules, LIST, 256, .min = 1, .nested = &rule_entity, .flags = FIELD_REQUIRED,
          .doc = "the rules"),
};
static const struct entity file_entity = ENTITY("PatternFile", 0x0570, 1, struct document, file_fields);

/* --- patterns that stay within their line */

struct rewriting {
    struct view from;
    size_t at;
    bool shape, in_class;
    struct writer w;
    const char *wrong;
};

/* An escape that is known to match no line break. */
static void take_escape(struct rewriting *r)
{
    uint8_t c = r->at + 1 < r->from.len ? r->from.ptr[r->at + 1] : 0;
    size_t length = c == 'x' ? 4 : 2;
    bool sign = c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    uint8_t high = r->at + 2 < r->from.len ? r->from.ptr[r->at + 2] : 0;
    if (!sign && !(c && strchr(r->in_class ? "dwrx" : "bBdwSrx", c)))
        r->wrong = "this escape is not allowed: signs, \\b, \\B, \\d, \\w, \\S, \\r and \\xHH from 20 up are; for "
                   "white space write a blank";
    else if (c == 'x' && (r->at + 4 > r->from.len || !((high >= '2' && high <= '9') || (high >= 'a' && high <= 'f'))))
        r->wrong = "\\x needs two lower-case hex digits, from 20 up";
    if (r->wrong)
        return;
    writer_bytes(&r->w, r->from.ptr + r->at, length);
    r->at += length;
}

static void take_class(struct rewriting *r)
{
    size_t first = r->at + 1;
    writer_u8(&r->w, '[');
    r->at++;
    if (r->at < r->from.len && r->from.ptr[r->at] == '^') {
        writer_str(&r->w, "^\\n");
        r->at++;
        first++;
    }
    r->in_class = true;
    while (r->at < r->from.len && !r->wrong && (r->from.ptr[r->at] != ']' || r->at == first)) {
        if (r->from.ptr[r->at] == '[' || r->from.ptr[r->at] < ' ')
            r->wrong = "within a class write \\[, and no control character";
        else if (r->from.ptr[r->at] == '\\')
            take_escape(r);
        else
            writer_u8(&r->w, r->from.ptr[r->at++]);
    }
    r->in_class = false;
    if (!r->wrong && r->at == r->from.len)
        r->wrong = "a class is not closed";
    if (r->wrong)
        return;
    writer_u8(&r->w, ']');
    r->at++;
}

static void take_sign(struct rewriting *r)
{
    uint8_t c = r->from.ptr[r->at];
    bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
    if (c == '\\') {
        take_escape(r);
        return;
    }
    if (c == '[') {
        take_class(r);
        return;
    }
    if (c < ' ' || c == 0x7f)
        r->wrong = "control characters are not allowed";
    else if ((upper && !r->shape) || (lower && r->shape))
        r->wrong = r->shape ? "shapes of SQL have upper-case letters only" : "text is lower case when it gets here";
    else if (c == '(' && r->at + 2 < r->from.len && r->from.ptr[r->at + 1] == '?' && r->from.ptr[r->at + 2] != ':')
        r->wrong = "of groups with (? only (?: is allowed";
    else if (c == '(' && r->at + 1 < r->from.len && r->from.ptr[r->at + 1] == '*')
        r->wrong = "verbs are not allowed";
    writer_u8(&r->w, c);
    r->at++;
}

static enum err rewrite(struct rule *rule, const struct yaml_node *node, struct arena *arena, struct problem *why)
{
    char text[3 * PATTERN_MAX];
    struct rewriting r = {
        .from = rule->pattern, .shape = rule->on == RULE_ON_SQL, .w = writer_fixed(text, sizeof text)};
    while (r.at < r.from.len && !r.wrong)
        take_sign(&r);
    if (r.wrong)
        return yaml_refuse(why, ERR_BAD_CONFIG, node, "character %zu: %s", r.at + 1, r.wrong);
    TRY(writer_done(&r.w));
    rule->compiled = arena_str(arena, writer_view_of(&r.w));
    return rule->compiled ? OK : ERR_NO_MEMORY;
}

static enum err find_parts(struct rule *rule, const struct yaml_node *node, struct problem *why)
{
    rule->parts = rule->in.count ? 0 : (1u << PATTERNS_PARTS) - 1;
    for (size_t i = 0; i < rule->in.count; i++) {
        size_t part = 0;
        while (part < PATTERNS_PARTS && !view_is(rule->in.items[i], patterns_part_names[part]))
            part++;
        if (part == PATTERNS_PARTS)
            return yaml_refuse(why, ERR_BAD_CONFIG, &node->items[i],
                               "no part of a request: path, query, cookie, agent, header, form, json, text");
        rule->parts |= 1u << part;
    }
    return OK;
}

static enum err finish(struct rule *rule, const struct yaml_node *node, struct arena *arena, struct problem *why)
{
    const struct yaml_node *pattern = yaml_get(node, "pattern");
    if (rule->hits.count == 0 || rule->misses.count == 0)
        return yaml_refuse(why, ERR_BAD_CONFIG, node, "a rule needs texts that it hits and texts that it misses");
    rule->file = pattern->file;
    rule->line = pattern->line;
    rule->column = pattern->column;
    rule->name = arena_str(arena, rule->id);
    if (!rule->name)
        return ERR_NO_MEMORY;
    TRY(find_parts(rule, yaml_get(node, "in"), why));
    return rewrite(rule, pattern, arena, why);
}

enum err rule_file_parse(const char *file, struct view text, struct arena *arena, struct rules *ret,
                         struct problem *why)
{
    struct document d = {0};
    const struct yaml_node *root = NULL, *list;
    struct rule *items;
    TRY(yaml_read(file, text, arena, &root, why));
    TRY(yaml_entity(&file_entity, root, arena, &d, why));
    list = yaml_get(root, "rules");
    items = d.rules.items;
    for (size_t i = 0; i < d.rules.count; i++) {
        items[i].class = d.class;
        TRY(finish(&items[i], &list->items[i], arena, why));
    }
    *ret = (struct rules){items, d.rules.count};
    return OK;
}
