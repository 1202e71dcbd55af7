#include "domain/identity/permission.h"

static const char *const names[PERMISSION_COUNT] = {
    [PERMISSION_NONE] = "none",
#define PERMISSION(name, text) [PERMISSION_##name] = (text),
#include "base/permissions.def"
#undef PERMISSION
};

const char *permission_name(enum permission p)
{
    return (unsigned)p < PERMISSION_COUNT ? names[p] : names[PERMISSION_NONE];
}

RESULT permission_find(struct view name, enum permission *ret)
{
    /* What stands before is for routes: nobody can be given it. */
    for (unsigned p = PERMISSION_AUTHENTICATED + 1; p < PERMISSION_COUNT; p++) {
        if (!view_is(name, names[p]))
            continue;
        *ret = (enum permission)p;
        return OK;
    }
    return ERR_NOT_FOUND;
}

/* --- roles: SPEC IAM-5, levels SEC-3 */

#define P(name)    (UINT32_C(1) << PERMISSION_##name)
#define EVERYTHING (((UINT32_C(1) << PERMISSION_COUNT) - 1) & ~(P(NONE) | P(PUBLIC) | P(AUTHENTICATED)))
#define TRADING    (P(MEV_EXECUTE) | P(ORDERS_PLACE) | P(POSITIONS_MANAGE))
#define FUNDS      P(FUNDS_MANAGE)

/* "never" is a denial, which holds against every other role of the same person; "not" only grants nothing. */
const struct role roles_builtin[] = {
    {"admin", {EVERYTHING & ~(TRADING | FUNDS)}, {0}, ACCESS_ADMIN},
    {"trader",
     {P(MEV_VIEW) | P(MEV_EXECUTE) | P(MARKET_READ) | P(ORDERS_PLACE) | P(POSITIONS_MANAGE) | P(RISK_VIEW)},
     {FUNDS},
     ACCESS_WRITE},
    {"viewer", {P(MEV_VIEW)}, {0}, ACCESS_NONE},
    {"service-account", {P(MEV_API)}, {P(WEB_ACCESS)}, ACCESS_NONE},
    {"risk_analyst", {P(MARKET_READ) | P(RISK_VIEW) | P(RISK_MODIFY) | P(AUDIT_VIEW)}, {0}, ACCESS_NONE},
    {"system_admin", {P(MARKET_READ) | P(SECRETS_ACCESS) | P(USERS_MANAGE) | P(AUDIT_VIEW)}, {0}, ACCESS_NONE},
    {"security_admin", {P(SECRETS_ACCESS) | P(USERS_MANAGE) | P(AUDIT_VIEW) | P(EMERGENCY_OVERRIDE)}, {0}, ACCESS_NONE},
    {"compliance_officer", {P(MARKET_READ) | P(RISK_VIEW) | P(AUDIT_VIEW)}, {0}, ACCESS_NONE},
    {"emergency_responder",
     {P(MARKET_READ) | P(POSITIONS_MANAGE) | P(RISK_VIEW) | P(EMERGENCY_OVERRIDE)},
     {0},
     ACCESS_EMERGENCY},
    {"read_only", {P(MARKET_READ)}, {0}, ACCESS_READ},
};
const size_t roles_builtin_count = ARRAY_LEN(roles_builtin);

bool rights_within(const struct rights *inner, const struct rights *outer)
{
    return (inner->permissions.bits & ~outer->permissions.bits) == 0 && inner->access.level <= outer->access.level &&
           (inner->access.environments & ~outer->access.environments) == 0;
}

struct rights rights_common(const struct rights *a, const struct rights *b)
{
    struct rights r = {.permissions.bits = a->permissions.bits & b->permissions.bits};
    r.access.level = a->access.level < b->access.level ? a->access.level : b->access.level;
    r.access.environments = a->access.environments & b->access.environments;
    return r;
}
