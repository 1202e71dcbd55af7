/* Watches that what keeper and signer authored is one chain for each, as whoever verifies the log would. */
#ifndef HOLDFAST_TEST_KEEPER_CHAINED_H
#define HOLDFAST_TEST_KEEPER_CHAINED_H

#include "rig.h"

void chained_begin(struct rig *r); /* from here on, everything that rig_log_pending logs */
void chained_add(struct rig *r, const struct authored_record *a);
void chained_end(struct rig *r); /* fails where a number is missing that no restart declared */

#endif
