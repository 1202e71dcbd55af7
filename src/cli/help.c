#include "cli/help.h"

#include "base/text.h"
#include "cli/cli.h"
#include "cli/output.h"

#define INDENT 26

static const char overview[] = "Usage: holdfast COMMAND …\n\n"
                               "Keeps a trading desk's keys, signs for its bots, and proves what happened.\n";

static const struct {
    int code;
    const char *meaning;
} exits[] = {
    {0, "done"},
    {1, "failed inside Holdfast"},
    {2, "wrong usage, or input that is not valid"},
    {3, "not signed in, or not who was claimed"},
    {4, "refused: a permission, a policy or an approval is missing"},
    {5, "not found"},
    {6, "conflict: it exists, was changed meanwhile, or is final"},
    {7, "sealed, unreachable, full or too busy"},
    {8, "verification failed: something was altered, or is not what was pinned"},
};

static const struct {
    const char *name, *meaning;
} variables[] = {
    {"HOLDFAST_ADDR", "the server's address: https://host:port or unix:/path"},
    {"HOLDFAST_TOKEN", "an API key or session token"},
    {"HOLDFAST_CACERT", "PEM file with the certificate to trust"},
    {"HOLDFAST_REASON", "why, for the record, where --reason is not given"},
    {"HOLDFAST_DATA_DIR", "the server's data directory, for 'server' and 'operator'"},
    {"HOLDFAST_HOME", "the profile's directory (~/.config/holdfast)"},
    {"NO_COLOR", "if set, no colours"},
};

/* --- wrapping */

static size_t width_of(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Words from column `at` on, further lines indented; paragraphs are parted by an empty line. */
static void wrap(FILE *out, const char *text, size_t at, size_t indent)
{
    while (*text) {
        size_t len = strcspn(text, " \n"), width = width_of(text, len);
        if (at > indent && at + 1 + width > HELP_WIDTH) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        }
        if (at > indent) {
            (void)fputc(' ', out);
            at++;
        }
        (void)fwrite(text, 1, len, out);
        at += width;
        text += len;
        if (*text == '\n') {
            (void)fprintf(out, "\n\n%*s", (int)indent, "");
            at = indent;
        }
        text += strspn(text, " \n");
    }
    (void)fputc('\n', out);
}

static void put_row(FILE *out, const char *label, const char *text)
{
    size_t width = width_of(label, strlen(label));

    (void)fprintf(out, "  %s", label);
    if (width + 4 > INDENT) {
        (void)fprintf(out, "\n%*s", INDENT, "");
    } else {
        (void)fprintf(out, "%*s", (int)(INDENT - 2 - width), "");
    }
    wrap(out, text, INDENT, INDENT);
}

/* --- one command */

static void option_label(const struct cli_option *o, char *out, size_t cap)
{
    char letter[8] = "";

    if (o->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(out, cap, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

static void usage_line(const struct cli_command *cmd, char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "holdfast %s", cmd->path);

    for (size_t i = 0; i < ARGUMENTS_MAX && cmd->arguments[i].name && n < cap; i++) {
        const struct cli_argument *a = &cmd->arguments[i];
        n += (size_t)snprintf(out + n, cap - n, a->optional ? " [%s]" : " %s", a->name);
    }
    if (n < cap)
        (void)snprintf(out + n, cap - n, " [options]");
}

/* What the option is for, and what may be chosen. */
static const char *option_help(const struct cli_option *o, char *out, size_t cap)
{
    struct writer w = writer_fixed(out, cap - 1);

    writer_str(&w, o->help);
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        writer_printf(&w, "%s%s", i ? ", " : ": ", o->choices[i]);
    out[w.len] = '\0';
    return out;
}

static void put_options(const struct cli_command *cmd, FILE *out)
{
    const struct cli_option *o;
    char label[128], text[256];

    (void)fputs("\nOptions:\n", out);
    for (size_t i = 0; (o = command_option_at(cmd, i)); i++) {
        option_label(o, label, sizeof label);
        put_row(out, label, option_help(o, text, sizeof text));
    }
}

void help_command(const struct cli_command *cmd, FILE *out)
{
    char usage[256];

    usage_line(cmd, usage, sizeof usage);
    (void)fprintf(out, "Usage: %s\n\n", usage);
    wrap(out, cmd->summary, 0, 0);
    if (cmd->help) {
        (void)fputc('\n', out);
        wrap(out, cmd->help, 0, 0);
    }
    if (cmd->arguments[0].name)
        (void)fputs("\nArguments:\n", out);
    for (size_t i = 0; i < ARGUMENTS_MAX && cmd->arguments[i].name; i++)
        put_row(out, cmd->arguments[i].name, cmd->arguments[i].help);
    put_options(cmd, out);
    if (cmd->example)
        (void)fprintf(out, "\nExample:\n  %s\n", cmd->example);
}

void help_group(const char *words, FILE *out)
{
    if (!*words) {
        (void)fputs(overview, out);
        (void)fputs("\nCommands:\n", out);
    } else {
        (void)fprintf(out, "Usage: holdfast %s COMMAND …\n\nCommands:\n", words);
    }
    for (size_t i = 0; i < command_count; i++)
        if (command_below(&command_table[i], words))
            put_row(out, command_table[i].path, command_table[i].summary);
    (void)fputs("\n'holdfast COMMAND --help' says more.", out);
    (void)fputs(*words ? "\n" : " Exit codes are in holdfast(1).\n", out);
}

/* --- the reference */

static void markdown_command(const struct cli_command *cmd, FILE *out)
{
    const struct cli_option *o;
    char text[256], help[256];

    usage_line(cmd, text, sizeof text);
    (void)fprintf(out, "### holdfast %s\n\n`%s`: %s.\n\n", cmd->path, text, cmd->summary);
    if (cmd->help)
        (void)fprintf(out, "%s\n\n", cmd->help);
    (void)fputs("| | |\n|---|---|\n", out);
    for (size_t i = 0; i < ARGUMENTS_MAX && cmd->arguments[i].name; i++)
        (void)fprintf(out, "| `%s` | %s |\n", cmd->arguments[i].name, cmd->arguments[i].help);
    for (size_t i = 0; (o = command_option_at(cmd, i)); i++) {
        option_label(o, text, sizeof text);
        (void)fprintf(out, "| `%s` | %s |\n", text, option_help(o, help, sizeof help));
    }
    if (cmd->example)
        (void)fprintf(out, "\n```sh\n%s\n```\n", cmd->example);
    (void)fputc('\n', out);
}

void help_markdown(FILE *out)
{
    (void)fputs("## Exit codes\n\n| code | meaning |\n|---|---|\n", out);
    for (size_t i = 0; i < ARRAY_LEN(exits); i++)
        (void)fprintf(out, "| %d | %s |\n", exits[i].code, exits[i].meaning);
    (void)fputs("\n## Environment\n\n| variable | meaning |\n|---|---|\n", out);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        (void)fprintf(out, "| `%s` | %s |\n", variables[i].name, variables[i].meaning);
    (void)fputs("\n## Commands\n\n", out);
    for (size_t i = 0; i < command_count; i++)
        markdown_command(&command_table[i], out);
}

/* By its number, so that it is read right without a preprocessor and in any locale. Returns its length. */
static size_t roff_character(FILE *out, const char *text)
{
    uint32_t character = 0;
    size_t n = utf8_next(view_str(text), &character);

    (void)fprintf(out, "\\[u%04X]", (unsigned)character);
    return n ? n : 1;
}

/* roff: a backslash and a dot or quote at a line's front mean something. */
static void roff(FILE *out, const char *text)
{
    bool front = true;

    for (; *text; text++) {
        if (front && (*text == '.' || *text == '\''))
            (void)fputs("\\&", out);
        if (*text == '\n' && text[1] == '\n') {
            (void)fputs("\n.PP", out);
            continue;
        }
        front = *text == '\n';
        if ((unsigned char)*text >= 0x80) {
            text += roff_character(out, text) - 1;
            continue;
        }
        if (*text == '\\' || *text == '-')
            (void)fputc('\\', out);
        (void)fputc(*text == '\\' ? 'e' : *text, out);
    }
}

static void roff_row(FILE *out, const char *label, const char *text)
{
    (void)fputs(".TP\n.B \"", out);
    roff(out, label);
    (void)fputs("\"\n", out);
    roff(out, text);
    (void)fputc('\n', out);
}

static void man_command(const struct cli_command *cmd, FILE *out)
{
    const struct cli_option *o;
    char text[256], help[256];

    usage_line(cmd, text, sizeof text);
    (void)fputs(".SS \"", out);
    roff(out, text);
    (void)fputs("\"\n", out);
    roff(out, cmd->summary);
    (void)fputs(".\n", out);
    if (cmd->help) {
        (void)fputs(".PP\n", out);
        roff(out, cmd->help);
        (void)fputc('\n', out);
    }
    for (size_t i = 0; i < ARGUMENTS_MAX && cmd->arguments[i].name; i++)
        roff_row(out, cmd->arguments[i].name, cmd->arguments[i].help);
    for (size_t i = 0; (o = command_option_at(cmd, i)); i++) {
        option_label(o, text, sizeof text);
        roff_row(out, text, option_help(o, help, sizeof help));
    }
}

void help_man(FILE *out)
{
    char code[8];

    (void)fputs(".TH HOLDFAST 1 \"\" \"Holdfast " HOLDFAST_VERSION "\" \"User Commands\"\n.SH NAME\n"
                "holdfast \\- keep a trading desk's keys, and sign for its bots\n.SH SYNOPSIS\n"
                ".B holdfast\nCOMMAND [arguments] [options]\n.SH DESCRIPTION\n"
                "The command line of Holdfast: it runs the server, opens it, and speaks to its API. Secrets are asked "
                "for, or read from a file or standard input, and are never arguments.\n.SH COMMANDS\n",
                out);
    for (size_t i = 0; i < command_count; i++)
        man_command(&command_table[i], out);
    (void)fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
        (void)snprintf(code, sizeof code, "%d", exits[i].code);
        roff_row(out, code, exits[i].meaning);
    }
    (void)fputs(".SH ENVIRONMENT\n", out);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        roff_row(out, variables[i].name, variables[i].meaning);
    (void)fputs(".SH FILES\n", out);
    roff_row(out, "~/.config/holdfast/profile.json",
             "address of the server, and what was pinned when it was first met");
    roff_row(out, "~/.config/holdfast/administrator.key", "an administrator's approval key, encrypted");
    roff_row(out, "/etc/holdfast/holdfast.yaml", "the server's configuration");
}

/* --- the commands */

RESULT help_run(struct cli *c)
{
    AUTO_WRITER words = writer_new(512);
    char *list[ARGUMENTS_MAX];
    const struct cli_command *cmd;
    int count = 0, used;

    if (args_has(&c->args, "markdown") || args_has(&c->args, "man")) {
        (args_has(&c->args, "man") ? help_man : help_markdown)(c->out);
        return OK;
    }
    while (count < ARGUMENTS_MAX && c->args.arguments[count]) {
        writer_printf(&words, "%s%s", count ? " " : "", c->args.arguments[count]);
        list[count] = arena_str(c->arena, view_str(c->args.arguments[count]));
        count++;
    }
    writer_u8(&words, 0);
    TRY(writer_done(&words));
    cmd = command_find(count, list, &used);
    if (cmd && used == count)
        help_command(cmd, c->out);
    else if (used == count)
        help_group((const char *)words.ptr, c->out);
    else
        return cli_fail(c, ERR_USAGE, (const char *)words.ptr, "there is no command '%.100s'", (const char *)words.ptr);
    return OK;
}

RESULT help_version(struct cli *c)
{
    if (c->json)
        output_json(c, VIEW_STR("{\"version\":\"" HOLDFAST_VERSION "\"}"));
    else
        (void)fputs("holdfast " HOLDFAST_VERSION "\n", c->out);
    return OK;
}
