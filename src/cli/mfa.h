/* The second step of signing in, for 'holdfast login'. */
#ifndef HOLDFAST_CLI_MFA_H
#define HOLDFAST_CLI_MFA_H

#include "cli/api.h"

/* If the answer to the password asks for a second factor: asks the person (or takes --code), and leaves the answer to
 * that in its place. fresh: the new password that goes along, or NULL. */
RESULT mfa_second_step(struct cli *c, const struct secret *fresh, struct api_answer *answer);

/* For what asks for a fresh one: asks the person at the terminal, and shows it. */
RESULT mfa_step_up(struct cli *c);

#endif
