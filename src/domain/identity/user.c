#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/secmem.h"
#include "domain/identity/identity.h"

#define INVITE_PREFIX "hfi_"
#define MINUTE_MS     (60ull * 1000)
#define DAY_MS        (24 * 60 * MINUTE_MS)

static const char *const state_names[] = {"none", "active", "locked", "disabled", NULL};

static const struct field user_fields[] = {
    FIELD(1, struct user, id, FIXED, 16, .flags = FIELD_READ_ONLY),
    FIELD(2, struct user, name, TEXT, USER_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = user_name_valid,
          .rule = USER_NAME_RULE),
    FIELD(3, struct user, email, TEXT, USER_EMAIL_MAX, .check = text_printable, .rule = "printable text"),
    FIELD(4, struct user, roles, TEXTS, USER_ROLES_MAX, .check = role_name_valid, .rule = ROLE_NAME_RULE),
    FIELD(5, struct user, state, ENUM, 0, .flags = FIELD_READ_ONLY, .names = state_names),
    FIELD(6, struct user, password_hash, TEXT, 128, .flags = FIELD_HIDDEN),
    FIELD(7, struct user, created_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(8, struct user, last_login_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(9, struct user, locked_until_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(10, struct user, password_changed_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(11, struct user, failed_attempts, U32, 0, .flags = FIELD_READ_ONLY),
    FIELD(12, struct user, environments, U8, ENVIRONMENTS_ALL),
    FIELD(13, struct user, enrolled, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(14, struct user, password_history, TEXTS, CONFIG_PASSWORD_HISTORY_MAX, .flags = FIELD_HIDDEN),
    FIELD(15, struct user, invite, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(16, struct user, invited_until_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(17, struct user, mfa, ENTITY, 0, .flags = FIELD_HIDDEN, .nested = &mfa_entity),
};
const struct entity user_entity = ENTITY("User", 0x0501, 1, struct user, user_fields);

/* A name has one spelling, so that nobody can look like somebody else. */
bool user_name_valid(struct view name)
{
    if (name.len == 0 || name.len > USER_NAME_MAX || !((name.ptr[0] >= 'a' && name.ptr[0] <= 'z')))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

bool user_may_login(const struct user *u, uint64_t now_ms)
{
    return u->state == USER_ACTIVE || (u->state == USER_LOCKED && u->locked_until_ms <= now_ms);
}

bool user_has_second(const struct user *u)
{
    return mfa_totp_ready(&u->mfa) || u->mfa.passkeys.count > 0;
}

bool user_login_failed(struct user *u, const struct config_passwords *rules, uint64_t now_ms)
{
    if (u->state == USER_LOCKED && u->locked_until_ms <= now_ms)
        user_unlock(u); /* the lock has ended: a new count begins */
    if (u->state != USER_ACTIVE)
        return false;
    u->failed_attempts++;
    if (u->failed_attempts < rules->failures)
        return false;
    u->state = USER_LOCKED;
    u->locked_until_ms = now_ms + rules->lock_minutes * MINUTE_MS;
    return true;
}

void user_unlock(struct user *u)
{
    u->state = USER_ACTIVE;
    u->failed_attempts = 0;
    u->locked_until_ms = 0;
}

void user_login_succeeded(struct user *u, uint64_t now_ms)
{
    user_unlock(u);
    u->last_login_ms = now_ms;
}

RESULT user_invite(struct user *u, const struct random *random, uint64_t until_ms, char out[static INVITE_TOKEN_SIZE])
{
    uint8_t bytes[32];
    TRY(random->fill(random, bytes, sizeof bytes));
    memcpy(out, INVITE_PREFIX, sizeof INVITE_PREFIX - 1);
    enum err e = base62_put(bytes, sizeof bytes, out + sizeof INVITE_PREFIX - 1,
                            INVITE_TOKEN_SIZE - sizeof INVITE_PREFIX);
    wipe(bytes, sizeof bytes);
    out[INVITE_TOKEN_SIZE - 1] = '\0';
    sha256(view_str(out), u->invite);
    u->invited_until_ms = until_ms;
    return e;
}

bool user_invited_with(const struct user *u, struct view token, uint64_t now_ms)
{
    static const uint8_t none[SHA256_SIZE];
    uint8_t hash[SHA256_SIZE];
    sha256(token, hash);
    bool same = ct_eq(hash, u->invite, sizeof hash), open = !ct_eq(none, u->invite, sizeof none);
    return same && open && now_ms < u->invited_until_ms && u->state != USER_DISABLED;
}

bool user_password_expired(const struct user *u, const struct config_passwords *rules, uint64_t now_ms)
{
    return now_ms > u->password_changed_ms && now_ms - u->password_changed_ms >= rules->max_days * DAY_MS;
}

RESULT user_password_used(const struct user *u, uint32_t history, struct arena *arena, struct text_list *ret)
{
    struct text_list l = {.items = arena_alloc(arena, (history + 1) * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    if (u->password_hash.len && history)
        l.items[l.count++] = u->password_hash;
    for (size_t i = 0; i < u->password_history.count && l.count < history; i++)
        l.items[l.count++] = u->password_history.items[i];
    *ret = l;
    return OK;
}

RESULT user_set_password(struct user *u, struct view hash, uint32_t history, uint64_t now_ms, struct arena *arena)
{
    struct text_list former;
    TRY(user_password_used(u, history ? history - 1 : 0, arena, &former));
    u->password_history = former;
    u->password_hash = hash;
    u->password_changed_ms = now_ms;
    memset(u->invite, 0, sizeof u->invite);
    u->invited_until_ms = 0;
    return OK;
}
