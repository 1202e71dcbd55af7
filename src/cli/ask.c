#include "cli/ask.h"

#include "ipc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

/* --- reading into guarded memory */

static RESULT cut(const struct secret *whole, size_t len, struct secret **ret)
{
    return secret_from(VIEW(secret_view(whole).ptr, len), ret);
}

/* One byte at a time, so that the next reader finds the next line. */
static RESULT read_line(int fd, struct secret **ret)
{
    AUTO(secret_free) struct secret *line = NULL;
    size_t len = 0;
    bool any = false;

    TRY(secret_new(LINE_MAX_BYTES, &line));
    for (;;) {
        uint8_t *at = secret_ptr(line) + len;
        ssize_t n = read(fd, at, 1);
        if (n < 0)
            return ERR_IO; /* EINTR too: the person gave up */
        any = any || n == 1;
        if (n == 0 || *at == '\n')
            break;
        if (++len == LINE_MAX_BYTES)
            return ERR_TOO_LONG;
    }
    if (!any)
        return ERR_TRUNCATED;
    len -= len > 0 && secret_ptr(line)[len - 1] == '\r';
    if (len == 0) {
        *ret = NULL;
        return OK;
    }
    return cut(line, len, ret);
}

static RESULT read_all(struct cli *c, int fd, const char *name, size_t max, struct secret **ret)
{
    AUTO(secret_free) struct secret *all = NULL;
    size_t len = 0;

    TRY(secret_new(max + 1, &all));
    for (;;) {
        ssize_t n = read(fd, secret_ptr(all) + len, max + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cli_fail(c, ERR_IO, name, "reading %s: %s", name, strerrordesc_np(errno));
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max)
            return cli_fail(c, ERR_TOO_LONG, name, "%s is longer than %zu bytes", name, max);
    }
    if (len == 0)
        return cli_fail(c, ERR_TOO_SHORT, name, "%s is empty", name);
    return cut(all, len, ret);
}

RESULT ask_contents(struct cli *c, const char *file, size_t max, struct secret **ret)
{
    int fd;
    enum err e;

    if (strcmp(file, "-") == 0)
        return read_all(c, STDIN_FILENO, "standard input", max, ret);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(c, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, file, "opening %s: %s", file,
                        strerrordesc_np(errno));
    e = read_all(c, fd, file, max, ret);
    close(fd);
    return e;
}

RESULT ask_input_line(struct cli *c, struct secret **ret)
{
    enum err e = read_line(STDIN_FILENO, ret);

    if (e == ERR_TRUNCATED)
        return cli_fail(c, e, "standard input", "standard input has no further line");
    return e;
}

static RESULT first_line(struct cli *c, const char *file, struct secret **ret)
{
    AUTO(secret_free) struct secret *all = NULL;
    const uint8_t *end;
    struct view v;

    if (strcmp(file, "-") == 0)
        return ask_input_line(c, ret);
    TRY(ask_contents(c, file, LINE_MAX_BYTES, &all));
    v = secret_view(all);
    end = memchr(v.ptr, '\n', v.len);
    v.len = end ? (size_t)(end - v.ptr) : v.len;
    v.len -= v.len > 0 && v.ptr[v.len - 1] == '\r';
    if (v.len == 0) {
        *ret = NULL;
        return OK;
    }
    return cut(all, v.len, ret);
}

/* --- the terminal */

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

/* Shows nothing while a secret is typed, and shows again whatever ends it. */
static RESULT read_hidden(int tty, struct secret **ret)
{
    struct termios before, quiet;
    struct sigaction old[ARRAY_LEN(watched)], handle = {.sa_handler = on_signal};
    enum err e;

    if (tcgetattr(tty, &before) < 0)
        return ERR_IO;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    caught = 0;
    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        (void)sigaction(watched[i], &handle, &old[i]);
    (void)tcsetattr(tty, TCSAFLUSH, &quiet);
    e = read_line(tty, ret);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        (void)sigaction(watched[i], &old[i], NULL);
    if (caught)
        (void)raise(caught);
    return e;
}

static int open_tty(void)
{
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool ask_possible(void)
{
    int tty = open_tty();

    if (tty < 0)
        return false;
    close(tty);
    return true;
}

/* An option by its dashes; an argument, which is in capitals, by its name. */
static const char *shown(struct cli *c, const char *option)
{
    const char *text = *option >= 'A' && *option <= 'Z' ? option : cli_text(c, "--%s", option);

    return text ? text : option;
}

static RESULT prompt_on(struct cli *c, const char *option, const char *prompt, bool hidden, struct secret **ret)
{
    int tty = open_tty();
    enum err e;

    if (tty < 0)
        return cli_fail(c, ERR_USAGE, shown(c, option), "there is no terminal to ask (%s): give %s", prompt,
                        shown(c, option));
    (void)dprintf(tty, "%s: ", prompt);
    e = hidden ? read_hidden(tty, ret) : read_line(tty, ret);
    if (hidden || e != OK)
        (void)dprintf(tty, "\n");
    close(tty);
    return e == ERR_TRUNCATED || e == ERR_IO ? cli_fail(c, ERR_USAGE, shown(c, option), "nothing was typed") : e;
}

static RESULT not_empty(struct cli *c, const char *option, struct secret *s)
{
    return s ? OK : cli_fail(c, ERR_TOO_SHORT, shown(c, option), "it is empty");
}

RESULT ask_secret(struct cli *c, const char *option, const char *prompt, struct secret **ret)
{
    const char *file = args_text(&c->args, option);

    if (file)
        TRY(first_line(c, file, ret));
    else
        TRY(prompt_on(c, option, prompt, true, ret));
    return not_empty(c, option, *ret);
}

RESULT ask_new_secret(struct cli *c, const char *option, const char *prompt, struct secret **ret)
{
    AUTO(secret_free) struct secret *first = NULL;
    AUTO(secret_free) struct secret *again = NULL;

    TRY(ask_secret(c, option, prompt, &first));
    if (!args_text(&c->args, option)) {
        TRY(prompt_on(c, option, "Once more", true, &again));
        if (!again || !ct_eq_view(secret_view(first), secret_view(again)))
            return cli_fail(c, ERR_USAGE, shown(c, option), "the two are not the same; nothing was done");
    }
    *ret = TAKE(first);
    return OK;
}

RESULT ask_optional_secret(struct cli *c, const char *option, const char *prompt, struct secret **ret)
{
    const char *file = args_text(&c->args, option);

    *ret = NULL;
    if (file)
        return first_line(c, file, ret);
    return ask_possible() ? prompt_on(c, option, prompt, true, ret) : OK;
}

RESULT ask_line(struct cli *c, const char *option, const char *prompt, const char **ret)
{
    AUTO(secret_free) struct secret *line = NULL;

    TRY(prompt_on(c, option, prompt, false, &line));
    TRY(not_empty(c, option, line));
    *ret = arena_str(c->arena, secret_view(line));
    return *ret ? OK : ERR_NO_MEMORY;
}

RESULT ask_confirm(struct cli *c, const char *question)
{
    AUTO(secret_free) struct secret *answer = NULL;
    struct view v;

    if (args_has(&c->args, "yes"))
        return OK;
    if (!ask_possible())
        return cli_fail(c, ERR_USAGE, "--yes", "there is no terminal to ask \"%s\": give --yes", question);
    TRY(prompt_on(c, "yes", cli_text(c, "%s [yes/no]", question), false, &answer));
    v = answer ? secret_view(answer) : (struct view){0};
    if (view_is(v, "yes") || view_is(v, "y"))
        return OK;
    (void)snprintf(c->title, sizeof c->title, "Nothing was done.");
    return cli_fail(c, ERR_USAGE, "", "%s", "");
}
