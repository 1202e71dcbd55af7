/* Messages to the warden, all from the front's thread 0: what the firewall drops. The warden believes none of it: what
 * the configuration lets in, and what is too wide, it refuses by itself (src/warden/limits.h). */
#ifndef HOLDFAST_IPC_WARDEN_MSG_H
#define HOLDFAST_IPC_WARDEN_MSG_H

#include "base/entity.h"
#include "base/prefix.h"

enum warden_type {
    WARDEN_RESTORE_BEGIN = 1, /* what was collected so far is forgotten */
    WARDEN_RESTORE_PART,      /* some of what is blocked */
    WARDEN_RESTORE_END,       /* all parts instead of what the kernel had, at once; answered when it is so */
    WARDEN_BLOCK,             /* one more, or another time for one; only after a restore: else ERR_CONFLICT */
    WARDEN_UNBLOCK,           /* OK also if it was not blocked */
    /* event, id 0 */
    WARDEN_EVENT_LOST = 20, /* somebody removed the table: restore */
};

#define WARDEN_PART_MAX     1024u      /* blocks */
#define WARDEN_HOSTS_MAX    65536u     /* in all: single addresses, and /64 of IPv6 */
#define WARDEN_NETWORKS_MAX 4096u      /* in all: other prefixes */
#define WARDEN_SECONDS_MAX  315360000u /* ten years */

struct warden_block {
    uint8_t base[16]; /* as struct prefix has them */
    uint8_t bits;
    uint32_t seconds; /* from now on; 0: until it is unblocked. Of no meaning for WARDEN_UNBLOCK */
};
struct warden_part {
    struct entity_list blocks; /* of struct warden_block */
};
struct warden_restored {
    uint32_t taken;
    uint32_t refused; /* too wide, or of networks that the configuration lets in */
    uint32_t beyond;  /* did not fit */
};

struct warden_message {
    uint16_t type;
    const char *name;
    const struct entity *request, *answer; /* NULL: empty */
};
extern const struct warden_message warden_messages[];
extern const size_t warden_message_count;
const struct warden_message *warden_message_find(uint16_t type); /* NULL if there is none */
extern const struct entity warden_block_entity, warden_part_entity, warden_restored_entity;

#endif
