/* Help, the manual page and the reference of docs/cli.md, all from the table of commands. */
#ifndef HOLDFAST_CLI_HELP_H
#define HOLDFAST_CLI_HELP_H

#include "cli/command.h"

#define HELP_WIDTH 80

void help_command(const struct cli_command *cmd, FILE *out);
/* Every command whose verbs begin with these words; "" for all, with the overview. */
void help_group(const char *words, FILE *out);
void help_markdown(FILE *out); /* what docs/cli.md holds between its markers */
void help_man(FILE *out);      /* docs/holdfast.1 */

#endif
