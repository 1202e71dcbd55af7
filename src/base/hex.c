/* Digits are computed, not looked up: secrets pass through here, and a table would leave their trace in the cache. */
#include "base/text.h"

static uint8_t digit_of(unsigned v) /* 0..15 */
{
    return (uint8_t)('0' + v + (((9 - v) >> 8) & ('a' - '0' - 10)));
}

/* All bits of the result are set if first <= c <= last. */
static unsigned in_range(unsigned c, unsigned first, unsigned last)
{
    return ~(((c - first) | (last - c)) >> 8) & 1 ? ~0U : 0U;
}

/* 0..15, or above 255 for what is no digit. */
static unsigned value_of(uint8_t c)
{
    unsigned digit = in_range(c, '0', '9'), lower = in_range(c, 'a', 'f'), upper = in_range(c, 'A', 'F');

    return (digit & (c - '0')) | (lower & (c - 'a' + 10U)) | (upper & (c - 'A' + 10U)) |
           (~(digit | lower | upper) & 0x100);
}

void hex_put(struct writer *w, struct view bytes)
{
    uint8_t text[64];
    size_t n = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        text[n++] = digit_of(bytes.ptr[i] >> 4);
        text[n++] = digit_of(bytes.ptr[i] & 15);
        if (n == sizeof text || i + 1 == bytes.len) {
            writer_bytes(w, text, n);
            n = 0;
        }
    }
    explicit_bzero(text, sizeof text); /* it may be a secret's */
}

enum err hex_get(struct view text, uint8_t *out, size_t n)
{
    if (n > SIZE_MAX / 2 || text.len != n * 2)
        return ERR_MALFORMED;
    unsigned wrong = 0;

    for (size_t i = 0; i < text.len; i++)
        wrong |= value_of(text.ptr[i]) >> 8;
    if (wrong)
        return ERR_MALFORMED;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(value_of(text.ptr[2 * i]) << 4 | value_of(text.ptr[2 * i + 1]));
    return OK;
}
