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

enum err percent_get(struct view text, bool plus_is_space, struct writer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == '%') {
            if (text.len - i < 3)
                return ERR_MALFORMED;
            TRY(hex_get(VIEW(text.ptr + i + 1, 2), &c, 1));
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == 0)
            return ERR_MALFORMED;
        writer_u8(out, c);
    }
    return writer_done(out);
}
