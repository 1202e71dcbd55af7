/* The spellings that Hyperliquid hashes: one for each value. */
#include "base/text.h"
#include "signer/hyperliquid.h"
#include "signer/hyperliquid_check.h"

#define DECIMALS_MAX 8 /* float_to_wire in the venue's own client */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct view v, size_t from)
{
    size_t n = 0;
    while (from + n < v.len && is_digit(v.ptr[from + n]))
        n++;
    return n;
}

bool hyperliquid_is_normal(struct view v)
{
    size_t whole = digits_at(v, 0);
    if (whole == 0 || (whole > 1 && v.ptr[0] == '0'))
        return false;
    if (whole == v.len)
        return true;
    size_t decimals = v.ptr[whole] == '.' ? digits_at(v, whole + 1) : 0;
    return decimals >= 1 && decimals <= DECIMALS_MAX && whole + 1 + decimals == v.len && v.ptr[v.len - 1] != '0';
}

RESULT hyperliquid_decimal(struct view text, struct writer *w)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    struct view v = negative ? VIEW(text.ptr + 1, text.len - 1) : text;
    size_t whole = digits_at(v, 0);
    bool point = whole < v.len && v.ptr[whole] == '.';
    size_t decimals = point ? digits_at(v, whole + 1) : 0;
    if (whole + decimals == 0 || whole + point + decimals != v.len)
        return ERR_MALFORMED;

    size_t first = 0;
    while (first < whole && v.ptr[first] == '0')
        first++;
    while (decimals > 0 && v.ptr[whole + decimals] == '0')
        decimals--;
    if (decimals > DECIMALS_MAX)
        return ERR_OUT_OF_RANGE;
    if (negative && (first < whole || decimals > 0))
        writer_u8(w, '-');
    if (first == whole)
        writer_u8(w, '0');
    writer_bytes(w, v.ptr + first, whole - first);
    if (decimals > 0)
        writer_bytes(w, v.ptr + whole, 1 + decimals);
    return writer_done(w);
}

bool hyperliquid_is_hex(struct view text, size_t min_digits, size_t max_digits)
{
    if (text.len < 2 + min_digits || text.len > 2 + max_digits || !view_starts(text, "0x"))
        return false;
    for (size_t i = 2; i < text.len; i++)
        if (!is_digit(text.ptr[i]) && (text.ptr[i] < 'a' || text.ptr[i] > 'f'))
            return false;
    return true;
}

RESULT hyperliquid_address(struct view text, uint8_t out[static HL_ADDRESS_SIZE])
{
    if (!hyperliquid_is_hex(text, 2 * HL_ADDRESS_SIZE, 2 * HL_ADDRESS_SIZE))
        return ERR_MALFORMED;
    return hex_get(VIEW(text.ptr + 2, text.len - 2), out, HL_ADDRESS_SIZE);
}

RESULT hyperliquid_chain_id(struct view text, uint64_t *ret)
{
    if (!hyperliquid_is_hex(text, 1, 2 * sizeof(*ret)) || text.ptr[2] == '0')
        return ERR_MALFORMED;
    uint64_t id = 0;
    for (size_t i = 2; i < text.len; i++)
        id = id << 4 | (uint64_t)(is_digit(text.ptr[i]) ? text.ptr[i] - '0' : text.ptr[i] - 'a' + 10);
    *ret = id;
    return OK;
}
