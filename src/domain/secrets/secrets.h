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
extern const char *const secret_kind_names[], *const secret_environment_names[], *const secret_state_names[];

struct secret_version { /* entity SecretVersion */
    uint64_t number;
    uint8_t state; /* as it was last set; secret_state_at says what it is now */
    uint64_t created_ms, grace_until_ms;
    struct view created_by;
};
#define SECRET_VERSIONS_MAX 32
#define SECRET_PATH_MAX     512
#define SECRET_LIST_MAX     1000
#define SECRET_RETENTION_MS (UINT64_C(30) * 24 * 3600 * 1000) /* a revoked secret can be recovered this long */
#define SECRET_GRACE_MAX_MS (UINT64_C(90) * 24 * 3600 * 1000)

struct secret_meta { /* entity Secret, TABLE_SECRET, key by path */
    uint8_t id[16];
    struct view path;
    uint8_t kind;
    struct view description, owner;
    uint8_t environment;
    struct text_list tags;
    uint64_t created_ms, rotated_ms;
    uint32_t rotation_days; /* 0 = none */
    uint64_t current;       /* version number */
    bool revoked;
    uint64_t revoked_ms, retained_until_ms;
    struct entity_list versions; /* of struct secret_version, newest first, at most SECRET_VERSIONS_MAX */
};
extern const struct entity secret_entity, secret_version_entity;

struct secret_found {
    struct secret_meta meta;
    uint64_t row_version;
    uint8_t commitment[32];
    struct view key; /* of the row; goes on in a listing */
};

/* Components [A-Za-z0-9._-]{1,64} with '/' between them, at most 12, none of them "." or "..". */
bool secret_path_valid(struct view path);
/* What the kind wants of its value: database credentials come whole or not at all (SEC-8). ERR_BAD_VALUE,
 * ERR_MISSING_FIELD. */
RESULT secret_value_acceptable(uint8_t kind, struct view value, struct problem *why);
/* Level and environment both (SEC-3). ERR_FORBIDDEN. */
RESULT secret_may(const struct secret_access *access, uint8_t environment, enum access_level needed);
/* May he know that it exists? environment 0: of a path where nothing is, hence any environment. */
bool secret_may_list(const struct secret_access *access, uint8_t environment);
/* Times pass without anybody writing a row: a grace period that is over is VERSION_SEALED. */
enum secret_version_state secret_state_at(const struct secret_version *v, uint64_t now_ms);
void secret_states_at(struct secret_meta *meta, uint64_t now_ms); /* all of them, for showing */

/* ERR_NOT_FOUND, ERR_BAD_VALUE (path), ERR_TAMPERED. */
RESULT secret_get(struct store *reader, const struct row_keys *keys, struct view path, struct arena *arena,
                  struct secret_found *ret);
struct secret_range {
    struct view prefix; /* "exchange" with what is below it, "exchange/" without itself, "" = all */
    struct view after;  /* secret_found.key of the last one seen, or empty */
};
/* In the order of blinded keys; what visit is given lives until it returns, and it returns false to stop.
 * ERR_BAD_VALUE, why->where is "?prefix" or "?after". */
RESULT secret_list(struct store *reader, const struct row_keys *keys, const struct secret_range *range,
                   bool (*visit)(void *context, const struct secret_found *s), void *context, struct problem *why);

/* A version's value as the keeper sealed it. */
struct secret_sealed {
    uint8_t id[16];
    uint64_t version;
    struct view path, sealed;
};
struct secret_wanted {
    uint64_t version; /* 0 = the current one */
    bool recover;     /* also what is out of use: the caller has ACCESS_ADMIN */
    uint64_t now_ms;
};
/* Of a version that may be read now: current, or in its grace period. ERR_NOT_FOUND, ERR_REVOKED, ERR_TAMPERED. */
RESULT secret_value(struct store *reader, const struct row_keys *keys, const struct secret_found *s,
                    const struct secret_wanted *want, struct arena *arena, struct secret_sealed *ret);
/* For rewrapping: what a row of TABLE_SECRET_VALUE holds, and the row's new value once the keeper sealed it anew. */
RESULT secret_value_open(const struct row_keys *keys, const struct store_row *row, struct arena *arena,
                         struct secret_sealed *ret);
RESULT secret_value_rewrap(const struct row_keys *keys, const struct store_row *row, struct view sealed,
                           const struct random *random, struct writer *w);

/* Changes. They fill ret in arena, for one transaction, and bring meta up to date. */
struct secret_edit {
    struct store *reader;
    const struct row_keys *keys;
    const struct random *random;
    struct arena *arena;
    struct view actor;
    uint64_t now_ms;
};
#define SECRET_CHANGES_MAX 3
struct secret_changes {
    struct txn_change items[SECRET_CHANGES_MAX];
    size_t count;
};
/* sealed: version 1 by the keeper, for meta->id and meta->path. */
RESULT secret_create(const struct secret_edit *by, struct secret_meta *meta, struct view sealed,
                     struct secret_changes *ret);
/* The number that the next version will have; the value is sealed for it. */
uint64_t secret_next_version(const struct secret_meta *meta);
/* The former version stays readable for grace_ms. The oldest goes for good when there are too many. ERR_REVOKED. */
RESULT secret_rotate(const struct secret_edit *by, struct secret_found *s, struct view sealed, uint64_t grace_ms,
                     struct secret_changes *ret);
RESULT secret_revoke(const struct secret_edit *by, struct secret_found *s,
                     struct secret_changes *ret); /* ERR_REVOKED */
/* VERSION_DELETED: out of use, but recoverable; VERSION_CURRENT: back to what it would be; VERSION_DESTROYED: the
 * value's row is removed for good. ERR_NOT_FOUND, ERR_REVOKED, ERR_CONFLICT (it is so already, or was destroyed). */
RESULT secret_set_version(const struct secret_edit *by, struct secret_found *s, uint64_t version,
                          enum secret_version_state state, struct secret_changes *ret);
/* Metadata only: what the caller changed in s->meta. */
RESULT secret_update(const struct secret_edit *by, struct secret_found *s, struct secret_changes *ret);

#endif
