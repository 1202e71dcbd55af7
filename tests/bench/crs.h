/* ModSecurity 3 with the OWASP Core Rule Set as a yardstick. The library is loaded when it is asked for, so that
 * nothing but script/bench needs it. */
#ifndef HOLDFAST_BENCH_CRS_H
#define HOLDFAST_BENCH_CRS_H

#include "domain/guard/patterns/patterns.h"

struct crs;

/* With the rules of the file; exits with a message if there is no library or a rule is wrong. */
struct crs *crs_new(const char *rules_file);
/* One transaction, from connection to body: whether it would be refused. */
bool crs_blocks(struct crs *c, const char *method, const struct patterns_request *r);

#endif
