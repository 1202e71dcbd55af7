/* The body of an answer, as a hostile peer may send it. */
#include "ipc/channel.h"
#include "ipc/supervisor_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    struct problem why = {.code = OK};
    struct view entity = {0};
    struct supervisor_handed_over object;
    if (arena_new(1024, 1u << 20, &arena) != OK)
        return 0;
    enum err e = channel_result(VIEW(data, size), &entity, &why);
    if (e < OK || e >= ERR_COUNT)
        abort();
    if (e == OK && (entity.ptr != data + 2 || entity.len != size - 2))
        abort();
    for (size_t i = 0; e == OK && i < supervisor_message_count; i++)
        if (supervisor_messages[i].body == &supervisor_handed_over_entity)
            e = entity_decode(supervisor_messages[i].body, entity, arena, &object);
    return 0;
}
