/* Rows: how a struct becomes what the store may see. A row's key is table, tenant 0 and blinded components; its value
 * is sealed under the STATE ring, bound to table, key and version; beside it lies a salted commitment, which its leaf
 * and the multiset hash of live rows refer to, so that rewrapping changes neither. */
#ifndef HOLDFAST_LEDGER_ROWS_H
#define HOLDFAST_LEDGER_ROWS_H

#include "crypto/keyring.h"
#include "crypto/multiset.h"
#include "ledger/leaf.h"
#include "store/store.h"

/* The keys that ordinary state needs, made once from the ring of class STATE; immutable, shared by the threads. */
struct row_keys;
RESULT row_keys_new(const struct keyring *state, enum aead_alg alg, struct row_keys **ret); /* copies the ring */
struct row_keys *row_keys_ref(struct row_keys *k);                                          /* one more owner */
void row_keys_free(struct row_keys *k); /* one owner less; the last one wipes */
enum aead_alg row_keys_alg(const struct row_keys *k);
const struct keyring *row_keys_ring(const struct row_keys *k);

/* HMAC(pepper of this epoch, text): the pepper is ready for use. ERR_NOT_FOUND for an epoch that is not in the ring. */
RESULT row_keys_pepper(const struct row_keys *k, uint32_t epoch, struct view text, uint8_t out[static 32]);

/* Key of a row found by one exact name or id: u16 tenant 0 ‖ HMAC(blind, table ‖ name)[0..16]. */
RESULT row_key_exact(const struct row_keys *k, uint16_t table, struct view name, struct writer *w);
/* Key of a row found by path: each component blinded under its parent's, 16 bytes each, at most 12 components, so that
 * the rows below "exchange/binance/" are one range. Path components: [A-Za-z0-9._-]{1,64}, separated by '/'. The empty
 * path gives the bare tenant, where the range of all rows begins. ERR_BAD_VALUE, ERR_TOO_LONG. */
RESULT row_key_path(const struct row_keys *k, uint16_t table, struct view path, struct writer *w);
/* Key of a blind index term: 16 bytes, to be followed by a descending position. */
RESULT row_key_term(const struct row_keys *k, const char *index, struct view term, struct writer *w);

/* value = u32 length ‖ salt[16] ‖ plain, sealed (PURPOSE_RECORD in TABLE_SUBJECT, else PURPOSE_ROW). The commitment is
 * SHA-256(salt ‖ u16 table ‖ u32-counted key ‖ u64 version ‖ plain). */
RESULT row_seal(const struct row_keys *k, uint16_t table, struct view key, uint64_t version, struct view plain,
                const struct random *random, struct writer *w, uint8_t ret_commitment[static 32]);
/* ERR_TAMPERED for anything that was not sealed for exactly this table, key and version. */
RESULT row_open(const struct row_keys *k, uint16_t table, const struct store_row *row, struct writer *ret_plain,
                uint8_t ret_commitment[static 32]);
/* Seals it anew under the newest epoch, same salt, commitment and version. */
RESULT row_rewrap(const struct row_keys *k, uint16_t table, const struct store_row *row, const struct random *random,
                  struct writer *w);
/* Sealed by row_seal, as far as the header tells; else raw, by the keeper. */
bool row_is_state(const struct store_row *row);
/* Over place, version and bytes of a row that the keeper sealed: without the keeper's keys nobody else can tell whether
 * it is what was stored. Any commit that writes such a row writes its tag, too. ERR_TOO_LONG. */
RESULT row_tag(const struct row_keys *k, uint16_t table, const struct store_row *row, uint8_t out[static 32]);
/* What a leaf calls a row: SHA-256 of its key. */
void row_hash(struct view key, uint8_t out[static 32]);
/* Tables whose rows are derived or the log's own are not in the multiset. */
bool row_is_live(uint16_t table);
/* Only these tables may hold raw rows. */
bool row_may_be_raw(uint16_t table);
/* Element of the multiset of live rows. */
void row_set_add(const struct row_keys *k, struct multiset *m, uint16_t table, struct view key, uint64_t version,
                 const uint8_t commitment[static 32]);
void row_set_remove(const struct row_keys *k, struct multiset *m, uint16_t table, struct view key, uint64_t version,
                    const uint8_t commitment[static 32]);
void row_set_digest(const struct row_keys *k, const struct multiset *m, uint8_t out[static 32]);

AUTO_DEFINE(struct row_keys *, row_keys_free);

#endif
