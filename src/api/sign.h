/* The rules of asking for a signature, apart from the asking. */
#ifndef HOLDFAST_API_SIGN_H
#define HOLDFAST_API_SIGN_H

#include "api/credentials.h"
#include "api/sign_entity.h"

/* An API key must name the credential, and hold mev:execute or orders:place. People need mev:execute, or make a dry
 * run. ERR_FORBIDDEN. */
RESULT sign_may(const struct api_caller *c, const struct credential_rights *rights, struct view path, bool dry_run,
                struct problem *why);
/* The bytes that are signed: an object as it was sent, or what a text holds. ERR_BAD_JSON. */
RESULT sign_params(struct view json, struct arena *arena, struct view *ret, struct problem *why);
/* The error of a decision's code; ERR_INTERNAL for an unknown one. */
enum err sign_code(struct view decision);

#endif
