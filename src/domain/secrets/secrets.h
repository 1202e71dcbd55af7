/* Secrets (SEC-1 … SEC-5, SEC-8): metadata rows by blinded path, values by id and version, sealed by the keeper. Pure
 * rules; the caller has the keeper seal and open, and commits. */
#ifndef HOLDFAST_DOMAIN_SECRETS_SECRETS_H
#define HOLDFAST_DOMAIN_SECRETS_SECRETS_H

#include "base/entity.h"
#include "domain/identity/permission.h"
#include "ledger/ledger.h"

enum secret_kind {
    SECRET_API_KEY = 1,
    SECRET_PRIVATE_KEY,
    SECRET_PASSWORD,
    SECRET_CERTIFICATE,
    SECRET_DATABASE_CREDENTIALS,
    SECRET_ENCRYPTION_KEY,
};
enum secret_environment { ENVIRONMENT_DEVELOPMENT = 1, ENVIRONMENT_STAGING, ENVIRONMENT_PRODUCTION };
enum secret_version_state { VERSION_CURRENT = 1, VERSION_GRACE, VERSION_SEALED, VERSION_DELETED, VERSION_DESTROYED };

struct secret_version { /* entity SecretVersion */
    uint64_t number;
    uint8_t state;
    uint64_t created_ms, grace_until_ms;
    struct view created_by;
};
#define SECRET_VERSIONS_MAX 32

struct secret_meta { /* entity Secret, TABLE_SECRET, key by path */
    uint8_t id[16];
    struct view path;
    uint8_t kind;
    struct view description, owner;
    uint8_t environment;
    struct text_list tags;
    uint64_t created_ms, rotated_ms;
    uint32_t rotation_days;      /* 0 = none */
    uint64_t current;            /* version number */
    bool revoked;
    uint64_t revoked_ms, retained_until_ms;
    struct entity_list versions; /* of struct secret_version, newest first, at most SECRET_VERSIONS_MAX */
};
extern const struct entity secret_entity, secret_version_entity;

struct secret_found {
    struct secret_meta meta;
    uint64_t row_version;
    uint8_t commitment[32];
};

bool secret_path_valid(struct view path);
/* Level and environment both (SEC-3). ERR_FORBIDDEN. */
RESULT secret_may(const struct secret_access *access, uint8_t environment, enum access_level needed);

RESULT secret_get(struct store *reader, const struct row_keys *keys, struct view path, struct arena *arena,
                  struct secret_found *ret);
/* Below a path prefix ("" = all), in key order; visit returns false to stop. */
RESULT secret_list(struct store *reader, const struct row_keys *keys, struct view prefix, size_t limit, struct arena *arena,
                   bool (*visit)(void *context, const struct secret_found *s), void *context);
/* The sealed value of a version that may be read now: current, or in its grace period; others need ACCESS_ADMIN and
 * `recover`. ERR_NOT_FOUND, ERR_REVOKED. */
RESULT secret_value(struct store *reader, const struct secret_found *s, uint64_t version, bool recover, uint64_t now_ms,
                    struct arena *arena, struct store_row *ret);

/* Changes: fill up to two txn_changes (metadata, value) and return how many. sealed is what the keeper returned. */
RESULT secret_create(const struct row_keys *keys, struct secret_meta *meta, struct view sealed, struct view actor, uint64_t now_ms,
                     struct arena *arena, struct txn_change ret[static 2]);
RESULT secret_rotate(const struct row_keys *keys, struct secret_found *s, struct view sealed, struct view actor, uint64_t now_ms,
                     uint64_t grace_ms, struct arena *arena, struct txn_change ret[static 2]);
RESULT secret_revoke(const struct row_keys *keys, struct secret_found *s, uint64_t now_ms, struct arena *arena,
                     struct txn_change ret[static 1]);
/* delete: sealed but recoverable; undelete: back; destroy: the value's row is removed for good. */
RESULT secret_set_version(const struct row_keys *keys, struct secret_found *s, uint64_t version, enum secret_version_state state,
                          struct arena *arena, struct txn_change ret[static 2], size_t *ret_count);

#endif
