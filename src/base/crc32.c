#include "base/text.h"

/* IEEE 802.3, bits reversed: what four bits do to the rest. One line of the cache, so that what is looked up, which may
 * be part of a key, leaves no trace there. */
static const _Alignas(64) uint32_t of_nibble[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t crc32_of(struct view v)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < v.len; i++) {
        crc ^= v.ptr[i];
        crc = crc >> 4 ^ of_nibble[crc & 15];
        crc = crc >> 4 ^ of_nibble[crc & 15];
    }
    return ~crc;
}
