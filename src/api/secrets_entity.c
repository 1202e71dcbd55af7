#include "api/secrets_entity.h"

#include "base/fields.h"
#include "base/text.h"
#include "ipc/keeper_msg.h"

/* Schema numbers 0x0640 to 0x064f. */

#define PATH_RULE   "1 to 12 names of A-Z a-z 0-9 . _ - with '/' between them"
#define REASON_DOC  "Why, for the record: needed here or in the X-Holdfast-Reason header."
#define REASON_MAX  1024
#define GRACE_MAX_S (SECRET_GRACE_MAX_MS / 1000)
#define DAYS_MAX    3650
#define VERSION_MAX (UINT64_C(1) << 53)

#define VALUE_FIELDS(first, type)                                                                                      \
    FIELD(first, type, value, TEXT, SECRET_VALUE_MAX, .flags = FIELD_WRITE_ONLY, .doc = "The value, if it is text."),  \
        FIELD((first) + 1, type, value_base64, BYTES, SECRET_VALUE_MAX, .flags = FIELD_WRITE_ONLY,                     \
              .doc = "The value in base64, if it is not text.")
#define ABOUT_FIELDS(first, type)                                                                                      \
    FIELD(first, type, description, TEXT, 1024),                                                                       \
        FIELD((first) + 1, type, owner, TEXT, 256, .check = text_printable, .rule = "text without control characters", \
              .doc = "Who looks after it; the requester if nobody is named."),                                         \
        FIELD((first) + 2, type, tags, TEXTS, 32),                                                                     \
        FIELD((first) + 3, type, rotation_days, U32, DAYS_MAX, .doc = "Wanted days between rotations; 0 = none.")
#define REASON_FIELD(no, type) FIELD(no, type, reason, TEXT, REASON_MAX, .doc = REASON_DOC)

static const struct field new_fields[] = {
    FIELD(1, struct secret_new, path, TEXT, SECRET_PATH_MAX, .flags = FIELD_REQUIRED, .check = secret_path_valid,
          .rule = PATH_RULE, .doc = "its name, such as exchange/binance/main"),
    FIELD(2, struct secret_new, kind, ENUM, 0, .flags = FIELD_REQUIRED, .min = 1, .names = secret_kind_names,
          .doc = "database_credentials are one JSON object with username and password"),
    FIELD(3, struct secret_new, environment, ENUM, 0, .flags = FIELD_REQUIRED, .min = 1,
          .names = secret_environment_names),
    VALUE_FIELDS(4, struct secret_new),
    ABOUT_FIELDS(6, struct secret_new),
    REASON_FIELD(10, struct secret_new),
};
const struct entity secret_new_entity = ENTITY("NewSecret", 0x0640, 1, struct secret_new, new_fields);

static const struct field rotation_fields[] = {
    VALUE_FIELDS(1, struct secret_rotation),
    FIELD(3, struct secret_rotation, grace_seconds, U32, GRACE_MAX_S,
          .doc = "How long the former version stays readable; 0 = not at all."),
    FIELD(4, struct secret_rotation, expected_version, U64, VERSION_MAX,
          .doc = "Refused with 409 unless this is the current version; 0 = any."),
    REASON_FIELD(5, struct secret_rotation),
};
const struct entity secret_rotation_entity = ENTITY("SecretRotation", 0x0641, 1, struct secret_rotation,
                                                    rotation_fields);

static const struct field reason_fields[] = {
    REASON_FIELD(1, struct secret_reason),
};
const struct entity secret_reason_entity = ENTITY("Reason", 0x0642, 1, struct secret_reason, reason_fields);

static const struct field version_fields[] = {
    FIELD(1, struct secret_version_of, version, U64, VERSION_MAX, .flags = FIELD_REQUIRED, .min = 1),
    REASON_FIELD(2, struct secret_version_of),
};
const struct entity secret_version_of_entity = ENTITY("SecretVersionChoice", 0x0643, 1, struct secret_version_of,
                                                      version_fields);

static const struct field about_fields[] = {
    ABOUT_FIELDS(1, struct secret_about),
    REASON_FIELD(5, struct secret_about),
};
const struct entity secret_about_entity = ENTITY("SecretAbout", 0x0644, 1, struct secret_about, about_fields);

static const struct field value_query_fields[] = {
    FIELD(1, struct secret_value_query, version, U64, VERSION_MAX, .doc = "0 = the current one."),
    FIELD(2, struct secret_value_query, recover, BOOL, 0,
          .doc = "Also what is out of use: sealed, deleted, revoked. Needs the level admin."),
    REASON_FIELD(3, struct secret_value_query),
};
const struct entity secret_value_query_entity = ENTITY("SecretValueQuery", 0x0645, 1, struct secret_value_query,
                                                       value_query_fields);

static const struct field list_query_fields[] = {
    FIELD(1, struct secret_list_query, prefix, TEXT, SECRET_PATH_MAX,
          .doc = "Whole components: exchange with what is below it, exchange/ only what is below."),
    FIELD(2, struct secret_list_query, after, TEXT, 512, .doc = "The next of the page before."),
    FIELD(3, struct secret_list_query, limit, U16, SECRET_LIST_MAX, .doc = "At most 1000; 100 if not given."),
    REASON_FIELD(4, struct secret_list_query),
};
const struct entity secret_list_query_entity = ENTITY("SecretListQuery", 0x0646, 1, struct secret_list_query,
                                                      list_query_fields);

static const struct field read_fields[] = {
    FIELD(1, struct secret_read, path, TEXT, SECRET_PATH_MAX, .flags = FIELD_REQUIRED),
    FIELD(2, struct secret_read, version, U64, 0, .flags = FIELD_REQUIRED),
    FIELD(3, struct secret_read, state, ENUM, 0, .flags = FIELD_REQUIRED, .names = secret_state_names),
    FIELD(4, struct secret_read, kind, ENUM, 0, .flags = FIELD_REQUIRED, .names = secret_kind_names),
    FIELD(5, struct secret_read, environment, ENUM, 0, .flags = FIELD_REQUIRED, .names = secret_environment_names),
    FIELD_AS(6, struct secret_read, created_ms, "created", TIME, 0, .flags = FIELD_REQUIRED,
             .doc = "When this version was made."),
    FIELD(7, struct secret_read, description, TEXT, 1024),
    FIELD(8, struct secret_read, owner, TEXT, 256),
    FIELD(9, struct secret_read, tags, TEXTS, 32),
    FIELD(10, struct secret_read, revoked, BOOL, 0),
    FIELD(11, struct secret_read, value, TEXT, SECRET_VALUE_MAX, .doc = "The value, if it is UTF-8 text."),
    FIELD(12, struct secret_read, value_base64, BYTES, SECRET_VALUE_MAX, .doc = "The value otherwise."),
};
const struct entity secret_read_entity = ENTITY("SecretValue", 0x0647, 1, struct secret_read, read_fields);

static const struct field history_fields[] = {
    FIELD(1, struct secret_history, path, TEXT, SECRET_PATH_MAX, .flags = FIELD_REQUIRED),
    FIELD(2, struct secret_history, revoked, BOOL, 0, .flags = FIELD_REQUIRED),
    FIELD(3, struct secret_history, versions, LIST, SECRET_VERSIONS_MAX, .flags = FIELD_REQUIRED,
          .nested = &secret_version_entity, .doc = "Newest first."),
};
const struct entity secret_history_entity = ENTITY("SecretHistory", 0x0648, 1, struct secret_history, history_fields);

static const struct field page_fields[] = {
    FIELD(1, struct secret_page, secrets, LIST, SECRET_LIST_MAX, .flags = FIELD_REQUIRED, .nested = &secret_entity,
          .doc = "Those that the requester may list, without their versions."),
    FIELD(2, struct secret_page, next, TEXT, 512, .doc = "Give it as after for the next page; absent at the end."),
};
const struct entity secret_page_entity = ENTITY("SecretPage", 0x0649, 1, struct secret_page, page_fields);

RESULT secret_bytes(struct view value, struct view value_base64, struct view *ret, struct problem *why)
{
    if (value.len && value_base64.len)
        return problem_set(why, ERR_BAD_VALUE, "/value_base64", "%s", "give value or value_base64, not both");
    if (!value.len && !value_base64.len)
        return problem_set(why, ERR_MISSING_FIELD, "/value", "%s", "give value (text) or value_base64; not empty");
    *ret = value.len ? value : value_base64;
    return OK;
}
