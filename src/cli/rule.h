/* What takes two administrators, and new data keys, which may. */
#ifndef HOLDFAST_CLI_RULE_H
#define HOLDFAST_CLI_RULE_H

#include "cli/cli.h"
#include "ipc/approval_request.h"

/* Puts in force what was approved, over the operator socket. */
RESULT rule_run(struct cli *c, const struct approval_request *r);
RESULT rule_rotate(struct cli *c, const struct approval_request *r);
/* operator.c: the keeper's status for people. */
RESULT operator_show(struct cli *c, const struct keeper_status *s);

#endif
