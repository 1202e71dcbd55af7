/* A row of TABLE_LOG: u64 index → leaf and sealed fields.
 *
 *   u8 1 ‖ u16 leaf length ‖ leaf ‖ who ‖ what ‖ u8 links × { u8 change of the leaf ‖ 32 row hash }
 *   who, what: 18 key of the subject's row ‖ u64 its version ‖ u8 alg ‖ 24 nonce ‖ u32-counted sealed (salt ‖ fields)
 * The seal binds leaf hash, links and side. A link says which row of this store a keeper's change is about, since the
 * keeper does not know row keys. */
#ifndef HOLDFAST_LEDGER_LOGROW_H
#define HOLDFAST_LEDGER_LOGROW_H

#include "ledger/leaf.h"
#include "ledger/rows.h"

#define LOG_KEY_SIZE     8
#define SUBJECT_KEY_SIZE 18

enum side { SIDE_WHO, SIDE_WHAT, SIDE_COUNT };

struct subject_ref {
    uint8_t key[SUBJECT_KEY_SIZE];
    uint64_t version;
};

struct log_part {
    struct subject_ref subject;
    uint8_t alg;
    uint8_t nonce[AEAD_NONCE_SIZE];
    struct view sealed;
};

struct log_link {
    uint8_t change;
    uint8_t row[32];
};

struct log_row {
    struct view leaf;
    struct log_part part[SIDE_COUNT];
    struct log_link links[LEAF_CHANGES_MAX];
    uint8_t link_count;
};

void log_key(uint64_t index, uint8_t out[static LOG_KEY_SIZE]);
uint64_t log_index(struct view key); /* UINT64_MAX for what is no key */
void logrow_encode(const struct log_row *row, struct writer *w);
RESULT logrow_decode(struct view value, struct log_row *ret); /* ERR_TAMPERED */

/* What the seals of a row are bound to: the leaf's hash, and its links where it has any. */
void logrow_bound(const struct log_row *row, uint8_t out[static 32]);
/* Seals one side's fields under the subject's key into p (sealed allocated in arena). */
RESULT logrow_seal(struct log_part *p, const uint8_t key[static 32], const uint8_t bound[static 32], enum side side,
                   const struct view salt_and_fields[2], struct arena *arena);
/* ERR_TAMPERED. Fields are copied to arena. */
RESULT logrow_open(const struct log_part *p, const uint8_t key[static 32], const uint8_t bound[static 32],
                   enum side side, struct arena *arena, struct view ret_salt_and_fields[2]);

/* The subject of a side: who's is the actor, what's is the installation. */
RESULT subject_name(const struct row_keys *k, enum side side, struct view actor,
                    uint8_t ret_key[static SUBJECT_KEY_SIZE]);

#endif
