/* Files of rules: one class, and its rules, as YAML. A rule is one regular expression over one line of normalised text
 * (domain/guard/patterns/normalise.h), with texts that it must hit and texts that it must not, which are run whenever
 * rules are loaded.
 *
 * Patterns are those of Hyperscan without what could reach into another line: "^" and "$" are the ends of a line,
 * negated classes never take a line break, and escapes are those of ASCII signs, \b, \d, \w, \S, \B, \r and \xHH from
 * 20 up. Letters are lower case, and upper case where `on` is sql (domain/guard/patterns/sql_shape.h): as the lines
 * are. */
#ifndef HOLDFAST_GUARD_PATTERNS_RULE_FILE_H
#define HOLDFAST_GUARD_PATTERNS_RULE_FILE_H

#include "base/arena.h"
#include "base/entity.h"

#define RULE_SCORE_MAX 10

enum rule_on { RULE_ON_TEXT, RULE_ON_SQL };

struct rule {
    struct view id; /* a-z, 0-9, "-" */
    uint8_t class;  /* enum patterns_class, of its file */
    uint8_t score, on;
    unsigned parts; /* mask of 1 << enum patterns_part */
    struct view description, pattern;
    struct text_list in, hits, misses;
    const char *compiled; /* the pattern for Hyperscan, NUL-terminated */
    const char *name;     /* id, NUL-terminated */
    const char *file;
    uint32_t line, column; /* of the pattern */
};

struct rules {
    struct rule *items;
    size_t count;
};

/* Everything is kept in arena. The patterns' syntax is Hyperscan's to check, in patterns_new. */
RESULT rule_file_parse(const char *file, struct view text, struct arena *arena, struct rules *ret, struct problem *why);

#endif
