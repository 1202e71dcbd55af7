/* holdfast policy …: what its files share. */
#ifndef HOLDFAST_CLI_POLICY_H
#define HOLDFAST_CLI_POLICY_H

#include "base/yaml.h"
#include "cli/cli.h"
#include "ipc/config.h"

/* The file's text in the arena; "-" is standard input. */
RESULT policy_text(struct cli *c, const char *file, struct view *ret);
/* A configuration's text, with everything that the server would refuse refused. */
RESULT policy_config(struct cli *c, const char *file, struct view text, struct config *ret);

#endif
