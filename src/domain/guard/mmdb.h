/* MaxMind DB files (https://maxmind.github.io/MaxMind-DB/, version 2): the country of an address, out of bytes in
 * memory.
 *
 * Not libmaxminddb: in Debian 12 it follows nested values on the stack without an end (a file of 9 MB ends the
 * process), and maps the file, so that somebody who cuts it short ends the process too. Here every value is read inside
 * its bounds, nothing recurs, and a record takes at most 2,000 values. All are read when the file is opened: a look-up
 * takes at most 128 steps, and no value. */
#ifndef HOLDFAST_DOMAIN_GUARD_MMDB_H
#define HOLDFAST_DOMAIN_GUARD_MMDB_H

#include "base/address.h"

#define MMDB_COUNTRY_SIZE 3 /* two capital letters (ISO 3166-1) and a NUL */
#define MMDB_TYPE_MAX     63

struct mmdb {
    struct view tree, data; /* borrowed from the file */
    uint32_t nodes, ipv4_root;
    uint64_t ipv4_place;  /* of the record that leads to ipv4_root */
    unsigned record_bits; /* 24, 28 or 32 */
    bool has_ipv6;
    uint16_t *countries; /* for each record of the tree: 0, or 1 more than the country's place from AA to ZZ */
    uint64_t built_ms;   /* milliseconds since 1970 */
    char type[MMDB_TYPE_MAX + 1];
};

/* Reads what the file says of itself, and each record of its tree once: a database that opens is whole. Takes up to a
 * second for ten million records, and 2 bytes of memory for each until mmdb_close. ERR_MALFORMED: it is none, or
 * damaged; ERR_BAD_VALUE: it has no countries; ERR_TOO_NEW: another version of the format; ERR_NO_MEMORY. */
RESULT mmdb_open(struct view file, struct mmdb *ret, struct problem *why);
void mmdb_close(struct mmdb *db); /* the file stays its owner's */

/* The code of the country: at "country"/"iso_code", or at "country" itself. ERR_NOT_FOUND: the database says none for
 * this address. */
RESULT mmdb_country(const struct mmdb *db, const struct address *a, char ret[static MMDB_COUNTRY_SIZE]);

#endif
