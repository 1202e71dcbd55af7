/* What an administrator signs, and whether another one has to sign it as well. */
#ifndef HOLDFAST_CLI_EYES_H
#define HOLDFAST_CLI_EYES_H

#include "cli/approver.h"
#include "cli/cli.h"
#include "ipc/approval_request.h"

/* Are two wanted? As the API says, or as the keeper's status says; whoever lies about it gains nothing, since the
 * keeper counts for itself. */
RESULT eyes_wanted(struct cli *c, enum approval_kind kind, bool *ret);
static inline bool eyes_in(uint8_t rule, enum approval_kind kind)
{
    return kind == APPROVE_FOUR_EYES || (four_eyes_bit(kind) & rule) != 0;
}
/* What is signed for this change, made from its parts alone. Without installation and expiry. */
RESULT eyes_signed(struct cli *c, const struct approval_request *r, struct approver_change *ret);
/* Signs it: into r->approval, good for an hour, or, where a second one is wanted, for a day less a little. */
RESULT eyes_approve(struct cli *c, const uint8_t installation[static 32], struct approval_request *r, bool two);
/* Is the first approval one for exactly this change? ERR_APPROVAL_INVALID. */
RESULT eyes_check_first(struct cli *c, const uint8_t installation[static 32], const struct approval_request *r);
/* Leaves the change, with its first approval, for another administrator. */
RESULT eyes_ask(struct cli *c, const struct approval_request *r);
/* What came from elsewhere, without control characters, in the arena; "?" without memory. */
const char *eyes_safe(struct cli *c, struct view text);
/* "policy, rekey", or "nothing". */
const char *eyes_rule_text(struct cli *c, uint8_t rule);

/* administrators.c: the set as the keeper has it, in wire form. ERR_TAMPERED if it does not hash to what it says. */
RESULT administrators_set(struct cli *c, struct view *ret);
/* Hashes of the set in r->what, before and after the change. */
RESULT administrators_hashes(struct cli *c, const struct approval_request *r, uint8_t previous[static 32],
                             uint8_t next[static 32]);
RESULT administrators_run(struct cli *c, const struct approval_request *r);
/* The installation behind the operator socket, which must be the pinned one if there is one. */
RESULT administrators_status(struct cli *c, struct keeper_status *ret);

#endif
