#include "vfs_powercut.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

enum kind { KIND_WRITE, KIND_TRUNCATE };

/* Something that was done but not synced. */
struct pending {
    enum kind kind;
    uint64_t at; /* offset, or new size */
    size_t len;
    uint8_t *data;
};

/* A file as the disk has it. */
struct image {
    struct image *next;
    char *path;
    uint8_t *bytes;
    size_t len, cap;
    bool exists, delete_pending;
    struct pending *pending;
    size_t count, pending_cap;
};

struct powercut {
    sqlite3_vfs vfs; /* first */
    sqlite3_vfs *real;
    pthread_mutex_t lock;
    struct image *images;
    uint64_t seed;
    unsigned long operations, cut_at, fail_from, fail_to, failed;
    int fail_code;
    enum powercut_luck luck;
    bool off;
    void (*then)(void *);
    void *context;
};

struct file {
    sqlite3_file base; /* first */
    struct powercut *disk;
    struct image *image; /* NULL: a temporary file */
    bool sync_folder;    /* with the first sync, as the default VFS does for journals that it makes */
    sqlite3_file *real;
};

/* --- memory that the test can't do without */

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static uint64_t next(struct powercut *p)
{
    p->seed ^= p->seed << 13;
    p->seed ^= p->seed >> 7;
    p->seed ^= p->seed << 17;
    return (p->seed * 0x2545f4914f6cdd1du) >> 32;
}

/* --- images */

static void image_resize(struct image *im, uint64_t size)
{
    if (size > im->cap) {
        im->cap = (size_t)size * 2;
        im->bytes = must(realloc(im->bytes, im->cap));
    }
    if (size > im->len)
        memset(im->bytes + im->len, 0, (size_t)size - im->len);
    im->len = (size_t)size;
}

static void image_write(struct image *im, uint64_t at, const uint8_t *data, size_t len)
{
    if (at + len > im->len)
        image_resize(im, at + len);
    memcpy(im->bytes + at, data, len);
}

static void image_forget(struct image *im)
{
    for (size_t i = 0; i < im->count; i++)
        free(im->pending[i].data);
    im->count = 0;
}

static void image_save(struct image *im)
{
    for (size_t i = 0; i < im->count; i++) {
        struct pending *w = &im->pending[i];
        if (w->kind == KIND_WRITE)
            image_write(im, w->at, w->data, w->len);
        else
            image_resize(im, w->at);
    }
    im->exists = true;
    image_forget(im);
}

/* Makes a deletion durable. */
static void image_delete(struct image *im)
{
    if (!im->delete_pending)
        return;
    im->delete_pending = im->exists = false;
    image_resize(im, 0);
}

static void write_torn(struct powercut *p, struct image *im, const struct pending *w)
{
    for (uint64_t at = w->at, end = w->at + w->len; at < end;) {
        uint64_t sector_end = (at / SECTOR + 1) * SECTOR, to = sector_end < end ? sector_end : end;
        if (next(p) % 2)
            image_write(im, at, w->data + (at - w->at), (size_t)(to - at));
        at = to;
    }
}

enum fate { KEPT, DROPPED, TORN, FATES };

static enum fate fate_of(struct powercut *p)
{
    static const enum fate forced[] = {[POWERCUT_ALL_KEPT] = KEPT, [POWERCUT_ALL_DROPPED] = DROPPED};
    return p->luck == POWERCUT_RANDOM ? next(p) % FATES : forced[p->luck];
}

/* Each on its own, in their order: a later write to the same place that was kept covers an earlier one. */
static void image_gamble(struct powercut *p, struct image *im)
{
    if (im->delete_pending) {
        im->exists = im->exists && fate_of(p) != KEPT;
        im->delete_pending = false;
    } else if (im->count > 0) {
        im->exists = true;
    }
    for (size_t i = 0; i < im->count; i++) {
        struct pending *w = &im->pending[i];
        enum fate fate = fate_of(p);
        if (w->kind == KIND_TRUNCATE && fate == KEPT)
            image_resize(im, w->at);
        else if (w->kind == KIND_WRITE && fate == KEPT)
            image_write(im, w->at, w->data, w->len);
        else if (w->kind == KIND_WRITE && fate == TORN)
            write_torn(p, im, w);
    }
    image_forget(im);
}

static void image_pend(struct image *im, enum kind kind, uint64_t at, const void *data, size_t len)
{
    if (im->count == im->pending_cap) {
        im->pending_cap = im->pending_cap ? im->pending_cap * 2 : 64;
        im->pending = must(realloc(im->pending, im->pending_cap * sizeof(*im->pending)));
    }
    struct pending *w = &im->pending[im->count++];
    *w = (struct pending){kind, at, len, NULL};
    if (data) {
        w->data = must(malloc(len + 1));
        memcpy(w->data, data, len);
    }
}

static void image_load(struct image *im)
{
    FILE *f = fopen(im->path, "rb");
    if (!f)
        return;
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && st.st_size > 0) {
        image_resize(im, (uint64_t)st.st_size);
        if (fread(im->bytes, 1, im->len, f) != im->len)
            abort();
    }
    im->exists = true;
    fclose(f);
}

static struct image *image_of(struct powercut *p, const char *path)
{
    for (struct image *im = p->images; im; im = im->next)
        if (strcmp(im->path, path) == 0)
            return im;
    struct image *im = must(calloc(1, sizeof(*im)));
    im->path = must(strdup(path));
    im->next = p->images;
    p->images = im;
    image_load(im);
    return im;
}

/* --- what happens at an operation */

static void cut(struct powercut *p)
{
    for (struct image *im = p->images; im; im = im->next)
        image_gamble(p, im);
    p->off = true;
}

enum verdict { DO, FAIL, LAST };

/* LAST: it is begun, and the power goes. */
static enum verdict judge(struct powercut *p)
{
    if (p->off)
        return FAIL;
    p->operations++;
    if (p->operations >= p->fail_from && p->operations < p->fail_to) {
        p->failed++;
        return FAIL;
    }
    return p->operations == p->cut_at ? LAST : DO;
}

/* Ends an operation: unlocks. */
static int done(struct powercut *p, enum verdict v, int code)
{
    void (*then)(void *) = v == LAST ? p->then : NULL;
    if (v == LAST)
        cut(p);
    if (v != DO)
        code = v == FAIL && !p->off ? p->fail_code : SQLITE_IOERR;
    pthread_mutex_unlock(&p->lock);
    if (then)
        then(p->context);
    return code;
}

/* --- methods of a file */

static struct file *file_of(sqlite3_file *f)
{
    return (struct file *)f;
}

static int file_write(sqlite3_file *base, const void *data, int len, sqlite3_int64 at)
{
    struct file *f = file_of(base);
    if (!f->image)
        return f->real->pMethods->xWrite(f->real, data, len, at);
    pthread_mutex_lock(&f->disk->lock);
    bool was_off = f->disk->off;
    enum verdict v = judge(f->disk);
    int n = v == FAIL ? len / 2 : len, code = SQLITE_OK;
    if (!was_off && n > 0) {
        code = f->real->pMethods->xWrite(f->real, data, n, at);
        image_pend(f->image, KIND_WRITE, (uint64_t)at, data, (size_t)n);
    }
    return done(f->disk, v, code);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct file *f = file_of(base);
    if (!f->image)
        return f->real->pMethods->xTruncate(f->real, size);
    pthread_mutex_lock(&f->disk->lock);
    enum verdict v = judge(f->disk);
    int code = SQLITE_OK;
    if (v != FAIL) {
        code = f->real->pMethods->xTruncate(f->real, size);
        image_pend(f->image, KIND_TRUNCATE, (uint64_t)size, NULL, 0);
    }
    return done(f->disk, v, code);
}

static int file_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct file *f = file_of(base);
    if (!f->image)
        return SQLITE_OK;
    pthread_mutex_lock(&f->disk->lock);
    bool was_off = f->disk->off;
    enum verdict v = judge(f->disk);
    if (v == DO) {
        image_save(f->image);
        for (struct image *im = f->sync_folder ? f->disk->images : NULL; im; im = im->next)
            image_delete(im);
        f->sync_folder = false;
    } else if (v == FAIL && !was_off)
        image_gamble(f->disk, f->image);
    return done(f->disk, v, SQLITE_OK);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    struct file *f = file_of(base);
    if (op == SQLITE_FCNTL_SIZE_HINT) /* would make the real file grow behind our back */
        return SQLITE_OK;
    return f->real->pMethods->xFileControl(f->real, op, arg);
}

static int file_close(sqlite3_file *base)
{
    struct file *f = file_of(base);
    return f->real->pMethods->xClose(f->real);
}

#define PASS(name, parameters, ...)                                                                                    \
    static int file_##name parameters                                                                                  \
    {                                                                                                                  \
        sqlite3_file *r = file_of(base)->real;                                                                         \
        return r->pMethods->x##name(r __VA_OPT__(, ) __VA_ARGS__);                                                     \
    }

PASS(Read, (sqlite3_file * base, void *out, int len, sqlite3_int64 at), out, len, at)
PASS(FileSize, (sqlite3_file * base, sqlite3_int64 *ret), ret)
PASS(Lock, (sqlite3_file * base, int level), level)
PASS(Unlock, (sqlite3_file * base, int level), level)
PASS(CheckReservedLock, (sqlite3_file * base, int *ret), ret)
PASS(SectorSize, (sqlite3_file * base))
PASS(DeviceCharacteristics, (sqlite3_file * base))
PASS(ShmMap, (sqlite3_file * base, int region, int size, int extend, void volatile **ret), region, size, extend, ret)
PASS(ShmLock, (sqlite3_file * base, int offset, int n, int flags), offset, n, flags)
PASS(ShmUnmap, (sqlite3_file * base, int delete), delete)
PASS(Fetch, (sqlite3_file * base, sqlite3_int64 at, int n, void **ret), at, n, ret)
PASS(Unfetch, (sqlite3_file * base, sqlite3_int64 at, void *p), at, p)

static void file_ShmBarrier(sqlite3_file *base)
{
    sqlite3_file *r = file_of(base)->real;
    r->pMethods->xShmBarrier(r);
}

static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = file_close,
    .xRead = file_Read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_FileSize,
    .xLock = file_Lock,
    .xUnlock = file_Unlock,
    .xCheckReservedLock = file_CheckReservedLock,
    .xFileControl = file_control,
    .xSectorSize = file_SectorSize,
    .xDeviceCharacteristics = file_DeviceCharacteristics,
    .xShmMap = file_ShmMap,
    .xShmLock = file_ShmLock,
    .xShmBarrier = file_ShmBarrier,
    .xShmUnmap = file_ShmUnmap,
    .xFetch = file_Fetch,
    .xUnfetch = file_Unfetch,
};

/* --- methods of the VFS */

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *base, int flags, int *ret_flags)
{
    struct powercut *p = (struct powercut *)vfs;
    struct file *f = file_of(base);
    f->base.pMethods = NULL; /* no xClose after a failure */
    f->disk = p;
    f->image = NULL;
    f->sync_folder = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
    f->real = (sqlite3_file *)(f + 1);
    if (path) {
        pthread_mutex_lock(&p->lock);
        f->image = image_of(p, path); /* before the real one makes it */
        image_delete(f->image);
        pthread_mutex_unlock(&p->lock);
    }
    int code = p->real->xOpen(p->real, path, f->real, flags, ret_flags);
    if (code == SQLITE_OK)
        f->base.pMethods = &methods;
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    struct powercut *p = (struct powercut *)vfs;
    pthread_mutex_lock(&p->lock);
    enum verdict v = judge(p);
    int code = SQLITE_OK;
    if (v != FAIL) {
        struct image *im = image_of(p, path);
        image_forget(im);
        im->delete_pending = true;
        if (sync && v == DO)
            image_delete(im);
        code = p->real->xDelete(p->real, path, 0);
    }
    return done(p, v, code);
}

struct powercut *powercut_new(const char *name, uint64_t seed)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    if (!real)
        return NULL;
    struct powercut *p = must(calloc(1, sizeof(*p)));
    p->vfs = *real; /* what isn't replaced works on the default VFS's own data */
    p->vfs.pNext = NULL;
    p->vfs.zName = name;
    p->vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
    p->vfs.xOpen = vfs_open;
    p->vfs.xDelete = vfs_delete;
    p->real = real;
    p->seed = seed * 0x9e3779b97f4a7c15u | 1;
    pthread_mutex_init(&p->lock, NULL);
    if (sqlite3_vfs_register(&p->vfs, 0) == SQLITE_OK)
        return p;
    free(p);
    return NULL;
}

void powercut_free(struct powercut *p)
{
    if (!p)
        return;
    sqlite3_vfs_unregister(&p->vfs);
    while (p->images) {
        struct image *im = p->images;
        p->images = im->next;
        image_forget(im);
        free(im->pending);
        free(im->bytes);
        free(im->path);
        free(im);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- control */

void powercut_set_luck(struct powercut *p, enum powercut_luck luck)
{
    pthread_mutex_lock(&p->lock);
    p->luck = luck;
    pthread_mutex_unlock(&p->lock);
}

unsigned long powercut_operations(struct powercut *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned long n = p->operations;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void powercut_at(struct powercut *p, unsigned long n, void (*then)(void *context), void *context)
{
    pthread_mutex_lock(&p->lock);
    p->cut_at = p->operations + n;
    p->then = then;
    p->context = context;
    pthread_mutex_unlock(&p->lock);
}

void powercut_now(struct powercut *p)
{
    pthread_mutex_lock(&p->lock);
    if (!p->off)
        cut(p);
    pthread_mutex_unlock(&p->lock);
}

bool powercut_is_off(struct powercut *p)
{
    pthread_mutex_lock(&p->lock);
    bool off = p->off;
    pthread_mutex_unlock(&p->lock);
    return off;
}

static bool image_restore(const struct image *im)
{
    if (!im->exists)
        return unlink(im->path) == 0 || access(im->path, F_OK) != 0;
    /* Over the old content: cutting a file to nothing first would make ext4 flush it. */
    int fd = open(im->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && pwrite(fd, im->bytes, im->len, 0) == (ssize_t)im->len && ftruncate(fd, (off_t)im->len) == 0;
    if (fd >= 0)
        close(fd);
    /* Shared memory means nothing after a restart; only a database has one. */
    char name[4096];
    snprintf(name, sizeof(name), "%s-shm", im->path);
    unlink(name);
    return ok;
}

bool powercut_restore(struct powercut *p)
{
    pthread_mutex_lock(&p->lock);
    bool ok = true;
    for (struct image *im = p->images; im; im = im->next)
        ok = image_restore(im) && ok;
    p->off = false;
    p->cut_at = 0;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void powercut_fail(struct powercut *p, unsigned long n, unsigned long count, int code)
{
    pthread_mutex_lock(&p->lock);
    p->fail_from = p->operations + n;
    p->fail_to = p->fail_from + count;
    p->fail_code = code;
    p->failed = 0;
    pthread_mutex_unlock(&p->lock);
}

unsigned long powercut_fail_end(struct powercut *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned long failed = p->failed;
    p->fail_from = p->fail_to = 0;
    pthread_mutex_unlock(&p->lock);
    return failed;
}
