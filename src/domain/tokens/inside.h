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

/* In ended.c. The token came from a grant that is no more, or was ended by a revocation. In a section of the tables. */
bool tokens_ended(struct tokens *t, const struct token_accepted *a, uint64_t now_ms);

#endif
