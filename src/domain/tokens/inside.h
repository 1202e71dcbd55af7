/* What the files of the memory tables share. */
#ifndef HOLDFAST_DOMAIN_TOKENS_INSIDE_H
#define HOLDFAST_DOMAIN_TOKENS_INSIDE_H

#include "base/table.h"
#include "domain/tokens/tokens.h"

#include <pthread.h>
#include <stdatomic.h>

/* Public keys as they were published last; replaced whole. Former ones stay until the end: a thread may be reading. */
struct verifiers {
    struct verifiers *former;
    struct verifier {
        struct token_public key;
        char kid[TOKEN_KID_LEN + 1];
        uint64_t until_ms; /* 0: signs now */
    } keys[TOKEN_KEYS_MAX];
    size_t count;
    uint32_t max_seconds;
    size_t issuer_len;
    uint8_t issuer[TOKEN_ISSUER_MAX];
};

struct tokens {
    struct table *grants;   /* by id */
    struct table *revoked;  /* by kind and name */
    struct table *accepted; /* by SHA-256 of the token */
    struct verifiers *_Atomic verifiers;
    _Atomic uint64_t distrusted_ms; /* what began before has ended: a revocation could not be read */
    pthread_mutex_t lock;           /* comparing versions and putting is one step */
};

struct known_grant {
    uint64_t version;
    uint8_t commitment[32];
    uint8_t row_key[STORE_KEY_MAX];
    size_t row_key_len;
    struct grant_place place;
    uint64_t expires_ms, idle_at_ms; /* when it is over, unless it is refreshed */
    char subject[TOKEN_SUBJECT_MAX + 1];
    char id[2 * 16 + 1], session[2 * 32 + 1]; /* as revocations call them */
    size_t len;
    uint8_t plain[];
};

/* In ended.c; in a section of the tables. Neither revoked nor at its end; it may have been idle for too long. */
bool tokens_grant_lives(struct tokens *t, const struct known_grant *g, uint64_t now_ms);
RESULT tokens_copy_grant(const struct known_grant *k, struct arena *arena, struct grant_found *ret);
/* In ended.c. The token came from a grant that is no more, or was ended by a revocation. In a section of the tables. */
bool tokens_ended(struct tokens *t, const struct token_accepted *a, uint64_t now_ms);

#endif
