/* What files say of networks (GRD-2): a database of countries, and feeds of networks that are kept out, by the numbers
 * of config_guard_file (ipc/config.h). The supervisor opens the files, and hands on another descriptor when one of them
 * was replaced. What can't be taken leaves in force what was taken before, and shows in the status.
 *
 * Judging never waits; all calls from any thread, but netfiles_take and netfiles_missing from one at a time. */
#ifndef HOLDFAST_DOMAIN_GUARD_NETFILES_H
#define HOLDFAST_DOMAIN_GUARD_NETFILES_H

#include "crypto/hash.h"
#include "domain/guard/geo.h"
#include "domain/guard/networks.h"
#include "ipc/config.h"

#define NETFILES_FEED_MAX (128u * 1024 * 1024) /* bytes of a feed's file */

struct netfiles;
/* Borrows from config and networks, which must outlive it. */
RESULT netfiles_new(const struct config_guard *config, struct networks *networks, struct netfiles **ret);
void netfiles_free(struct netfiles *l);
size_t netfiles_count(const struct netfiles *l);

/* Reads the file that is open at fd, which stays the caller's, and puts what it says in force. Takes as long as
 * mmdb_open and networks_feed_load do: not in a loop's thread. A feed is in force for its hours from the file's last
 * change on, or from now if that lies in the future. Errors of whole_read, mmdb_open and networks_feed_load;
 * ERR_MALFORMED as well for a feed that is empty, or whose last line does not end: it was cut short. */
RESULT netfiles_take(struct netfiles *l, size_t which, int fd, uint64_t now_ms, struct problem *why);
/* There is no such file, or it can't be opened: why. */
void netfiles_missing(struct netfiles *l, size_t which, const struct problem *why, uint64_t now_ms);
/* Each file was taken, refused or found missing once. Before, nobody is let in whom they could keep out. */
bool netfiles_ready(const struct netfiles *l);

bool netfiles_ask_countries(const struct netfiles *l); /* there is a rule for them */
/* What the rule says of this address; only with netfiles_ask_countries. */
void netfiles_judge(const struct netfiles *l, const struct address *a, uint64_t now_ms, struct geo_answer *ret);

enum netfiles_state {
    NETFILES_NONE = 1, /* nothing was taken yet */
    NETFILES_OLD,      /* what was taken is not relied on any more */
    NETFILES_IN_FORCE,
};
struct netfiles_status {
    enum netfiles_state state;
    /* of what was taken last; 0 before */
    uint64_t loaded_ms, changed_ms, ends_ms; /* milliseconds since 1970; ends_ms 0: never */
    size_t bytes;
    uint8_t sha256[SHA256_SIZE];        /* of the file */
    struct networks_feed_report report; /* of a feed */
    struct geo_status database;         /* of the database */
    /* of the last file that was not taken since; code OK: none */
    struct problem failed;
    uint64_t failed_ms;
};
void netfiles_status(struct netfiles *l, size_t which, uint64_t now_ms, struct netfiles_status *ret);

/* What somebody should look after, the worst of all files; NETFILES_WELL before each was read once. */
enum netfiles_trouble {
    NETFILES_WELL,
    NETFILES_NOT_TAKEN,     /* a newer file than the one in force can't be taken */
    NETFILES_FEED_OFF,      /* a feed was never read, or has ended: it keeps out nobody */
    NETFILES_COUNTRIES_OFF, /* there is no database to rely on: `without` decides */
};
enum netfiles_trouble netfiles_trouble(struct netfiles *l, uint64_t now_ms);

AUTO_DEFINE(struct netfiles *, netfiles_free);

#endif
