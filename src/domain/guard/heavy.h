/* Who comes most often, in a fixed amount of memory: space-saving (Metwally, Agrawal, El Abbadi 2005) in sets of eight
 * places, of which a keyed hash says where a name belongs. A name that makes up more than an eighth of what comes into
 * its set, one in 64 of all, is there; its count is too high by `error` at most. Names that come no more are forgotten
 * after five to ten minutes.
 *
 * One thread counts, any thread reads, and neither waits: counting costs some tens of nanoseconds. */
#ifndef HOLDFAST_DOMAIN_GUARD_HEAVY_H
#define HOLDFAST_DOMAIN_GUARD_HEAVY_H

#include "base/clock.h"

#define HEAVY_NAME_MAX 71 /* bytes; of a longer one its beginning is kept */
#define HEAVY_PLACES   512
#define HEAVY_HALF_MS  300000u /* counts are of this long at least, and of twice as long at most */

struct heavy;
RESULT heavy_new(const struct random *random, struct heavy **ret);
void heavy_free(struct heavy *h);

/* name_of writes the name (NUL-terminated) when it is needed, which is seldom. now_ms: monotonic. */
struct heavy_name {
    struct view key; /* what it is told apart by */
    void (*write)(struct view key, char out[static HEAVY_NAME_MAX + 1]);
};
void heavy_count(struct heavy *h, const struct heavy_name *name, uint64_t now_ms);

struct heavy_seen {
    uint64_t count, error;
    char name[HEAVY_NAME_MAX + 1];
};
/* Those that are there, in no particular order; how many. */
size_t heavy_read(const struct heavy *h, struct heavy_seen ret[static HEAVY_PLACES]);

AUTO_DEFINE(struct heavy *, heavy_free);

#endif
