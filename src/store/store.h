/* The store knows only sealed bytes: rows {table, key} → {version, value}, and nothing of what they mean.
 *
 * A key is at most STORE_KEY_MAX bytes, compared bytewise. A row's version is given by the writer and rises by one
 * with each change of meaning; rewrapping keeps it. All calls block; each struct store is used by one thread at a time,
 * and many may be open on one database. A read sees only durable commits. */
#ifndef HOLDFAST_STORE_STORE_H
#define HOLDFAST_STORE_STORE_H

#include "base/arena.h"

#define STORE_KEY_MAX   255
#define STORE_VALUE_MAX (1u << 20)

/* Tables are numbers, never reused; ARCHITECTURE.md lists them. */
enum store_table {
    TABLE_META = 1,         /* installation, schema, counters of the log */
    TABLE_LOG = 2,          /* leaf index (u64) → leaf and sealed fields */
    TABLE_TILE = 3,         /* Merkle tiles: level, index */
    TABLE_CHECKPOINT = 4,   /* signed checkpoints by size */
    TABLE_SUBJECT = 5,      /* subject keys of the record, sealed */
    TABLE_INDEX = 6,        /* blind index: term, descending position */
    TABLE_SECRET = 7,       /* secrets: metadata, by blinded path */
    TABLE_SECRET_VALUE = 8, /* secrets: values by id and version, sealed by the keeper */
    TABLE_CREDENTIAL = 9,   /* signing credentials: descriptor and sealed key */
    TABLE_USER = 10,
    TABLE_SESSION = 11,
    TABLE_KEY = 12, /* API keys */
    TABLE_ROLE = 13,
    TABLE_GRANT = 14,      /* what refresh tokens stand for */
    TABLE_REVOCATION = 15, /* of tokens */
    TABLE_PASSKEY = 16,
    TABLE_MAPPING = 17,  /* who is meant by a certificate or a Unix group */
    TABLE_APPROVAL = 18, /* changes that wait for a second administrator */
    TABLE_USAGE = 19,    /* what API keys were used for; counted, not recorded */
    TABLE_NETWORK = 20,  /* what the operator says of networks */
    TABLE_COUNT
};
/* For people: "SECRET_VALUE", and what its rows are, "values of secrets". "?" for a number that is no table. */
const char *store_table_name(uint16_t table);
const char *store_table_rows(uint16_t table);

struct store; /* one connection */

struct store_row {
    struct view key;
    uint64_t version;
    struct view value;
};

enum store_op { STORE_PUT, STORE_DELETE };

/* One change. expect is the version the row must have now: 0 = must not exist, STORE_ANY = no condition. */
#define STORE_ANY UINT64_MAX
struct store_change {
    enum store_op op;
    uint16_t table;
    struct view key;
    uint64_t expect;
    uint64_t version; /* PUT: the new version */
    struct view value;
};

/* url: "sqlite:/path/file.db" or "memory:", each optionally followed by "?name=value&…": vfs (SQLite only: the name of
 * a registered VFS), busy (milliseconds that begin waits for another writer, 5000). The schema is made when missing; a
 * newer one is ERR_TOO_NEW, another program's database ERR_BAD_CONFIG, a damaged file or one that is no database
 * ERR_TAMPERED; why says which. */
RESULT store_open(const char *url, struct store **ret, struct problem *why);
/* A further connection to the same data, for another thread; s may be in use meanwhile, and may be closed before.
 * Read-only ones take no write lock ever. */
RESULT store_share(struct store *s, bool read_only, struct store **ret);
void store_close(struct store *s);

/* ERR_NOT_FOUND. Key and value are copied into arena. Also between begin and commit a read sees durable commits only.
 */
RESULT store_get(struct store *s, uint16_t table, struct view key, struct arena *arena, struct store_row *ret);
/* Rows of from <= key < to (to empty: the table's end) in key order, at most limit, or in reverse from the end.
 * visit returns false to stop; its views live until it returns. */
RESULT store_range(struct store *s, uint16_t table, struct view from, struct view to, bool reverse, size_t limit,
                   bool (*visit)(void *context, const struct store_row *row), void *context);

/* From hold to release, reads share one look at the data where they can, which spares each of them the locks of its
 * own. A read still sees every commit of this process that had ended when it began. Upkeep waits for whoever holds, so
 * hold for the length of one turn of a loop, not longer. For read-only connections; without effect on others. Calls do
 * not nest. */
void store_hold(struct store *s);
void store_release(struct store *s);

/* A commit is built in one go by one thread: begin, apply transactions one after another, commit or roll back.
 * store_apply is all or nothing for its changes: on ERR_CONFLICT (an expectation failed; *ret_failed names the change)
 * nothing of this call stays and the commit goes on. Changes act in their order, so a later one, of this call or of the
 * next, sees what an earlier one did to the same row. It is fastest when only the first change has an expectation.
 * ERR_TOO_LONG, ERR_OUT_OF_RANGE: the change itself is wrong, as with ERR_CONFLICT. After any other error of apply
 * nothing of the whole commit stays, and commit returns that error again.
 * After store_commit returns OK everything applied is durable. ERR_NO_SPACE, ERR_IO: nothing of the commit stays, and
 * the store is usable again. store_begin is ERR_BUSY when another connection's commit takes too long. */
RESULT store_begin(struct store *s);
RESULT store_apply(struct store *s, const struct store_change *changes, size_t count, size_t *ret_failed);
RESULT store_commit(struct store *s);
void store_rollback(struct store *s);

/* Work that belongs outside a commit's path: SQLite's WAL checkpoint. Called by a thread of its own. */
RESULT store_maintain(struct store *s);
/* Size in bytes on disk, 0 for memory. */
uint64_t store_size(struct store *s);
/* What the last failure of this connection was about, for the log: its code, and in detail the backend's own words. */
void store_explain(const struct store *s, struct problem *ret);

AUTO_DEFINE(struct store *, store_close);

#endif
