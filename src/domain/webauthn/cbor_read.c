#include "domain/webauthn/cbor_read.h"

#include <cbor.h>

static void take_unsigned(void *context, uint64_t n)
{
    struct cbor_value *v = context;
    if (n <= INT64_MAX)
        *v = (struct cbor_value){.kind = CBOR_KIND_INTEGER, .number = (int64_t)n};
}

static void take_negative(void *context, uint64_t n)
{
    struct cbor_value *v = context;
    if (n <= INT64_MAX)
        *v = (struct cbor_value){.kind = CBOR_KIND_INTEGER, .number = -1 - (int64_t)n};
}

#define TAKE_NUMBERS(bits)                                                                                             \
    static void take_unsigned##bits(void *context, uint##bits##_t n)                                                   \
    {                                                                                                                  \
        take_unsigned(context, n);                                                                                     \
    }                                                                                                                  \
    static void take_negative##bits(void *context, uint##bits##_t n)                                                   \
    {                                                                                                                  \
        take_negative(context, n);                                                                                     \
    }
TAKE_NUMBERS(8)
TAKE_NUMBERS(16)
TAKE_NUMBERS(32)

static void take_bytes(void *context, cbor_data data, size_t n)
{
    *(struct cbor_value *)context = (struct cbor_value){.kind = CBOR_KIND_BYTES, .bytes = VIEW(data, n)};
}

static void take_text(void *context, cbor_data data, size_t n)
{
    *(struct cbor_value *)context = (struct cbor_value){.kind = CBOR_KIND_TEXT, .bytes = VIEW(data, n)};
}

static void take_array(void *context, size_t n)
{
    *(struct cbor_value *)context = (struct cbor_value){.kind = CBOR_KIND_ARRAY, .count = n};
}

static void take_map(void *context, size_t n)
{
    *(struct cbor_value *)context = (struct cbor_value){.kind = CBOR_KIND_MAP, .count = n};
}

static void take_other(void *context)
{
    *(struct cbor_value *)context = (struct cbor_value){.kind = CBOR_KIND_OTHER};
}

static void take_boolean(void *context, bool v)
{
    (void)v;
    take_other(context);
}

static void take_float(void *context, float v)
{
    (void)v;
    take_other(context);
}

static void take_double(void *context, double v)
{
    (void)v;
    take_other(context);
}

/* What is refused does nothing, which leaves the value as NONE. */
static void refuse(void *context)
{
    (void)context;
}

static void refuse_tag(void *context, uint64_t tag)
{
    (void)context;
    (void)tag;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = take_unsigned8,
    .uint16 = take_unsigned16,
    .uint32 = take_unsigned32,
    .uint64 = take_unsigned,
    .negint8 = take_negative8,
    .negint16 = take_negative16,
    .negint32 = take_negative32,
    .negint64 = take_negative,
    .byte_string = take_bytes,
    .byte_string_start = refuse,
    .string = take_text,
    .string_start = refuse,
    .array_start = take_array,
    .indef_array_start = refuse,
    .map_start = take_map,
    .indef_map_start = refuse,
    .tag = refuse_tag,
    .float2 = take_float,
    .float4 = take_float,
    .float8 = take_double,
    .undefined = take_other,
    .null = take_other,
    .boolean = take_boolean,
    .indef_break = refuse,
};

RESULT cbor_read_value(struct reader *r, struct cbor_value *ret)
{
    struct cbor_value v = {0};
    struct view read = {0};
    if (r->left == 0)
        return ERR_TRUNCATED;
    struct cbor_decoder_result result = cbor_stream_decode(r->ptr, r->left, &callbacks, &v);
    if (result.status == CBOR_DECODER_NEDATA)
        return ERR_TRUNCATED;
    if (result.status != CBOR_DECODER_FINISHED || v.kind == CBOR_KIND_NONE)
        return ERR_MALFORMED;
    TRY(reader_bytes(r, result.read, &read));
    *ret = v;
    return OK;
}

/* Moves past one value with all that is in it. Every value takes a byte at least, so a count that is too large ends in
 * ERR_TRUNCATED as soon as the bytes do. */
static RESULT skip(struct reader *r, int depth, struct cbor_value *ret_head)
{
    struct cbor_value head = {0}, inner = {0};
    const uint8_t *begin = r->ptr;
    if (depth > CBOR_READ_DEPTH)
        return ERR_TOO_LONG;
    TRY(cbor_read_value(r, &head));
    bool map = head.kind == CBOR_KIND_MAP;
    if (map || head.kind == CBOR_KIND_ARRAY) {
        for (size_t i = 0; i < head.count; i++) {
            if (map)
                TRY(skip(r, depth + 1, &inner));
            TRY(skip(r, depth + 1, &inner));
        }
        head.bytes = VIEW(begin, (size_t)(r->ptr - begin));
    }
    *ret_head = head;
    return OK;
}

static bool same_key(const struct cbor_value *a, const struct cbor_value *b)
{
    return a->kind == b->kind && (a->kind == CBOR_KIND_INTEGER ? a->number == b->number : view_eq(a->bytes, b->bytes));
}

RESULT cbor_read_map(struct reader *r, struct cbor_map *ret)
{
    struct reader ahead = *r;
    struct cbor_value head = {0};
    struct cbor_map m = {0};
    TRY(cbor_read_value(&ahead, &head));
    if (head.kind != CBOR_KIND_MAP)
        return ERR_MALFORMED;
    if (head.count > CBOR_READ_ENTRIES)
        return ERR_TOO_LONG;
    for (; m.count < head.count; m.count++) {
        struct cbor_value *key = &m.entries[m.count].key;
        TRY(cbor_read_value(&ahead, key));
        if (key->kind != CBOR_KIND_INTEGER && key->kind != CBOR_KIND_TEXT)
            return ERR_MALFORMED;
        for (size_t i = 0; i < m.count; i++)
            if (same_key(&m.entries[i].key, key))
                return ERR_DUPLICATE_FIELD;
        TRY(skip(&ahead, 1, &m.entries[m.count].value));
    }
    *r = ahead;
    *ret = m;
    return OK;
}

RESULT cbor_read_whole_map(struct view v, struct cbor_map *ret)
{
    struct reader r = reader_new(v);
    struct cbor_map m = {0};
    TRY(cbor_read_map(&r, &m));
    TRY(reader_end(&r));
    *ret = m;
    return OK;
}

static RESULT find(const struct cbor_map *m, const struct cbor_value *key, enum cbor_kind kind, struct cbor_value *ret)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!same_key(&m->entries[i].key, key))
            continue;
        if (m->entries[i].value.kind != kind)
            return ERR_WRONG_TYPE;
        *ret = m->entries[i].value;
        return OK;
    }
    return ERR_MISSING_FIELD;
}

RESULT cbor_read_named(const struct cbor_map *m, const char *name, enum cbor_kind kind, struct cbor_value *ret)
{
    struct cbor_value key = {.kind = CBOR_KIND_TEXT, .bytes = view_str(name)};
    return find(m, &key, kind, ret);
}

RESULT cbor_read_numbered(const struct cbor_map *m, int64_t number, enum cbor_kind kind, struct cbor_value *ret)
{
    struct cbor_value key = {.kind = CBOR_KIND_INTEGER, .number = number};
    return find(m, &key, kind, ret);
}
