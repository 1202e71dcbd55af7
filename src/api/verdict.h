/* The verdict's handler, for the addresses that other kinds of proxies ask (api/authz.c). */
#ifndef HOLDFAST_API_VERDICT_H
#define HOLDFAST_API_VERDICT_H

#include "http/request.h"

/* How it is said what is asked about: req->route->extra, a struct proxied_way, or NULL (api/proxied.h). */
enum http_outcome verdict_give(struct http_request *req);

#endif
