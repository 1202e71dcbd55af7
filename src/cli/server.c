/* holdfast server, and what --dev does once it serves: it initialises or unseals, enrols an administrator and prints
 * the log-in. It does so with the commands of the table, so that there is one way to do it. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/profile.h"
#include "ipc/config.h"
#include "ipc/file.h"
#include "supervisor/supervisor.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX     24
#define OUTPUT_MAX    65536
#define PASSWORD_SIZE 32
#define DEV_USER      "admin"
#define WAIT_TRIES    150
#define WAIT_NS       100000000L

/* --- commands, run as a person would */

static int run_with_input(const char *input, int argc, char **argv, FILE *const *to)
{
    int saved = dup(STDIN_FILENO), ends[2], code = 1;
    size_t len = strlen(input);

    if (saved < 0 || pipe(ends) < 0)
        return 1;
    bool fed = write(ends[1], input, len) == (ssize_t)len; /* less than a pipe holds */
    close(ends[1]);
    (void)dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    if (fed)
        code = cli_run(argc, argv, to[0], to[1]);
    (void)dup2(saved, STDIN_FILENO);
    close(saved);
    return code;
}

/* words: the command in one text, parted by spaces. What it prints is appended to ret_out; what it says, goes to err.
 */
static int run(const char *words, const char *input, struct writer *ret_out, FILE *err)
{
    char copy[512], *argv[WORDS_MAX] = {copy}, *text = NULL;
    size_t len = 0;
    int argc = 0, code;
    FILE *out = view_to_str(view_str(words), copy, sizeof copy) == OK ? open_memstream(&text, &len) : NULL;

    if (!out)
        return 1;
    for (char *at = copy; *at && argc < WORDS_MAX - 1;) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    code = run_with_input(input, argc, argv, (FILE *const[]){out, err});
    (void)fclose(out);
    if (ret_out)
        writer_bytes(ret_out, text, len);
    if (text)
        explicit_bzero(text, len);
    free(text);
    return code;
}

/* --- the development server */

struct dev {
    char home[4200];              /* profile of its administrator */
    char password[PASSWORD_SIZE]; /* of the root key, of the approval key, and of the log-in */
};

static RESULT make_password(char out[static PASSWORD_SIZE])
{
    uint8_t bytes[12];
    char text[17] = "";

    TRY(random_system()->fill(random_system(), bytes, sizeof bytes));
    TRY(base62_put(bytes, sizeof bytes, text, 17));
    (void)snprintf(out, PASSWORD_SIZE, "Dev-%.17s-1a", text);
    explicit_bzero(bytes, sizeof bytes);
    return OK;
}

/* Kept beside the data, readable for its owner alone: a kept development server is opened with it at each start. */
static RESULT find_password(struct dev *d, bool *ret_fresh)
{
    char path[sizeof d->home + 16];
    AUTO_WRITER text = writer_new(PASSWORD_SIZE);
    struct problem why = {0};

    (void)snprintf(path, sizeof path, "%s/password", d->home);
    *ret_fresh = file_read(path, PASSWORD_SIZE - 1, &text, &why) == ERR_NOT_FOUND;
    if (!*ret_fresh)
        return view_to_str(writer_view_of(&text), d->password, sizeof d->password);
    TRY(make_password(d->password));
    return file_create(path, view_str(d->password), 0600, &why);
}

/* The front serves a moment after the keeper is unsealed. */
static bool wait_until_serving(void)
{
    const struct timespec pause = {0, WAIT_NS};
    FILE *quiet = fopen("/dev/null", "we");
    int code = 7;

    if (!quiet)
        return false;
    for (int i = 0; i < WAIT_TRIES && code != 0; i++) {
        code = run("holdfast status", "", NULL, quiet);
        if (code != 0)
            (void)nanosleep(&pause, NULL);
    }
    (void)fclose(quiet);
    return code == 0;
}

static int enrol(const struct dev *d, struct view init_output)
{
    char input[512];
    json_t *root = NULL;
    const char *token;
    int code = 1;

    if (json_read(init_output, &root, NULL) != OK)
        return code;
    token = json_string_value(json_object_get(root, "enrolment_token"));
    (void)snprintf(input, sizeof input, "%s\n%s\n", token ? token : "", d->password);
    if (wait_until_serving())
        code = run("holdfast enrol " DEV_USER " --enrolment-file - --password-file - --yes", input, NULL, stderr);
    explicit_bzero(input, sizeof input);
    json_wipe(root);
    return code;
}

/* A kept server, perhaps at another port: signing in anew notes it in the profile. Who changed the password since does
 * that himself. */
static int open_again(const char *input)
{
    int code = run("holdfast operator unseal --passphrase-file -", input, NULL, stderr);

    if (code == 0 && wait_until_serving())
        (void)run("holdfast login " DEV_USER " --password-file -", input, NULL, stderr);
    return code;
}

static int set_up(const struct dev *d, bool fresh)
{
    char input[2 * PASSWORD_SIZE + 4];
    AUTO_WRITER out = writer_new(OUTPUT_MAX);
    int code;

    (void)snprintf(input, sizeof input, "%s\n%s\n", d->password, d->password);
    if (!fresh)
        return open_again(input);
    code = run("holdfast operator init --passphrase-file - --key-passphrase-file - --administrator " DEV_USER
               " -o json",
               input, &out, stderr);
    return code == 0 ? enrol(d, writer_view_of(&out)) : code;
}

static void show(const struct dev *d, const struct config *config, bool temporary)
{
    int dir = (int)config->data_dir.len, api = (int)config->unix_socket.len;
    const char *at = (const char *)config->data_dir.ptr, *socket = (const char *)config->unix_socket.ptr;

    printf("\nHoldfast serves for development, in %.*s%s\n\n", dir, at,
           temporary ? ", which is removed at the end." : ", which is kept.");
    printf("  Address      %s\n", getenv("HOLDFAST_ADDR"));
    printf("  Certificate  %.*s\n", (int)config->tls.certificate.len, (const char *)config->tls.certificate.ptr);
    printf("  Local bots   unix:%.*s\n", api, socket);
    printf("  User         %s\n  Password     %s (also the passphrase of the root key and the approval key)\n\n",
           DEV_USER, d->password);
    printf("Try, in another terminal:\n\n  export HOLDFAST_HOME=%s\n", d->home);
    printf("  holdfast whoami\n  holdfast secret put demo/password --environment development --reason \"trying it\"\n"
           "  holdfast key create my-service --role viewer\n  holdfast audit tail\n\n"
           "Stop it with Ctrl-C. Never put a real exchange's key into it.\n");
    (void)fflush(stdout);
}

/* Runs in a process of its own, so that its environment is nobody else's. */
static int dev_ready(void *context, const struct config *config)
{
    const bool *temporary = context;
    struct dev d = {0};
    char data_dir[4096], address[128];
    bool fresh;
    int code = 1;

    if (view_to_str(config->data_dir, data_dir, sizeof data_dir) != OK)
        return 1;
    (void)snprintf(d.home, sizeof d.home, "%s/dev", data_dir);
    (void)snprintf(address, sizeof address, "https://%.*s", (int)config->listen.len, (const char *)config->listen.ptr);
    if (mkdir(d.home, 0700) < 0 && errno != EEXIST)
        return 1;
    (void)setenv("HOLDFAST_HOME", d.home, 1);
    (void)setenv("HOLDFAST_ADDR", address, 1);
    (void)setenv("HOLDFAST_DATA_DIR", data_dir, 1);
    (void)unsetenv("HOLDFAST_TOKEN");
    (void)unsetenv("HOLDFAST_CACERT");
    if (find_password(&d, &fresh) == OK)
        code = set_up(&d, fresh);
    if (code == 0 && wait_until_serving())
        show(&d, config, *temporary);
    explicit_bzero(&d, sizeof d);
    return code;
}

RESULT server_run(struct cli *c)
{
    const char *dir = args_text(&c->args, "data-dir"), *known = getenv("HOLDFAST_DATA_DIR");
    bool dev = args_has(&c->args, "dev"), temporary = dev && !dir;
    int ready = args_has(&c->args, "ready-fd") ? (int)args_number(&c->args, "ready-fd", 0) : -1;
    struct supervisor_options options = {.config_file = args_text(&c->args, "config"),
                                         .data_dir = dir || dev || !known || !*known ? dir : known,
                                         .dev = dev,
                                         .ready_fd = ready,
                                         .libexec_dir = args_text(&c->args, "libexec-dir"),
                                         .argv = c->argv,
                                         .on_ready = dev ? dev_ready : NULL,
                                         .context = &temporary};

    c->exit_code = supervisor_main(&options);
    return OK;
}
