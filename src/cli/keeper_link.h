/* Speaks to the keeper over the operator socket. */
#ifndef HOLDFAST_CLI_KEEPER_LINK_H
#define HOLDFAST_CLI_KEEPER_LINK_H

#include "cli/cli.h"
#include "ipc/config.h"
#include "ipc/keeper_msg.h"

/* One question and its answer, by the rows of keeper_messages. answer (may be NULL) lives in the arena. */
RESULT keeper_link_ask(struct cli *c, uint16_t type, const void *question, void *answer);
/* The server's configuration, by --config and --data-dir or HOLDFAST_DATA_DIR. */
RESULT keeper_link_config(struct cli *c, struct config *ret);
/* Which socket: --socket, --data-dir, HOLDFAST_DATA_DIR, the profile's, the configuration's. */
RESULT keeper_link_socket(struct cli *c, const char **ret);

#endif
