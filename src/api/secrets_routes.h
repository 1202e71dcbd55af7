/* Handlers of secrets that stand in another file than their rows. */
#ifndef HOLDFAST_API_SECRETS_ROUTES_H
#define HOLDFAST_API_SECRETS_ROUTES_H

#include "api/secrets_op.h"

enum http_outcome secrets_read_value(struct http_request *req);
enum http_outcome secrets_read_meta(struct http_request *req);
enum http_outcome secrets_read_history(struct http_request *req);
enum http_outcome secrets_list(struct http_request *req);

#endif
