/* A ledger in a test: keys, a loop that receives answers, and short ways to change rows. */
#ifndef HOLDFAST_TESTS_LEDGER_TEST_H
#define HOLDFAST_TESTS_LEDGER_TEST_H

#include "ledger/merkle.h"
#include "ledger/query.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct rig {
    char path[256], url[512];
    struct keyring *ring;
    struct row_keys *keys;
    struct ledger *ledger;
    struct store *reader;
    struct loop *loop;
    struct mailbox *box;
    struct clock clock;
    _Atomic uint64_t now_ms;
    size_t answers;
};

/* url NULL: an SQLite file of its own; options go after '?', or NULL. */
struct rig *rig_new(const char *url, const char *options);
/* The same over SQLite, open, with an arena for rows. */
struct rig *rig_ready(struct arena **ret_arena);
void rig_free(struct rig *r);
enum err rig_open(struct rig *r, struct problem *why); /* opens the ledger (again) */
void rig_close(struct rig *r);                         /* the ledger only */
void rig_rotate(struct rig *r);                        /* new epoch, told to the ledger */

/* One transaction, awaited. */
struct change {
    uint16_t table;
    const char *name, *value; /* value NULL: remove */
    bool raw;
};
struct event {
    uint16_t type;
    uint8_t outcome;
    const char *actor, *resource;
    const char *also; /* NULL: nothing */
};
enum err rig_change(struct rig *r, const struct change *c, size_t count, const struct event *e);
enum err rig_put(struct rig *r, uint16_t table, const char *name, const char *value);
enum err rig_record(struct rig *r, const char *actor);
enum err rig_submit(struct rig *r, struct txn *t); /* prepared here, awaited; the result */
void rig_wait(struct rig *r, size_t answers);

/* Key of the row, and its state now: false if there is none. */
struct row_now {
    uint8_t key[STORE_KEY_MAX];
    size_t key_len;
    uint64_t version;
    uint8_t commitment[32];
    char value[256];
};
bool rig_row(struct rig *r, uint16_t table, const char *name, bool raw, struct row_now *ret);
void rig_export(struct rig *r, struct view checkpoint, struct view verifier, struct writer *w);
void rig_checkpoint(struct rig *r, const uint8_t seed[static 32], struct writer *note, struct writer *verifier);
void rig_root(struct rig *r, uint64_t size, uint8_t out[static 32]); /* from the leaves */

#endif
