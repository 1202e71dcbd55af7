#include "ipc/supervisor_msg.h"

#include "base/fields.h"

/* Schema numbers 0x08xx belong to the supervisor's messages. */

static const struct field ready_fields[] = {
    FIELD(1, struct supervisor_ready, memory_locked, BOOL, 0),
    FIELD(2, struct supervisor_ready, landlock, BOOL, 0),
    FIELD(3, struct supervisor_ready, landlock_abi, U8, 0),
    FIELD(4, struct supervisor_ready, note, TEXT, 200),
};
const struct entity supervisor_ready_entity = ENTITY("SupervisorReady", 0x0801, 1, struct supervisor_ready,
                                                     ready_fields);

static const struct field status_fields[] = {
    FIELD(1, struct supervisor_status, text, TEXT, 200),
};
const struct entity supervisor_status_entity = ENTITY("SupervisorStatus", 0x0802, 1, struct supervisor_status,
                                                      status_fields);

static const struct field new_channel_fields[] = {
    FIELD(1, struct supervisor_new_channel, kind, U8, 0),
    FIELD(2, struct supervisor_new_channel, which, U8, 0),
};
const struct entity supervisor_new_channel_entity = ENTITY("SupervisorNewChannel", 0x0803, 1,
                                                           struct supervisor_new_channel, new_channel_fields);

static const struct field shutdown_fields[] = {
    FIELD(1, struct supervisor_shutdown, grace_ms, U32, 0),
    FIELD(2, struct supervisor_shutdown, farewell_ms, U32, 0),
    FIELD(3, struct supervisor_shutdown, for_good, BOOL, 0),
};
const struct entity supervisor_shutdown_entity = ENTITY("SupervisorShutdown", 0x0804, 1, struct supervisor_shutdown,
                                                        shutdown_fields);

static const struct field handover_fields[] = {
    FIELD(1, struct supervisor_handover, gives, BOOL, 0),
};
const struct entity supervisor_handover_entity = ENTITY("SupervisorHandover", 0x0805, 1, struct supervisor_handover,
                                                        handover_fields);

static const struct field handed_over_fields[] = {
    FIELD(1, struct supervisor_handed_over, unsealed, BOOL, 0),
    FIELD(2, struct supervisor_handed_over, detail, TEXT, 200),
};
const struct entity supervisor_handed_over_entity = ENTITY("SupervisorHandedOver", 0x0806, 1,
                                                           struct supervisor_handed_over, handed_over_fields);

static const struct field config_fields[] = {
    FIELD(1, struct supervisor_config, reloaded, BOOL, 0),
    FIELD(2, struct supervisor_config, before, FIXED, CONFIG_POLICY_HASH),
    FIELD(3, struct supervisor_config, refused, TEXT, SUPERVISOR_REFUSED_MAX),
    FIELD(4, struct supervisor_config, again, BOOL, 0),
};
const struct entity supervisor_config_entity = ENTITY("SupervisorConfig", 0x0808, 1, struct supervisor_config,
                                                      config_fields);

static const struct field file_fields[] = {
    FIELD(1, struct supervisor_file, which, U8, 0),
    FIELD(2, struct supervisor_file, number, U32, 0),
};
const struct entity supervisor_file_entity = ENTITY("SupervisorFile", 0x080b, 1, struct supervisor_file, file_fields);

static const struct field file_missing_fields[] = {
    FIELD(1, struct supervisor_file_missing, which, U8, 0),
    FIELD(2, struct supervisor_file_missing, why, TEXT, 200),
};
const struct entity supervisor_file_missing_entity = ENTITY("SupervisorFileMissing", 0x080c, 1,
                                                            struct supervisor_file_missing, file_missing_fields);

static const struct field file_read_fields[] = {
    FIELD(1, struct supervisor_file_read, which, U8, 0),
    FIELD(2, struct supervisor_file_read, number, U32, 0),
    FIELD(3, struct supervisor_file_read, taken, BOOL, 0),
};
const struct entity supervisor_file_read_entity = ENTITY("SupervisorFileRead", 0x080d, 1, struct supervisor_file_read,
                                                         file_read_fields);

const struct supervisor_message supervisor_messages[] = {
    {SUPERVISOR_READY, "ready", false, false, &supervisor_ready_entity},
    {SUPERVISOR_STATUS, "status", false, false, &supervisor_status_entity},
    {SUPERVISOR_NEW_CHANNEL, "new-channel", true, true, &supervisor_new_channel_entity},
    {SUPERVISOR_SHUTDOWN, "shutdown", true, false, &supervisor_shutdown_entity},
    {SUPERVISOR_HANDOVER, "handover", true, true, &supervisor_handover_entity},
    {SUPERVISOR_HANDED_OVER, "handed-over", false, false, &supervisor_handed_over_entity},
    {SUPERVISOR_CONFIG, "config", true, false, &supervisor_config_entity},
    {SUPERVISOR_FILE, "file", true, true, &supervisor_file_entity},
    {SUPERVISOR_FILE_MISSING, "file-missing", true, false, &supervisor_file_missing_entity},
    {SUPERVISOR_FILE_READ, "file-read", false, false, &supervisor_file_read_entity},
};
const size_t supervisor_message_count = ARRAY_LEN(supervisor_messages);

const struct supervisor_message *supervisor_message_find(uint16_t type)
{
    for (size_t i = 0; i < supervisor_message_count; i++)
        if (supervisor_messages[i].type == type)
            return &supervisor_messages[i];
    return NULL;
}
