/* The administrator's Ed25519 approval key: a file in the profile, encrypted under a passphrase (Argon2id, then
 * XAES-256-GCM bound to the name, the public key and the cost). What the file says in the clear can be read without the
 * passphrase; a damaged file is told from a wrong passphrase by its check. */
#ifndef HOLDFAST_CLI_APPROVER_H
#define HOLDFAST_CLI_APPROVER_H

#include "base/clock.h"
#include "base/entity.h"
#include "crypto/password.h"
#include "crypto/sign.h"
#include "ipc/keeper_msg.h"

#define APPROVER_FILE "administrator.key"

struct approver { /* entity AdministratorKey */
    struct view name;
    uint8_t public_key[32];
    uint8_t salt[ARGON2_SALT_SIZE];
    uint32_t passes, memory_kib;
    uint8_t nonce[24];
    uint8_t sealed[48]; /* the seed and its tag */
    uint8_t check[8];   /* of all the above: SHA-256, cut */
};
extern const struct entity approver_entity;

/* Makes a key. The text for the file is appended to w. */
RESULT approver_make(struct view name, struct view passphrase, struct argon2_cost cost, const struct random *random,
                     struct approver *ret, struct writer *w);
/* From the file's text: ERR_BAD_JSON and the like, or ERR_TAMPERED for one that was damaged. */
RESULT approver_read(struct view text, struct arena *arena, struct approver *ret, struct problem *why);
/* ERR_BAD_CREDENTIALS for a wrong passphrase. */
RESULT approver_open(const struct approver *a, struct view passphrase, struct secret **ret_seed, struct problem *why);
/* A signature over one change, see approval_message. object_name: what is hashed to the object. */
struct approver_change {
    const uint8_t *installation; /* 32 */
    enum approval_kind kind;
    struct view object_name;
    uint8_t previous[32], next[32];
    uint64_t expiry_ms;
};
RESULT approver_sign(const struct approver *a, const struct secret *seed, const struct approver_change *change,
                     struct approval *ret);

/* --- with a person at hand */
struct cli;
#define APPROVER_LIFE_MS (UINT64_C(3600) * 1000) /* an approval is good for an hour */
/* A new key under a new passphrase, in the profile, or in the file that --key-file names. ERR_EXISTS if there is one.
 */
RESULT approver_create(struct cli *c, struct view name, struct approver *ret, const char **ret_path);
/* The key of --key-file or of the profile. */
RESULT approver_load(struct cli *c, struct approver *ret);
/* Asks for the key's passphrase and signs. */
RESULT approver_approve(struct cli *c, const struct approver_change *change, struct approval *ret);

#endif
