#include "domain/guard/whole.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static RESULT read_all(int fd, uint8_t *out, size_t size, struct problem *why)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = pread(fd, out + got, size - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return problem_set(why, ERR_IO, "", "reading: %s", strerrordesc_np(errno));
        if (n == 0)
            return problem_set(why, ERR_BUSY, "", "The file changed while it was read.");
        got += (size_t)n;
    }
    return OK;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static RESULT read_unchanged(int fd, const struct stat *before, uint8_t *out, struct problem *why)
{
    struct stat after;
    TRY(read_all(fd, out, (size_t)before->st_size, why));
    if (fstat(fd, &after) != 0 || !same(before, &after))
        return problem_set(why, ERR_BUSY, "", "The file changed while it was read.");
    return OK;
}

RESULT whole_read(int fd, size_t max, struct whole *ret, struct problem *why)
{
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        return problem_set(why, ERR_IO, "", "This is no regular file.");
    size_t len = (size_t)s.st_size;
    if (s.st_size < 0 || len > max)
        return problem_set(why, ERR_TOO_LONG, "", "The file is larger than %zu bytes.", max);
    uint8_t *bytes = malloc(len ? len : 1);
    if (!bytes)
        return problem_set(why, ERR_NO_MEMORY, "", "There is no memory for a file of %zu bytes.", len);
    enum err e = read_unchanged(fd, &s, bytes, why);
    if (e != OK) {
        free(bytes);
        return e;
    }
    uint64_t changed = s.st_mtim.tv_sec > 0 ? (uint64_t)s.st_mtim.tv_sec * 1000 : 0;
    *ret = (struct whole){.bytes = bytes, .len = len, .changed_ms = changed};
    return OK;
}
