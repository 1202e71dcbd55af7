/* A leaf of the Merkle log: salted commitments, no content. Rewrapping, archiving and erasing never change one.
 *
 * Bytes, version 1 (big-endian):
 *   u8 1 ‖ u8 author ‖ u16 event type ‖ u8 severity ‖ u8 outcome ‖ u64 wall milliseconds ‖
 *   u64 author sequence ‖ 32 hash of the author's previous leaf ‖ 16 author tag ‖
 *   u8 changes ‖ changes × { u16 table ‖ 32 blinded row key hash ‖ u64 version ‖ 32 commitment } ‖
 *   u8 2 ‖ 2 × SHA-256(salt[16] ‖ canonical fields)          (who, what)
 * The front's own leaves carry zero sequence, previous hash and tag. Keeper and signer number and chain theirs, and tag
 * them with HMAC-SHA256(author key, leaf with a zero tag), cut to 16 bytes, so that nobody else can write one. A
 * commitment of all zero means the row was deleted. */
#ifndef HOLDFAST_LEDGER_LEAF_H
#define HOLDFAST_LEDGER_LEAF_H

#include "base/clock.h"
#include "crypto/hash.h"
#include "ledger/record.h"

enum leaf_author { AUTHOR_FRONT = 1, AUTHOR_KEEPER = 2, AUTHOR_SIGNER = 3 };

#define LEAF_SALT_SIZE   16
#define LEAF_TAG_SIZE    16
#define LEAF_CHANGES_MAX 16
#define LEAF_MAX         1400

struct leaf_change {
    uint16_t table;
    uint8_t row[32]; /* SHA-256 of the row's (blinded) key */
    uint64_t version;
    uint8_t commitment[32];
};

struct leaf {
    uint8_t author;
    uint16_t type;
    uint8_t severity;
    uint8_t outcome;
    uint64_t time_ms;
    uint64_t sequence;
    uint8_t previous[32];
    uint8_t tag[LEAF_TAG_SIZE];
    struct leaf_change changes[LEAF_CHANGES_MAX];
    uint8_t change_count;
    uint8_t who[32];
    uint8_t what[32];
};

RESULT leaf_encode(const struct leaf *l, struct writer *w);
RESULT leaf_decode(struct view bytes, struct leaf *ret);        /* strict: one encoding for each leaf */
void leaf_hash(struct view leaf_bytes, uint8_t out[static 32]); /* RFC 6962 §2.1: SHA-256(0x00 ‖ leaf) */

/* What an author hands over: the leaf, and what its commitments open to. Entity AuthoredRecord. */
struct authored_record {
    struct view leaf;
    struct view who;  /* canonical RequestContext */
    struct view what; /* canonical RecordObject */
    uint8_t who_salt[LEAF_SALT_SIZE];
    uint8_t what_salt[LEAF_SALT_SIZE];
};
extern const struct entity authored_record_entity;

/* An author's chain. */
struct leaf_chain {
    uint8_t author;
    uint64_t next_sequence; /* the first is 1 */
    uint8_t previous[32];
    uint8_t key[32]; /* subkey PURPOSE_AUTHOR with the author's number; all zero for the front */
};

/* Builds a leaf for record r with the given row changes, advances the chain, and returns everything in arena. */
RESULT leaf_author(struct leaf_chain *chain, const struct record *r, const struct leaf_change *changes,
                   size_t change_count, uint64_t now_ms, const struct random *random, struct arena *arena,
                   struct authored_record *ret);
/* The leaf's tag verifies under the author key: OK or ERR_BAD_SIGNATURE. */
RESULT leaf_check_tag(struct view leaf_bytes, const uint8_t key[static 32]);
/* The opened fields match the leaf's commitments, else ERR_TAMPERED. */
RESULT leaf_check_fields(const struct authored_record *a);

#endif
