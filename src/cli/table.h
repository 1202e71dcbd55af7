/* The words that the rows of the table of commands are written with. */
#ifndef HOLDFAST_CLI_TABLE_H
#define HOLDFAST_CLI_TABLE_H

#include "cli/cli.h"

#define FLAG(n, l, h)                                                                                                  \
    {                                                                                                                  \
        .name = (n), .letter = (l), .kind = OPTION_FLAG, .help = (h)                                                   \
    }
#define VALUE(n, k, v, h)                                                                                              \
    {                                                                                                                  \
        .name = (n), .kind = OPTION_##k, .value = (v), .help = (h)                                                     \
    }
#define CHOICE(n, v, c, h)                                                                                             \
    {                                                                                                                  \
        .name = (n), .kind = OPTION_CHOICE, .value = (v), .choices = (c), .help = (h)                                  \
    }
#define OPTIONS(...)                                                                                                   \
    (const struct cli_option[])                                                                                        \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define ARGUMENT(n, h)                                                                                                 \
    {                                                                                                                  \
        .name = (n), .help = (h)                                                                                       \
    }
#define ARGUMENT_OPTIONAL(n, h)                                                                                        \
    {                                                                                                                  \
        .name = (n), .optional = true, .help = (h)                                                                     \
    }
#define ARGUMENT_FILE(n, h)                                                                                            \
    {                                                                                                                  \
        .name = (n), .file = true, .help = (h)                                                                         \
    }
#define ARGUMENT_FILE_OPTIONAL(n, h)                                                                                   \
    {                                                                                                                  \
        .name = (n), .optional = true, .file = true, .help = (h)                                                       \
    }
#define ARGUMENTS(...)                                                                                                 \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define NO_ARGUMENTS                                                                                                   \
    {                                                                                                                  \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
/* Verbs, handler, flags, summary, help, options, arguments, example. */
#define COMMAND(...)                                                                                                   \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

#endif
