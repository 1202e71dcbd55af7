#include "domain/guard/geo.h"

#include "base/rcu.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is in force, with its file in one piece. Does not change once it is published. */
struct base {
    struct mmdb db;
    uint64_t loaded_ms;
    size_t size;
    uint8_t file[];
};

struct identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct geo {
    struct base *_Atomic base;
    pthread_mutex_t loading; /* held for as long as it takes to read a file */
    struct rcu_bin bin;
    struct identity seen; /* the file that was read last */
    pthread_mutex_t lock; /* of failed, which only who is loading changes */
    struct problem failed;
};

RESULT geo_new(struct geo **ret)
{
    struct geo *g = calloc(1, sizeof *g);
    if (!g)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&g->loading, NULL);
    pthread_mutex_init(&g->lock, NULL);
    *ret = g;
    return OK;
}

void geo_free(struct geo *g)
{
    if (!g)
        return;
    rcu_bin_empty(&g->bin);
    rcu_wait();
    free(atomic_load(&g->base));
    pthread_mutex_destroy(&g->loading);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* --- loading, one at a time */

static void put_in_force(struct geo *g, struct base *b)
{
    struct base *before = atomic_exchange_explicit(&g->base, b, memory_order_acq_rel);
    rcu_bin_put(&g->bin, before);
    rcu_bin_empty(&g->bin);
}

/* Takes b, also on failure. */
static RESULT take(struct geo *g, struct base *b, uint64_t now_ms, struct problem *why)
{
    enum err e = mmdb_open(VIEW(b->file, b->size), &b->db, why);
    if (e != OK) {
        free(b);
        return e;
    }
    b->loaded_ms = now_ms;
    put_in_force(g, b);
    return OK;
}

/* NULL, and why says so. */
static struct base *base_new(size_t size, struct problem *why)
{
    struct base *b = size <= GEO_FILE_MAX ? malloc(sizeof *b + size) : NULL;
    if (b)
        *b = (struct base){.size = size};
    else if (size > GEO_FILE_MAX)
        (void)!problem_set(why, ERR_TOO_LONG, "", "The file is larger than %u bytes.", GEO_FILE_MAX);
    else
        (void)!problem_set(why, ERR_NO_MEMORY, "", "There is no memory for a file of %zu bytes.", size);
    return b;
}

static RESULT note(struct geo *g, enum err e, struct problem *found, struct problem *why)
{
    if (e == OK)
        *found = (struct problem){.code = OK};
    pthread_mutex_lock(&g->lock);
    g->failed = *found;
    pthread_mutex_unlock(&g->lock);
    if (e != OK && why)
        *why = *found;
    return e;
}

static RESULT load(struct geo *g, struct view file, uint64_t now_ms, struct problem *why)
{
    struct base *b = base_new(file.len, why);
    if (!b)
        return why->code;
    if (file.len)
        memcpy(b->file, file.ptr, file.len);
    return take(g, b, now_ms, why);
}

RESULT geo_load(struct geo *g, struct view file, uint64_t now_ms, struct problem *why)
{
    struct problem found = {0};
    pthread_mutex_lock(&g->loading);
    enum err e = note(g, load(g, file, now_ms, &found), &found, why);
    pthread_mutex_unlock(&g->loading);
    return e;
}

/* --- the file */

static struct identity identity_of(const struct stat *s)
{
    return (struct identity){s->st_dev, s->st_ino, s->st_size, s->st_mtim};
}

static bool same_file(const struct identity *a, const struct identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool read_whole(int fd, uint8_t *out, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = pread(fd, out + got, size - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* A file that is not as long any more as it was, or was changed meanwhile, is read anew with the next call. NULL, and
 * why says so. */
static struct base *read_base(int fd, const struct stat *before, struct problem *why)
{
    struct base *b = base_new((size_t)before->st_size, why);
    struct stat after;
    if (!b)
        return NULL;
    bool good = read_whole(fd, b->file, b->size) && fstat(fd, &after) == 0;
    struct identity then = identity_of(before), now = identity_of(good ? &after : before);
    if (good && same_file(&then, &now))
        return b;
    free(b);
    (void)!problem_set(why, ERR_BUSY, "", "The file changed while it was read.");
    return NULL;
}

static RESULT refresh_from(struct geo *g, int fd, uint64_t now_ms, struct problem *why)
{
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        return problem_set(why, ERR_IO, "", "This is no regular file.");
    struct identity now = identity_of(&s);
    if (same_file(&now, &g->seen))
        return g->failed.code == OK ? OK : problem_set(why, g->failed.code, "", "%s", g->failed.detail);
    struct base *b = read_base(fd, &s, why);
    if (!b)
        return why->code;
    enum err e = take(g, b, now_ms, why);
    if (e != ERR_NO_MEMORY)
        g->seen = now;
    return e;
}

static RESULT refresh(struct geo *g, const char *path, uint64_t now_ms, struct problem *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int reason = errno;
        g->seen = (struct identity){0};
        return problem_set(why, reason == ENOENT || reason == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, "", "opening %s: %s",
                           path, strerrordesc_np(reason));
    }
    enum err e = refresh_from(g, fd, now_ms, why);
    close(fd);
    return e;
}

RESULT geo_refresh(struct geo *g, const char *path, uint64_t now_ms, struct problem *why)
{
    struct problem found = {0};
    pthread_mutex_lock(&g->loading);
    enum err e = note(g, refresh(g, path, now_ms, &found), &found, why);
    pthread_mutex_unlock(&g->loading);
    return e;
}

void geo_status(struct geo *g, struct geo_status *ret)
{
    struct geo_status s = {0};
    rcu_enter();
    const struct base *b = atomic_load_explicit(&g->base, memory_order_acquire);
    if (b) {
        s.loaded = true;
        s.built_ms = b->db.built_ms;
        s.loaded_ms = b->loaded_ms;
        s.bytes = b->size;
        memcpy(s.type, b->db.type, sizeof s.type);
    }
    rcu_leave();
    pthread_mutex_lock(&g->lock);
    s.failed = g->failed;
    pthread_mutex_unlock(&g->lock);
    *ret = s;
}

/* --- the rule */

static size_t index_of(const uint8_t *code)
{
    return (size_t)(code[0] - 'A') * 26 + (size_t)(code[1] - 'A');
}

RESULT geo_countries_add(struct geo_countries *c, struct view code)
{
    if (code.len != 2 || code.ptr[0] < 'A' || code.ptr[0] > 'Z' || code.ptr[1] < 'A' || code.ptr[1] > 'Z')
        return ERR_MALFORMED;
    size_t i = index_of(code.ptr);
    c->bits[i / 64] |= UINT64_C(1) << (i % 64);
    return OK;
}

bool geo_countries_have(const struct geo_countries *c, const char code[static MMDB_COUNTRY_SIZE])
{
    size_t i = index_of((const uint8_t *)code);
    return c->bits[i / 64] >> (i % 64) & 1;
}

static enum geo_reason look(const struct base *b, const struct geo_rule *rule, const struct address *a, uint64_t now_ms,
                            char country[static MMDB_COUNTRY_SIZE])
{
    if (!b)
        return GEO_NONE;
    if (rule->max_age_ms && now_ms > b->db.built_ms && now_ms - b->db.built_ms > rule->max_age_ms)
        return GEO_OLD;
    if (mmdb_country(&b->db, a, country) != OK)
        return GEO_UNKNOWN;
    return geo_countries_have(&rule->countries, country) ? GEO_LISTED : GEO_UNLISTED;
}

void geo_judge(struct geo *g, const struct geo_rule *rule, const struct address *a, uint64_t now_ms,
               struct geo_answer *ret)
{
    struct geo_answer r = {0};
    rcu_enter();
    r.reason = look(atomic_load_explicit(&g->base, memory_order_acquire), rule, a, now_ms, r.country);
    rcu_leave();
    const bool in[] = {[GEO_LISTED] = rule->only,
                       [GEO_UNLISTED] = !rule->only,
                       [GEO_UNKNOWN] = !rule->only,
                       [GEO_NONE] = !rule->closed,
                       [GEO_OLD] = !rule->closed};
    r.let_in = in[r.reason];
    *ret = r;
}
