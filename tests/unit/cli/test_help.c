/* Help, completion and the reference are there for every command, and say what the program does. */
#include "support.h"

#include "cli/help.h"

#include <sys/wait.h>
#include <unistd.h>

static size_t columns(const char *line, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)line[i] & 0xc0) != 0x80;
    return n;
}

static void fits(const char *what, const char *text)
{
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        if (columns(line, len) > HELP_WIDTH)
            fail_msg("the help of '%s' has a line of %zu columns: %.*s", what, columns(line, len), (int)len, line);
        line += len + (line[len] == '\n');
    }
}

static void every_help_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        const struct cli_option *o;

        help_command(&command_table[i], out);
        (void)fclose(out);
        assert_true(len > 80);
        assert_non_null(strstr(text, command_table[i].path));
        for (size_t k = 0; (o = command_option_at(&command_table[i], k)); k++) {
            assert_non_null(strstr(text, o->name));
            assert_true(o->help && *o->help);
            assert_true((o->kind == OPTION_FLAG) == (o->value == NULL));
            assert_true((o->kind == OPTION_CHOICE) == (o->choices != NULL));
        }
        fits(command_table[i].path, text);
        free(text);
    }
    struct ran r = RUN("--help");
    fits("--help", r.out);
    support_done(&r);
}

/* An option of a command must not hide a common one with the same name, nor a letter another. */
static void options_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const struct cli_option *a, *b;
        for (size_t k = 0; (a = command_option_at(&command_table[i], k)); k++)
            for (size_t m = k + 1; (b = command_option_at(&command_table[i], m)); m++)
                if (strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter))
                    fail_msg("holdfast %s: --%s and --%s", command_table[i].path, a->name, b->name);
        for (size_t k = i + 1; k < command_count; k++)
            assert_string_not_equal(command_table[i].path, command_table[k].path);
    }
}

static char *source_file(const char *name)
{
    char path[4096];
    const char *source = getenv("HOLDFAST_SOURCE");

    assert_non_null(source);
    (void)snprintf(path, sizeof path, "%s/%s", source, name);
    return support_read(path);
}

static void reference_is_the_tables(void **state)
{
    static const char marker[] = "<!-- What follows is written by 'holdfast help --markdown'. -->\n\n";
    char *page = source_file("docs/cli.md"), *man = source_file("docs/holdfast.1");
    const char *reference = strstr(page, marker);
    struct ran r = RUN("help", "--markdown");

    (void)state;
    assert_non_null(reference);
    if (strcmp(reference + sizeof marker - 1, r.out) != 0)
        fail_msg("docs/cli.md is not what 'holdfast help --markdown' writes: write it anew");
    for (int code = 0; code <= 8; code++) {
        char row[16];
        (void)snprintf(row, sizeof row, "| %d | ", code);
        assert_non_null(strstr(reference, row));
    }
    support_done(&r);
    r = RUN("help", "--man");
    if (strcmp(man, r.out) != 0)
        fail_msg("docs/holdfast.1 is not what 'holdfast help --man' writes: write it anew");
    support_done(&r);
    free(page);
    free(man);
}

/* Every exit code of the catalogue is explained. */
static void exit_codes_are_known(void **state)
{
    char *page = source_file("docs/cli.md");

    (void)state;
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        char row[16];
        (void)snprintf(row, sizeof row, "| %d | ", err_exit((enum err)e));
        assert_non_null(strstr(page, row));
    }
    free(page);
}

/* bash -c script, with the words behind it; what it prints. */
static int bash(const char *script, const char *file, char *out, size_t cap)
{
    int ends[2], status = -1;
    ssize_t n;
    size_t len = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)execlp("bash", "bash", "-c", script, "bash", file, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while (len + 1 < cap && (n = read(ends[0], out + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void completion_completes(void **state)
{
    static const struct {
        const char *words, *wants;
    } rows[] = {
        {"holdfast op", "operator"},
        {"holdfast operator admin re", "remove recover"},
        {"holdfast -", ""},
        {"holdfast secret put a/b --k", "--kind"},
        {"holdfast secret put a/b --kind pr", "private_key"},
        {"holdfast credential test a/b --network t", "testnet"},
        {"holdfast sign a/b -o c", "curl"},
        {"holdfast completion z", "zsh"},
    };
    char file[] = "/tmp/holdfast-completion-XXXXXX", out[4096], script[512];
    struct ran r = RUN("completion", "bash");
    int fd = mkstemp(file);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, r.out, strlen(r.out)), strlen(r.out));
    close(fd);
    assert_int_equal(bash("bash -n \"$1\"", file, out, sizeof out), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)snprintf(script, sizeof script,
                       "source \"$1\"; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _holdfast; "
                       "printf '%%s' \"${COMPREPLY[*]}\"",
                       rows[i].words);
        assert_int_equal(bash(script, file, out, sizeof out), 0);
        assert_string_equal(out, rows[i].wants);
    }
    (void)unlink(file);
    support_done(&r);
}

static void other_shells(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        struct ran r = RUN("completion", shells[i]);
        assert_int_equal(r.code, 0);
        for (size_t k = 0; k < command_count; k++)
            if (!strstr(r.out, command_table[k].path))
                fail_msg("completion for %s does not know '%s'", shells[i], command_table[k].path);
        support_done(&r);
    }
    struct ran r = RUN("completion", "tcsh");
    assert_int_equal(r.code, 2);
    support_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_help_fits),         cmocka_unit_test(options_are_told_apart),
        cmocka_unit_test(reference_is_the_tables), cmocka_unit_test(exit_codes_are_known),
        cmocka_unit_test(completion_completes),    cmocka_unit_test(other_shells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
