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
/* The files of rules against attack patterns that the server would read with it here, as files_patterns has them; empty
 * where none are asked. */
RESULT policy_rules(const struct config *config, struct writer *ret, struct problem *why);

#endif
