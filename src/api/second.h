/* The second step of a log-in, and a second factor that is shown anew (step-up). Failures count like wrong passwords.
 */
#ifndef HOLDFAST_API_SECOND_H
#define HOLDFAST_API_SECOND_H

#include "api/login.h"

/* The password was right: records it and answers with a ticket and what may be shown. No session yet. */
enum http_outcome second_ask(struct login *l);

/* A route with ROUTE_STEP_UP was asked for. True if whoever asks has shown a second factor a short while ago, or has
 * none to show: roles that demand one are another matter. */
bool second_fresh(const struct http_request *req);
/* His roles ask for a second factor, and he has shown none. Recorded. */
enum http_outcome second_missing(struct http_request *req);
/* RFC 9470: 401 with the age that is wanted. Recorded. */
enum http_outcome second_demand(struct http_request *req);

#endif
