/* Messages between the supervisor and its children, over START_FD_SUPERVISOR. All are events (id 0). Type numbers lie
 * apart from those of keeper and signer. A child whose channel to the supervisor ends, ends itself. */
#ifndef HOLDFAST_IPC_SUPERVISOR_MSG_H
#define HOLDFAST_IPC_SUPERVISOR_MSG_H

#include "ipc/config.h"

enum supervisor_type {
    SUPERVISOR_READY = 100, /* child: sandboxed and serving; once */
    SUPERVISOR_STATUS,      /* child: a sentence for the service manager ("sealed", "unsealed") */
    SUPERVISOR_NEW_CHANNEL, /* supervisor: a peer was started anew; its end comes along as a descriptor. The channel
                               with the same kind and number that the child had before is over */
    SUPERVISOR_SHUTDOWN,    /* supervisor: finish what is under way, and exit with 0 within grace_ms */
    SUPERVISOR_HANDOVER,    /* supervisor to two keepers, a descriptor along: one gives its unsealed state, one takes */
    SUPERVISOR_HANDED_OVER, /* keeper: how that ended, from both */
    SUPERVISOR_CONFIG,      /* supervisor to the front: what became of the last reload */
    SUPERVISOR_FILE, /* supervisor to the front: a file of the guard, open for reading, comes along; after each start,
                        and when it was replaced */
    SUPERVISOR_FILE_MISSING, /* supervisor to the front: one that can't be opened */
    SUPERVISOR_FILE_READ,    /* front: what came of a SUPERVISOR_FILE */
};

#define SUPERVISOR_REFUSED_MAX 300 /* bytes */

struct supervisor_ready {
    bool memory_locked;
    bool landlock;
    uint8_t landlock_abi;
    struct view note; /* what this kernel does not offer, for the log; may be empty */
};
struct supervisor_status {
    struct view text; /* at most 200 bytes */
};
struct supervisor_new_channel {
    uint8_t kind;  /* enum start_fd_kind */
    uint8_t which; /* front thread, as in START */
};
struct supervisor_shutdown {
    uint32_t grace_ms;
    uint32_t farewell_ms; /* front: not 0 when another one follows. So long it goes on serving, each connection's last
                             answer; grace_ms begins after it */
    bool for_good;        /* the server stops, or does without this child: nothing takes its place */
};
struct supervisor_handover {
    bool gives; /* the old keeper; the new one takes */
};
struct supervisor_handed_over {
    bool unsealed; /* the state went over; false: the new keeper has to be unsealed */
    struct view detail;
};

struct supervisor_config {
    bool reloaded;                      /* the front is the first one with this configuration */
    uint8_t before[CONFIG_POLICY_HASH]; /* of the guard's policy before */
    struct view refused;                /* why the file is not in force; empty: it is */
    bool again;                         /* a front was told that before */
};
struct supervisor_file {
    uint8_t which;   /* config_guard_file in ipc/config.h */
    uint32_t number; /* rises with each */
};
struct supervisor_file_missing {
    uint8_t which;
    struct view why; /* at most 200 bytes */
};
struct supervisor_file_read {
    uint8_t which;
    uint32_t number;
    bool taken; /* it is in force */
};

struct supervisor_message {
    uint16_t type;
    const char *name;
    bool to_child;
    bool has_fd;
    const struct entity *body; /* NULL: empty */
};
extern const struct supervisor_message supervisor_messages[];
extern const size_t supervisor_message_count;
const struct supervisor_message *supervisor_message_find(uint16_t type); /* NULL if there is none */
extern const struct entity supervisor_ready_entity, supervisor_status_entity, supervisor_new_channel_entity,
    supervisor_shutdown_entity, supervisor_handover_entity, supervisor_handed_over_entity, supervisor_config_entity,
    supervisor_file_entity, supervisor_file_missing_entity, supervisor_file_read_entity;

#endif
