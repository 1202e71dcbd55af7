#ifndef HOLDFAST_API_ROUTES_H
#define HOLDFAST_API_ROUTES_H

#include "http/route.h"

extern const struct route_table system_routes;
extern const struct route_table openapi_routes;
extern const struct route_table secrets_routes;
extern const struct route_table credentials_routes;

#endif
