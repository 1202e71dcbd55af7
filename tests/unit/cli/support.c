#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64];

struct ran support_run(const char *input, const char *const *words)
{
    char *argv[64] = {strdup("holdfast")}, *made[64];
    int argc = 1, saved = dup(STDIN_FILENO), ends[2];
    size_t out_len, err_len;
    struct ran r = {0};
    FILE *out = open_memstream(&r.out, &out_len), *err = open_memstream(&r.err, &err_len);

    assert_true(out && err && saved >= 0);
    assert_int_equal(pipe(ends), 0);
    if (input)
        assert_int_equal(write(ends[1], input, strlen(input)), strlen(input));
    close(ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    for (; words[argc - 1] && argc < 63; argc++)
        argv[argc] = strdup(words[argc - 1]);
    memcpy(made, argv, sizeof made); /* the run may put other words in their place */
    r.code = cli_run(argc, argv, out, err);
    (void)fclose(out);
    (void)fclose(err);
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
    for (int i = 0; i < argc; i++)
        free(made[i]);
    return r;
}

void support_done(struct ran *r)
{
    free(r->out);
    free(r->err);
    *r = (struct ran){0};
}

const char *support_home(void)
{
    static const char *const variables[] = {"HOLDFAST_ADDR", "HOLDFAST_TOKEN", "HOLDFAST_CACERT", "HOLDFAST_DATA_DIR"};

    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        (void)unsetenv(variables[i]);
    (void)snprintf(home, sizeof home, "/tmp/holdfast-cli-XXXXXX");
    assert_non_null(mkdtemp(home));
    assert_int_equal(setenv("HOLDFAST_HOME", home, 1), 0);
    return home;
}

void support_home_done(void)
{
    char path[512];
    DIR *dir = opendir(home);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        (void)snprintf(path, sizeof path, "%s/%s", home, entry->d_name);
        (void)unlink(path);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(home);
}

char *support_read(const char *path)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        fail_msg("%s can't be read", path);
    assert_int_equal(fstat(fd, &s), 0);
    char *text = calloc(1, (size_t)s.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, (size_t)s.st_size), s.st_size);
    close(fd);
    return text;
}

void support_write(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}
