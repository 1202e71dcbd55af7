/* Whatever JSON is packed, libmsgpack unpacks the same values in the same order, with nothing left over, and packing is
 * refused only for the reasons that the header names. */
#include "signer/msgpack.h"

#include <assert.h>
#include <msgpack/unpack.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const json_t *json, const msgpack_object *o);

static bool same_members(const json_t *json, const msgpack_object_map *map)
{
    json_t *object = (json_t *)(uintptr_t)json;
    void *i = json_object_iter(object);
    if (map->size != json_object_size(json))
        return false;
    for (uint32_t n = 0; n < map->size; n++, i = json_object_iter_next(object, i)) {
        const msgpack_object_kv *kv = &map->ptr[n];
        struct view name = view_str(json_object_iter_key(i));
        if (kv->key.type != MSGPACK_OBJECT_STR || !view_eq(VIEW(kv->key.via.str.ptr, kv->key.via.str.size), name) ||
            !same(json_object_iter_value(i), &kv->val))
            return false;
    }
    return true;
}

static bool same_items(const json_t *json, const msgpack_object_array *list)
{
    if (list->size != json_array_size(json))
        return false;
    for (uint32_t n = 0; n < list->size; n++)
        if (!same(json_array_get(json, n), &list->ptr[n]))
            return false;
    return true;
}

static bool same_integer(json_int_t n, const msgpack_object *o)
{
    if (n >= 0)
        return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 == (uint64_t)n;
    return o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && o->via.i64 == n;
}

static bool same(const json_t *json, const msgpack_object *o)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return o->type == MSGPACK_OBJECT_MAP && same_members(json, &o->via.map);
    case JSON_ARRAY:
        return o->type == MSGPACK_OBJECT_ARRAY && same_items(json, &o->via.array);
    case JSON_STRING:
        return o->type == MSGPACK_OBJECT_STR &&
               view_eq(VIEW(o->via.str.ptr, o->via.str.size), VIEW(json_string_value(json), json_string_length(json)));
    case JSON_INTEGER:
        return same_integer(json_integer_value(json), o);
    case JSON_TRUE:
    case JSON_FALSE:
        return o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean == json_is_true(json);
    case JSON_NULL:
        return o->type == MSGPACK_OBJECT_NIL;
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = NULL;
    if (size > 65536 || json_read(VIEW(data, size), &json, NULL) != OK)
        return 0;
    size_t room = MSGPACK_ROOM(size);
    uint8_t *memory = malloc(room);
    struct writer w = writer_fixed(memory, room);
    enum err e = msgpack_put_json(json, &w);
    assert(e == OK || e == ERR_WRONG_TYPE || e == ERR_OUT_OF_RANGE);
    if (e == OK) {
        size_t at = 0;
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        assert(msgpack_unpack_next(&unpacked, (const char *)memory, w.len, &at) == MSGPACK_UNPACK_SUCCESS);
        assert(at == w.len && same(json, &unpacked.data));
        msgpack_unpacked_destroy(&unpacked);
    }
    free(memory);
    json_decref(json);
    return 0;
}
