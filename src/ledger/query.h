/* Reading the record: by position, by type, person, severity and time, newest first, through blind indexes; tiles and
 * exports for those who verify. Each call is given the thread's own reader. */
#ifndef HOLDFAST_LEDGER_QUERY_H
#define HOLDFAST_LEDGER_QUERY_H

#include "ledger/ledger.h"

struct record_view {
    uint64_t index;
    struct leaf leaf;
    struct view leaf_bytes;
    bool erased; /* the subject's key is gone: who is empty */
    struct request_context who;
    struct record_object what;
    uint8_t who_salt[LEAF_SALT_SIZE], what_salt[LEAF_SALT_SIZE];
    struct view who_bytes, what_bytes; /* canonical */
};

struct record_filter {
    uint16_t type;           /* 0 = any */
    uint8_t least_severity;  /* 0 = any */
    struct view actor;       /* exact; empty = any */
    struct view resource;    /* exactly one of the things; empty = any */
    uint64_t from_ms, to_ms; /* from <= time < to; to 0 = open */
    uint64_t before;         /* only indexes below this, 0 = from the newest; for paging */
    size_t limit;            /* at most 1000; 0 = 100 */
};

/* ERR_NOT_FOUND; ERR_TAMPERED if the record does not open, or does not match its leaf or its Merkle tile. */
RESULT query_record(struct store *reader, const struct row_keys *keys, uint64_t index, struct arena *arena,
                    struct record_view *ret);
/* visit returns false to stop. ret_next is the `before` of the next page, 0 at the end. A record that does not open or
 * does not match its leaf is ERR_TAMPERED with its index in why. */
RESULT query_search(struct store *reader, const struct row_keys *keys, const struct record_filter *filter,
                    bool (*visit)(void *context, const struct record_view *r), void *context, uint64_t *ret_next,
                    struct problem *why);
/* C2SP tlog-tiles: level L, index N, width 1..256 (256 = full): width × 32 bytes. ERR_NOT_FOUND beyond the log. */
RESULT query_tile(struct store *reader, uint8_t level, uint64_t index, uint16_t width, struct writer *w);
RESULT query_tile_entries(struct store *reader, uint64_t index, uint16_t width,
                          struct writer *w);                     /* u16-counted leaves */
RESULT query_checkpoint(struct store *reader, struct writer *w); /* the newest signed note; ERR_NOT_FOUND if none yet */

/* An exported log, one JSON object a line: a head {"holdfast_log":1,"verifier":…,"checkpoint":…}, then records
 * {"index":…,"leaf":base64,"hash":base64,"who":{…},"who_salt":base64,"what":{…},"what_salt":base64} in order; who is
 * null and its salt empty where the person was erased. This form exactly: no spaces, no other order. Lines have no
 * newline. */
RESULT export_head(struct view verifier, struct view checkpoint, struct writer *w);
RESULT export_record(const struct record_view *r, struct writer *w);

/* Offline verification, streaming: feed lines in order, then finish. Proves that the export is the log of its
 * checkpoint, that the checkpoint is signed by the pinned verifier, that the log extends the earlier checkpoint, that
 * each author's chain has no gap but a declared one, and that fields match their leaves. The first wrong record is
 * named in why (where = "record 17"). hash is the leaf's, and only serves to name the record that was altered: what
 * proves is the checkpoint. A last stretch of numbers still under way when the checkpoint was signed is no gap.
 * An empty pinned_verifier takes the head's word for who signs; an empty earlier_checkpoint asks nothing of the past.
 * ERR_BAD_CHECKPOINT, ERR_LOG_MISMATCH, ERR_MALFORMED. After an error every further call gives that error. */
struct verify;
RESULT verify_new(struct view pinned_verifier, struct view earlier_checkpoint, struct verify **ret,
                  struct problem *why);
RESULT verify_line(struct verify *v, struct view line, struct problem *why);
struct verify_summary {
    uint64_t records, erased;
    uint64_t checkpoint_size, first_ms, last_ms;
    bool extends_earlier;
    bool pinned; /* the verifier was given, not taken from the export */
};
RESULT verify_finish(struct verify *v, struct verify_summary *ret, struct problem *why);
void verify_free(struct verify *v);
AUTO_DEFINE(struct verify *, verify_free);

#endif
