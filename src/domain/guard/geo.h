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

/* Takes the file's contents, copied, unless mmdb_open refuses them: then the database before stays in force. */
RESULT geo_load(struct geo *g, struct view file, uint64_t now_ms, struct problem *why);
/* The same for the file at path, if it is another one, or was changed, since the last call: else it does nothing and is
 * OK. To be called every few seconds, not in a loop's thread. Also ERR_NOT_FOUND, ERR_IO, ERR_TOO_LONG, and ERR_BUSY
 * when it is being written. A failure is in the status, and is not tried again before the file changes anew. */
RESULT geo_refresh(struct geo *g, const char *path, uint64_t now_ms, struct problem *why);

struct geo_status {
    bool loaded;                  /* a database is in force */
    uint64_t built_ms, loaded_ms; /* milliseconds since 1970; of the one in force */
    size_t bytes;
    char type[MMDB_TYPE_MAX + 1]; /* such as GeoLite2-Country */
    struct problem failed;        /* why the last file was not taken; code OK: it was */
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
/* now_ms: wall clock. A clock that was set back makes no database old. */
void geo_judge(struct geo *g, const struct geo_rule *rule, const struct address *a, uint64_t now_ms,
               struct geo_answer *ret);

AUTO_DEFINE(struct geo *, geo_free);

#endif
