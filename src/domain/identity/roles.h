/* Roles (SPEC IAM-5): the built-in ones, and those that an installation defines. One memory table holds both; whoever
 * asks what somebody may do asks it at that moment, so a change counts from the first look-up after roles_applied. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_ROLES_H
#define HOLDFAST_DOMAIN_IDENTITY_ROLES_H

#include "base/entity.h"
#include "domain/identity/permission.h"
#include "ledger/ledger.h"

#define ROLE_NAME_MAX        64
#define ROLE_NAME_RULE       "a role: a lower-case letter, then up to 63 of a-z 0-9 . _ -"
#define ROLE_DESCRIPTION_MAX 256
#define ROLES_DEFINED_MAX    240 /* besides the built-in ones */

extern const char *const access_level_names[]; /* "none", "read", "write", "admin", "emergency"; NULL-terminated */

struct role_def { /* entity RoleDef, TABLE_ROLE, key by name */
    struct view name, description;
    struct text_list grants, denies; /* names of permissions */
    uint8_t level;                   /* enum access_level */
};
extern const struct entity role_def_entity;
bool role_name_valid(struct view name);
bool role_permission_valid(struct view name); /* of a permission that can be given */
/* What a definition says. ERR_NOT_FOUND: it names a permission that there is not. */
RESULT role_of_def(const struct role_def *def, struct role *ret);

struct roles;                         /* look-ups from any thread, changes after commits */
RESULT roles_new(struct roles **ret); /* with the built-in ones */
void roles_free(struct roles *r);
/* What is damaged is counted and left out: who holds such a role may nothing until it is mended. */
RESULT roles_load(struct roles *r, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                  struct problem *why);
/* The row (hash of its key) was found to be damaged, missing or put back: what was loaded from it goes. */
void roles_distrust(struct roles *r, const uint8_t row[static 32]);

struct role_found {
    struct role_def def; /* a copy in the arena */
    struct role role;    /* the same as sets; role.name is NULL */
    bool builtin;
    uint64_t version;
    uint8_t commitment[32];
};
RESULT roles_find(struct roles *r, struct view name, struct arena *arena, struct role_found *ret); /* ERR_NOT_FOUND */
/* Of struct role_found: the built-in ones in their order, then the others by name. */
RESULT roles_list(struct roles *r, struct arena *arena, struct entity_list *ret);
size_t roles_defined(struct roles *r); /* how many are not built in */
/* The first of names that is no role; count if each is one. */
size_t roles_unknown(struct roles *r, const struct text_list *names);

/* The first of names that grants p, and the first that denies it; count if none does. */
void roles_saying(struct roles *r, const struct text_list *names, enum permission p, size_t *ret_grants,
                  size_t *ret_denies);

/* Grants of all roles together less the denials of any. A name that is no role: ERR_NOT_FOUND, and the caller grants
 * nothing at all, since that role may have been the one that denied. Outputs are untouched on failure. */
RESULT roles_effective(struct roles *r, const struct view *names, size_t count, struct permission_set *ret,
                       uint8_t *ret_level);
/* The same, with the environments that go with the level. */
RESULT rights_of(struct roles *r, const struct text_list *names, uint8_t environments, struct rights *ret);

/* Changes: fill one txn_change; apply the same to the table once durable. */
RESULT roles_put(const struct row_keys *keys, const struct role_def *def, const struct role_found *before,
                 struct arena *arena, struct txn_change *ret);
RESULT roles_remove(const struct row_keys *keys, const struct role_found *before, struct arena *arena,
                    struct txn_change *ret);
/* Each change is made of what the table holds, so the changes of one role come in their order. */
RESULT roles_applied(struct roles *r, const struct txn_change *change);

/* Who holds a role. */
struct role_holders {
    size_t count;
    bool configures;                  /* one of them holds system:config */
    char first[sizeof "user:" + 128]; /* one of them: "user:alice", "key:<id>" */
};
void role_holders_add(struct role_holders *h, const char *prefix, struct view name);

AUTO_DEFINE(struct roles *, roles_free);

#endif
