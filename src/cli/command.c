#include "cli/command.h"

static bool takes(const struct cli_command *cmd, const struct common_option *o)
{
    return (o->flags == 0 || (cmd->flags & o->flags)) && !(cmd->flags & o->unless);
}

const struct cli_option *command_option_at(const struct cli_command *cmd, size_t i)
{
    for (const struct cli_option *o = cmd->options; o && o->name; o++)
        if (i-- == 0)
            return o;
    for (size_t k = 0; k < command_common_count; k++)
        if (takes(cmd, &command_common[k]) && i-- == 0)
            return &command_common[k].option;
    return NULL;
}

const struct cli_option *command_option(const struct cli_command *cmd, const char *name, size_t name_len)
{
    const struct cli_option *o;

    for (size_t i = 0; (o = command_option_at(cmd, i)); i++)
        if (strlen(o->name) == name_len && memcmp(o->name, name, name_len) == 0)
            return o;
    return NULL;
}

const struct cli_option *command_letter(const struct cli_command *cmd, char letter)
{
    const struct cli_option *o;

    for (size_t i = 0; (o = command_option_at(cmd, i)); i++)
        if (o->letter == letter)
            return o;
    return NULL;
}

/* How many of the words are the path's verbs, from the first on. */
static int common_words(const char *path, int count, char *const *words, bool *ret_all)
{
    int n = 0;

    while (*path && n < count) {
        size_t len = strcspn(path, " ");
        if (strlen(words[n]) != len || memcmp(path, words[n], len) != 0)
            break;
        n++;
        path += len;
        path += *path == ' ';
    }
    *ret_all = *path == '\0';
    return n;
}

const struct cli_command *command_find(int count, char *const *words, int *ret_used)
{
    const struct cli_command *best = NULL;
    int used = 0, begun = 0;

    for (size_t i = 0; i < command_count; i++) {
        bool all;
        int n = common_words(command_table[i].path, count, words, &all);
        begun = n > begun ? n : begun;
        if (all && n > used) {
            best = &command_table[i];
            used = n;
        }
    }
    *ret_used = best ? used : begun;
    return best;
}

bool command_below(const struct cli_command *cmd, const char *words)
{
    size_t len = strlen(words);

    return len == 0 || (strncmp(cmd->path, words, len) == 0 && (cmd->path[len] == ' ' || cmd->path[len] == '\0'));
}

/* --- what was meant */

#define WORD_MAX 40

/* Edits (insert, delete, replace) that make b out of a; both at most WORD_MAX long. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t least = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            least = row[j] + 1 < least ? row[j] + 1 : least;
            row[j] = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
        }
    }
    return row[lb];
}

static void consider(const char *text, const char *candidate, const char **best, size_t *least)
{
    size_t d = distance(text, candidate);

    if (d < *least) {
        *least = d;
        *best = candidate;
    }
}

const char *command_nearest(const char *text)
{
    const char *best = NULL, *bare = text;
    size_t least;

    while (*bare == '-')
        bare++;
    if (bare == text + 1)
        return NULL; /* one letter is like any other */
    least = strlen(bare) / 3 + 2;
    for (size_t i = 0; i < command_count; i++) {
        const struct cli_option *o;
        if (bare == text)
            consider(bare, command_table[i].path, &best, &least);
        for (size_t k = 0; bare != text && (o = command_option_at(&command_table[i], k)); k++)
            consider(bare, o->name, &best, &least);
    }
    return best;
}
