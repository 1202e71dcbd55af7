#include "ipc/warden_msg.h"

#include "base/fields.h"

static const struct field block_fields[] = {
    FIELD(1, struct warden_block, base, FIXED, 16),
    FIELD(2, struct warden_block, bits, U8, ADDRESS_BITS),
    FIELD(3, struct warden_block, seconds, U32, WARDEN_SECONDS_MAX),
};
const struct entity warden_block_entity = ENTITY("WardenBlock", 0x0831, 1, struct warden_block, block_fields);

static const struct field part_fields[] = {
    FIELD(1, struct warden_part, blocks, LIST, WARDEN_PART_MAX, .nested = &warden_block_entity),
};
const struct entity warden_part_entity = ENTITY("WardenPart", 0x0832, 1, struct warden_part, part_fields);

static const struct field restored_fields[] = {
    FIELD(1, struct warden_restored, taken, U32, 0),
    FIELD(2, struct warden_restored, refused, U32, 0),
    FIELD(3, struct warden_restored, beyond, U32, 0),
};
const struct entity warden_restored_entity = ENTITY("WardenRestored", 0x0833, 1, struct warden_restored,
                                                    restored_fields);

const struct warden_message warden_messages[] = {
    {WARDEN_RESTORE_BEGIN, "restore-begin", NULL, NULL},
    {WARDEN_RESTORE_PART, "restore-part", &warden_part_entity, NULL},
    {WARDEN_RESTORE_END, "restore-end", NULL, &warden_restored_entity},
    {WARDEN_BLOCK, "block", &warden_block_entity, NULL},
    {WARDEN_UNBLOCK, "unblock", &warden_block_entity, NULL},
};
const size_t warden_message_count = ARRAY_LEN(warden_messages);

const struct warden_message *warden_message_find(uint16_t type)
{
    for (size_t i = 0; i < warden_message_count; i++)
        if (warden_messages[i].type == type)
            return &warden_messages[i];
    return NULL;
}
