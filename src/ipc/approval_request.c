#include "ipc/approval_request.h"

#include "base/fields.h"

const char *const approval_kind_names[] = {
    "none",   "credential", "release", "administrator-add", "administrator-remove", "four-eyes",
    "rotate", "emergency",  NULL,
};
static const char *const state_names[] = {"none", "waiting", "approved", NULL};

static const struct field fields[] = {
    FIELD(1, struct approval_request, id, FIXED, 16, .flags = FIELD_REQUIRED),
    FIELD(2, struct approval_request, kind, ENUM, 0, .names = approval_kind_names, .flags = FIELD_REQUIRED),
    FIELD(3, struct approval_request, state, ENUM, 0, .names = state_names, .flags = FIELD_REQUIRED),
    FIELD(4, struct approval_request, name, TEXT, REQUEST_NAME_MAX, .doc = "The credential, or the administrator."),
    FIELD(5, struct approval_request, what, BYTES, REQUEST_WHAT_MAX,
          .doc = "A credential's descriptor as it shall be, or, to release it, as it is; or the administrators as they "
                 "are: in wire form."),
    FIELD(6, struct approval_request, box, BYTES, 16384, .doc = "A credential's new key, encrypted to the import key."),
    FIELD(7, struct approval_request, previous, FIXED, 32, .doc = "SHA-256 of the descriptor that it builds on."),
    FIELD(8, struct approval_request, key, FIXED, 32, .doc = "Public key of an administrator to add."),
    FIELD(9, struct approval_request, from, U32, 0, .doc = "The rule of four eyes, or the epoch, as it is."),
    FIELD(10, struct approval_request, to, U32, 0, .doc = "As it shall be."),
    FIELD(11, struct approval_request, asked_by, TEXT, REQUEST_ACTOR_MAX, .flags = FIELD_REQUIRED),
    FIELD_AS(12, struct approval_request, asked_ms, "asked", TIME, 0),
    FIELD_AS(13, struct approval_request, expiry_ms, "expires", TIME, 0,
             .doc = "When the first approval ends, and the request with it."),
    FIELD(14, struct approval_request, reason, TEXT, REQUEST_REASON_MAX),
    FIELD(15, struct approval_request, approval, ENTITY, 0, .nested = &approval_entity),
    FIELD(16, struct approval_request, second, ENTITY, 0, .nested = &approval_entity),
    FIELD(17, struct approval_request, approved_by, TEXT, REQUEST_ACTOR_MAX),
};
const struct entity approval_request_entity = ENTITY("ApprovalRequest", 0x010c, 1, struct approval_request, fields);

static const struct field ask_fields[] = {
    FIELD(1, struct approval_request, kind, ENUM, 0, .names = approval_kind_names, .flags = FIELD_REQUIRED, .min = 1),
    FIELD(2, struct approval_request, name, TEXT, REQUEST_NAME_MAX, .doc = "The credential, or the administrator."),
    FIELD(3, struct approval_request, what, BYTES, REQUEST_WHAT_MAX,
          .doc = "A credential's descriptor as it shall be, or, to release it, as it is; or the administrators as they "
                 "are: in wire form."),
    FIELD(4, struct approval_request, box, BYTES, 16384, .doc = "A credential's new key, encrypted to the import key."),
    FIELD(5, struct approval_request, previous, FIXED, 32, .doc = "SHA-256 of the descriptor that it builds on."),
    FIELD(6, struct approval_request, key, FIXED, 32, .doc = "Public key of an administrator to add."),
    FIELD(7, struct approval_request, from, U32, 0, .doc = "The rule of four eyes, or the epoch, as it is."),
    FIELD(8, struct approval_request, to, U32, 0, .doc = "As it shall be."),
    FIELD(9, struct approval_request, approval, ENTITY, 0, .flags = FIELD_REQUIRED, .nested = &approval_entity,
          .doc = "Who asks approves first; the request lasts as long as this approval."),
    FIELD(10, struct approval_request, reason, TEXT, REQUEST_REASON_MAX, .doc = "Why; kept in the record."),
};
const struct entity approval_ask_entity = ENTITY("ApprovalAsk", 0x010d, 1, struct approval_request, ask_fields);
