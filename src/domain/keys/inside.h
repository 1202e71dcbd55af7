/* The memory table of API keys, for the files that fill it, look into it and list it. */
#ifndef HOLDFAST_DOMAIN_KEYS_INSIDE_H
#define HOLDFAST_DOMAIN_KEYS_INSIDE_H

#include "base/table.h"
#include "domain/keys/failures.h"
#include "domain/keys/keys.h"

#include <pthread.h>
#include <stdatomic.h>

#define SCRATCH_SIZE (256u * 1024)

/* What is asked on every request, apart from the rest of the key. */
struct judged {
    uint8_t verifier[32], old_verifier[32];
    uint32_t epoch, old_epoch;
    uint64_t old_until_ms, expires_ms;
    uint8_t status, environment;
};

struct known {
    struct judged judged;
    uint64_t version;
    uint8_t commitment[32];
    uint32_t uid;
    bool has_uid;
    struct api_key_times times;
    uint64_t secret_ms; /* since when it has this secret */
    _Atomic uint64_t used_ms;
    _Atomic uint64_t failed_ms; /* when a wrong secret was shown last, from anywhere; 0: never */
    struct limits limits;
    struct limits_used used;
    struct view owner; /* in plain */
    size_t len;
    uint8_t plain[]; /* the entity, encoded */
};

struct by_uid {
    char id[API_KEY_ID_LEN];
};

struct api_keys {
    struct table *keys, *uids;
    struct failures *failures;
    _Atomic uint64_t nobody_failed_ms; /* takes what known.failed_ms takes, for ids that are nobody's */
    pthread_mutex_t lock;              /* comparing versions and putting is one step */
};

static inline struct view uid_view(const uint32_t *uid)
{
    return VIEW(uid, sizeof *uid);
}

#endif
