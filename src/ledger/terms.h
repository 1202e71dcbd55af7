/* Blind index terms. A row of TABLE_INDEX is a term (16 bytes, keyed hash) and a descending position (u64, complement
 * of the record's index); a row of the list of days is the same with the complement of the day. No values. */
#ifndef HOLDFAST_LEDGER_TERMS_H
#define HOLDFAST_LEDGER_TERMS_H

#include "ledger/query.h"

#define TERM_SIZE     16
#define TERM_KEY_SIZE 24
#define TERM_DAY_MS   86400000u
#define TERMS_OF_EACH (5 + RECORD_THINGS_MAX) /* index rows of a record, at most */

struct term {
    uint8_t b[TERM_SIZE];
};

RESULT term_of_text(const struct row_keys *k, const char *index, struct view text, struct term *ret);
RESULT term_of_number(const struct row_keys *k, const char *index, uint64_t n, struct term *ret);
void term_key(const struct term *t, uint64_t position, uint8_t out[static TERM_KEY_SIZE]);
uint64_t term_position(struct view key); /* of an index row */

/* Opens the record of a row of TABLE_LOG. ERR_TAMPERED if anything about it does not match. */
struct subject_reader;
RESULT record_open(struct subject_reader *subjects, const struct store_row *row, struct arena *arena,
                   struct record_view *ret);

#endif
