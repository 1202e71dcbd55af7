/* Eight bytes of text at once, of any alignment. Each test gives 0 if none of the eight is of its kind, and else
 * something that is not: enough to find the first bytes of a text that need a closer look. */
#ifndef HOLDFAST_BASE_EIGHT_H
#define HOLDFAST_BASE_EIGHT_H

#include <stdint.h>
#include <string.h>

#define EIGHT_OF(byte) (UINT64_C(0x0101010101010101) * (byte)) /* eight times the same */

static inline uint64_t eight_at(const uint8_t *p)
{
    uint64_t eight;
    memcpy(&eight, p, sizeof eight);
    return eight;
}

/* One below limit, which is at most 0x80: taking limit off sets its highest bit, which it has not itself. */
static inline uint64_t eight_below(uint64_t eight, uint8_t limit)
{
    return (eight - EIGHT_OF(limit)) & ~eight & EIGHT_OF(0x80);
}

static inline uint64_t eight_have(uint64_t eight, uint8_t byte)
{
    return eight_below(eight ^ EIGHT_OF(byte), 1);
}

/* A control character of ASCII. */
static inline uint64_t eight_control(uint64_t eight)
{
    return eight_below(eight, 0x20) | eight_have(eight, 0x7f);
}

/* What is not ASCII. */
static inline uint64_t eight_foreign(uint64_t eight)
{
    return eight & EIGHT_OF(0x80);
}

#endif
