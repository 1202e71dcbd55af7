#include "base/address.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_ipv4(const struct address *a)
{
    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

bool address_eq(const struct address *a, const struct address *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

RESULT address_parse(struct view text, struct address *ret)
{
    char copy[ADDRESS_TEXT_SIZE];
    struct address a;
    if (text.len == 0 || view_to_str(text, copy, sizeof copy) != OK)
        return ERR_MALFORMED;
    if (inet_pton(AF_INET6, copy, a.b) != 1) {
        memcpy(a.b, mapped, sizeof mapped);
        if (inet_pton(AF_INET, copy, a.b + sizeof mapped) != 1)
            return ERR_MALFORMED;
    }
    *ret = a;
    return OK;
}

void address_format(const struct address *a, char out[static ADDRESS_TEXT_SIZE])
{
    if (address_is_ipv4(a)) {
        struct writer w = writer_fixed(out, ADDRESS_TEXT_SIZE - 1);
        for (size_t i = sizeof mapped; i < sizeof a->b; i++) {
            writer_str(&w, i > sizeof mapped ? "." : "");
            writer_decimal(&w, a->b[i]);
        }
        out[w.len] = '\0';
        return;
    }
    if (!inet_ntop(AF_INET6, a->b, out, ADDRESS_TEXT_SIZE))
        out[0] = '\0'; /* the room suffices for every address */
}
