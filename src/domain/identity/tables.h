/* The inside of the memory tables, for the files that keep them. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_TABLES_H
#define HOLDFAST_DOMAIN_IDENTITY_TABLES_H

#include "base/table.h"
#include "domain/identity/identity.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the tables keep of a row. */
struct known {
    uint64_t version;
    uint8_t commitment[32];
    uint8_t row_key[STORE_KEY_MAX];
    size_t row_key_len, len;
    struct view name;                         /* of a session's user; in plain */
    uint64_t created_ms, expires_ms, idle_ms; /* of a session */
    _Atomic uint64_t used_ms;
    struct view email;    /* a user's; in plain */
    bool disabled;        /* a user */
    bool gone;            /* his row was removed: only name and version count */
    uint8_t environments; /* a user's */
    uint8_t role_count;   /* a user's; each lies in plain */
    struct {
        uint16_t at, len;
    } roles[USER_ROLES_MAX];
    /* Of a user, ahead of his row: wrong passwords in a row, and until when he is locked (0: he is not). */
    _Atomic uint32_t failed;
    _Atomic uint64_t locked_until_ms;
    uint8_t plain[]; /* the entity, encoded */
};

struct identity {
    struct table *users, *sessions, *passkeys, *mappings;
    struct roles *roles;
    struct known *nobody;      /* looked at in place of a user who is not there: so that takes as long */
    struct known *enrolled;    /* the same, of one who has a passkey */
    struct known *no_passkey;  /* the same, of a passkey */
    pthread_mutex_t lock;      /* comparing versions and putting is one step */
    _Atomic uint64_t first_ms; /* when a session was first looked up: what was loaded counts as used then */
};

#define TABLES_PLAIN_MAX (16u * 1024)
#define TABLES_SCRATCH   (64u * 1024)
/* A value of a table with a copy of the change's row; NULL: no memory. */
struct known *tables_known(struct view table_name, const struct txn_change *c);
/* An object as its row has it, and the key of a row; in arena. */
RESULT tables_encoded(const struct entity *e, const void *object, struct arena *arena, struct view *ret);
RESULT tables_named(const struct row_keys *keys, uint16_t table, struct view name, struct arena *arena,
                    struct view *ret);
/* What is kept of a row, in arena. Inside a section of the table. */
RESULT tables_copy(const struct known *k, const struct entity *e, struct arena *arena, void *ret);
RESULT passkeys_nobodys(struct known **ret); /* one for no_passkey */
/* When the session was used last, as far as this run knows. Inside a section of the table. */
uint64_t tables_used_at(struct identity *i, const struct known *k, uint64_t now_ms);

#endif
