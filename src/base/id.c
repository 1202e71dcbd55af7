#include "base/text.h"

void id_format(const struct id *id, char out[static ID_TEXT_SIZE])
{
    struct writer w = writer_fixed(out, ID_TEXT_SIZE - 1);

    hex_put(&w, VIEW_OF(id->b));
    out[ID_TEXT_SIZE - 1] = '\0';
}

enum err id_parse(struct view text, struct id *ret)
{
    /* An id appears in paths and logs: one spelling only, so that searching for it finds all of it. */
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
            return ERR_MALFORMED;
    return hex_get(text, ret->b, ID_SIZE);
}

bool id_eq(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_SIZE) == 0;
}
