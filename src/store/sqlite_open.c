/* Opening, checking and looking after SQLite files. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The layout's number, and how many tables it has: a further table makes a further schema. */
#define LAYOUT 1
#define SCHEMA (LAYOUT * 1000 + TABLE_COUNT - 1)

/* Bytes of write-ahead log from which it is started afresh, and from which its file is cut off too: a log that is
 * overwritten in place syncs faster than one that grows. */
#define RESTART_AT      (16u << 20)
#define TRUNCATE_AT     (128u << 20)
#define RESTART_WAIT_MS 50 /* a restart holds up commits while it waits for readers */

/* Rows are found by pseudorandom keys, so each new one costs a page of its table's index: measured on 128 writers, a
 * fifth more transactions a second than with pages of 4096 bytes, and than with 1024, into which few rows of the log
 * fit. */
#define PAGE_SIZE "2048"

/* No mmap: measured no faster for reads of single rows, and a file cut off by somebody would be a SIGBUS, not an error.
 * The cache is each connection's own, and each background thread has a connection: four times as much was no faster,
 * since the kernel has the pages as well. */
static const char *const pragmas = "PRAGMA synchronous = FULL;"
                                   "PRAGMA wal_autocheckpoint = 0;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA secure_delete = FAST;"
                                   "PRAGMA cell_size_check = ON;"
                                   "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA mmap_size = 0;"
                                   "PRAGMA cache_size = -8192;";

/* What the file's own content could otherwise make us run. */
static const struct {
    int option, on;
} settings[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    {SQLITE_DBCONFIG_DQS_DDL, 0},
    {SQLITE_DBCONFIG_DQS_DML, 0},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
};

/* --- the file */

static void sync_folder_of(const char *path)
{
    char *folder = strdup(path);
    if (!folder)
        return;
    *(strrchr(folder, '/') + 1) = '\0'; /* the path is absolute */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd); /* SQLite syncs the folder with its first journal, too */
        close(fd);
    }
    free(folder);
}

/* Makes the file, or takes its group's and others' rights; SQLite gives the log and the shared memory the same mode.
 * An existing file isn't opened here: closing it would drop the locks that other connections of this process hold. */
static RESULT prepare_file(const char *path, struct problem *why)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        sync_folder_of(path);
        return OK;
    }
    if (errno != EEXIST)
        return problem_set(why, errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_IO, "store",
                           "%s can't be made: %s", path, strerror(errno));
    if (stat(path, &st) != 0)
        return problem_set(why, ERR_IO, "store", "%s can't be looked at: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return problem_set(why, ERR_BAD_CONFIG, "store", "%s is not a file", path);
    if ((st.st_mode & 077) && chmod(path, 0600) != 0)
        return problem_set(why, ERR_IO, "store", "%s can be read by others, and its mode can't be changed: %s", path,
                           strerror(errno));
    return OK;
}

/* --- small statements */

static RESULT exec(struct sqlite_store *q, const char *sql)
{
    return sqlite_error(q, sqlite3_exec(q->db, sql, NULL, NULL, NULL));
}

/* The first column of the first row. */
static RESULT number_of(struct sqlite_store *q, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    TRY(sqlite_error(q, sqlite3_prepare_v2(q->db, sql, -1, &stmt, NULL)));
    int code = sqlite3_step(stmt);
    enum err e = sqlite_error(q, code);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return e;
}

void sqlite_void_commit(struct sqlite_store *q)
{
    char sql[60];
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", SCHEMA);
    (void)!exec(q, sql);
}

/* --- the schema */

/* Rows of some hundred bytes, clustered by key, make a deep tree of few rows a page, whose pages split at each append:
 * with keys and rows apart, a commit of signatures writes a third fewer pages. The index's rows are keys alone. */
void sqlite_table(unsigned table, char out[static SQLITE_TABLE_MAX])
{
    snprintf(out, SQLITE_TABLE_MAX,
             "CREATE TABLE t%u (key BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT%s",
             table, table == TABLE_INDEX ? ", WITHOUT ROWID" : "");
}

/* Visits the file's own schema, but for the indexes that SQLite makes by itself: context counts the rows that are one
 * of our tables, word for word; any other ends it. */
static int check_schema_row(void *context, int columns, char **texts, char **names)
{
    (void)columns;
    (void)names;
    char sql[SQLITE_TABLE_MAX];
    for (unsigned table = 1; table < TABLE_COUNT; table++) {
        sqlite_table(table, sql);
        if (texts[0] && strcmp(texts[0], sql) == 0) {
            ++*(unsigned *)context;
            return 0;
        }
    }
    return 1;
}

static RESULT check_schema(struct sqlite_store *q, struct problem *why)
{
    unsigned tables = 0;
    int code = sqlite3_exec(q->db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", check_schema_row, &tables,
                            NULL);
    if (code == SQLITE_ABORT || (code == SQLITE_OK && tables != TABLE_COUNT - 1))
        return problem_set(why, ERR_TAMPERED, "store", "%s: its schema was changed by something other than Holdfast",
                           q->path);
    return sqlite_error(q, code);
}

struct identity {
    int64_t application, schema, things;
};

static RESULT read_identity(struct sqlite_store *q, struct identity *ret)
{
    TRY(number_of(q, "PRAGMA application_id", &ret->application));
    TRY(number_of(q, "PRAGMA user_version", &ret->schema));
    TRY(number_of(q, "SELECT count(*) FROM sqlite_schema", &ret->things));
    return OK;
}

static bool is_blank(const struct identity *id)
{
    return id->application == 0 && id->schema == 0 && id->things == 0;
}

static RESULT create_schema(struct sqlite_store *q)
{
    char sql[SQLITE_TABLE_MAX];
    for (unsigned table = 1; table < TABLE_COUNT; table++) {
        sqlite_table(table, sql);
        TRY(exec(q, sql));
    }
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d", SQLITE_APPLICATION_ID, SCHEMA);
    return exec(q, sql);
}

/* One transaction, so that a power cut leaves a blank file or a whole schema. */
static RESULT make_schema(struct sqlite_store *q)
{
    struct identity id = {0};
    TRY(exec(q, "PRAGMA page_size = " PAGE_SIZE "; PRAGMA journal_mode = WAL"));
    TRY(sqlite_run(q, PLAIN_BEGIN));
    enum err e = read_identity(q, &id);
    if (e == OK && is_blank(&id)) /* otherwise somebody else was faster */
        e = create_schema(q);
    if (e == OK)
        e = sqlite_run(q, PLAIN_COMMIT);
    if (e != OK && !sqlite3_get_autocommit(q->db))
        (void)!sqlite_run(q, PLAIN_ROLLBACK);
    return e;
}

static RESULT explain_open(struct sqlite_store *q, enum err e, struct problem *why)
{
    static const char *const sentences[][2] = {
        {"not a database", "is not an SQLite database, or its beginning was overwritten"},
        {"malformed", "is a damaged SQLite database"},
    };
    const char *sentence = "can't be opened";
    for (size_t i = 0; e == ERR_TAMPERED && i < ARRAY_LEN(sentences); i++)
        if (strstr(q->base.last.detail, sentences[i][0]))
            sentence = sentences[i][1];
    return problem_set(why, e, "store", "%s %s (%s)", q->path, sentence, q->base.last.detail);
}

static RESULT check_identity(struct sqlite_store *q, struct problem *why)
{
    struct identity id = {0};
    enum err e = read_identity(q, &id);
    if (e == OK && is_blank(&id)) {
        e = make_schema(q);
        if (e == OK)
            e = read_identity(q, &id);
    }
    if (e != OK)
        return explain_open(q, e, why);
    if (id.application != SQLITE_APPLICATION_ID)
        return problem_set(why, ERR_BAD_CONFIG, "store", "%s is a database of another program; give another path",
                           q->path);
    if (id.schema > SCHEMA)
        return problem_set(why, ERR_TOO_NEW, "store", "%s has schema %lld, this Holdfast knows up to %d", q->path,
                           (long long)id.schema, SCHEMA);
    if (id.schema != SCHEMA) /* no older one exists */
        return problem_set(
            why, ERR_TAMPERED, "store",
            "%s claims schema %lld, which no release had: it was changed, or made by a version before the "
            "first release, whose stores are not taken over",
            q->path, (long long)id.schema);
    return check_schema(q, why);
}

/* --- connections */

/* SQLite's account of its memory costs a global lock for each allocation, and nobody reads it. */
static void count_no_memory(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* refused where somebody uses SQLite already: then it counts */
}

static RESULT connect(struct sqlite_store *q)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_no_memory);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= q->base.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int code = sqlite3_open_v2(q->path, &q->db, flags, q->vfs[0] ? q->vfs : NULL);
    if (!q->db)
        return ERR_NO_MEMORY;
    TRY(sqlite_error(q, code));
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        TRY(sqlite_error(q, sqlite3_db_config(q->db, settings[i].option, settings[i].on, NULL)));
    TRY(sqlite_error(q, sqlite3_busy_timeout(q->db, (int)q->busy_ms)));
    TRY(exec(q, pragmas));
    return q->extra ? exec(q, q->extra) : OK;
}

static struct sqlite_family *family_new(void)
{
    struct sqlite_family *f = calloc(1, sizeof(*f));
    if (f)
        pthread_mutex_init(&f->gate, NULL);
    return f;
}

static void family_leave(struct sqlite_family *f)
{
    if (atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&f->gate);
    free(f);
}

/* family NULL: a new one. */
static struct sqlite_store *store_new(const struct store_place *place, const char *extra, bool read_only,
                                      struct sqlite_family *family)
{
    struct sqlite_store *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->base = (struct store){.backend = &store_sqlite, .read_only = read_only};
    q->busy_ms = place->busy_ms;
    q->extra = extra;
    memcpy(q->vfs, place->vfs, sizeof(q->vfs));
    q->path = strdup(place->path);
    q->family = q->path && !family ? family_new() : family;
    if (q->path && q->family) {
        atomic_fetch_add(&q->family->refs, 1);
        return q;
    }
    free(q->path);
    free(q);
    return NULL;
}

RESULT sqlite_open_with(const struct store_place *place, const char *extra, struct store **ret, struct problem *why)
{
    if (place->path[0] != '/')
        return problem_set(why, ERR_BAD_CONFIG, "store", "'%s': the path must begin with /", place->path);
    if (place->vfs[0] && !sqlite3_vfs_find(place->vfs))
        return problem_set(why, ERR_BAD_CONFIG, "store", "there is no VFS named '%s'", place->vfs);
    TRY(prepare_file(place->path, why));
    struct sqlite_store *q = store_new(place, extra, false, NULL);
    if (!q)
        return problem_set(why, ERR_NO_MEMORY, "store", "not enough memory to open the store");
    enum err e = connect(q);
    if (e != OK)
        e = explain_open(q, e, why);
    else
        e = check_identity(q, why);
    if (e == OK)
        *ret = &q->base;
    else
        sqlite_close(&q->base);
    return e;
}

RESULT sqlite_open(const struct store_place *place, struct store **ret, struct problem *why)
{
    return sqlite_open_with(place, NULL, ret, why);
}

RESULT sqlite_share(struct store *s, bool read_only, struct store **ret)
{
    const struct sqlite_store *from = (const struct sqlite_store *)s;
    struct store_place place = {.path = from->path, .busy_ms = from->busy_ms};
    memcpy(place.vfs, from->vfs, sizeof(place.vfs));
    struct sqlite_store *q = store_new(&place, from->extra, read_only, from->family);
    if (!q)
        return ERR_NO_MEMORY;
    enum err e = connect(q);
    if (e == OK)
        *ret = &q->base;
    else
        sqlite_close(&q->base);
    return e;
}

/* Else the next start reads the whole log again: SQLite empties it only if the last connection to close may write. */
static void empty_log(struct sqlite_store *q)
{
    if (q->base.read_only || !q->db)
        return;
    sqlite3_busy_timeout(q->db, RESTART_WAIT_MS);
    (void)sqlite3_wal_checkpoint_v2(q->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void sqlite_close(struct store *s)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    if (q->reader)
        sqlite_close(q->reader);
    for (size_t i = 0; i < TABLE_COUNT * SQL_OF_TABLES; i++)
        sqlite3_finalize(q->tables[i / SQL_OF_TABLES][i % SQL_OF_TABLES]);
    for (size_t i = 0; i < PLAIN_COUNT; i++)
        sqlite3_finalize(q->plain[i]);
    empty_log(q);
    sqlite3_close(q->db);
    family_leave(q->family);
    free(q->path);
    free(q);
}

/* --- upkeep */

static uint64_t file_size(const char *path, const char *ending)
{
    char *name = sqlite3_mprintf("%s%s", path, ending);
    struct stat st = {0};
    uint64_t size = name && stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
    sqlite3_free(name);
    return size;
}

uint64_t sqlite_size(struct store *s)
{
    const struct sqlite_store *q = (const struct sqlite_store *)s;
    return file_size(q->path, "") + file_size(q->path, "-wal");
}

/* With new commits waiting at the gate; the one under way, and readers, get a moment to end. */
static RESULT restart_log(struct sqlite_store *q)
{
    int mode = file_size(q->path, "-wal") < TRUNCATE_AT ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_TRUNCATE;
    pthread_mutex_lock(&q->family->gate);
    sqlite3_busy_timeout(q->db, RESTART_WAIT_MS);
    int code = sqlite3_wal_checkpoint_v2(q->db, "main", mode, NULL, NULL);
    sqlite3_busy_timeout(q->db, (int)q->busy_ms);
    pthread_mutex_unlock(&q->family->gate);
    return (code & 0xff) == SQLITE_BUSY ? OK : sqlite_error(q, code); /* somebody is in the way: next time */
}

/* The passive way syncs the file only when it got to the log's end. */
static RESULT sync_file(struct sqlite_store *q)
{
    sqlite3_file *file = NULL;
    TRY(sqlite_error(q, sqlite3_file_control(q->db, "main", SQLITE_FCNTL_FILE_POINTER, &file)));
    return sqlite_error(q, file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY));
}

static RESULT checkpoint_passively(struct sqlite_store *q, int *ret_frames)
{
    int done = 0;
    int code = sqlite3_wal_checkpoint_v2(q->db, "main", SQLITE_CHECKPOINT_PASSIVE, ret_frames, &done);
    return (code & 0xff) == SQLITE_BUSY ? OK : sqlite_error(q, code); /* another thread is at it */
}

/* Most of the work is done beside the commits. But commits that never pause always leave the passive way something at
 * the log's end, so that it would grow for ever: the rest, by then little, is done with commits held up. */
RESULT sqlite_maintain(struct store *s)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    int frames = 0;
    int64_t page = 4096;
    TRY(checkpoint_passively(q, &frames));
    TRY(number_of(q, "PRAGMA page_size", &page));
    if (frames <= 0 || (uint64_t)frames * (uint64_t)page < RESTART_AT)
        return OK;
    TRY(sync_file(q));
    TRY(checkpoint_passively(q, &frames));
    return restart_log(q);
}
