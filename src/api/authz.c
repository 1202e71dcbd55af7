/* Addresses of the verdict for one kind of proxy each: Envoy's ext_authz, which appends the path it asks about and uses
 * its method, and the three that people know from Authelia. */
#include "api/context.h"
#include "api/proxied.h"
#include "api/routes.h"
#include "api/verdict.h"

#define ENVOY     "/api/v1/guard/envoy"
#define EXT_AUTHZ "/api/authz/ext-authz"

static const struct proxied_way forward_auth = {.kind = PROXIED_FORWARD_AUTH},
                                auth_request = {.kind = PROXIED_AUTH_REQUEST}, envoy = {PROXIED_EXT_AUTHZ, ENVOY},
                                ext_authz = {PROXIED_EXT_AUTHZ, EXT_AUTHZ};

#define AUTHZ(path_, way_, name_)                                                                                      \
    ROUTE(HTTP_ANY, path_, PERMISSION_PUBLIC, verdict_give, .name = (name_),                                           \
          .summary = "May this request go on? For one kind of proxy, in its own words", .tag = "guard",                \
          .event = EVENT_REQUEST_ALLOWED, .durability = DURABLE_BEHIND,                                                \
          .flags = ROUTE_ANY_QUERY | ROUTE_FOREIGN_QUERY | ROUTE_HIDDEN | ROUTE_ANY_BODY,                              \
          .body_limit = CONFIG_PATTERNS_BODY_MAX, .extra = &(way_))

static const struct route routes[] = {
    AUTHZ(ENVOY "/", envoy, "guard-envoy-root"),
    AUTHZ(ENVOY "/{path...}", envoy, "guard-envoy"),
    AUTHZ(EXT_AUTHZ "/", ext_authz, "authz-ext-authz-root"),
    AUTHZ(EXT_AUTHZ "/{path...}", ext_authz, "authz-ext-authz"),
    AUTHZ("/api/authz/forward-auth", forward_auth, "authz-forward-auth"),
    AUTHZ("/api/authz/auth-request", auth_request, "authz-auth-request"),
};
const struct route_table authz_routes = {routes, ARRAY_LEN(routes)};
