/* The command line is one table: for each command its verbs, options, arguments, help and handler. Parsing, --help, the
 * manual page, docs/cli.md and the shells' completion come from it; nothing else knows what a command is called. */
#ifndef HOLDFAST_CLI_COMMAND_H
#define HOLDFAST_CLI_COMMAND_H

#include "base/buf.h"

enum option_kind {
    OPTION_FLAG,     /* takes no value */
    OPTION_TEXT,     /* one line, not empty */
    OPTION_TEXTS,    /* the same, may be given again and again */
    OPTION_FILE,     /* a path; "-" is standard input where the help says so */
    OPTION_CHOICE,   /* one of choices */
    OPTION_NUMBER,   /* digits up to 2^53 */
    OPTION_DURATION, /* 90s, 15m, 24h, 7d, or seconds */
    OPTION_TIME,     /* RFC 3339, a date, or a duration: so long ago */
};

struct cli_option {
    const char *name; /* without the dashes; NULL ends a list */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *value;          /* what help calls the value: "FILE" */
    const char *const *choices; /* CHOICE: NULL-terminated */
    const char *help;
};

struct cli_argument {
    const char *name; /* "PATH"; NULL ends a list */
    bool optional;
    bool file; /* for completion */
    const char *help;
};

/* What a command works with, and so which common options it takes. */
enum command_flag {
    COMMAND_API = 1,      /* speaks to the API */
    COMMAND_OPERATOR = 2, /* speaks to the operator socket */
    COMMAND_ASKS = 4,     /* wants a confirmation: --yes */
    COMMAND_RECORDED = 8, /* takes a reason for the record: --reason */
    COMMAND_SERVER = 32,  /* reads the server's configuration */
    COMMAND_PLAIN = 16,   /* has one form of output: no --output */
    COMMAND_REASON = 64,  /* does nothing without one */
};

#define ARGUMENTS_MAX 3

struct cli;
struct cli_command {
    const char *path; /* "operator admin add" */
    RESULT (*run)(struct cli *c);
    unsigned flags; /* enum command_flag */
    const char *summary;
    const char *help; /* paragraphs, each one line of text, parted by empty lines; NULL: the summary says it all */
    const struct cli_option *options;             /* NULL: none but the common ones */
    struct cli_argument arguments[ARGUMENTS_MAX]; /* in order */
    const char *example;                          /* lines of a shell; NULL: none */
};

/* In the order of help. */
extern const struct cli_command command_table[];
extern const size_t command_count;
/* What several commands take, by flag: {mask of flags, option}; mask 0 means every command. */
struct common_option {
    unsigned flags, unless;
    struct cli_option option;
};
extern const struct common_option command_common[];
extern const size_t command_common_count;

/* The command whose verbs words begin with, the longest one; NULL if there is none. ret_used: how many words it took,
 * or, with NULL, how many were the beginning of some command. */
const struct cli_command *command_find(int count, char *const *words, int *ret_used);
/* The option of that name or letter that the command takes, its own or a common one. */
const struct cli_option *command_option(const struct cli_command *cmd, const char *name, size_t name_len);
const struct cli_option *command_letter(const struct cli_command *cmd, char letter);
/* The i-th option of the command, own ones first; NULL behind the last. */
const struct cli_option *command_option_at(const struct cli_command *cmd, size_t i);
/* True if the command's verbs begin with these words ("operator admin"); "" for every command. */
bool command_below(const struct cli_command *cmd, const char *words);
/* The known command or option that is spelled most like text, or NULL when none is near. */
const char *command_nearest(const char *text);

#endif
