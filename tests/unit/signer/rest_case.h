/* What the tests of the REST schemes share: venues from their files, keys, requests, policies. */
#ifndef HOLDFAST_TEST_REST_CASE_H
#define HOLDFAST_TEST_REST_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "signer/policy.h"
#include "signer/scheme.h"
#include "signer/venue.h"

#define T(text) view_str(text)

char *rest_file(const char *path, size_t *ret_len);
struct venue *rest_venue(const char *name);
/* Calls each for every line of both vector files whose venue is name; returns how many. */
size_t rest_lines(const char *name, void (*each)(const json_t *line));
const char *rest_text(const json_t *line, const char *name);

/* A request of the Binance or Phemex kind; the query or body goes where the method wants it unless it begins with
 * '{'. */
struct sign_request rest_request(const char *method, const char *path, const char *query, const char *body);
/* The code of judging: an error of judge, or else the policy's. */
enum err rest_verdict(const struct venue *v, const char *scheme, const struct sign_request *q, const char *policy,
                      struct policy_decision *ret);

#endif
