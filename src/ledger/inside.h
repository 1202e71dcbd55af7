/* Inside of the ledger: what its files share. */
#ifndef HOLDFAST_LEDGER_INSIDE_H
#define HOLDFAST_LEDGER_INSIDE_H

#include "ledger/ledger.h"
#include "ledger/logrow.h"
#include "ledger/subject.h"
#include "ledger/tree.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- the state row of TABLE_META: what the log and the live rows must be. Sealed, so only we can write it. */
#define STUB_SIZE 4
struct log_state {
    struct frontier frontier;
    struct multiset rows;
    uint64_t commits;                     /* also the row's version */
    uint8_t stubs[TILE_WIDTH][STUB_SIZE]; /* first bytes of the tail's leaf hashes: to say which one was altered */
};
RESULT state_put(const struct row_keys *k, const struct log_state *s, const struct random *random, struct writer *w,
                 struct view key);
RESULT state_get(const struct row_keys *k, struct store *store, struct log_state *ret); /* ERR_NOT_FOUND */
#define META_KEY_SIZE 18
RESULT state_key(const struct row_keys *k, uint8_t out[static META_KEY_SIZE]);
/* What is kept of a raw row in TABLE_META: u64 version ‖ commitment[32] ‖ tag[32]. The multiset vouches for the first
 * two, the key of the tag for itself. */
struct raw_state {
    uint64_t version;
    uint8_t commitment[32];
    uint8_t tag[32]; /* row_tag() of what is stored */
};
#define RAW_VALUE_SIZE 72
RESULT raw_key(const struct row_keys *k, uint16_t table, struct view key, uint8_t out[static META_KEY_SIZE]);
void raw_encode(const struct raw_state *raw, uint8_t out[static RAW_VALUE_SIZE]);
RESULT raw_get(struct store *store, const struct row_keys *k, uint16_t table, struct view key,
               struct raw_state *ret); /* ERR_NOT_FOUND, ERR_TAMPERED */

/* --- a transaction, sealed and ready */
struct prepared_record {
    struct view leaf;
    uint8_t hash[32];
    struct subject_ref subjects[SIDE_COUNT];
    uint8_t key[LOG_KEY_SIZE]; /* given at commit */
};
struct prepared {
    /* In this order, so that the first change_count of them are the transaction's own: */
    struct mailbox *box;
    struct store_change *changes; /* rows, one for each record, room for new subjects */
    size_t row_count;             /* changes before the records' */
    struct prepared_record *records;
    size_t record_count;
    struct multiset delta; /* of the live rows */
};

/* A walk over the live rows that goes on while commits happen; see check_rows.c. */
struct walk {
    bool active;
    uint16_t table;
    uint8_t key[STORE_KEY_MAX];
    size_t key_len; /* rows up to and including this one are counted */
    struct multiset sum;
};

struct subscriber {
    void (*fn)(void *context, const struct ledger_batch *b);
    void *context;
};
#define SUBSCRIBERS_MAX 8

enum { THREAD_COMMIT, THREAD_INDEX, THREAD_MAINTAIN, THREAD_CHECK, THREAD_COUNT };

struct ledger {
    struct ledger_config config;
    pthread_mutex_t keys_lock;
    struct row_keys *keys;
    struct subjects *subjects;
    uint8_t system_subject[SUBJECT_KEY_SIZE];

    /* The queue of submitted transactions, and what wakes the committing thread. */
    pthread_mutex_t queue_lock;
    pthread_cond_t queue_wake;
    struct mail *queue_first, *queue_last;
    size_t queue_count, queue_max;
    bool stop;
    struct writer note; /* a checkpoint to be stored; empty if none */
    uint64_t note_size;

    /* What follows is under write_lock, which is held for the length of a commit. Whoever takes it again and again goes
     * through write_lock_take, so that the next in line is not passed over. */
    pthread_mutex_t write_lock, write_next;
    struct store *writer;
    struct tree tree, tree_before;
    struct multiset rows, rows_before;
    uint64_t commits, state_version;
    struct walk walk;

    struct subscriber subscribers[SUBSCRIBERS_MAX];
    size_t subscriber_count;
    struct writer leaf_bytes; /* of the commit under way, for the subscribers */
    struct writer leaf_lengths;

    _Atomic uint64_t size; /* durable records */
    _Atomic uint64_t stat_commits, stat_transactions, stat_records, indexed;
    _Atomic uint32_t stat_largest;

    atomic_bool reindex;
    pthread_mutex_t index_lock; /* held while the index and its position change */

    pthread_t threads[THREAD_COUNT];
    bool runs[THREAD_COUNT];
    pthread_mutex_t idle_lock; /* for the sleep of the background threads */
    pthread_cond_t idle_wake;
    atomic_bool stopping;
    bool background_wanted; /* under idle_lock */
};

void write_lock_take(struct ledger *l); /* given back with pthread_mutex_unlock */

struct row_keys *ledger_keys(struct ledger *l); /* one more owner: row_keys_free() it */
void *commit_thread(void *ledger);
/* One commit outside the queue (index, rewrap): all or nothing, in turn with the others. */
RESULT commit_aside(struct ledger *l, const struct store_change *changes, size_t count);
RESULT commit_state(struct ledger *l, struct log_state *ret); /* as of now; write_lock held */

void *index_thread(void *ledger);
/* What the index writes from here on it seals under the newest keys: a job that began with others has ended. */
void index_await_old_keys(struct ledger *l);
void *check_thread(void *ledger);
/* Where the index ends, and the multiset of its rows. All zero if there is none. */
struct index_state {
    uint64_t position;
    struct multiset rows;
    uint64_t version;
};
RESULT index_get(const struct row_keys *k, struct store *store, struct index_state *ret);
/* Sleeps, or returns early when the ledger closes. */
void background_sleep(struct ledger *l, unsigned ms);
void background_wait(struct ledger *l); /* until ledger_begin_background, or the end */

/* Checks the log's tail against the state and fills the tree. */
RESULT check_tail(struct store *store, const struct log_state *state, struct tree *ret, struct problem *why);
/* Checks every record below the state's size against tiles and state. */
RESULT check_log(struct store *store, const struct log_state *state, const atomic_bool *stop, struct problem *why);
RESULT check_record(struct problem *why, uint64_t index, const char *sentence); /* "record 17 was altered" */
/* Opens every record below size: what it says is what its leaf commits to, and who is erased was erased. */
RESULT check_texts(struct ledger *l, struct store *reader, const struct row_keys *k, uint64_t size,
                   struct problem *why);
/* Rows that are not what they must be. */
struct damage {
    uint16_t table;
    uint8_t row[32];      /* hash of its key */
    const char *sentence; /* what is wrong: "is missing: …" */
};
struct damages {
    struct damage *list;
    size_t count, room;
    struct problem why; /* what no row is to blame for */
};
RESULT damage_add(struct damages *d, uint16_t table, const uint8_t row[static 32],
                  const char *sentence); /* ERR_TAMPERED, or ERR_NO_MEMORY */
/* As people are told of it; the log says which record was the last to change the row, and what that calls it. */
void damage_explain(const struct damage *d, struct ledger_finding *ret);
void damage_trace(struct store *store, const struct row_keys *k, const atomic_bool *stop, struct ledger_finding *f);
/* A live row's commitment, by opening it or as kept beside a raw one. ERR_TAMPERED: it was added to d. */
RESULT check_row(struct store *store, const struct row_keys *k, uint16_t table, const struct store_row *row,
                 uint8_t ret_commitment[static 32], struct damages *d);
/* Goes through log and rows to find those that do not match. Always ERR_TAMPERED, unless something else fails. */
RESULT check_name(struct store *store, const struct row_keys *k, uint64_t log_size, struct damages *d);
/* Called by the committing thread for each row that a transaction changed, while a walk is active. */
void walk_change(struct ledger *l, const struct row_keys *keys, const struct txn_change *c);
void walk_subject(struct ledger *l, const struct row_keys *keys, const struct subject_put *p);

#endif
