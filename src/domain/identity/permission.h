/* Permissions and roles (SPEC IAM-5). A denial beats every grant. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_PERMISSION_H
#define HOLDFAST_DOMAIN_IDENTITY_PERMISSION_H

#include "base/buf.h"

/* PERMISSION_PUBLIC and PERMISSION_AUTHENTICATED are for routes: anybody, and anybody who is known. */
enum permission {
    PERMISSION_NONE = 0,
#define PERMISSION(name, text) PERMISSION_##name,
#include "base/permissions.def"
#undef PERMISSION
    PERMISSION_COUNT
};
const char *permission_name(enum permission p); /* "mev:view" */
RESULT permission_find(struct view name, enum permission *ret);

struct permission_set {
    uint32_t bits; /* 1 << enum permission */
};
static inline bool permission_has(struct permission_set s, enum permission p)
{
    return (s.bits >> p) & 1u;
}

/* Secrets need a level and an environment as well (SEC-3). */
enum access_level { ACCESS_NONE, ACCESS_READ, ACCESS_WRITE, ACCESS_ADMIN, ACCESS_EMERGENCY };
struct secret_access {
    uint8_t level;        /* enum access_level */
    uint8_t environments; /* bit 1 development, 2 staging, 4 production */
};

static inline uint8_t environment_bit(uint8_t environment) /* 1 development, 2 staging, 3 production; 0 is none's */
{
    return environment >= 1 && environment <= 3 ? (uint8_t)(1u << (environment - 1)) : 0;
}

/* All that somebody may do. */
struct rights {
    struct permission_set permissions;
    struct secret_access access;
};
bool rights_within(const struct rights *inner, const struct rights *outer);
struct rights rights_common(const struct rights *a, const struct rights *b); /* what both may */

struct role {
    const char *name;
    struct permission_set grants, denies;
    uint8_t level; /* enum access_level that the role gives */
};
extern const struct role roles_builtin[]; /* the ten of IAM-5, in its order; found by name in identity/roles.h */
extern const size_t roles_builtin_count;

#endif
