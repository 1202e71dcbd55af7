/* All addresses that Holdfast answers: a new file of routes is one line here and one in routes.h. */
#include "api/routes.h"

#include "api/context.h"

static const struct route_table *const tables[] = {
    &system_routes,    &openapi_routes,     &login_routes,     &enrol_routes,        &invite_routes,
    &sessions_routes,  &me_routes,          &users_routes,     &keys_routes,         &keys_verify_routes,
    &secrets_routes,   &credentials_routes, &sign_routes,      &audit_routes,        &tokens_routes,
    &mfa_routes,       &second_routes,      &roles_routes,     &mappings_routes,     &explain_routes,
    &authzen_routes,   &logout_routes,      &whoami_routes,    &passkeys_routes,     &passkey_login_routes,
    &pages_routes,     &approvals_routes,   &emergency_routes, &verdict_routes,      &networks_routes,
    &key_usage_routes, &policy_routes,      &authz_routes,     &guard_status_routes, &blocks_list_routes,
    &watch_routes,     &patterns_routes,
};

RESULT api_router_new(struct router **ret, struct problem *why)
{
    struct route_table all[ARRAY_LEN(tables)];

    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        all[i] = *tables[i];
    return router_new(all, ARRAY_LEN(tables), ret, why);
}
