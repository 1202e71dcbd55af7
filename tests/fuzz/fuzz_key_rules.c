/* A key's rules and the request that they are held against: u8 length and network, u8 length and source, u8 length and
 * endpoint, then a path. What is blocked is never allowed, and what is not a rule holds nothing. */
#include "domain/keys/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view next(struct reader *r)
{
    uint8_t n = 0;
    struct view v = {0};
    return reader_u8(r, &n) == OK && reader_bytes(r, n, &v) == OK ? v : (struct view){0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_new(VIEW(data, size));
    struct view network = next(&r), source = next(&r), endpoint = next(&r), path = VIEW(r.ptr, r.left);
    const struct text_list none = {0}, networks = {&network, 1}, endpoints = {&endpoint, 1};
    struct network_source from;
    if (network_source_parse(source, &from) == OK) {
        bool in = rules_allow_source(&networks, &none, &from), out = rules_allow_source(&none, &networks, &from);
        if (in == out || (in && !network_valid(network)))
            abort();
    }
    if (path.len) {
        bool in = rules_allow_endpoint(&endpoints, &none, VIEW_STR("HEAD"), path);
        bool out = rules_allow_endpoint(&none, &endpoints, VIEW_STR("GET"), path);
        if (in == out)
            abort();
    }
    return 0;
}
