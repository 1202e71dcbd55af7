#include "domain/identity/decide.h"

#include "base/rcu.h"
#include "domain/secrets/secrets.h"

static const struct {
    const char *code, *words;
} rules[RULE_COUNT] = {
    [RULE_GRANTED] = {"granted", "a role grants it"},
    [RULE_NOBODY] = {"no-such-identity", "there is no such identity"},
    [RULE_DISABLED] = {"user-disabled", "the user is disabled"},
    [RULE_KEY_SUSPENDED] = {"key-suspended", "the API key is suspended"},
    [RULE_KEY_EXPIRED] = {"key-expired", "the API key has expired"},
    [RULE_KEY_REVOKED] = {"key-revoked", "the API key is revoked"},
    [RULE_KEY_LOCKED] = {"key-locked", "the API key demands a second factor, and its owner has not unlocked it"},
    [RULE_OWNER_GONE] = {"owner-disabled", "the API key's owner is disabled, or not there any more"},
    [RULE_KEY_USED_UP] = {"key-used-up", "the API key's requests of this hour or day are used up"},
    [RULE_KEY_NETWORK] = {"key-network", "a rule of the API key refuses this source"},
    [RULE_KEY_ENDPOINT] = {"key-endpoint", "a rule of the API key refuses this endpoint"},
    [RULE_USAGE] = {"key-usage", "the API key's usage does not cover this kind of request"},
    [RULE_ROLE_UNKNOWN] = {"role-unknown", "a role does not exist any more, so none of the others counts"},
    [RULE_DENIED] = {"role-denies", "a role denies it, which beats every grant"},
    [RULE_NOT_GRANTED] = {"not-granted", "no role grants it"},
    [RULE_OWNER_LACKS] = {"owner-lacks", "the API key's roles would allow it, but its owner may not"},
    [RULE_RESOURCE] = {"no-such-resource", "there is no such resource, or who asks may not know of it"},
    [RULE_SECRET_LEVEL] = {"secret-level", "the level for secrets is too low"},
    [RULE_SECRET_ENVIRONMENT] = {"secret-environment", "the secret's environment is not granted"},
    [RULE_NOT_NAMED] = {"credential-not-named", "the API key does not name the credential"},
    [RULE_SIGN_ENVIRONMENT] = {"credential-environment",
                               "the credential's environment is not granted, or not the key's"},
    [RULE_EMERGENCY] = {"emergency-access", "emergency access lets it, in one of his sessions, until it ends"},
};

const char *decide_code(enum decide_rule r)
{
    return rules[(unsigned)r < RULE_COUNT ? r : RULE_NOBODY].code;
}

const char *decide_words(enum decide_rule r)
{
    return rules[(unsigned)r < RULE_COUNT ? r : RULE_NOBODY].words;
}

/* --- what is true of somebody */

void standing_of_user(struct roles *roles, const struct user *user, struct standing *ret)
{
    struct standing s = {.usage = KEY_FULL_ACCESS};
    if (!user)
        s.broken = RULE_NOBODY;
    else if (user->state == USER_DISABLED)
        s.broken = RULE_DISABLED;
    else {
        s.role_unknown = rights_of(roles, &user->roles, user->environments, &s.own) != OK;
        s.signs_in = user->environments;
    }
    s.owner = s.own;
    *ret = s;
}

void standing_of_key(struct identity *identity, const struct api_key *key, uint64_t now_ms, struct standing *ret)
{
    static const enum decide_rule by_status[] = {RULE_NOBODY, RULE_GRANTED, RULE_KEY_SUSPENDED, RULE_KEY_EXPIRED,
                                                 RULE_KEY_REVOKED};
    struct standing s = {.is_key = true, .usage = key->usage, .credentials = key->credentials};
    uint8_t status = api_key_status_at(key, now_ms);
    s.broken = by_status[status < ARRAY_LEN(by_status) ? status : 0];
    if (s.broken == RULE_GRANTED && now_ms && api_key_locked(key, now_ms))
        s.broken = RULE_KEY_LOCKED;
    rcu_enter(); /* one section for all */
    if (s.broken == RULE_GRANTED && identity_user_rights(identity, key->owner, &s.owner) != OK)
        s.broken = RULE_OWNER_GONE;
    s.role_unknown = rights_of(identity_roles(identity), &key->roles, key->secret_environments, &s.own) != OK;
    rcu_leave();
    if (s.broken == RULE_GRANTED)
        s.signs_in = environment_bit(key->environment) & s.owner.access.environments;
    *ret = s;
}

struct rights standing_rights(const struct standing *s)
{
    return s->broken == RULE_GRANTED ? rights_common(&s->own, &s->owner) : (struct rights){0};
}

/* --- the question */

enum decide_use decide_use_of(enum permission p)
{
    static const uint8_t uses[PERMISSION_COUNT] = {
        [PERMISSION_MEV_VIEW] = USE_READ,
        [PERMISSION_MEV_EXECUTE] = USE_EXECUTE,
        [PERMISSION_MEV_ADMIN] = USE_WRITE,
        [PERMISSION_FUNDS_MANAGE] = USE_WRITE,
        [PERMISSION_SYSTEM_CONFIG] = USE_WRITE,
        [PERMISSION_AUDIT_VIEW] = USE_READ,
        [PERMISSION_MARKET_READ] = USE_READ,
        [PERMISSION_ORDERS_PLACE] = USE_EXECUTE,
        [PERMISSION_POSITIONS_MANAGE] = USE_EXECUTE,
        [PERMISSION_RISK_VIEW] = USE_READ,
        [PERMISSION_RISK_MODIFY] = USE_WRITE,
        [PERMISSION_USERS_MANAGE] = USE_WRITE,
        [PERMISSION_EMERGENCY_OVERRIDE] = USE_WRITE,
    };
    return (enum decide_use)((unsigned)p < PERMISSION_COUNT ? uses[p] : USE_ANY);
}

static bool usage_covers(uint8_t usage, enum decide_use use)
{
    static const unsigned covered[] = {
        [KEY_READ_ONLY] = 1u << USE_READ | 1u << USE_ASK_ITSELF,
        [KEY_READ_WRITE] = 1u << USE_READ | 1u << USE_ASK_ITSELF | 1u << USE_WRITE,
        [KEY_EXECUTE_ONLY] = 1u << USE_EXECUTE | 1u << USE_ASK_ITSELF,
        [KEY_FULL_ACCESS] = ~0u,
    };
    return use == USE_ANY || (usage < ARRAY_LEN(covered) && (covered[usage] >> use & 1u));
}

/* A denial, too, leaves none: which of the two it was is for decide_why to find out. */
static enum decide_rule permission_rule(const struct standing *s, enum permission p)
{
    if (p == PERMISSION_AUTHENTICATED)
        return RULE_GRANTED;
    if (s->role_unknown)
        return RULE_ROLE_UNKNOWN;
    if (!permission_has(s->own.permissions, p))
        return RULE_NOT_GRANTED;
    return permission_has(s->owner.permissions, p) ? RULE_GRANTED : RULE_OWNER_LACKS;
}

static enum decide_rule secret_rule(const struct standing *s, const struct decide_what *what)
{
    struct rights all = standing_rights(s);
    if (what->environment == 0)
        return RULE_RESOURCE;
    if (secret_may(&all.access, what->environment, what->level) == OK)
        return RULE_GRANTED;
    return all.access.environments & environment_bit(what->environment) ? RULE_SECRET_LEVEL : RULE_SECRET_ENVIRONMENT;
}

static enum decide_rule credential_rule(const struct standing *s, const struct decide_what *what)
{
    if (s->is_key && !api_key_names(&s->credentials, what->path))
        return RULE_NOT_NAMED;
    if (what->environment == 0)
        return RULE_RESOURCE;
    return s->signs_in & environment_bit(what->environment) ? RULE_GRANTED : RULE_SIGN_ENVIRONMENT;
}

enum decide_rule decide_may(const struct standing *s, const struct decide_what *what)
{
    if (s->broken != RULE_GRANTED)
        return s->broken;
    if (!usage_covers(s->usage, what->use))
        return RULE_USAGE;
    enum decide_rule r = permission_rule(s, what->permission);
    if (r != RULE_GRANTED || what->kind == KIND_NONE)
        return r;
    return what->kind == KIND_SECRET ? secret_rule(s, what) : credential_rule(s, what);
}

/* --- which role */

enum decide_rule decide_why(struct roles *roles, const struct text_list *names, enum permission p, enum decide_rule r,
                            struct view *ret_role)
{
    size_t grants, denies, unknown = roles_unknown(roles, names);
    roles_saying(roles, names, p, &grants, &denies);
    *ret_role = (struct view){0};
    if (r == RULE_ROLE_UNKNOWN && unknown < names->count)
        *ret_role = names->items[unknown];
    if (r == RULE_NOT_GRANTED && denies < names->count) {
        *ret_role = names->items[denies];
        return RULE_DENIED;
    }
    if (r == RULE_GRANTED && grants < names->count)
        *ret_role = names->items[grants];
    return r;
}
