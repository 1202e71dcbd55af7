/* The wire form of an entity: what decodes must encode to the very same bytes. */
#include "../unit/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER again = writer_new(1 << 20);
    AUTO_WRITER json = writer_new(1 << 20);
    AUTO_WRITER known = writer_new(1 << 20);
    struct sample s;

    if (arena_new(4096, 1 << 20, &arena) != OK)
        return 0;
    (void)!entity_decode_again(&sample_entity, VIEW(data, size), arena, &s); /* whatever it is, within its bounds */
    if (entity_decode(&sample_entity, VIEW(data, size), arena, &s) != OK)
        return 0;
    if (entity_encode(&sample_entity, &s, &again) != OK)
        abort();
    if (entity_decode_again(&sample_entity, VIEW(data, size), arena, &s) != OK ||
        entity_encode(&sample_entity, &s, &known) != OK || !view_eq(writer_view_of(&again), writer_view_of(&known)))
        abort();
    /* Entities inside may be of an older version too, but there is only one here. */
    if (data[3] == sample_entity.version && !view_eq(writer_view_of(&again), VIEW(data, size)))
        abort();
    entity_to_json(&sample_entity, &s, &json);
    size_t end;

    if (writer_done(&json) == OK && (json_scan(writer_view_of(&json), &end) != OK || end != json.len))
        abort();
    return 0;
}
