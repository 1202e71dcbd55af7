#include "api/keys.h"
#include "base/fields.h"
#include "base/text.h"

static const char *const environments[] = {"none", "development", "staging", "production", NULL};
static const char *const usages[] = {"none", "read_only", "read_write", "execute_only", "full_access", NULL};
static const char *const statuses[] = {"none", "active", "suspended", "expired", "revoked"};

const char *key_environment_name(uint8_t environment)
{
    return environments[environment < ARRAY_LEN(environments) - 1 ? environment : 0];
}

const char *key_usage_name(uint8_t usage)
{
    return usages[usage < ARRAY_LEN(usages) - 1 ? usage : 0];
}

static const struct field view_fields[] = {
    FIELD(1, struct key_view, id, TEXT, API_KEY_ID_LEN, .flags = FIELD_REQUIRED),
    FIELD(2, struct key_view, key, TEXT, API_KEY_TEXT_SIZE, .doc = "The key itself: shown once, stored nowhere."),
    FIELD(3, struct key_view, name, TEXT, API_KEY_NAME_MAX),
    FIELD(4, struct key_view, owner, TEXT, USER_NAME_MAX),
    FIELD(5, struct key_view, description, TEXT, API_KEY_DESCRIPTION_MAX),
    FIELD(6, struct key_view, environment, TEXT, 16),
    FIELD(7, struct key_view, status, TEXT, 16, .doc = "active, suspended, expired or revoked."),
    FIELD(8, struct key_view, usage, TEXT, 16),
    FIELD(9, struct key_view, roles, TEXTS, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(10, struct key_view, credentials, TEXTS, 0, .flags = FIELD_PRINT_ZERO, .doc = "What it may sign with."),
    FIELD(11, struct key_view, environments, TEXTS, 0, .flags = FIELD_PRINT_ZERO, .doc = "Whose secrets it may touch."),
    FIELD(12, struct key_view, created, TIME, 0),
    FIELD(13, struct key_view, expires, TIME, 0),
    FIELD(14, struct key_view, rotated, TIME, 0),
    FIELD(15, struct key_view, last_used, TIME, 0, .doc = "In a list, as far as this run of the server knows."),
    FIELD(16, struct key_view, grace_until, TIME, 0, .doc = "Until then the key before the rotation works, too."),
    FIELD(17, struct key_view, proof_key, TEXT, 64),
    FIELD(18, struct key_view, unix_uid, U32, 0),
    FIELD(19, struct key_view, per_hour, U32, 0, .doc = "Requests in an hour of UTC."),
    FIELD(20, struct key_view, per_day, U32, 0, .doc = "Requests in a day of UTC."),
    FIELD(21, struct key_view, burst, U32, 0,
          .doc = "Requests at once; the room for more comes back at the hourly rate."),
    FIELD(22, struct key_view, allowed_networks, TEXTS, RULES_MAX,
          .doc = "From there alone; from everywhere if left out."),
    FIELD(23, struct key_view, blocked_networks, TEXTS, RULES_MAX, .doc = "Never from there."),
    FIELD(24, struct key_view, allowed_endpoints, TEXTS, RULES_MAX,
          .doc = "For these alone, and what lies below; for all if left out."),
    FIELD(25, struct key_view, blocked_endpoints, TEXTS, RULES_MAX, .doc = "Never for these: a block beats an allow."),
    FIELD(26, struct key_view, suspended_sources, U32, 0,
          .doc = "From so many sources wrong secrets suspended it; shown for one key alone."),
    FIELD(27, struct key_view, mfa_required, BOOL, 0, .doc = "It works only while its owner has it unlocked."),
    FIELD(28, struct key_view, unlocked_until, TIME, 0, .doc = "So long it is."),
    FIELD(29, struct key_view, renewable, BOOL, 0, .doc = "It can be prolonged in its last 7 days."),
    FIELD(30, struct key_view, rotation_due, BOOL, 0, .doc = "Its secret is 30 days old or older."),
    FIELD(31, struct key_view, imported, BOOL, 0, .doc = "It was issued elsewhere."),
};
const struct entity key_view_entity = ENTITY("KeyView", 0x0720, 1, struct key_view, view_fields);

static const struct field page_fields[] = {
    FIELD(1, struct key_page, keys, LIST, KEY_PAGE_MAX, .flags = FIELD_PRINT_ZERO, .nested = &key_view_entity),
    FIELD(2, struct key_page, next, TEXT, API_KEY_ID_LEN, .doc = "Send it as after for the next page."),
};
const struct entity key_page_entity = ENTITY("KeyPage", 0x0721, 1, struct key_page, page_fields);

static const struct field query_fields[] = {
    FIELD(1, struct key_query, owner, TEXT, USER_NAME_MAX, .check = user_name_valid, .rule = USER_NAME_RULE,
          .doc = "Only this user's keys."),
    FIELD(2, struct key_query, after, TEXT, API_KEY_ID_LEN, .check = api_key_id_valid, .rule = "the id of a key",
          .doc = "Ids behind this one."),
    FIELD(3, struct key_query, limit, U32, KEY_PAGE_MAX, .doc = "At most so many; 100 if left out."),
    FIELD(4, struct key_query, expires_within_days, U32, KEY_DAYS_MAX,
          .doc = "Only those that work and will expire within so many days."),
    FIELD(5, struct key_query, rotation_due, BOOL, 0, .doc = "Only those whose secret is 30 days old or older."),
};
const struct entity key_query_entity = ENTITY("KeyQuery", 0x0722, 1, struct key_query, query_fields);

static const struct field create_fields[] = {
    FIELD(1, struct key_create, name, TEXT, API_KEY_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = text_printable, .rule = "printable text"),
    FIELD(2, struct key_create, owner, TEXT, USER_NAME_MAX, .check = user_name_valid, .rule = USER_NAME_RULE,
          .doc = "A user; who asks, if left out. Another one's needs users:manage."),
    FIELD(3, struct key_create, description, TEXT, API_KEY_DESCRIPTION_MAX, .check = text_printable,
          .rule = "printable text"),
    FIELD(4, struct key_create, environment, ENUM, 0, .flags = FIELD_REQUIRED, .names = environments, .min = 1,
          .doc = "It signs with credentials of this environment alone."),
    FIELD(5, struct key_create, usage, ENUM, 0, .flags = FIELD_REQUIRED, .names = usages, .min = 1,
          .doc = "read_only, read_write (no execution), execute_only (signing and trading alone) or full_access."),
    FIELD(6, struct key_create, roles, TEXTS, USER_ROLES_MAX, .flags = FIELD_REQUIRED, .min = 1,
          .check = role_name_valid, .rule = ROLE_NAME_RULE,
          .doc = "Together never more than the creator may, and at any time no more than the owner may."),
    FIELD(7, struct key_create, credentials, TEXTS, API_KEY_CREDENTIALS_MAX, .check = api_key_pattern_valid,
          .rule = API_KEY_PATTERN_RULE,
          .doc = "What it may sign with, in its environment: paths, or exchange/binance/* for all below."),
    FIELD(8, struct key_create, environments, TEXTS, 3, .names = people_environments,
          .doc = "Whose secrets it may touch; none if left out."),
    FIELD(9, struct key_create, expires_days, U32, KEY_DAYS_MAX, .doc = "90 if left out."),
    FIELD(
        10, struct key_create, unix_uid, U32, 0,
        .doc = "This user of the host is the bot: over the Unix socket he needs no key. Never root. Needs mev:execute "
               "or users:manage."),
    FIELD(11, struct key_create, proof_key, TEXT, 64, .check = api_key_proof_valid,
          .rule = "a base64 Ed25519 public key of 32 bytes",
          .doc = "Told to people; what is demanded stands in a credential's policy."),
    FIELD(12, struct key_create, per_hour, U32, LIMITS_MAX, .doc = "Requests in an hour of UTC; 1000 if left out."),
    FIELD(13, struct key_create, per_day, U32, LIMITS_MAX, .doc = "Requests in a day of UTC; 10000 if left out."),
    FIELD(14, struct key_create, burst, U32, LIMITS_MAX,
          .doc = "Requests at once; the room for more comes back at the hourly rate; 100 if left out."),
    FIELD(15, struct key_create, allowed_networks, TEXTS, RULES_MAX, .check = network_valid, .rule = NETWORK_RULE,
          .doc = "From there alone; from everywhere if left out."),
    FIELD(16, struct key_create, blocked_networks, TEXTS, RULES_MAX, .check = network_valid, .rule = NETWORK_RULE,
          .doc = "Never from there."),
    FIELD(17, struct key_create, allowed_endpoints, TEXTS, RULES_MAX, .check = rules_endpoint_valid,
          .rule = RULES_ENDPOINT_TEXT, .doc = "For these alone, and what lies below; for all if left out."),
    FIELD(18, struct key_create, blocked_endpoints, TEXTS, RULES_MAX, .check = rules_endpoint_valid,
          .rule = RULES_ENDPOINT_TEXT, .doc = "Never for these: a block beats an allow."),
    FIELD(19, struct key_create, mfa_required, BOOL, 0,
          .doc = "It works only for some hours after its owner unlocked it with a second factor."),
    FIELD(20, struct key_create, renewable, BOOL, 0, .doc = "It can be prolonged in its last 7 days."),
    FIELD(21, struct key_create, sha256, FIXED, 32,
          .doc = "Takes over a key that was issued elsewhere, of 16 to 256 bytes, by the SHA-256 of its text: none is "
                 "made."),
};
const struct entity key_create_entity = ENTITY("KeyCreate", 0x0723, 1, struct key_create, create_fields);

static const struct field rotate_fields[] = {
    FIELD(1, struct key_rotate, grace_seconds, U32, 30u * 86400,
          .doc = "How long the key of before still works; at once invalid if left out."),
};
const struct entity key_rotate_entity = ENTITY("KeyRotate", 0x0724, 1, struct key_rotate, rotate_fields);

static const struct field unlock_fields[] = {
    FIELD(1, struct key_unlock, hours, U32, KEY_UNLOCK_HOURS_MAX, .doc = "For how long; 8 if left out."),
};
const struct entity key_unlock_entity = ENTITY("KeyUnlock", 0x0727, 1, struct key_unlock, unlock_fields);

static bool source_valid(struct view v)
{
    struct network_source s;
    return network_source_parse(v, &s) == OK;
}

static const struct field verify_fields[] = {
    FIELD(1, struct key_verify, key, TEXT, API_KEY_FOREIGN_MAX, .flags = FIELD_REQUIRED | FIELD_WRITE_ONLY, .min = 1),
    FIELD(2, struct key_verify, permission, TEXT, 32, .doc = "Also ask for this one, such as market:read."),
    FIELD(3, struct key_verify, source, TEXT, 64, .check = source_valid, .rule = "an address, or unix:UID",
          .doc = "Where the request came from that the key was shown with."),
    FIELD(4, struct key_verify, method, TEXT, 16, .doc = "Its method."),
    FIELD(5, struct key_verify, path, TEXT, 1024, .doc = "Its path, decoded."),
};
const struct entity key_verify_entity = ENTITY("KeyVerify", 0x0725, 1, struct key_verify, verify_fields);

static const struct field verdict_fields[] = {
    FIELD(1, struct key_verdict, valid, BOOL, 0, .flags = FIELD_PRINT_ZERO),
    FIELD(2, struct key_verdict, reason, TEXT, 32, .flags = FIELD_PRINT_ZERO,
          .doc = "VALID, NOT_FOUND, DISABLED, EXPIRED, FORBIDDEN, INSUFFICIENT_PERMISSIONS, USAGE_EXCEEDED or "
                 "RATE_LIMITED."),
    FIELD(3, struct key_verdict, id, TEXT, API_KEY_ID_LEN),
    FIELD(4, struct key_verdict, name, TEXT, API_KEY_NAME_MAX),
    FIELD(5, struct key_verdict, owner, TEXT, USER_NAME_MAX),
    FIELD(6, struct key_verdict, environment, TEXT, 16),
    FIELD(7, struct key_verdict, usage, TEXT, 16),
    FIELD(8, struct key_verdict, roles, TEXTS, 0),
    FIELD(9, struct key_verdict, permissions, TEXTS, 0),
    FIELD(10, struct key_verdict, expires, TIME, 0),
    FIELD(11, struct key_verdict, grace, BOOL, 0, .doc = "It is the key from before a rotation."),
    FIELD(12, struct key_verdict, left_hour, U32, 0, .doc = "Requests that are left in this hour."),
    FIELD(13, struct key_verdict, left_day, U32, 0, .doc = "Requests that are left in this day."),
    FIELD(14, struct key_verdict, retry_after, U32, 0, .doc = "Seconds, where waiting helps."),
};
const struct entity key_verdict_entity = ENTITY("KeyVerdict", 0x0726, 1, struct key_verdict, verdict_fields);

RESULT key_view_fill(const struct api_key *k, struct view text, uint64_t now_ms, struct arena *arena,
                     struct key_view *ret)
{
    *ret = (struct key_view){.id = k->id,
                             .key = text,
                             .name = k->name,
                             .owner = k->owner,
                             .description = k->description,
                             .environment = view_str(key_environment_name(k->environment)),
                             .status = view_str(statuses[api_key_status_at(k, now_ms) % ARRAY_LEN(statuses)]),
                             .usage = view_str(key_usage_name(k->usage)),
                             .roles = k->roles,
                             .credentials = k->credentials,
                             .created = k->created_ms,
                             .expires = k->expires_ms,
                             .rotated = k->rotated_ms,
                             .last_used = k->last_used_ms,
                             .grace_until = k->old_until_ms > now_ms ? k->old_until_ms : 0,
                             .proof_key = k->proof_key,
                             .unix_uid = k->has_unix_uid ? k->unix_uid : 0,
                             .per_hour = k->per_hour,
                             .per_day = k->per_day,
                             .burst = k->burst,
                             .allowed_networks = k->allowed_networks,
                             .blocked_networks = k->blocked_networks,
                             .allowed_endpoints = k->allowed_endpoints,
                             .blocked_endpoints = k->blocked_endpoints,
                             .mfa_required = k->mfa_required,
                             .unlocked_until = k->unlocked_ms > now_ms ? k->unlocked_ms : 0,
                             .renewable = k->renewable,
                             .imported = k->imported,
                             .rotation_due = api_key_rotation_due(k, now_ms)};
    return people_environments_put(k->secret_environments, arena, &ret->environments);
}

RESULT key_rights(struct identity *identity, const struct api_key *k, struct rights *ret)
{
    struct standing s;
    standing_of_key(identity, k, 0, &s); /* whether it has expired is not asked here */
    if (s.broken != RULE_GRANTED)
        return ERR_KEY_DISABLED;
    *ret = standing_rights(&s);
    return OK;
}

uint8_t key_signs_in(struct identity *identity, const struct api_key *k)
{
    struct rights owner;
    if (identity_user_rights(identity, k->owner, &owner) != OK)
        return 0;
    return environment_bit(k->environment) & owner.access.environments;
}

bool key_is_within(struct identity *identity, const struct api_key *k, const struct rights *of)
{
    struct rights own;
    return rights_of(identity_roles(identity), &k->roles, k->secret_environments, &own) == OK &&
           rights_within(&own, of);
}
