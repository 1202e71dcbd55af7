/* Debian's vectorscan 5.4.9 misses matches on processors with AVX-512, depending on where the text lies, so what a
 * scanner is trusted with is tried on the very machine. */
#include "domain/guard/patterns/selftest.h"

#include "domain/guard/patterns/normalise.h"

#define ALIGNMENTS 64   /* bytes of the widest vector register */
#define FILLER     192  /* blanks before and behind a text, so that it is neither first nor last of what is scanned */
#define TEXT_MAX   4096 /* as the entity allows */

struct trial {
    const struct patterns *p;
    hs_scratch_t *scanner;
    uint8_t *buffer; /* blanks, a line break, the text, blanks; begins at a multiple of ALIGNMENTS */
    uint8_t *lines;
    unsigned rule;
    bool hit;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    struct trial *t = context;
    (void)from;
    (void)to;
    (void)flags;
    t->hit |= id == t->rule;
    return 0;
}

/* How many alignments of the first `tries` see a hit. */
static enum err count_hits(struct trial *t, size_t len, size_t tries, size_t *ret)
{
    size_t hits = 0;
    for (size_t offset = 0; offset < tries; offset++) {
        uint8_t *at = t->buffer + offset;
        memset(at, ' ', FILLER - 1);
        at[FILLER - 1] = '\n';
        memcpy(at + FILLER, t->lines, len);
        memset(at + FILLER + len, ' ', FILLER);
        t->hit = false;
        if (hs_scan(t->p->database, (const char *)at, (unsigned)(len + FILLER + FILLER), 0, t->scanner, on_match, t) !=
            HS_SUCCESS)
            return ERR_INTERNAL;
        hits += t->hit;
    }
    *ret = hits;
    return OK;
}

static enum err try_text(struct trial *t, struct view text, bool must, struct problem *why)
{
    const struct rule *rule = t->p->rules[t->rule];
    size_t tries = must ? ALIGNMENTS : 1, hits = 0, len;
    char where[sizeof why->where];
    if (text.len > TEXT_MAX)
        return ERR_TOO_LONG;
    len = normalise(text, NORMALISE_PLAIN, 0, t->lines);
    TRY(count_hits(t, len, tries, &hits));
    if (hits == (must ? tries : 0))
        return OK;
    (void)snprintf(where, sizeof where, "%s:%u:%u", rule->file, (unsigned)rule->line, (unsigned)rule->column);
    if (must && hits)
        return problem_set(
            why, ERR_UNAVAILABLE, where,
            "%s: the library that scans misses a text at %zu of %zu places in memory; vectorscan 5.4.9 does on "
            "AVX-512: install libhyperscan5 instead",
            rule->name, tries - hits, tries);
    return problem_set(why, ERR_BAD_CONFIG, where, "%s: the pattern %s '%.*s'", rule->name,
                       must ? "does not hit" : "hits", (int)(text.len < 80 ? text.len : 80), (const char *)text.ptr);
}

static enum err try_all(struct trial *t, struct problem *why)
{
    for (t->rule = 0; t->rule < t->p->rule_count; t->rule++) {
        const struct rule *rule = t->p->rules[t->rule];
        for (size_t i = 0; i < rule->hits.count; i++)
            TRY(try_text(t, rule->hits.items[i], true, why));
        for (size_t i = 0; i < rule->misses.count; i++)
            TRY(try_text(t, rule->misses.items[i], false, why));
    }
    return OK;
}

enum err selftest_run(const struct patterns *p, struct problem *why)
{
    size_t room = (NORMALISE_ROOM(TEXT_MAX) + 2 * FILLER + 2 * ALIGNMENTS) / ALIGNMENTS * ALIGNMENTS;
    struct trial t = {.p = p, .buffer = aligned_alloc(ALIGNMENTS, room), .lines = malloc(room)};
    enum err e = ERR_NO_MEMORY;
    if (t.buffer && t.lines && hs_alloc_scratch(p->database, &t.scanner) == HS_SUCCESS)
        e = try_all(&t, why);
    hs_free_scratch(t.scanner);
    free(t.buffer);
    free(t.lines);
    return e;
}
