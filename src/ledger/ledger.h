/* One way for every change. A transaction is expected versions, puts, deletes and records; the ledger groups the
 * transactions of all threads into one store commit, and answers when it is durable. State and record are in the same
 * commit, so neither exists without the other. Nothing else writes the store. */
#ifndef HOLDFAST_LEDGER_LEDGER_H
#define HOLDFAST_LEDGER_LEDGER_H

#include "ipc/loop.h"
#include "ledger/note.h"
#include "ledger/rows.h"

struct ledger;

/* One change of a row, in the clear; the ledger's prepare step seals it in the caller's thread. */
struct txn_change {
    uint16_t table;
    struct view key;  /* as made by row_key_* */
    uint64_t expect;  /* version the row must have, 0 = must not exist */
    uint64_t version; /* new version, above expect; ignored for a delete */
    bool remove;
    bool raw; /* value is stored as it is: sealed by the keeper; its commitment is given. Secret values and
                 credentials only */
    struct view value;
    uint8_t commitment[32];     /* raw: given. Otherwise filled in by prepare */
    uint8_t old_commitment[32]; /* of the row that is replaced or removed, as row_open returned it, or ledger_commitment
                                   for a raw one; zero if expect is 0 */
};
/* A row in place of the one that was read with this version and commitment (0 and NULL: there is none), and one that
 * goes. The key, and the value of the former, are for the caller to fill in. */
static inline struct txn_change ledger_put(uint16_t table, uint64_t version, const uint8_t *commitment)
{
    struct txn_change c = {.table = table, .expect = version, .version = version + 1};

    if (commitment)
        memcpy(c.old_commitment, commitment, sizeof c.old_commitment);
    return c;
}
static inline struct txn_change ledger_remove(uint16_t table, uint64_t version, const uint8_t *commitment)
{
    struct txn_change c = ledger_put(table, version, commitment);

    c.version = 0;
    c.remove = true;
    return c;
}

#define RECORDS_MAX 64 /* of one transaction */
struct txn {
    struct mail mail;    /* delivered to the submitting thread's mailbox when done */
    struct arena *arena; /* owns everything below; freed by the submitter */
    struct txn_change *changes;
    size_t change_count;
    struct record *records; /* the front's own, at least one for each changed row's transaction */
    size_t record_count;
    struct authored_record *authored; /* by keeper or signer, to be logged in the same commit */
    size_t authored_count;
    const struct random *random; /* for nonces and salts, of the preparing thread's own; NULL: the ledger's */
    enum err result;             /* when done: OK (durable), ERR_CONFLICT, ERR_LOG_UNWRITABLE, ERR_NO_SPACE … */
    size_t conflict;             /* index of the change whose expectation failed */
    uint64_t first_index;        /* log index of its first record */
    void (*done)(void *context, struct txn *t);
    void *context;
    void *prepared; /* the ledger's own */
};

/* What a check found. */
struct ledger_finding {
    struct problem
        why;         /* ERR_TAMPERED, and which row or record; another error: the check itself failed, and is retried */
    uint16_t table;  /* of a row that is damaged, added or missing; else 0 */
    uint8_t row[32]; /* hash of its key, as leaves name it */
};

struct ledger_config {
    const char *store_url;
    struct row_keys *keys;
    const struct clock *clock;
    const struct random *random;
    char origin[NOTE_ORIGIN_MAX];
    size_t batch_max; /* transactions in one commit; 0 = 1024 */
    /* If set: everything is checked once in the background after the start, and what does not match is told here, from
     * a thread of the ledger's: one row, one record and the index at most. */
    void (*tampering)(void *context, const struct ledger_finding *f);
    void *tampering_context;
    /* Indexing and that check wait for ledger_begin_background: a start needs the disk and the processors itself. */
    bool background_later;
};

/* Opens the store, reads size and frontier, starts the committing thread, the indexing thread (derived blind indexes,
 * behind the commit) and the maintenance thread. The log and the rows it can see at once are checked; what is wrong is
 * ERR_TAMPERED with a sentence that says which row or record. */
RESULT ledger_open(const struct ledger_config *config, struct ledger **ret, struct problem *why);
void ledger_close(struct ledger *l); /* finishes what was submitted */
/* A connection of one's own for reading, for one thread. */
RESULT ledger_reader(struct ledger *l, struct store **ret);
/* New keys after a rotation; the ledger takes a share of its own. */
void ledger_set_keys(struct ledger *l, struct row_keys *keys);

/* Seals values and builds leaves in the calling thread, then queues; box is the caller's mailbox. Many at once: a chain
 * by mail.next. Never blocks; ERR_BUSY beyond the bound. */
RESULT ledger_prepare(struct ledger *l, struct txn *t);
RESULT ledger_submit(struct ledger *l, struct txn *first, size_t count, struct mailbox *box);

/* Subscribers run in the ledger's thread after the commit is durable, with the leaves of that commit in order: how the
 * front feeds the keeper. They must not block. Register before the first submit. */
struct ledger_batch {
    uint64_t first_index;
    size_t count;
    const struct view *leaves;
    uint8_t state[32]; /* multiset digest after this commit */
};
/* From the next commit on; any thread, any time. ERR_LIMIT_REACHED. */
RESULT ledger_subscribe(struct ledger *l, void (*fn)(void *context, const struct ledger_batch *b), void *context);
/* Stores a checkpoint that the keeper signed. Any thread; written with the next commit. */
RESULT ledger_put_checkpoint(struct ledger *l, struct view note);

/* Writes rows of TABLE_USAGE, durably and without a record: what is merely counted. Blocks, so it is not for the thread
 * of a loop. ERR_BAD_VALUE for another table. */
RESULT ledger_put_counts(struct ledger *l, const struct store_change *changes, size_t count);

/* The commitment of a raw row, for old_commitment: ERR_NOT_FOUND. */
RESULT ledger_commitment(struct store *reader, const struct row_keys *keys, uint16_t table, struct view key,
                         uint64_t *ret_version, uint8_t ret_commitment[static 32]);
/* The change that erases a person: put it into a transaction with a record of the erasure. ERR_NOT_FOUND if nothing was
 * ever recorded of this actor, or all was erased. */
RESULT ledger_erasure(struct store *reader, const struct row_keys *keys, struct view actor, struct arena *arena,
                      struct txn_change *ret);

/* Checks all live rows against the multiset, and what the keeper sealed against its tags; each record against tiles and
 * state, and its text against its leaf; and the index; with a connection of its own, while commits go on. ERR_TAMPERED,
 * why says which record or row. ERR_BUSY if a check is under way, ERR_UNAVAILABLE if the ledger closes meanwhile. */
RESULT ledger_check_rows(struct ledger *l, struct problem *why);
void ledger_begin_background(struct ledger *l); /* what background_later put off; any thread, any number of times */

/* Opens the rows of a table for a table in memory. take is given each in the clear: key, version, value, commitment;
 * scratch is emptied between rows. A row that does not open, or that take finds malformed, is counted in *ret_damaged
 * and left out: the check in the background names it. ERR_TOO_NEW, ERR_NO_MEMORY and what the store says end it, with
 * why. */
struct ledger_load {
    const struct row_keys *keys;
    uint16_t table;
    struct view from, to; /* as with store_range */
    RESULT (*take)(void *context, const struct txn_change *row, struct arena *scratch);
    void *context;
};
RESULT ledger_load(struct store *reader, const struct ledger_load *load, size_t *ret_damaged, struct problem *why);

/* Seals all rows under the newest epoch that are not yet, in small commits; leaves, versions and commitments stay. Can
 * be repeated after being killed. raw (may be NULL) is given each row that the keeper sealed: OK with the new value in
 * w, OK with nothing if it needs none, or an error, which ends the walk. ret_count: rows rewrapped. A row that is
 * damaged (ERR_TAMPERED, raw's too) is left as it is and does not keep the others from it; the walk then ends with that
 * error. */
typedef enum err (*ledger_raw_fn)(void *context, uint16_t table, const struct store_row *row, struct writer *w);
RESULT ledger_rewrap(struct ledger *l, ledger_raw_fn raw, void *context, uint64_t *ret_count);
/* Drops the blind indexes and has them built again in the background; searches stay complete. */
void ledger_reindex(struct ledger *l);
uint64_t ledger_indexed(struct ledger *l); /* records below this are in the indexes */

uint64_t ledger_size(struct ledger *l);
struct ledger_stats {
    uint64_t commits, transactions, records;
    uint32_t largest_batch;
};
void ledger_get_stats(struct ledger *l, struct ledger_stats *ret);

#endif
