/* Checkpoints: C2SP tlog-checkpoint inside a C2SP signed-note, Ed25519.
 *
 *   <origin>\n<size>\n<base64 root>\n[state <base64 digest>\n][time <RFC 3339>\n]\n— <origin> <base64 of key hash ‖
 * signature>\n
 *
 * Origins are printable ASCII without space or plus. */
#ifndef HOLDFAST_LEDGER_NOTE_H
#define HOLDFAST_LEDGER_NOTE_H

#include "crypto/sign.h"

#define NOTE_MAX        4096
#define NOTE_ORIGIN_MAX 128

/* "holdfast/<first 8 bytes of the installation, hex>/log/0" */
void log_origin_put(const uint8_t installation[static 32], struct writer *w);

struct checkpoint {
    char origin[NOTE_ORIGIN_MAX]; /* "holdfast/<installation id>/log/0" */
    uint64_t size;
    uint8_t root[32];
    bool has_state;
    uint8_t state[32]; /* multiset digest over the live rows */
    bool has_time;
    uint64_t time_ms;
};

RESULT note_sign(const struct checkpoint *c, const uint8_t seed[static ED25519_SEED_SIZE], struct writer *w);
/* Needs at least one signature by key under the checkpoint's origin; others are ignored. ERR_BAD_CHECKPOINT. */
RESULT note_open(struct view note, const uint8_t key[static ED25519_PUBLIC_SIZE], struct checkpoint *ret);
/* The size that an unverified note claims, for filing it. ERR_BAD_CHECKPOINT. */
RESULT note_size(struct view note, uint64_t *ret);
/* The verifier key text of C2SP signed-note: "<origin>+<hash>+<base64 key>", for printing, pinning and parsing. */
RESULT note_verifier_put(const char *origin, const uint8_t key[static ED25519_PUBLIC_SIZE], struct writer *w);
RESULT note_verifier_get(struct view text, char ret_origin[static NOTE_ORIGIN_MAX],
                         uint8_t ret_key[static ED25519_PUBLIC_SIZE]);

#endif
