#include "disk_image.h"

#include <pthread.h>
#include <sqlite3.h>

struct powercut {
    sqlite3_vfs vfs; /* first */
    sqlite3_vfs *real;
    pthread_mutex_t lock;
    struct image *images;
    struct fortune fortune;
    unsigned long operations, cut_at, fail_from, fail_to, failed;
    int fail_code;
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

static struct image *image_of(struct powercut *p, const char *path)
{
    for (struct image *im = p->images; im; im = im->next)
        if (strcmp(im->path, path) == 0)
            return im;
    struct image *im = image_new(path);
    im->next = p->images;
    p->images = im;
    return im;
}

/* --- what happens at an operation */

static void cut(struct powercut *p)
{
    for (struct image *im = p->images; im; im = im->next)
        image_gamble(im, &p->fortune);
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
        image_pend_write(f->image, (uint64_t)at, data, (size_t)n);
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
        image_pend_truncate(f->image, (uint64_t)size);
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
        image_gamble(f->image, &f->disk->fortune);
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
        return r->pMethods->x##name(__VA_ARGS__);                                                                      \
    }

PASS(Read, (sqlite3_file * base, void *out, int len, sqlite3_int64 at), r, out, len, at)
PASS(FileSize, (sqlite3_file * base, sqlite3_int64 *ret), r, ret)
PASS(Lock, (sqlite3_file * base, int level), r, level)
PASS(Unlock, (sqlite3_file * base, int level), r, level)
PASS(CheckReservedLock, (sqlite3_file * base, int *ret), r, ret)
PASS(SectorSize, (sqlite3_file * base), r)
PASS(DeviceCharacteristics, (sqlite3_file * base), r)
PASS(ShmMap, (sqlite3_file * base, int region, int size, int extend, void volatile **ret), r, region, size, extend, ret)
PASS(ShmLock, (sqlite3_file * base, int offset, int n, int flags), r, offset, n, flags)
PASS(ShmUnmap, (sqlite3_file * base, int delete), r, delete)
PASS(Fetch, (sqlite3_file * base, sqlite3_int64 at, int n, void **ret), r, at, n, ret)
PASS(Unfetch, (sqlite3_file * base, sqlite3_int64 at, void *p), r, at, p)

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
        image_pend_delete(im);
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
    struct powercut *p = image_must(calloc(1, sizeof(*p)));
    p->vfs = *real; /* what isn't replaced works on the default VFS's own data */
    p->vfs.pNext = NULL;
    p->vfs.zName = name;
    p->vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
    p->vfs.xOpen = vfs_open;
    p->vfs.xDelete = vfs_delete;
    p->real = real;
    p->fortune.seed = seed * 0x9e3779b97f4a7c15u | 1;
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
        image_free(im);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- control */

void powercut_set_luck(struct powercut *p, enum powercut_luck luck)
{
    pthread_mutex_lock(&p->lock);
    p->fortune.luck = luck;
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
