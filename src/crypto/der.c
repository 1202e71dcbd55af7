#include "crypto/der.h"

#define NUMBER_BYTES_MAX 4 /* of a tag's number, 7 bits in each */

/* X.690 §8.1.2.4: base 128, and no leading zero digits. */
static RESULT high_number(struct reader *r, uint32_t *ret)
{
    uint32_t number = 0;
    for (int i = 0; i < NUMBER_BYTES_MAX; i++) {
        uint8_t byte = 0;
        TRY(reader_u8(r, &byte));
        if (i == 0 && byte == 0x80)
            return ERR_MALFORMED;
        number = number << 7 | (byte & 0x7f);
        if (!(byte & 0x80)) {
            *ret = number;
            return number < 31 ? ERR_MALFORMED : OK; /* would have fitted the first byte */
        }
    }
    return ERR_MALFORMED;
}

static RESULT length(struct reader *r, size_t *ret)
{
    uint8_t first = 0;
    TRY(reader_u8(r, &first));
    if (first < 0x80) {
        *ret = first;
        return OK;
    }
    size_t bytes = first & 0x7f, n = 0;
    if (bytes == 0 || bytes > 3)
        return ERR_MALFORMED; /* indefinite, or more than anybody here reads */
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = 0;
        TRY(reader_u8(r, &byte));
        n = n << 8 | byte;
    }
    if (n < 0x80 || n >> (8 * (bytes - 1)) == 0)
        return ERR_MALFORMED; /* not the shortest form */
    *ret = n;
    return OK;
}

RESULT der_next(struct reader *r, struct der *ret)
{
    struct reader ahead = *r;
    struct der d = {0};
    uint8_t first = 0;
    size_t n = 0;
    TRY(reader_u8(&ahead, &first));
    d.kind = first & 0xe0;
    d.number = first & 0x1f;
    if (d.number == 0x1f)
        TRY(high_number(&ahead, &d.number));
    TRY(length(&ahead, &n));
    TRY(reader_bytes(&ahead, n, &d.body));
    *r = ahead;
    *ret = d;
    return OK;
}

RESULT der_get(struct reader *r, uint8_t tag, struct view *ret_body)
{
    struct reader ahead = *r;
    struct der d = {0};
    TRY(der_next(&ahead, &d));
    if (d.kind != (tag & 0xe0) || d.number != (tag & 0x1fU))
        return ERR_MALFORMED;
    *r = ahead;
    *ret_body = d.body;
    return OK;
}

RESULT der_whole(struct view v, uint8_t tag, struct view *ret_body)
{
    struct reader r = reader_new(v);
    struct view body = {0};
    TRY(der_get(&r, tag, &body));
    TRY(reader_end(&r));
    *ret_body = body;
    return OK;
}

/* X.690 §8.3.2: no first byte that only repeats the sign. */
static bool is_natural(struct view body)
{
    return body.len > 0 && !(body.ptr[0] & 0x80) && !(body.len > 1 && body.ptr[0] == 0 && !(body.ptr[1] & 0x80));
}

RESULT der_number(struct view body, uint32_t *ret)
{
    uint64_t n = 0;
    if (!is_natural(body) || body.len > sizeof(uint32_t) + 1)
        return ERR_MALFORMED;
    for (size_t i = 0; i < body.len; i++)
        n = n << 8 | body.ptr[i];
    if (n > UINT32_MAX)
        return ERR_MALFORMED;
    *ret = (uint32_t)n;
    return OK;
}

bool der_is_ecdsa(struct view signature)
{
    struct view body = {0}, r = {0}, s = {0};
    if (der_whole(signature, DER_SEQUENCE, &body) != OK)
        return false;
    struct reader inner = reader_new(body);
    return der_get(&inner, DER_INTEGER, &r) == OK && der_get(&inner, DER_INTEGER, &s) == OK && inner.left == 0 &&
           is_natural(r) && is_natural(s);
}
