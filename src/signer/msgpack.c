#include "signer/msgpack.h"

/* Not <msgpack.h>: that name is also this module's own header. */
#include <msgpack/pack.h>

static int write_to(void *data, const char *bytes, size_t n)
{
    writer_bytes(data, bytes, n);
    return 0; /* a full writer remembers it, and writer_done tells */
}

static msgpack_packer packer_for(struct writer *w)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, w, write_to);
    return packer;
}

RESULT msgpack_put_list(size_t count, struct writer *w)
{
    msgpack_packer packer = packer_for(w);
    (void)msgpack_pack_array(&packer, count);
    return writer_done(w);
}

RESULT msgpack_put_object(size_t count, struct writer *w)
{
    msgpack_packer packer = packer_for(w);
    (void)msgpack_pack_map(&packer, count);
    return writer_done(w);
}

RESULT msgpack_put_text(struct view text, struct writer *w)
{
    msgpack_packer packer = packer_for(w);
    (void)msgpack_pack_str(&packer, text.len);
    (void)msgpack_pack_str_body(&packer, text.ptr, text.len);
    return writer_done(w);
}

static RESULT put_integer(msgpack_packer *packer, json_int_t n)
{
    if (n > MSGPACK_INTEGER_MAX || n < -MSGPACK_INTEGER_MAX)
        return ERR_OUT_OF_RANGE;
    (void)msgpack_pack_int64(packer, n);
    return OK;
}

static RESULT put_value(const json_t *value, msgpack_packer *packer, struct writer *w, unsigned depth);

static RESULT put_members(const json_t *object, msgpack_packer *packer, struct writer *w, unsigned depth)
{
    json_t *o = (json_t *)(uintptr_t)object; /* jansson iterates over const objects only through a cast */
    (void)msgpack_pack_map(packer, json_object_size(o));
    for (void *i = json_object_iter(o); i; i = json_object_iter_next(o, i)) {
        TRY(msgpack_put_text(view_str(json_object_iter_key(i)), w));
        TRY(put_value(json_object_iter_value(i), packer, w, depth + 1));
    }
    return OK;
}

static RESULT put_items(const json_t *list, msgpack_packer *packer, struct writer *w, unsigned depth)
{
    size_t count = json_array_size(list);
    (void)msgpack_pack_array(packer, count);
    for (size_t i = 0; i < count; i++)
        TRY(put_value(json_array_get(list, i), packer, w, depth + 1));
    return OK;
}

static RESULT put_value(const json_t *value, msgpack_packer *packer, struct writer *w, unsigned depth)
{
    if (depth > JSON_MAX_DEPTH)
        return ERR_TOO_LONG;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_members(value, packer, w, depth);
    case JSON_ARRAY:
        return put_items(value, packer, w, depth);
    case JSON_STRING:
        return msgpack_put_text(VIEW(json_string_value(value), json_string_length(value)), w);
    case JSON_INTEGER:
        return put_integer(packer, json_integer_value(value));
    case JSON_TRUE:
        (void)msgpack_pack_true(packer);
        return OK;
    case JSON_FALSE:
        (void)msgpack_pack_false(packer);
        return OK;
    case JSON_NULL:
        (void)msgpack_pack_nil(packer);
        return OK;
    case JSON_REAL:
        return ERR_WRONG_TYPE;
    }
    return ERR_WRONG_TYPE;
}

RESULT msgpack_put_json(const json_t *value, struct writer *w)
{
    msgpack_packer packer = packer_for(w);
    TRY(put_value(value, &packer, w, 1));
    return writer_done(w);
}
