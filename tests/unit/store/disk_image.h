/* What a disk has of one file, and what was done to the file since but not synced. Part of vfs_powercut. */
#ifndef HOLDFAST_TESTS_DISK_IMAGE_H
#define HOLDFAST_TESTS_DISK_IMAGE_H

#include "vfs_powercut.h"

#include <stddef.h>

struct pending;

struct image {
    struct image *next;
    char *path;
    uint8_t *bytes;
    size_t len, cap;
    bool exists, delete_pending;
    struct pending *pending;
    size_t count, pending_cap;
};

/* Decides what is kept. */
struct fortune {
    uint64_t seed;
    enum powercut_luck luck;
};

void *image_must(void *p);                 /* a test can't do without its memory */
struct image *image_new(const char *path); /* what the real file holds counts as durable */
void image_free(struct image *im);
void image_pend_write(struct image *im, uint64_t at, const void *data, size_t len);
void image_pend_truncate(struct image *im, uint64_t size);
void image_pend_delete(struct image *im);
void image_delete(struct image *im);                    /* makes a deletion durable, if one is pending */
void image_save(struct image *im);                      /* everything, as a sync does */
void image_gamble(struct image *im, struct fortune *f); /* some of it, as a power cut does */
bool image_restore(const struct image *im);             /* into the real file */

#endif
