#include "cli/cli.h"

#include "cli/api.h"
#include "cli/help.h"
#include "cli/output.h"
#include "crypto/sign.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ARENA_BYTES ((size_t)64 << 20)

RESULT cli_fail(struct cli *c, enum err code, const char *where, const char *format, ...)
{
    char detail[sizeof c->why.detail];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(detail, sizeof detail, format, list);
    va_end(list);
    return problem_set(&c->why, code, where ? where : "", "%s", detail);
}

RESULT cli_unreachable(struct cli *c, const char *where, const char *format, ...)
{
    char detail[sizeof c->why.detail];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(detail, sizeof detail, format, list);
    va_end(list);
    (void)snprintf(c->title, sizeof c->title, "The server can't be reached.");
    return cli_fail(c, ERR_UNAVAILABLE, where, "%s", detail);
}

void cli_note(struct cli *c, const char *format, ...)
{
    va_list list;

    (void)fflush(c->out); /* both may be one terminal */
    va_start(list, format);
    (void)vfprintf(c->err, format, list);
    va_end(list);
    (void)fputc('\n', c->err);
}

const char *cli_text(struct cli *c, const char *format, ...)
{
    char text[4097];
    va_list list;

    va_start(list, format);
    int n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const char *kept = n >= 0 && (size_t)n < sizeof text ? arena_str(c->arena, view_str(text)) : NULL;
    wipe(text, sizeof text);
    return kept;
}

static void look_at_terminal(struct cli *c)
{
    struct winsize size;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");

    /* A pager's or a script's say on the width; without one, nothing is cut where nobody looks. */
    if (columns)
        c->width = (unsigned short)strtoul(columns, NULL, 10);
    c->terminal = isatty(fileno(c->out)) == 1;
    if (c->terminal && ioctl(fileno(c->out), TIOCGWINSZ, &size) == 0)
        c->width = size.ws_col;
    c->color = c->terminal && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* Verbs that lead to no command: say what there is instead. */
static int no_command(struct cli *c, int count, char *const *words, int used)
{
    AUTO_WRITER text = writer_new(4096);
    bool asked = count == 0 || strcmp(words[used < count ? used : 0], "--help") == 0 ||
                 strcmp(words[used < count ? used : 0], "-h") == 0;
    bool whole = used == count || asked;
    const char *near;

    for (int i = 0; i < (whole ? used : count) && i < 3; i++)
        writer_printf(&text, "%s%.40s", i ? " " : "", words[i]);
    writer_u8(&text, 0);
    if (writer_done(&text) != OK)
        return err_exit(ERR_USAGE);
    if (whole) {
        help_group((const char *)text.ptr, asked ? c->out : c->err);
        return asked ? 0 : err_exit(ERR_USAGE);
    }
    near = command_nearest((const char *)text.ptr);
    output_problem(c, near ? cli_fail(c, ERR_USAGE, "", "there is no command '%s'; did you mean '%s'?",
                                      (const char *)text.ptr, near)
                           : cli_fail(c, ERR_USAGE, "", "there is no command '%s'; 'holdfast help' lists them all",
                                      (const char *)text.ptr));
    return err_exit(ERR_USAGE);
}

static RESULT run(struct cli *c, const struct cli_command *cmd, int count, char *const *words)
{
    const char *output;

    TRY(args_parse(cmd, count, words, c->clock->wall_ms(c->clock), &c->args, &c->why));
    if (c->args.help) {
        help_command(cmd, c->out);
        return OK;
    }
    output = args_text(&c->args, "output");
    c->json = output && strcmp(output, "json") == 0;
    if (cmd->flags & COMMAND_REASON)
        TRY(api_needs_reason(c));
    return cmd->run(c);
}

RESULT cli_flush(struct cli *c)
{
    int fd = fileno(c->out);

    errno = 0;
    if (fflush(c->out) == 0 && !ferror(c->out) && (fd < 0 || fsync(fd) == 0 || (errno != EIO && errno != ENOSPC)))
        return OK;
    return cli_fail(c, ERR_IO, "standard output", "writing the output failed%s%s", errno ? ": " : "",
                    errno ? strerrordesc_np(errno) : "");
}

/* A full disk or a reader that left must not look like success. */
static int end(struct cli *c, enum err e)
{
    api_free(c->api);
    c->api = NULL;
    if (e == OK && (fflush(c->out) != 0 || ferror(c->out)))
        e = cli_fail(c, ERR_IO, "standard output", "the command was carried out, but writing its output failed");
    if (e == OK)
        return c->exit_code;
    (void)fflush(c->out);
    output_problem(c, e);
    return err_exit(e);
}

int cli_run(int argc, char **argv, FILE *out, FILE *err)
{
    static char version[] = "version";
    AUTO(arena_free) struct arena *arena = NULL;
    struct cli c = {.out = out, .err = err, .clock = clock_system(), .random = random_system(), .argv = argv};
    const struct cli_command *cmd;
    bool locked;
    int used = 0;

    if (crypto_init(&locked) != OK || arena_new(65536, ARENA_BYTES, &arena) != OK)
        return err_exit(ERR_NO_MEMORY);
    (void)signal(SIGPIPE, SIG_IGN);
    c.arena = arena;
    look_at_terminal(&c);
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    cmd = command_find(argc - 1, argv + 1, &used);
    if (!cmd)
        return no_command(&c, argc - 1, argv + 1, used);
    return end(&c, run(&c, cmd, argc - 1 - used, argv + 1 + used));
}
