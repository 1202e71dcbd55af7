/* The files of the guard (config_guard_file in ipc/config.h), which the front can't open: it gets them open for reading
 * when it starts, and another time when one was replaced.
 *
 * Of each file the one that the front took last stays open here, so that a front that is started anew has it even if
 * the path leads to a damaged one by then. And while the front reads one, no other version of it is opened: what comes
 * of it is known before the next, and a file that changes faster than it is read gives nobody more and more to read. */
#include "supervisor/state.h"

#include "base/log.h"
#include "ipc/supervisor_msg.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS    1000
#define WAIT_LOOKS 600 /* then the front says no more of what it was given */
#define PATH_BYTES 4096

struct version {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct watched_file {
    char path[PATH_BYTES];
    struct version seen;   /* at the last look; zero: there was none */
    struct version opened; /* as it was when it was opened last; zero: it can't be */
    int newest, taken;     /* descriptors: the one opened last, unless it is the one that was taken last; -1: none */
    uint32_t number;       /* of the newest, or of taken if there is none */
    unsigned waits;        /* looks for which the front may still take to read the newest; 0: it has said */
    bool untold;           /* the front could not be told what is there */
    char missing[128];     /* why there is nothing at the path; "": there is something */
};

struct watched {
    size_t count;
    struct watched_file files[CONFIG_GUARD_FILES_MAX];
};

static struct version version_of(const struct stat *s)
{
    return (struct version){s->st_dev, s->st_ino, s->st_size, s->st_mtim};
}

static bool same(const struct version *a, const struct version *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- telling the front */

/* A front that is on its way out counts the files of another configuration. */
static void tell(struct supervisor *s, size_t which)
{
    struct watched_file *w = &s->watched->files[which];
    struct child *front = &s->children[ROLE_FRONT];
    const struct supervisor_file file = {.which = (uint8_t)which, .number = w->number};
    const struct supervisor_file_missing missing = {.which = (uint8_t)which, .why = view_str(w->missing)};
    enum err e = OK;
    if (!front->channel || front->state == CHILD_STOPPING || s->goal != GOAL_SERVE)
        return; /* the next one is told when it starts */
    if (*w->missing)
        e = children_tell(front, SUPERVISOR_FILE_MISSING, &supervisor_file_missing_entity, &missing, -1);
    else if (w->newest >= 0)
        e = children_tell(front, SUPERVISOR_FILE, &supervisor_file_entity, &file, w->newest);
    if (e != OK && !w->untold)
        log_warn("%s: the front could not be told (%s)", w->path, err_code(e));
    w->untold = e != OK;
    w->waits = e == OK && !*w->missing ? WAIT_LOOKS : 0;
}

void watched_offer(struct supervisor *s)
{
    struct child *front = &s->children[ROLE_FRONT];
    for (size_t i = 0; i < s->watched->count; i++) {
        const struct watched_file *w = &s->watched->files[i];
        bool newer = *w->missing || w->newest >= 0;
        const struct supervisor_file old = {.which = (uint8_t)i, .number = newer ? 0 : w->number};
        if (w->taken >= 0 && children_tell(front, SUPERVISOR_FILE, &supervisor_file_entity, &old, w->taken) != OK)
            log_warn("%s: the front could not be told", w->path);
        if (newer)
            tell(s, i);
    }
}

void watched_read(struct supervisor *s, const struct supervisor_file_read *r)
{
    struct watched_file *w = s->watched && r->which < s->watched->count ? &s->watched->files[r->which] : NULL;
    if (s->goal != GOAL_SERVE || !w || r->number != w->number || w->newest < 0)
        return;
    w->waits = 0;
    if (!r->taken)
        return;
    drop(&w->taken);
    w->taken = w->newest;
    w->newest = -1;
}

/* --- looking */

/* The file at path, open for reading; -1, and errno says why. */
static int open_file(const char *path, struct stat *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || (fstat(fd, ret) == 0 && S_ISREG(ret->st_mode)))
        return fd;
    close(fd);
    errno = EISDIR;
    return -1;
}

static const char *reason(int error)
{
    return error == EISDIR ? "This is no regular file." : strerrordesc_np(error);
}

/* Opens what is there now. True if the front is to hear of it. */
static bool look_again(struct watched_file *w)
{
    struct stat s;
    char missing[sizeof w->missing];
    int fd = open_file(w->path, &s);
    if (fd < 0) {
        (void)snprintf(missing, sizeof missing, "The file can't be opened: %s", reason(errno));
        if (strcmp(missing, w->missing) == 0)
            return false;
        (void)snprintf(w->missing, sizeof w->missing, "%s", missing);
        w->opened = (struct version){0};
        drop(&w->newest);
        return true;
    }
    drop(&w->newest);
    *w->missing = 0;
    w->newest = fd;
    w->opened = w->seen = version_of(&s);
    w->number++;
    return true;
}

/* What is not the same at two looks is being written, and waits. */
static bool is_settled(struct watched_file *w)
{
    struct stat s;
    struct version now = {0};
    if (stat(w->path, &s) == 0)
        now = version_of(&s);
    bool settled = same(&now, &w->seen);
    w->seen = now;
    return settled && (*w->missing || !same(&now, &w->opened));
}

static void look(void *context)
{
    struct supervisor *s = context;
    for (size_t i = 0; s->watched && i < s->watched->count; i++) {
        struct watched_file *w = &s->watched->files[i];
        bool settled = is_settled(w);
        if (w->waits > 0)
            w->waits--;
        else if ((settled && look_again(w)) || w->untold)
            tell(s, i);
    }
}

/* --- the configuration */

RESULT watched_check(const struct config *c, struct problem *why)
{
    char path[PATH_BYTES];
    struct stat s;
    for (size_t i = 0; i < config_guard_files(&c->guard); i++) {
        const struct config_guard_file file = config_guard_file(&c->guard, i);
        TRY(view_to_str(file.path, path, sizeof path));
        if (stat(path, &s) == 0 && !S_ISREG(s.st_mode))
            return problem_set(why, ERR_BAD_CONFIG, (const char *)file.setting.ptr, "%s is not a file", path);
    }
    return OK;
}

/* Of a file that was followed before, what is known of it. */
static void take_over(struct watched_file *w, struct watched *from)
{
    for (size_t i = 0; from && i < from->count; i++) {
        struct watched_file *old = &from->files[i];
        if (strcmp(old->path, w->path) != 0)
            continue;
        w->taken = old->taken;
        w->number = old->number;
        w->seen = w->opened = old->newest < 0 ? old->opened : (struct version){0};
        old->taken = -1;
        *old->path = '\0'; /* another one of this path has its own */
        return;
    }
}

/* What is at the path now is what the front took last. */
static bool is_taken(const struct watched_file *w)
{
    struct stat s;
    if (w->taken < 0 || stat(w->path, &s) != 0)
        return false;
    struct version now = version_of(&s);
    return same(&now, &w->opened);
}

static void watched_free(struct watched *w)
{
    for (size_t i = 0; w && i < w->count; i++) {
        drop(&w->files[i].newest);
        drop(&w->files[i].taken);
    }
    free(w);
}

RESULT watched_follow(struct supervisor *s)
{
    const struct config_guard *guard = &s->config.guard;
    struct watched *made = calloc(1, sizeof *made), *before = s->watched;
    if (!made)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < config_guard_files(guard); i++) {
        struct watched_file *w = &made->files[made->count];
        *w = (struct watched_file){.newest = -1, .taken = -1};
        if (view_to_str(config_guard_file(guard, i).path, w->path, sizeof w->path) != OK)
            break; /* longer than the configuration lets it be */
        take_over(w, before);
        if (!is_taken(w))
            (void)look_again(w);
        made->count++;
    }
    watched_free(before);
    s->watched = made;
    return OK;
}

RESULT watched_start(struct supervisor *s)
{
    return loop_every(s->loop, LOOK_MS, look, s);
}

void watched_done(struct supervisor *s)
{
    watched_free(s->watched);
    s->watched = NULL;
}
