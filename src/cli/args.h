/* A command's words taken apart by its row of the table. */
#ifndef HOLDFAST_CLI_ARGS_H
#define HOLDFAST_CLI_ARGS_H

#include "base/clock.h"
#include "cli/command.h"

#define ARGS_OPTIONS_MAX 128

struct args {
    const struct cli_command *command;
    struct {
        const struct cli_option *option;
        const char *value; /* NULL for a flag */
        uint64_t number;   /* NUMBER; DURATION in seconds; TIME in milliseconds since 1970 */
    } given[ARGS_OPTIONS_MAX];
    size_t given_count;
    const char *arguments[ARGUMENTS_MAX];
    bool help; /* --help was given: nothing else was checked */
};

/* words: what follows the verbs. ERR_USAGE with what is wrong and what would mend it. Borrows the words. */
RESULT args_parse(const struct cli_command *cmd, int count, char *const *words, uint64_t now_ms, struct args *ret,
                  struct problem *why);
bool args_has(const struct args *a, const char *option);
const char *args_text(const struct args *a, const char *option); /* NULL if not given */
uint64_t args_number(const struct args *a, const char *option, uint64_t otherwise);
/* The values of an option that may be repeated, one by one: *at begins as 0; NULL behind the last. */
const char *args_next(const struct args *a, const char *option, size_t *at);
size_t args_count(const struct args *a, const char *option);

#endif
