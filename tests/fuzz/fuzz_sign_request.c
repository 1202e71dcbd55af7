/* Requests to sign: what is accepted has one JSON value as its parameters, taken from the bytes that were sent. */
#include "api/sign.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct view part, struct view whole)
{
    return part.len == 0 || (whole.len >= part.len && memmem(whole.ptr, whole.len, part.ptr, part.len) != NULL);
}

static bool one_value(struct view json)
{
    size_t end;

    return json.len == 0 || (json_scan(json, &end) == OK && end == json.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER wire = writer_new(1 << 20);
    AUTO_WRITER again = writer_new(1 << 20);
    struct sign_wanted w = {0}, back = {0};
    struct problem why = {0};
    struct view params;

    if (arena_new(4096, 8u << 20, &arena) != OK)
        return 0;
    if (entity_parse(&sign_wanted_entity, VIEW(data, size), arena, &w, &why) != OK)
        return 0;
    if (!one_value(w.params) || !inside(w.params, VIEW(data, size)))
        abort();
    if (sign_params(w.params, arena, &params, &why) == OK && !one_value(params))
        abort();
    if (entity_encode(&sign_wanted_entity, &w, &wire) != OK)
        return 0;
    if (entity_decode(&sign_wanted_entity, writer_view_of(&wire), arena, &back) != OK ||
        entity_encode(&sign_wanted_entity, &back, &again) != OK ||
        !view_eq(writer_view_of(&wire), writer_view_of(&again)))
        abort();
    return 0;
}
