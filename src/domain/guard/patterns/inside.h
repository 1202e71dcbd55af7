/* What the files of this folder share of the compiled signatures. */
#ifndef HOLDFAST_GUARD_PATTERNS_INSIDE_H
#define HOLDFAST_GUARD_PATTERNS_INSIDE_H

#include "domain/guard/patterns/patterns.h"
#include "domain/guard/patterns/rule_file.h"

#include <hs/hs.h>

struct patterns {
    struct arena *arena; /* files, rules, exclusions */
    struct patterns_file *files;
    size_t file_count;
    hs_database_t *database;
    uint64_t generation; /* no two have the same one in a process; 0 is nobody's */
    struct rule **rules; /* by the number that Hyperscan reports */
    size_t rule_count;
    uint8_t *modes; /* enum patterns_mode of each rule */
    struct patterns_exclusion *exclusions;
    size_t exclusion_count;
    uint32_t threshold;
    size_t body_limit;
    bool pass_longer;
};

/* Files and options into an empty p: all but the database. */
RESULT patterns_read(struct patterns *p, const struct patterns_file *files, size_t count,
                     const struct patterns_options *o, struct problem *why);

#endif
