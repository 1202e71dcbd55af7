/* Subject keys: one random key for each actor, and one for the installation, under which the values of records are
 * sealed. Erasing a person deletes that row. A key made in a transaction's prepare step is stored by the first commit
 * that uses it, and the cache says which those are. */
#ifndef HOLDFAST_LEDGER_SUBJECT_H
#define HOLDFAST_LEDGER_SUBJECT_H

#include "ledger/logrow.h"

struct subjects;
/* reader: used under the cache's lock; owned by it from here on, also on failure. */
RESULT subjects_new(struct store *reader, struct subjects **ret);
void subjects_free(struct subjects *s);

/* The key of ref->key's subject, made if there is none; fills ref->version. ERR_BUSY when too many new ones wait. */
RESULT subjects_use(struct subjects *s, const struct row_keys *keys, struct subject_ref *ref,
                    const struct random *random, uint64_t now_ms, uint8_t ret_key[static 32]);

/* --- for the committing thread */
struct subject_put {
    struct store_change change; /* views live until subjects_settle */
    const uint8_t *commitment;
};
/* True if the subject's row must be stored by this transaction. */
bool subjects_pending(struct subjects *s, const struct subject_ref *ref, struct subject_put *ret);
void subjects_batched(struct subjects *s, const struct subject_ref *ref); /* its transaction is part of the commit */
void subjects_settle(struct subjects *s, bool durable);                   /* the commit has ended */
void subjects_forget(struct subjects *s, struct view key);                /* erased */

/* --- for readers: some keys at hand, for one thread */
#define SUBJECT_READER_SLOTS 16
struct subject_reader {
    struct store *store;
    const struct row_keys *keys;
    struct arena *scratch;
    struct {
        struct subject_ref ref;
        enum err state; /* OK: key is valid; ERR_NOT_FOUND: erased */
        uint8_t key[32];
    } slots[SUBJECT_READER_SLOTS];
    unsigned used, next;
};
/* ERR_NOT_FOUND if erased, ERR_TAMPERED. *ret lives until the next call. */
RESULT subject_read(struct subject_reader *r, const struct subject_ref *ref, const uint8_t **ret);
void subject_reader_done(struct subject_reader *r);

#endif
