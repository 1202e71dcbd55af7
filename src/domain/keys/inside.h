/* The memory table of API keys, for the files that fill it, look into it and list it. */
#ifndef HOLDFAST_DOMAIN_KEYS_INSIDE_H
#define HOLDFAST_DOMAIN_KEYS_INSIDE_H

#include "base/table.h"
#include "domain/keys/failures.h"
#include "domain/keys/keys.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#define SCRATCH_SIZE (256u * 1024)

/* What is asked on every request, apart from the rest of the key: 64 bytes, behind the 64 of the table's own, so that a
 * verification touches two lines of the cache, or three. */
struct judged {
    uint8_t verifier[32];
    uint32_t epoch;
    uint8_t status, environment;
    bool rotated; /* there is a former secret */
    uint64_t expires_ms;
};

/* The secret before a rotation. */
struct former {
    uint8_t verifier[32];
    uint32_t epoch;
    uint64_t until_ms;
};

struct known {
    struct judged judged;
    _Atomic uint64_t used_ms;
    _Atomic uint64_t failed_ms; /* when a wrong secret was shown last, from anywhere; 0: never */
    struct former former;
    uint64_t version;
    uint8_t commitment[32];
    uint32_t uid;
    bool has_uid;
    struct api_key_times times;
    uint64_t secret_ms; /* since when it has this secret */
    struct limits limits;
    struct limits_used used;
    struct view owner; /* in plain */
    size_t len;
    uint8_t plain[]; /* the entity, encoded */
};
static_assert(offsetof(struct known, former) == 64, "what is asked on every request fills one line of the cache");

struct by_uid {
    char id[API_KEY_ID_LEN];
};

struct api_keys {
    struct table *keys, *uids;
    struct failures *failures;
    _Atomic uint64_t nobody_failed_ms; /* takes what known.failed_ms takes, for ids that are nobody's */
    pthread_mutex_t lock;              /* comparing versions and putting is one step */
};

bool api_key_is_ours(struct view text); /* by its prefix */
/* api_key.c: the two steps of api_key_parse before the hash, which is left zero. The second is for what the first one
 * let through. */
RESULT api_key_split(struct view text, struct api_key_parts *ret);
RESULT api_key_check(struct view text);

static inline struct view uid_view(const uint32_t *uid)
{
    return VIEW(uid, sizeof *uid);
}

#endif
