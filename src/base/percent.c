#include "base/text.h"

static bool unreserved(uint8_t c) /* RFC 3986, section 2.3 */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void percent_put(struct writer *w, struct view bytes)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (unreserved(c))
            writer_u8(w, c);
        else
            writer_bytes(w, escaped, sizeof escaped);
    }
}

/* How many bytes from i on stand for themselves. */
static size_t plain_run(struct view text, size_t i, bool plus_is_space)
{
    size_t end = i;

    while (end < text.len && text.ptr[end] != '%' && text.ptr[end] != 0 && !(text.ptr[end] == '+' && plus_is_space))
        end++;
    return end - i;
}

enum err percent_get(struct view text, bool plus_is_space, struct writer *out)
{
    size_t i = 0;

    while (i < text.len && out->failed == OK) {
        size_t run = plain_run(text, i, plus_is_space);
        uint8_t c = ' '; /* what '+' stands for */

        writer_bytes(out, text.ptr + i, run);
        i += run;
        if (i == text.len)
            break;
        if (text.ptr[i] == '%') {
            if (text.len - i < 3)
                return ERR_MALFORMED;
            TRY(hex_get(VIEW(text.ptr + i + 1, 2), &c, 1));
            i += 2;
        }
        if (c == 0 || text.ptr[i] == 0)
            return ERR_MALFORMED;
        writer_u8(out, c);
        i++;
    }
    return writer_done(out);
}
