/* RFC 4648. As in hex.c, characters are computed without look-ups that depend on the data. */
#include "base/text.h"

struct alphabet {
    uint8_t c62, c63;
    bool padded;
};

static const struct alphabet standard = {'+', '/', true}, for_urls = {'-', '_', false};

/* All bits set if first <= v <= last; arguments below 256. */
static unsigned within(unsigned v, unsigned first, unsigned last)
{
    return 0U - (~(((v - first) | (last - v)) >> 8) & 1U);
}

static uint8_t character_of(unsigned v, const struct alphabet *a) /* v: 0..63 */
{
    return (uint8_t)((within(v, 0, 25) & (v + 'A')) | (within(v, 26, 51) & (v - 26 + 'a')) |
                     (within(v, 52, 61) & (v - 52 + '0')) | (within(v, 62, 62) & a->c62) |
                     (within(v, 63, 63) & a->c63));
}

/* 0..63, or 0x100 for what is not in the alphabet. */
static unsigned value_of(unsigned c, const struct alphabet *a)
{
    unsigned upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z'), digit = within(c, '0', '9'),
             is62 = within(c, a->c62, a->c62), is63 = within(c, a->c63, a->c63);

    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) | (is62 & 62) | (is63 & 63) |
           (~(upper | lower | digit | is62 | is63) & 0x100);
}

static void encode(struct writer *w, struct view in, const struct alphabet *a)
{
    for (size_t i = 0; i < in.len; i += 3) {
        size_t n = in.len - i < 3 ? in.len - i : 3;
        uint32_t v = (uint32_t)in.ptr[i] << 16 | (n > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0) |
                     (n > 2 ? in.ptr[i + 2] : 0);
        uint8_t out[4] = {character_of(v >> 18, a), character_of(v >> 12 & 63, a), character_of(v >> 6 & 63, a),
                          character_of(v & 63, a)};

        for (size_t k = n + 1; k < 4; k++)
            out[k] = '=';
        writer_bytes(w, out, a->padded ? 4 : n + 1);
        explicit_bzero(out, sizeof out);
    }
}

/* The characters of text without its padding, or an error if the padding is not what the length demands. */
static enum err strip_padding(struct view text, const struct alphabet *a, size_t *ret_len)
{
    size_t len = text.len;

    if (a->padded) {
        if (len % 4 != 0)
            return ERR_MALFORMED;
        while (len > 0 && text.len - len < 2 && text.ptr[len - 1] == '=')
            len--;
    }
    if (len % 4 == 1)
        return ERR_MALFORMED;
    *ret_len = len;
    return OK;
}

/* Every character known, and the bits that no byte uses zero, so that one value has one text. */
static bool all_valid(struct view text, const struct alphabet *a)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < text.len; i++)
        wrong |= value_of(text.ptr[i], a) >> 8;
    if (text.len % 4 == 2)
        wrong |= value_of(text.ptr[text.len - 1], a) & 15;
    if (text.len % 4 == 3)
        wrong |= value_of(text.ptr[text.len - 1], a) & 3;
    return wrong == 0;
}

static enum err decode(struct view text, struct writer *w, const struct alphabet *a)
{
    size_t len;

    TRY(strip_padding(text, a, &len));
    if (!all_valid(VIEW(text.ptr, len), a))
        return ERR_MALFORMED;
    for (size_t i = 0; i < len; i += 4) {
        size_t n = len - i < 4 ? len - i : 4;
        uint32_t v = 0;

        for (size_t k = 0; k < 4; k++)
            v = v << 6 | (k < n ? value_of(text.ptr[i + k], a) : 0);
        uint8_t out[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

        writer_bytes(w, out, n - 1);
        explicit_bzero(out, sizeof out);
    }
    return writer_done(w);
}

void base64_put(struct writer *w, struct view bytes)
{
    encode(w, bytes, &standard);
}

enum err base64_get(struct view text, struct writer *out)
{
    return decode(text, out, &standard);
}

void base64url_put(struct writer *w, struct view bytes)
{
    encode(w, bytes, &for_urls);
}

enum err base64url_get(struct view text, struct writer *out)
{
    return decode(text, out, &for_urls);
}
