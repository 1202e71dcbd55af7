/* Does a request look like an attack? Its parts are normalised (domain/guard/patterns/normalise.h) into one buffer,
 * which is scanned once for all signatures together. The signatures are data (spec/patterns/,
 * domain/guard/patterns/rule_file.h) and are compiled to automata by Hyperscan: no look-around, no back-references, no
 * backtracking, so there is no text on which a signature takes more than linear time.
 *
 * A parameter's score is the sum over the rules that hit it, each counted once; a request's score is that of its worst
 * parameter, so that a long form is no more suspicious than a short one. From the threshold on it is blocked. */
#ifndef HOLDFAST_GUARD_PATTERNS_H
#define HOLDFAST_GUARD_PATTERNS_H

#include "base/buf.h"
#include "base/clock.h"

#define PATTERNS_THRESHOLD  5
#define PATTERNS_BODY_LIMIT 65536
#define PATTERNS_HITS_MAX   8
#define PATTERNS_NAME_MAX   32
#define PATTERNS_RULES_MAX  512

enum patterns_class {
    PATTERNS_SQLI,
    PATTERNS_XSS,
    PATTERNS_TRAVERSAL,
    PATTERNS_COMMAND,
    PATTERNS_HEADER,
    PATTERNS_CLASSES
};
extern const char *const patterns_class_names[PATTERNS_CLASSES + 1]; /* NULL-terminated */

/* Where a value stood. */
enum patterns_part {
    PATTERNS_PATH,
    PATTERNS_QUERY,
    PATTERNS_COOKIE,
    PATTERNS_AGENT, /* the header User-Agent */
    PATTERNS_OTHER, /* any other header */
    PATTERNS_FORM,
    PATTERNS_JSON,
    PATTERNS_TEXT, /* a body that is neither */
    PATTERNS_PARTS,
};
extern const char *const patterns_part_names[PATTERNS_PARTS + 1]; /* NULL-terminated */

/* --- the signatures */

struct patterns; /* read-only once it is made: any number of threads may use one */

struct patterns_file {
    const char *name; /* in messages */
    struct view text;
};

/* A rule, or all of a class (rule is a rule's id or a class's name), only counts, or is off. */
enum patterns_mode { PATTERNS_BLOCK, PATTERNS_COUNT, PATTERNS_OFF };

struct patterns_setting {
    struct view rule;
    enum patterns_mode mode;
    size_t row; /* of the configuration's list, from 0 up: for messages */
};

/* Hits of a rule (an id, a class's name, or empty: any) on a parameter (empty: any) at an endpoint and what lies below
 * it (empty: any) are no hits. Names are compared as they are sent: an encoded one is not excluded. */
struct patterns_exclusion {
    struct view endpoint, parameter, rule;
};

/* What is pointed to is copied. */
struct patterns_options {
    uint32_t threshold; /* 0: PATTERNS_THRESHOLD */
    size_t body_limit;  /* bytes of a body, or of any one value, that are looked at; 0: PATTERNS_BODY_LIMIT */
    bool pass_longer;   /* a request with more than that is judged by what was seen, instead of being blocked */
    const struct patterns_setting *settings;
    size_t setting_count;
    const struct patterns_exclusion *exclusions;
    size_t exclusion_count;
};

/* Takes some tenths of a second. ERR_BAD_CONFIG, with file:line:column in why, for a file that is wrong, for an id that
 * appears twice, for a rule that does not hit or miss the texts in its file, and for an option that names no rule (then
 * with the setting's name, as config_place in ipc/config.h takes it); ERR_TOO_LONG above PATTERNS_RULES_MAX;
 * ERR_UNAVAILABLE if the processor lacks what the scanner needs, or if the scanner misses a text at some places in
 * memory; ERR_NO_MEMORY. options may be NULL. */
RESULT patterns_new(const struct patterns_file *files, size_t count, const struct patterns_options *options,
                    struct patterns **ret, struct problem *why);
void patterns_free(struct patterns *p);
/* The rules' files and the automata that were made of them, for patterns_load on this machine, which takes some
 * milliseconds instead. Only for who is trusted like the program itself: the automata are not checked. */
RESULT patterns_save(const struct patterns *p, struct writer *w);
/* ERR_MALFORMED for what patterns_save did not write; else as patterns_new, but for what is wrong with a rule. */
RESULT patterns_load(struct view saved, const struct patterns_options *options, struct patterns **ret,
                     struct problem *why);
size_t patterns_count(const struct patterns *p);
/* The files that they came from, in their order, with their texts. */
size_t patterns_files(const struct patterns *p, const struct patterns_file **ret);
const struct rule *patterns_rule(const struct patterns *p, size_t i); /* domain/guard/patterns/rule_file.h */

/* --- a request */

/* The memory of one thread: patterns_check allocates nothing. It is wiped after each request, but for what names texts
 * of which no rule spoke (domain/guard/patterns/clean.h), so that the next request is not searched for them. random:
 * for the seed of these names; NULL if nothing shall be remembered, for tests and figures. */
struct patterns_scratch;
RESULT patterns_scratch_new(const struct patterns *p, const struct random *random, struct patterns_scratch **ret);
void patterns_scratch_free(struct patterns_scratch *s);

enum patterns_body { PATTERNS_BODY_NONE, PATTERNS_BODY_FORM, PATTERNS_BODY_JSON, PATTERNS_BODY_TEXT };
/* By the text of Content-Type: what is neither JSON nor a form is text. */
enum patterns_body patterns_body_kind(struct view content_type);

struct patterns_field {
    struct view name, value;
};

/* Views of the request as it came; nothing is decoded, nothing is copied by the caller. */
struct patterns_request {
    struct view endpoint;                 /* for exclusions: the path as the policy knows it */
    struct view target;                   /* path and query of the request line */
    const struct patterns_field *headers; /* Cookie among them; those that carry credentials are passed over */
    size_t header_count;
    enum patterns_body kind;
    struct view body;
    bool body_cut; /* there is more of it, which is not here: longer */
};

struct patterns_hit {
    const char *id; /* lives as long as struct patterns */
    enum patterns_class class;
    enum patterns_part part;
    uint8_t score;
    bool counts_only; /* is not part of the score */
    uint8_t name_len;
    char name[PATTERNS_NAME_MAX]; /* of the parameter, as it was sent, cut: for text_put_safe, not for a terminal */
};

struct patterns_verdict {
    bool blocked, longer; /* longer: something was beyond the limit and was not seen */
    uint32_t score;
    unsigned classes; /* mask of 1 << enum patterns_class over all hits that are not counts_only */
    size_t hit_count; /* those of the worst parameter come first; more than PATTERNS_HITS_MAX are left out */
    struct patterns_hit hits[PATTERNS_HITS_MAX];
};

/* ERR_INTERNAL if the scanner fails: then nothing is known of the request. */
RESULT patterns_check(const struct patterns *p, const struct patterns_request *r, struct patterns_scratch *s,
                      struct patterns_verdict *ret);

AUTO_DEFINE(struct patterns *, patterns_free);
AUTO_DEFINE(struct patterns_scratch *, patterns_scratch_free);

#endif
