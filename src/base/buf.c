#include "base/buf.h"

#include <stdarg.h>

#define WRITER_FIRST 256

int view_cmp(struct view a, struct view b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

enum err view_to_str(struct view v, char *ret_out, size_t cap)
{
    if (v.len >= cap)
        return ERR_TOO_LONG;
    if (v.len && memchr(v.ptr, 0, v.len))
        return ERR_NUL_BYTE;
    if (v.len)
        memcpy(ret_out, v.ptr, v.len);
    ret_out[v.len] = '\0';
    return OK;
}

struct reader reader_new(struct view v)
{
    return (struct reader){v.ptr, v.len};
}

static uint64_t number_at(const uint8_t *p, size_t width)
{
    uint64_t v = 0;

    for (size_t i = 0; i < width; i++)
        v = v << 8 | p[i];
    return v;
}

static enum err read_number(struct reader *r, size_t width, uint64_t *ret)
{
    if (r->left < width)
        return ERR_TRUNCATED;
    *ret = number_at(r->ptr, width);
    r->ptr += width;
    r->left -= width;
    return OK;
}

#define READER_NUMBER(bits)                                                                                            \
    enum err reader_u##bits(struct reader *r, uint##bits##_t *ret)                                                     \
    {                                                                                                                  \
        uint64_t v;                                                                                                    \
        TRY(read_number(r, (bits) / 8, &v));                                                                           \
        *ret = (uint##bits##_t)v;                                                                                      \
        return OK;                                                                                                     \
    }

READER_NUMBER(8)
READER_NUMBER(32)
READER_NUMBER(64)

enum err reader_bytes(struct reader *r, size_t n, struct view *ret)
{
    if (r->left < n)
        return ERR_TRUNCATED;
    *ret = VIEW(r->ptr, n);
    if (n) /* adding 0 to NULL is undefined */
        r->ptr += n;
    r->left -= n;
    return OK;
}

enum err reader_copy(struct reader *r, void *out, size_t n)
{
    struct view v;

    TRY(reader_bytes(r, n, &v));
    if (n)
        memcpy(out, v.ptr, n);
    return OK;
}

enum err reader_end(const struct reader *r)
{
    return r->left ? ERR_MALFORMED : OK;
}

struct writer writer_fixed(void *memory, size_t cap)
{
    return (struct writer){.ptr = memory, .cap = cap, .max = cap};
}

struct writer writer_new(size_t max)
{
    return (struct writer){.max = max, .owned = true};
}

void writer_free(struct writer *w)
{
    if (w->owned && w->ptr) {
        explicit_bzero(w->ptr, w->cap);
        free(w->ptr);
    }
    *w = (struct writer){0};
}

void writer_reset(struct writer *w)
{
    if (w->owned && w->ptr)
        explicit_bzero(w->ptr, w->len);
    w->len = 0;
    w->failed = OK;
}

/* Never realloc: it would leave an unwiped copy behind. */
static enum err writer_grow(struct writer *w, size_t need)
{
    size_t cap = w->cap ? w->cap : WRITER_FIRST;

    while (cap < need)
        cap = cap > w->max / 2 ? w->max : cap * 2;
    if (cap > w->max)
        cap = w->max;
    uint8_t *bigger = malloc(cap);

    if (!bigger)
        return ERR_NO_MEMORY;
    if (w->ptr) {
        memcpy(bigger, w->ptr, w->len);
        explicit_bzero(w->ptr, w->cap);
        free(w->ptr);
    }
    w->ptr = bigger;
    w->cap = cap;
    return OK;
}

/* Room for n more bytes, or NULL. */
static uint8_t *writer_room(struct writer *w, size_t n)
{
    if (w->failed)
        return NULL;
    if (n > w->max || w->len > w->max - n) {
        w->failed = ERR_TOO_LONG;
        return NULL;
    }
    if (w->len + n > w->cap)
        w->failed = w->owned ? writer_grow(w, w->len + n) : ERR_TOO_LONG;
    return w->failed ? NULL : w->ptr + w->len;
}

static void write_number(struct writer *w, uint64_t v, size_t width)
{
    uint8_t *to = writer_room(w, width);

    if (!to)
        return;
    for (size_t i = 0; i < width; i++)
        to[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
    w->len += width;
}

void writer_u16(struct writer *w, uint16_t v)
{
    write_number(w, v, 2);
}

void writer_u32(struct writer *w, uint32_t v)
{
    write_number(w, v, 4);
}

void writer_u64(struct writer *w, uint64_t v)
{
    write_number(w, v, 8);
}

void writer_bytes_growing(struct writer *w, const void *p, size_t n)
{
    if (n == 0)
        return;
    uint8_t *to = writer_room(w, n);

    if (!to)
        return;
    memcpy(to, p, n);
    w->len += n;
}

void writer_var(struct writer *w, struct view v)
{
    if (v.len > UINT32_MAX) {
        w->failed = w->failed ? w->failed : ERR_TOO_LONG;
        return;
    }
    writer_u32(w, (uint32_t)v.len);
    writer_view(w, v);
}

/* Two digits for each division. */
void writer_decimal(struct writer *w, uint64_t v)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;

    for (; v >= 10; v /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + v % 100 * 2, 2);
    }
    if (v > 0 || at == sizeof digits)
        digits[--at] = (char)('0' + v);
    writer_bytes(w, digits + at, sizeof digits - at);
}

void writer_printf(struct writer *w, const char *format, ...)
{
    va_list args, again;
    /* vsnprintf ends with a NUL, for which a fixed writer that is filled to the brim has no room: take it through a
     * short text of our own, or through the heap. */
    char small[256], *text = small;

    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);

    va_end(args);
    if (n < 0 && !w->failed)
        w->failed = ERR_INTERNAL;
    if (n >= (int)sizeof small && !w->failed && (text = malloc((size_t)n + 1)) != NULL)
        (void)vsnprintf(text, (size_t)n + 1, format, again);
    if (!text)
        w->failed = ERR_NO_MEMORY;
    if (!w->failed)
        writer_bytes(w, text, (size_t)n);
    va_end(again);
    explicit_bzero(small, n < 0 || n >= (int)sizeof small ? sizeof small : (size_t)n);
    if (text && text != small) {
        explicit_bzero(text, (size_t)n);
        free(text);
    }
}

enum err writer_done(const struct writer *w)
{
    return w->failed;
}

struct view writer_view_of(const struct writer *w)
{
    if (w->failed)
        return (struct view){0};
    return VIEW(w->ptr, w->len);
}
