#ifndef HOLDFAST_API_ROUTES_H
#define HOLDFAST_API_ROUTES_H

#include "http/route.h"

/* For .ways of a route that anybody may use who says who he is, however he does: most of them. */
#define WAYS_ALL (WAY_SESSION | WAY_API_KEY | WAY_PEER | WAY_TOKEN | WAY_BASIC | WAY_CERTIFICATE)

extern const struct route_table system_routes;
extern const struct route_table openapi_routes;
extern const struct route_table secrets_routes;
extern const struct route_table credentials_routes;
extern const struct route_table approvals_routes, emergency_routes;
extern const struct route_table sign_routes;
extern const struct route_table audit_routes;
extern const struct route_table login_routes, logout_routes, whoami_routes;
extern const struct route_table enrol_routes, invite_routes, me_routes, mfa_routes, second_routes, passkeys_routes,
    passkey_login_routes;
extern const struct route_table pages_routes;
extern const struct route_table tokens_routes, sessions_routes;
extern const struct route_table users_routes;
extern const struct route_table roles_routes, explain_routes, authzen_routes;
extern const struct route_table mappings_routes;
extern const struct route_table keys_routes;
extern const struct route_table keys_verify_routes, key_usage_routes;
extern const struct route_table verdict_routes, networks_routes, policy_routes, authz_routes, guard_status_routes;
extern const struct route_table blocks_list_routes, watch_routes;
extern const struct route_table patterns_routes;

#endif
