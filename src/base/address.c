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
    bool six = memchr(text.ptr, ':', text.len) != NULL; /* which only IPv6 has, and always */
    if (!six)
        memcpy(a.b, mapped, sizeof mapped);
    if (inet_pton(six ? AF_INET6 : AF_INET, copy, six ? a.b : a.b + sizeof mapped) != 1)
        return ERR_MALFORMED;
    *ret = a;
    return OK;
}

static char *put_octet(char *to, unsigned octet)
{
    if (octet >= 100)
        *to++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *to++ = (char)('0' + octet / 10 % 10);
    *to++ = (char)('0' + octet % 10);
    return to;
}

void address_format(const struct address *a, char out[static ADDRESS_TEXT_SIZE])
{
    if (!address_is_ipv4(a)) {
        if (!inet_ntop(AF_INET6, a->b, out, ADDRESS_TEXT_SIZE))
            out[0] = '\0'; /* the room suffices for every address */
        return;
    }
    for (size_t i = sizeof mapped; i < sizeof a->b; i++) {
        out = put_octet(out, a->b[i]);
        *out++ = i + 1 < sizeof a->b ? '.' : '\0';
    }
}
