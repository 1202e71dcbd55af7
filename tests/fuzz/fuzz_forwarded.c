/* Byte 0: which header, and whether the peer is a proxy; the rest: its lines. Every proxy is in 10.0.0.0/8. Whatever
 * comes, a client is one that stands there, and what is written left of it does not change who it is. */
#include "domain/guard/forwarded.h"

#define PEER "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_proxy(const void *context, const struct address *a)
{
    (void)context;
    return address_is_ipv4(a) && a->b[12] == 10;
}

static size_t split(struct view text, struct view *lines, size_t max)
{
    size_t count = 0;
    while (count < max) {
        const uint8_t *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        lines[count++] = VIEW(text.ptr, len);
        if (!end)
            break;
        text = VIEW(end + 1, text.len - len - 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view lines[17];
    struct address found, again;
    if (size == 0)
        return 0;
    struct forwarded_ask ask = {
        .header = (enum forwarded_header)(data[0] % 3), .lines = lines + 1, .is_proxy = is_proxy};
    memcpy(ask.peer.b, PEER, sizeof ask.peer.b);
    ask.count = split(VIEW(data + 1, size - 1), lines + 1, 16);
    if (data[0] & 0x80) {
        ask.peer.b[12] = 11;
        if (forwarded_client(&ask, &found, NULL) != OK || !address_eq(&found, &ask.peer))
            abort();
        return 0;
    }
    if (forwarded_client(&ask, &found, NULL) != OK || is_proxy(NULL, &found) || ask.header == FORWARDED_REAL_IP)
        return 0;
    lines[0] = ask.header == FORWARDED_FOR ? VIEW_STR("203.0.113.66, garbage") : VIEW_STR("for=203.0.113.66, for=_x");
    ask.lines = lines;
    ask.count++;
    if (forwarded_client(&ask, &again, NULL) == OK && !address_eq(&found, &again))
        abort();
    return 0;
}
