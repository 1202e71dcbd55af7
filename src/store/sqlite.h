/* Inside of the SQLite backend: sqlite.c works on rows, sqlite_open.c opens files and looks after them. */
#ifndef HOLDFAST_STORE_SQLITE_H
#define HOLDFAST_STORE_SQLITE_H

#include "store/backend.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define SQLITE_APPLICATION_ID 0x486f6c64 /* "Hold" */
#define SQLITE_TABLE_MAX      200

enum sqlite_sql {
    SQL_GET,
    SQL_PUT_ANY,
    SQL_PUT_NEW,
    SQL_PUT_IF,
    SQL_DELETE_ANY,
    SQL_DELETE_NEW,
    SQL_DELETE_IF,
    SQL_RANGE_OPEN,
    SQL_RANGE,
    SQL_REVERSE_OPEN,
    SQL_REVERSE,
    SQL_OF_TABLES
};

enum sqlite_plain {
    PLAIN_BEGIN,
    PLAIN_COMMIT,
    PLAIN_ROLLBACK,
    PLAIN_SAVE,
    PLAIN_RELEASE,
    PLAIN_BACK,
    PLAIN_LOOK,
    PLAIN_COUNT
};

/* What the connections of one store_open have in common. */
struct sqlite_family {
    atomic_uint refs;
    _Atomic uint64_t commits; /* that are durable: counted before anybody is told of them */
    pthread_mutex_t gate;     /* commits pass through it as they begin; upkeep may hold it for a moment */
};

struct sqlite_store {
    struct store base;
    struct sqlite_family *family;
    sqlite3 *db;
    char *path;
    char vfs[STORE_VFS_MAX];
    unsigned busy_ms;
    const char *extra;                                /* static text */
    bool holds;                                       /* reads share a look at the data … */
    uint64_t looked;                                  /* … at this many commits or more, if a transaction is open */
    struct store *reader;                             /* for reads inside a commit, made when first needed */
    sqlite3_stmt *tables[TABLE_COUNT][SQL_OF_TABLES]; /* made when first needed */
    sqlite3_stmt *plain[PLAIN_COUNT];
};

/* The error of a result code of SQLite's, kept for store_explain. OK for SQLITE_OK, SQLITE_ROW and SQLITE_DONE. */
RESULT sqlite_error(struct sqlite_store *q, int code);
RESULT sqlite_run(struct sqlite_store *q, enum sqlite_plain which);

void sqlite_table(unsigned table, char out[static SQLITE_TABLE_MAX]); /* the SQL that makes it */

/* Opens with further pragmas (NULL: none) after the usual ones. A test of what they are good for needs to see what
 * happens without them. */
RESULT sqlite_open_with(const struct store_place *place, const char *extra, struct store **ret, struct problem *why);
RESULT sqlite_open(const struct store_place *place, struct store **ret, struct problem *why);
RESULT sqlite_share(struct store *s, bool read_only, struct store **ret);
void sqlite_close(struct store *s);
RESULT sqlite_maintain(struct store *s);
uint64_t sqlite_size(struct store *s);
/* Writes a commit that changes nothing, over what a failed one may have left in the write-ahead log. */
void sqlite_void_commit(struct sqlite_store *q);

#endif
