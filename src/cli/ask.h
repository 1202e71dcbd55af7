/* Secrets and confirmations from people. A secret comes from a terminal that does not show it, from a file, or from
 * standard input; never from an argument, where every process of the host can read it. */
#ifndef HOLDFAST_CLI_ASK_H
#define HOLDFAST_CLI_ASK_H

#include "cli/cli.h"

#define ASK_MAX 65536 /* bytes of one secret */

/* One line: from the file that the option names ("-": the next line of standard input), else asked for at the terminal
 * with prompt. Without both ERR_USAGE that names the option. Not empty. */
RESULT ask_secret(struct cli *c, const char *option, const char *prompt, struct secret **ret);
/* The same for a new secret: a terminal is asked twice. */
RESULT ask_new_secret(struct cli *c, const char *option, const char *prompt, struct secret **ret);
/* The same, but an empty answer is OK and gives NULL, and so is having nobody to ask. */
RESULT ask_optional_secret(struct cli *c, const char *option, const char *prompt, struct secret **ret);
/* A line at the terminal that may be seen; ERR_USAGE naming the option when there is no terminal. */
RESULT ask_line(struct cli *c, const char *option, const char *prompt, const char **ret);
/* Everything that a file, or standard input with "-", holds, byte for byte. */
RESULT ask_contents(struct cli *c, const char *file, size_t max, struct secret **ret);
/* The next line of standard input without its end; ERR_TRUNCATED at the end of it. */
RESULT ask_input_line(struct cli *c, struct secret **ret);
/* OK when --yes was given or the person at the terminal says yes; else ERR_USAGE. */
RESULT ask_confirm(struct cli *c, const char *question);
bool ask_possible(void); /* there is a terminal to ask at */

#endif
