#include "api/approvals_entity.h"

#include "base/fields.h"

/* Schema numbers 0x0690 to 0x0693. */

static const char *const state_names[] = {"none", "waiting", "approved", NULL};

static const struct field brief_fields[] = {
    FIELD(1, struct approval_brief, id, FIXED, 16, .flags = FIELD_REQUIRED),
    FIELD(2, struct approval_brief, kind, ENUM, 0, .names = approval_kind_names, .flags = FIELD_REQUIRED),
    FIELD(3, struct approval_brief, state, ENUM, 0, .names = state_names, .flags = FIELD_REQUIRED),
    FIELD(4, struct approval_brief, name, TEXT, REQUEST_NAME_MAX),
    FIELD(5, struct approval_brief, asked_by, TEXT, REQUEST_ACTOR_MAX),
    FIELD_AS(6, struct approval_brief, asked_ms, "asked", TIME, 0),
    FIELD_AS(7, struct approval_brief, expiry_ms, "expires", TIME, 0),
    FIELD(8, struct approval_brief, reason, TEXT, REQUEST_REASON_MAX),
};
const struct entity approval_brief_entity = ENTITY("ApprovalBrief", 0x0690, 1, struct approval_brief, brief_fields);

static const struct field page_fields[] = {
    FIELD(1, struct approval_page, requests, LIST, REQUESTS_MAX + 64, .flags = FIELD_REQUIRED,
          .nested = &approval_brief_entity),
    FIELD(2, struct approval_page, four_eyes, TEXTS, 8, .flags = FIELD_PRINT_ZERO,
          .doc = "What takes two administrators; empty: nothing."),
};
const struct entity approval_page_entity = ENTITY("ApprovalPage", 0x0691, 1, struct approval_page, page_fields);

static const struct field give_fields[] = {
    FIELD(1, struct approval_give, approval, ENTITY, 0, .flags = FIELD_REQUIRED, .nested = &approval_entity),
};
const struct entity approval_give_entity = ENTITY("ApprovalGive", 0x0692, 1, struct approval_give, give_fields);

static const struct field reason_fields[] = {
    FIELD(1, struct approval_reason, reason, TEXT, REQUEST_REASON_MAX, .doc = "Why; kept in the record."),
};
const struct entity approval_reason_entity = ENTITY("ApprovalReason", 0x0693, 1, struct approval_reason, reason_fields);
