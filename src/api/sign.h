/* The rules of asking for a signature, apart from the asking. */
#ifndef HOLDFAST_API_SIGN_H
#define HOLDFAST_API_SIGN_H

#include "api/credentials.h"
#include "api/sign_entity.h"

/* An API key must name the credential, and hold mev:api, mev:execute or orders:place. People need mev:execute, or make
 * a dry run. ERR_FORBIDDEN. */
RESULT sign_may(const struct api_caller *c, const struct credential_rights *rights, struct view path, bool dry_run,
                struct problem *why);
/* In environments, too: a key signs with credentials of its own as long as its owner has that one, people where they
 * have a grant. Environment 0 is of a credential that is not there: who may not see all is told the same.
 * ERR_FORBIDDEN. */
RESULT sign_may_here(const struct credential_rights *rights, uint8_t environment, struct problem *why);
/* The bytes that are signed: an object as it was sent, or what a text holds. ERR_BAD_JSON. */
RESULT sign_params(struct view json, struct arena *arena, struct view *ret, struct problem *why);
/* The error of a decision's code; ERR_INTERNAL for an unknown one. */
enum err sign_code(struct view decision);

#endif
