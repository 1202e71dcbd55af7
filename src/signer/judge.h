/* What a request does, and what else its signed bytes could do. Internal to the REST schemes. */
#ifndef HOLDFAST_SIGNER_JUDGE_H
#define HOLDFAST_SIGNER_JUDGE_H

#include "signer/rest_params.h"

struct judging {
    const struct venue *venue;
    const struct venue_scheme *scheme;
    const struct sign_request *request;
    const struct venue_endpoint *claimed;
    struct arena *arena;
    struct intents *intents;
    struct problem *why;
    bool read_said; /* that it could be some read is said once */
};

enum reading_kind { AS_CLAIMED, FORMABLE, FORMABLE_LASTING };

/* Adds the intents of endpoint e with these parameters. AS_CLAIMED refuses (ERR_BAD_VALUE …) what the venue would
 * refuse; the others leave it out. */
RESULT judge_intents(struct judging *j, const struct venue_endpoint *e, const struct reading *r,
                     enum reading_kind kind);
/* The same, if e could be formed from this reading at all. Reads are added once. */
RESULT judge_formable(struct judging *j, const struct venue_endpoint *e, const struct reading *r,
                      enum reading_kind kind);

/* Role of a parameter at an endpoint. */
enum param_role judge_role(const struct venue *v, const struct venue_endpoint *e, uint16_t id);

/* Other readings where query and body are joined and neither method nor host nor path is signed. */
RESULT judge_flat(struct judging *j, const struct reading *r);
/* Other readings where path, query, expiry and body are joined and the method is not signed. */
RESULT judge_joined(struct judging *j, const struct reading *r);

RESULT judge_request(const struct venue *venue, const struct venue_scheme *scheme, const struct sign_request *request,
                     struct arena *arena, struct intents *ret, struct problem *why);

#endif
