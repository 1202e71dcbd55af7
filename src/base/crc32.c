#include "base/text.h"

uint32_t crc32_of(struct view v)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < v.len; i++) {
        crc ^= v.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0xedb88320) & (0U - (crc & 1))); /* IEEE 802.3, bits reversed */
    }
    return ~crc;
}
