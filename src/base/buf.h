/* Bytes with bounds. All parsing of outside bytes goes through struct reader, all building through struct writer.
 * Integers on the wire are big-endian. */
#ifndef HOLDFAST_BASE_BUF_H
#define HOLDFAST_BASE_BUF_H

#include "base/result.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: whoever made the view keeps the memory alive. {NULL, 0} is the empty view. */
struct view {
    const uint8_t *ptr;
    size_t len;
};

#define VIEW(p, n)        ((struct view){(const uint8_t *)(p), (n)})
#define VIEW_OF(array)    VIEW((array), sizeof(array))
#define VIEW_STR(literal) VIEW((literal), sizeof(literal) - 1)
/* Here, as writer_bytes is, because every request asks hundreds of times, mostly for constants. */
static inline struct view view_str(const char *s) /* without the NUL; NULL gives the empty view */
{
    return s ? VIEW(s, strlen(s)) : (struct view){0};
}
static inline bool view_eq(struct view a, struct view b) /* not for secrets */
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool view_is(struct view a, const char *s) /* not for secrets */
{
    return view_eq(a, view_str(s));
}
static inline bool view_starts(struct view a, const char *prefix)
{
    struct view p = view_str(prefix);
    return a.len >= p.len && view_eq(VIEW(a.ptr, p.len), p);
}
int view_cmp(struct view a, struct view b); /* bytewise, shorter first; for sorting, not for secrets */
/* Copies into a NUL-terminated text of capacity cap. ERR_TOO_LONG, or ERR_NUL_BYTE if a NUL byte is inside. */
RESULT view_to_str(struct view v, char *ret_out, size_t cap);

/* Reads from the front; every call fails with ERR_TRUNCATED, and moves nothing, when too little is left. */
struct reader {
    const uint8_t *ptr;
    size_t left;
};

struct reader reader_new(struct view v);
RESULT reader_u8(struct reader *r, uint8_t *ret);
RESULT reader_u32(struct reader *r, uint32_t *ret);
RESULT reader_u64(struct reader *r, uint64_t *ret);
RESULT reader_bytes(struct reader *r, size_t n, struct view *ret); /* borrows from the source */
RESULT reader_copy(struct reader *r, void *out, size_t n);
RESULT reader_end(const struct reader *r); /* ERR_MALFORMED if bytes are left */
/* Here, because each field of each message and row begins with these two. */
static inline RESULT reader_u16(struct reader *r, uint16_t *ret)
{
    uint16_t v;
    if (r->left < sizeof v)
        return ERR_TRUNCATED;
    memcpy(&v, r->ptr, sizeof v);
    r->ptr += sizeof v;
    r->left -= sizeof v;
    *ret = be16toh(v);
    return OK;
}
/* A u32 length and that many bytes; ERR_TOO_LONG above max. */
static inline RESULT reader_var(struct reader *r, size_t max, struct view *ret)
{
    uint32_t n;
    if (r->left < sizeof n)
        return ERR_TRUNCATED;
    memcpy(&n, r->ptr, sizeof n);
    n = be32toh(n);
    if (n > max)
        return ERR_TOO_LONG;
    if (r->left - sizeof n < n)
        return ERR_TRUNCATED;
    *ret = VIEW(r->ptr + sizeof n, n);
    r->ptr += sizeof n + n;
    r->left -= sizeof n + n;
    return OK;
}

/* Appends to memory of a fixed capacity (writer_fixed) or to memory that grows up to max (writer_new). A writer that
 * once failed stays failed, so a run of puts may be checked once, by writer_done. */
struct writer {
    uint8_t *ptr;
    size_t len, cap, max;
    bool owned;
    enum err failed;
};

struct writer writer_fixed(void *memory, size_t cap);
struct writer writer_new(size_t max);
void writer_free(struct writer *w); /* wipes and releases what it owns; fine on a zeroed writer */
void writer_reset(struct writer *w);
void writer_bytes_growing(struct writer *w, const void *p, size_t n); /* writer_bytes, where more room is needed */
static inline void writer_bytes(struct writer *w, const void *p, size_t n)
{
    if (w->failed != OK || n == 0 || n > w->cap - w->len) {
        writer_bytes_growing(w, p, n);
        return;
    }
    memcpy(w->ptr + w->len, p, n);
    w->len += n;
}
static inline void writer_u8(struct writer *w, uint8_t v)
{
    writer_bytes(w, &v, 1);
}
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
static inline void writer_view(struct writer *w, struct view v)
{
    writer_bytes(w, v.ptr, v.len);
}
void writer_var(struct writer *w, struct view v);              /* u32 length, then the bytes */
static inline void writer_str(struct writer *w, const char *s) /* the characters, no length and no NUL */
{
    writer_view(w, view_str(s));
}
void writer_decimal(struct writer *w, uint64_t v);
void writer_printf(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
RESULT writer_done(const struct writer *w);         /* OK, ERR_TOO_LONG or ERR_NO_MEMORY */
struct view writer_view_of(const struct writer *w); /* empty if the writer has failed: never a cut text */

#define AUTO_WRITER __attribute__((cleanup(writer_free))) struct writer

#endif
