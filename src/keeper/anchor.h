/* The anchor: the one file the keeper may touch, through one open descriptor. It holds the newest version of everything
 * that keeper and signer must not be fooled about. Two slots, written in turn: a torn write leaves the other one.
 *
 *   slot n at n × ANCHOR_SLOT: 8 magic ‖ u64 sequence ‖ u32 head length ‖ u32 body length ‖ head ‖ body ‖ SHA-256 of
 * all that
 *
 * head (entity AnchorHead) is readable while sealed: how to unseal. body is sealed under a key derived from the root
 * key. Somebody who can write this file can put back an old one; THREAT-MODEL.md says what then shows it. */
#ifndef HOLDFAST_KEEPER_ANCHOR_H
#define HOLDFAST_KEEPER_ANCHOR_H

#include "base/entity.h"
#include "ipc/keeper_msg.h"

#define ANCHOR_SLOT     (6u << 20) /* room for CREDENTIALS_MAX credentials with every window */
#define ANCHOR_HEAD_MAX 4096
#define ANCHOR_BODY_MAX (ANCHOR_SLOT - ANCHOR_HEAD_MAX - 64)

struct anchor_head {
    uint8_t installation[INSTALLATION_SIZE];
    uint8_t method; /* enum unseal_method */
    uint8_t threshold, shares;
    uint8_t cipher;   /* enum aead_alg, for what is sealed from now on */
    uint8_t salt[16]; /* passphrase: Argon2id's */
    uint32_t argon2_passes, argon2_memory_kib;
    struct view wrapped_root;                      /* the root key, sealed under the key-encryption key */
    uint32_t password_passes, password_memory_kib; /* of people's passwords, for the front; 0: not measured */
};
extern const struct entity anchor_head_entity;

struct anchor; /* an open anchor file with its newest valid slot */

/* Reads both slots. An empty file is an anchor without a head; garbage in both slots is ERR_TAMPERED. */
RESULT anchor_open(int fd, struct anchor **ret);
void anchor_free(struct anchor *a);
bool anchor_empty(const struct anchor *a);
struct view anchor_head_bytes(const struct anchor *a);
struct view anchor_body_bytes(const struct anchor *a); /* sealed */
/* Durable when it returns OK. ERR_IO, ERR_NO_SPACE: the former version is still in force. */
RESULT anchor_write(struct anchor *a, struct view head, struct view body);

AUTO_DEFINE(struct anchor *, anchor_free);

#endif
