/* A change that one administrator approved and that waits for another one: as it is asked, stored and shown. The signed
 * bytes are approval_message's (ipc/keeper_msg.h); each side makes them from these parts itself. */
#ifndef HOLDFAST_IPC_APPROVAL_REQUEST_H
#define HOLDFAST_IPC_APPROVAL_REQUEST_H

#include "ipc/keeper_msg.h"

#define REQUEST_LONGEST_MS (24ull * 3600 * 1000)
#define REQUEST_WHAT_MAX   DESCRIPTOR_MAX
#define REQUEST_NAME_MAX   512
#define REQUEST_ACTOR_MAX  128
#define REQUEST_REASON_MAX 1024

enum request_state { REQUEST_WAITING = 1, REQUEST_APPROVED = 2 };

struct approval_request { /* entity ApprovalRequest */
    uint8_t id[16];
    uint8_t kind;     /* enum approval_kind */
    uint8_t state;    /* enum request_state */
    struct view name; /* the credential's path, the administrator's name; else empty */
    /* credential: its descriptor as it shall be; release: as it is; administrators: entity Administrators, as it is */
    struct view what;
    struct view box;              /* credential: the new key, encrypted to the import key; empty: it stays */
    uint8_t previous[32];         /* hash of the descriptor in force */
    uint8_t key[32];              /* of an administrator who shall be added */
    uint32_t from, to;            /* four eyes: the rule; rotate: the epoch; emergency: to is seconds */
    struct view asked_by;         /* actor: the front's word; whose key approved is in the approvals */
    uint64_t asked_ms, expiry_ms; /* expiry_ms: of the first approval */
    struct view reason;
    struct approval approval, second; /* second: once it is approved; of emergency access the only one */
    struct view approved_by;          /* actor */
};
extern const struct entity approval_request_entity;
extern const char *const approval_kind_names[]; /* by enum approval_kind; NULL ends it */

/* What is sent to ask: kind, the parts that it has, the first approval and the reason. */
extern const struct entity approval_ask_entity;

#endif
