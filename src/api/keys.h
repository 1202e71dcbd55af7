/* How the API writes an API key, for the files of its routes. */
#ifndef HOLDFAST_API_KEYS_H
#define HOLDFAST_API_KEYS_H

#include "api/people.h"

struct key_view {
    struct view id, key, name, owner, description, environment, status, usage;
    struct text_list roles, credentials, environments;
    uint64_t created, expires, rotated, last_used, grace_until;
    struct view proof_key;
    uint32_t unix_uid;
    uint32_t per_hour, per_day, burst;
    struct text_list allowed_networks, blocked_networks, allowed_endpoints, blocked_endpoints;
    uint32_t suspended_sources;
    bool mfa_required, renewable, rotation_due, imported;
    uint64_t unlocked_until;
};
extern const struct entity key_view_entity, key_page_entity, key_query_entity, key_create_entity, key_rotate_entity,
    key_unlock_entity, key_verify_entity, key_verdict_entity;

struct key_page {
    struct entity_list keys;
    struct view next;
};
struct key_query {
    struct view owner, after;
    uint32_t limit, expires_within_days;
    bool rotation_due;
};
#define KEY_PAGE_DEFAULT 100
#define KEY_PAGE_MAX     500

struct key_create {
    struct view name, owner, description;
    uint8_t environment, usage;
    struct text_list roles, credentials, environments;
    uint32_t expires_days, unix_uid;
    struct view proof_key;
    uint32_t per_hour, per_day, burst;
    struct text_list allowed_networks, blocked_networks, allowed_endpoints, blocked_endpoints;
    bool mfa_required, renewable;
    uint8_t sha256[32]; /* not zero: of a key that was issued elsewhere */
};
/* So many keys that are not revoked fit the transaction in which their owner is removed, beside IDENTITY_ENDED_MAX
 * sessions; and so many may one make for himself who does not manage users. */
#define KEYS_OWN_MAX 50
#define KEYS_OWN_DAY 1000 /* in 24 hours: keys that are revoked still take memory */

#define KEY_DAYS_DEFAULT 90
#define KEY_DAYS_MAX     366

struct key_rotate {
    uint32_t grace_seconds;
};

struct key_unlock {
    uint32_t hours;
};
#define KEY_UNLOCK_HOURS     8
#define KEY_UNLOCK_HOURS_MAX 24

struct key_verify {
    struct view key, permission, source, method, path;
};
struct key_verdict {
    bool valid, grace;
    struct view reason, id, name, owner, environment, usage;
    struct text_list roles, permissions;
    uint64_t expires;
    uint32_t left_hour, left_day, retry_after;
};

/* text: the key itself, in the answers that show it once; else empty. */
RESULT key_view_fill(const struct api_key *k, struct view text, uint64_t now_ms, struct arena *arena,
                     struct key_view *ret);
const char *key_environment_name(uint8_t environment);
const char *key_usage_name(uint8_t usage);
/* What a key may do now: what its own roles and environments give, as far as its owner still has it. ERR_KEY_DISABLED
 * when the owner may not sign in, or is not there. */
RESULT key_rights(struct identity *identity, const struct api_key *k, struct rights *ret);
/* The environments in which it may sign, as bits: its own, while its owner has it. */
uint8_t key_signs_in(struct identity *identity, const struct api_key *k);
/* What a refusal by a limit is called in the record. */
uint16_t key_limit_event(const struct limits_state *s);
/* Nobody makes, or is shown, a key that may do more than he may himself. */
bool key_is_within(struct identity *identity, const struct api_key *k, const struct rights *of);

#endif
