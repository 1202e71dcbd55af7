#include "base/text.h"

#define MOST_BYTES 64 /* callers write keys and checks; nothing needs more */

enum err base62_put(const uint8_t *bytes, size_t n, char *out, size_t width)
{
    uint8_t rest[MOST_BYTES];
    unsigned left = 0;

    if (n > sizeof rest)
        return ERR_TOO_LONG;
    memcpy(rest, bytes, n);
    for (size_t at = width; at > 0; at--) {
        unsigned digit = 0;

        for (size_t i = 0; i < n; i++) { /* divide the number by 62, keep the remainder */
            unsigned v = digit << 8 | rest[i];

            rest[i] = (uint8_t)(v / 62);
            digit = v % 62;
        }
        out[at - 1] = (char)(digit < 10 ? '0' + digit : digit < 36 ? 'A' + (digit - 10) : 'a' + (digit - 36));
    }
    for (size_t i = 0; i < n; i++)
        left |= rest[i];
    explicit_bzero(rest, sizeof rest);
    if (left)
        explicit_bzero(out, width);
    return left ? ERR_TOO_LONG : OK;
}

static int value_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'z' ? c - 'a' + 36 : -1;
}

enum err base62_get(const char *text, size_t width, uint8_t *out, size_t n)
{
    uint8_t made[MOST_BYTES] = {0};
    bool fits = true;

    if (n > sizeof made)
        return ERR_TOO_LONG;
    for (size_t k = 0; k < width && fits; k++) {
        int digit = value_of(text[k]);
        unsigned carry = (unsigned)digit;

        for (size_t i = n; i > 0 && digit >= 0; i--) { /* multiply by 62 and add */
            carry += made[i - 1] * 62U;
            made[i - 1] = (uint8_t)carry;
            carry >>= 8;
        }
        fits = digit >= 0 && carry == 0;
    }
    if (fits && n)
        memcpy(out, made, n);
    explicit_bzero(made, sizeof made);
    return fits ? OK : ERR_MALFORMED;
}
