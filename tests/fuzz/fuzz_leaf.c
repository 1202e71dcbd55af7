/* A leaf that decodes encodes to the same bytes again. */
#include "ledger/leaf.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leaf l;
    uint8_t bytes[LEAF_MAX], key[32] = {1};
    struct writer w = writer_fixed(bytes, sizeof(bytes));
    (void)!leaf_check_tag(VIEW(data, size), key);
    if (leaf_decode(VIEW(data, size), &l) != OK)
        return 0;
    if (leaf_encode(&l, &w) != OK || !view_eq(writer_view_of(&w), VIEW(data, size)))
        __builtin_trap();
    return 0;
}
