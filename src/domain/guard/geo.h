/* Countries of addresses (GRD-2), from a MaxMind DB file that is read into memory as a whole: no one who cuts the file
 * short can do anything to us. Look-ups never wait, also while another file takes its place; all calls from any thread.
 */
#ifndef HOLDFAST_DOMAIN_GUARD_GEO_H
#define HOLDFAST_DOMAIN_GUARD_GEO_H

#include "domain/guard/mmdb.h"

#define GEO_FILE_MAX (512u * 1024 * 1024) /* bytes */

struct geo;
RESULT geo_new(struct geo **ret); /* without a database */
void geo_free(struct geo *g);     /* nobody uses it any more */

/* Puts the database in force that a file holds, unless mmdb_open refuses it: then the one before stays. bytes are from
 * malloc, and taken, also on failure. */
RESULT geo_load(struct geo *g, uint8_t *bytes, size_t len, uint64_t now_ms, struct problem *why);

struct geo_status {
    bool loaded;                  /* a database is in force */
    uint64_t built_ms, loaded_ms; /* milliseconds since 1970 */
    size_t bytes;
    char type[MMDB_TYPE_MAX + 1]; /* such as GeoLite2-Country */
};
void geo_status(struct geo *g, struct geo_status *ret);

/* --- the rule */

struct geo_countries {
    uint64_t bits[(26 * 26 + 63) / 64]; /* by code: AA, AB, … */
};
RESULT geo_countries_add(struct geo_countries *c, struct view code); /* two capital letters; ERR_MALFORMED */
bool geo_countries_have(const struct geo_countries *c, const char code[static MMDB_COUNTRY_SIZE]);

struct geo_rule {
    struct geo_countries countries;
    bool only;           /* these alone are let in; else all but these */
    bool closed;         /* without a database that can be relied on, nobody is let in; else everybody */
    uint64_t max_age_ms; /* since it was built; older ones can't be relied on. 0: any age */
};
enum geo_reason {
    GEO_LISTED,   /* the country is one of the rule's */
    GEO_UNLISTED, /* it is another one */
    GEO_UNKNOWN,  /* the database says none: let in, unless `only` */
    GEO_NONE,     /* there is no database */
    GEO_OLD,      /* it is too old */
};
struct geo_answer {
    bool let_in;
    enum geo_reason reason;
    char country[MMDB_COUNTRY_SIZE]; /* empty where it is not known */
};
/* A clock that was set back makes no database old. */
bool geo_is_old(const struct geo_rule *rule, uint64_t built_ms, uint64_t now_ms);
/* now_ms: wall clock. */
void geo_judge(struct geo *g, const struct geo_rule *rule, const struct address *a, uint64_t now_ms,
               struct geo_answer *ret);

AUTO_DEFINE(struct geo *, geo_free);

#endif
