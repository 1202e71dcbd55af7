/* What requests and answers about approvals look like. */
#ifndef HOLDFAST_API_APPROVALS_ENTITY_H
#define HOLDFAST_API_APPROVALS_ENTITY_H

#include "domain/approvals/requests.h"

struct approval_brief {
    uint8_t id[16];
    uint8_t kind, state;
    struct view name, asked_by;
    uint64_t asked_ms, expiry_ms;
    struct view reason;
};
struct approval_page {
    struct entity_list requests; /* of struct approval_brief, the oldest first */
    struct text_list four_eyes;  /* what takes two administrators; empty: nothing */
};
struct approval_give {
    struct approval approval;
};
struct approval_reason {
    struct view reason;
};
extern const struct entity approval_brief_entity, approval_page_entity, approval_give_entity, approval_reason_entity;

#endif
