#include "base/text.h"

#include "base/eight.h"

/* RFC 3629, section 4: the ranges of the second byte keep overlong forms, surrogates and what is above U+10FFFF out. */
static const struct {
    uint8_t lead_first, lead_last, second_first, second_last, length, lead_bits;
} shapes[] = {
    {0x01, 0x7f, 0, 0, 1, 0x7f},       {0xc2, 0xdf, 0x80, 0xbf, 2, 0x1f}, {0xe0, 0xe0, 0xa0, 0xbf, 3, 0x0f},
    {0xe1, 0xec, 0x80, 0xbf, 3, 0x0f}, {0xed, 0xed, 0x80, 0x9f, 3, 0x0f}, {0xee, 0xef, 0x80, 0xbf, 3, 0x0f},
    {0xf0, 0xf0, 0x90, 0xbf, 4, 0x07}, {0xf1, 0xf3, 0x80, 0xbf, 4, 0x07}, {0xf4, 0xf4, 0x80, 0x8f, 4, 0x07},
};

size_t utf8_next(struct view v, uint32_t *ret)
{
    if (v.len == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        if (v.ptr[0] < shapes[i].lead_first || v.ptr[0] > shapes[i].lead_last)
            continue;
        uint32_t c = v.ptr[0] & shapes[i].lead_bits;
        size_t n = shapes[i].length;

        if (v.len < n || (n > 1 && (v.ptr[1] < shapes[i].second_first || v.ptr[1] > shapes[i].second_last)))
            return 0;
        for (size_t k = 1; k < n; k++) {
            if ((v.ptr[k] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (v.ptr[k] & 0x3f);
        }
        *ret = c;
        return n;
    }
    return 0;
}

static bool any_character(uint32_t c)
{
    (void)c;
    return true;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool not_control(uint32_t c)
{
    return !is_control(c);
}

/* Nearly all text is printable ASCII, which every rule allows. */
static size_t plain_ahead(struct view v)
{
    size_t n = 0;

    while (v.len - n >= 8 && !(eight_foreign(eight_at(v.ptr + n)) | eight_control(eight_at(v.ptr + n))))
        n += 8;
    while (n < v.len && v.ptr[n] >= ' ' && v.ptr[n] < 0x7f)
        n++;
    return n;
}

static bool every_character(struct view v, bool (*allowed)(uint32_t c))
{
    while (v.len) {
        size_t n = plain_ahead(v);
        uint32_t c;

        if (n == 0) {
            n = utf8_next(v, &c);
            if (n == 0 || !allowed(c))
                return false;
        }
        v = VIEW(v.ptr + n, v.len - n);
    }
    return true;
}

bool utf8_valid(struct view v)
{
    return every_character(v, any_character);
}

bool text_printable(struct view v)
{
    return every_character(v, not_control);
}

void text_put_safe(struct writer *w, struct view text)
{
    while (text.len) {
        uint32_t c;
        size_t n = utf8_next(text, &c);

        if (n == 0 || is_control(c))
            writer_str(w, "\xef\xbf\xbd");
        else
            writer_bytes(w, text.ptr, n);
        n = n ? n : 1;
        text = VIEW(text.ptr + n, text.len - n);
    }
}
