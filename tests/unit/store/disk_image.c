#include "disk_image.h"

#include <fcntl.h>
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

void *image_must(void *p)
{
    if (!p)
        abort();
    return p;
}

static uint64_t next(struct fortune *p)
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
        im->bytes = image_must(realloc(im->bytes, im->cap));
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

void image_save(struct image *im)
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
void image_delete(struct image *im)
{
    if (!im->delete_pending)
        return;
    im->delete_pending = im->exists = false;
    image_resize(im, 0);
}

static void write_torn(struct fortune *p, struct image *im, const struct pending *w)
{
    for (uint64_t at = w->at, end = w->at + w->len; at < end;) {
        uint64_t sector_end = (at / SECTOR + 1) * SECTOR, to = sector_end < end ? sector_end : end;
        if (next(p) % 2)
            image_write(im, at, w->data + (at - w->at), (size_t)(to - at));
        at = to;
    }
}

enum fate { KEPT, DROPPED, TORN, FATES };

static enum fate fate_of(struct fortune *p)
{
    static const enum fate forced[] = {[POWERCUT_ALL_KEPT] = KEPT, [POWERCUT_ALL_DROPPED] = DROPPED};
    return p->luck == POWERCUT_RANDOM ? next(p) % FATES : forced[p->luck];
}

/* Each on its own, in their order: a later write to the same place that was kept covers an earlier one. */
void image_gamble(struct image *im, struct fortune *p)
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
        im->pending = image_must(realloc(im->pending, im->pending_cap * sizeof(*im->pending)));
    }
    struct pending *w = &im->pending[im->count++];
    *w = (struct pending){kind, at, len, NULL};
    if (data) {
        w->data = image_must(malloc(len + 1));
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

void image_pend_write(struct image *im, uint64_t at, const void *data, size_t len)
{
    image_pend(im, KIND_WRITE, at, data, len);
}

void image_pend_truncate(struct image *im, uint64_t size)
{
    image_pend(im, KIND_TRUNCATE, size, NULL, 0);
}

void image_pend_delete(struct image *im)
{
    image_forget(im);
    im->delete_pending = true;
}

struct image *image_new(const char *path)
{
    struct image *im = image_must(calloc(1, sizeof(*im)));
    im->path = image_must(strdup(path));
    image_load(im);
    return im;
}

void image_free(struct image *im)
{
    image_forget(im);
    free(im->pending);
    free(im->bytes);
    free(im->path);
    free(im);
}

bool image_restore(const struct image *im)
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
