/* Rules against attack patterns as the supervisor had them compiled. */
#include "front/front.h"

#include "domain/guard/patterns/configured.h"

#include <sys/stat.h>
#include <unistd.h>

#define SAVED_BYTES (96u << 20)

static RESULT read_all(int fd, struct view *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > (off_t)SAVED_BYTES)
        return ERR_IO;
    size_t size = (size_t)st.st_size;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return ERR_NO_MEMORY;
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(fd, bytes + at, size - at, (off_t)at);
        if (n <= 0) {
            free(bytes);
            return ERR_IO;
        }
        at += (size_t)n;
    }
    *ret = VIEW(bytes, size);
    return OK;
}

RESULT patterns_policy(struct front *f)
{
    AUTO_WRITER rules = writer_new(SAVED_BYTES);
    const struct patterns_file *files = NULL;
    size_t count = f->shared.patterns ? patterns_files(f->shared.patterns, &files) : 0;
    for (size_t i = 0; i < count; i++)
        writer_var(&rules, files[i].text);
    TRY(writer_done(&rules));
    return config_guard_hash(&f->config.guard, writer_view_of(&rules), f->shared.policy_hash);
}

RESULT patterns_open(struct front *f, struct problem *why)
{
    int fd = start_fd_of(&f->start, START_FD_PATTERNS, 0);
    struct patterns_options options;
    struct view saved;
    if (f->config.guard.patterns.mode == CONFIG_PATTERNS_OFF)
        return OK;
    if (fd < 0)
        return ERR_MALFORMED;
    TRY(patterns_configured(&f->config.guard.patterns, f->arena, &options));
    TRY(read_all(fd, &saved));
    close(fd);
    enum err e = patterns_load(saved, &options, &f->shared.patterns, why);
    free((void *)(uintptr_t)saved.ptr);
    return e;
}
