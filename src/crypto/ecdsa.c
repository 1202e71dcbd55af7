#include "crypto/ecdsa.h"

#define TAG_INTEGER  0x02
#define TAG_SEQUENCE 0x30
#define SCALAR_SIZE  (ECDSA_RAW_SIZE / 2)
#define INTEGER_MAX  (SCALAR_SIZE + 1) /* a zero byte in front when the top bit is set */
#define HEADER_SIZE  2

static bool read_value(struct reader *r, uint8_t tag, struct view *ret)
{
    uint8_t got = 0, len = 0;
    /* A length of 128 or more would need the long form, which no signature of these curves is long enough for. */
    return reader_u8(r, &got) == OK && got == tag && reader_u8(r, &len) == OK && len < 0x80 &&
           reader_bytes(r, len, ret) == OK;
}

static bool read_scalar(struct reader *r, uint8_t out[static SCALAR_SIZE])
{
    struct view v = {0};
    if (!read_value(r, TAG_INTEGER, &v) || v.len == 0 || v.len > INTEGER_MAX || (v.ptr[0] & 0x80))
        return false;
    if (v.ptr[0] == 0 && v.len > 1) {
        if (!(v.ptr[1] & 0x80))
            return false; /* a zero byte that is not needed */
        v = VIEW(v.ptr + 1, v.len - 1);
    }
    if (v.len > SCALAR_SIZE)
        return false;
    memset(out, 0, SCALAR_SIZE);
    memcpy(out + SCALAR_SIZE - v.len, v.ptr, v.len);
    return true;
}

RESULT ecdsa_from_der(struct view der, uint8_t ret_raw[static ECDSA_RAW_SIZE])
{
    uint8_t raw[ECDSA_RAW_SIZE];
    struct reader outer = reader_new(der);
    struct view body = {0};
    if (!read_value(&outer, TAG_SEQUENCE, &body) || outer.left != 0)
        return ERR_BAD_SIGNATURE;
    struct reader inner = reader_new(body);
    if (!read_scalar(&inner, raw) || !read_scalar(&inner, raw + SCALAR_SIZE) || inner.left != 0)
        return ERR_BAD_SIGNATURE;
    memcpy(ret_raw, raw, sizeof(raw));
    return OK;
}

static size_t put_scalar(const uint8_t scalar[static SCALAR_SIZE], uint8_t *out)
{
    size_t skip = 0;
    while (skip < SCALAR_SIZE - 1 && scalar[skip] == 0)
        skip++;
    size_t pad = scalar[skip] >> 7, len = SCALAR_SIZE - skip;
    out[0] = TAG_INTEGER;
    out[1] = (uint8_t)(pad + len);
    out[HEADER_SIZE] = 0;
    memcpy(out + HEADER_SIZE + pad, scalar + skip, len);
    return HEADER_SIZE + pad + len;
}

size_t ecdsa_to_der(const uint8_t raw[static ECDSA_RAW_SIZE], uint8_t out[static ECDSA_DER_MAX_SIZE])
{
    size_t len = HEADER_SIZE;
    len += put_scalar(raw, out + len);
    len += put_scalar(raw + SCALAR_SIZE, out + len);
    out[0] = TAG_SEQUENCE;
    out[1] = (uint8_t)(len - HEADER_SIZE);
    return len;
}
