/* How many tokens one user or key gets (tokens.per_subject_per_minute): asked before the keeper is, whose budget is one
 * for everybody, so that a program in a loop doesn't use it up for all. By GCRA (domain/guard/rates.h), in memory. */
#ifndef HOLDFAST_API_TOKEN_SHARE_H
#define HOLDFAST_API_TOKEN_SHARE_H

#include "api/context.h"

/* By the limits of the configuration, completed: per_subject_per_minute, or a tenth of per_minute; a fifth of burst at
 * once, 5 at least. ERR_BAD_VALUE, ERR_NO_MEMORY. */
RESULT token_share_new(const struct config_tokens *limits, const struct random *random, struct rates **ret,
                       struct problem *why);

/* True: one token of this subject ("user:alice", "key:<id>") is counted. False: none is, and the answer gets
 * Retry-After. tell: it gets the headers RateLimit and RateLimit-Policy, too. */
bool token_share_take(struct http_request *req, struct view subject, bool tell);
/* ERR_TOO_MANY_REQUESTS. The first one in five minutes leaves a record that names the subject, durable before the
 * answer; the others are added up. */
enum http_outcome token_share_refuse(struct http_request *req, struct view subject);

#endif
