#include "ipc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err of_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    default:
        return ERR_IO;
    }
}

static enum err failed(struct problem *why, const char *path, const char *doing)
{
    return problem_set(why, of_errno(), path, "%s %s: %s", doing, path, strerrordesc_np(errno));
}

#define PART 16384

static enum err read_parts(int fd, const char *path, size_t max, uint8_t part[static PART], struct writer *w,
                           struct problem *why)
{
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, part, PART);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(why, path, "reading");
        if (n == 0)
            return writer_done(w);
        total += (size_t)n;
        if (total > max)
            return problem_set(why, ERR_TOO_LONG, path, "%s is larger than %zu bytes", path, max);
        writer_bytes(w, part, (size_t)n);
    }
}

static enum err read_all(int fd, const char *path, size_t max, struct writer *w, struct problem *why)
{
    struct stat s;
    uint8_t part[PART];
    if (fstat(fd, &s) < 0)
        return failed(why, path, "looking at");
    if (!S_ISREG(s.st_mode))
        return problem_set(why, ERR_IO, path, "%s is not a regular file", path);
    enum err e = read_parts(fd, path, max, part, w, why);
    explicit_bzero(part, sizeof part); /* keys and passphrases are read here */
    return e;
}

RESULT file_read(const char *path, size_t max, struct writer *w, struct problem *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return failed(why, path, "opening");
    enum err e = read_all(fd, path, max, w, why);
    close(fd);
    return e;
}

static enum err write_all(int fd, struct view contents)
{
    while (contents.len > 0) {
        ssize_t n = write(fd, contents.ptr, contents.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return of_errno();
        contents = VIEW(contents.ptr + n, contents.len - (size_t)n);
    }
    return fsync(fd) < 0 ? of_errno() : OK;
}

static enum err sync_parent(const char *path)
{
    char parent[4096];
    const char *slash = strrchr(path, '/');
    struct view name = slash && slash != path ? VIEW(path, (size_t)(slash - path)) : view_str(slash ? "/" : ".");
    TRY(view_to_str(name, parent, sizeof parent));
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return of_errno();
    enum err e = fsync(fd) < 0 ? of_errno() : OK;
    close(fd);
    return e;
}

RESULT file_create(const char *path, struct view contents, unsigned mode, struct problem *why)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s.new", path) >= sizeof part)
        return problem_set(why, ERR_TOO_LONG, "", "the path %.100s… is too long", path);
    (void)unlink(part); /* of a start that was cut off */
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return failed(why, path, "making");
    enum err e = write_all(fd, contents);
    close(fd);
    if (e == OK && link(part, path) < 0) /* unlike rename, never replaces */
        e = of_errno();
    (void)unlink(part);
    if (e == OK)
        e = sync_parent(path);
    return e == OK ? OK : problem_set(why, e, path, "writing %s: %s", path, err_sentence(e));
}
