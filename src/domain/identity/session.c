#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/identity/identity.h"

#define TOKEN_PREFIX "hfs_"
#define TOKEN_BYTES  32
#define TOKEN_WIDTH  43 /* base62 characters of 32 bytes */
/* Rotating the data key must not end sessions, and none is older than 8 hours: so the first epoch's pepper does for
 * all. It is never retired (crypto/keyring.h). */
#define PEPPER_EPOCH 1

static const struct field session_fields[] = {
    FIELD(1, struct session, token_hash, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(2, struct session, user, TEXT, USER_NAME_MAX),
    FIELD(3, struct session, created_ms, TIME, 0),
    FIELD(4, struct session, expires_ms, TIME, 0),
    FIELD(5, struct session, idle_ms, U64, 0),
    FIELD(6, struct session, source, TEXT, 64),
    FIELD(7, struct session, user_agent, TEXT, SESSION_AGENT_MAX),
    FIELD(8, struct session, cookie, BOOL, 0),
    FIELD(9, struct session, second_ms, TIME, 0),
    FIELD(10, struct session, emergency_ms, TIME, 0),
    FIELD(11, struct session, shown, U8, 0),
};
const struct entity session_entity = ENTITY("Session", 0x0502, 1, struct session, session_fields);

RESULT shown_methods(uint8_t shown, struct arena *arena, struct text_list *ret)
{
    static const struct {
        uint8_t bits;
        const char *name;
    } names[] = {{SHOWN_PASSWORD, "pwd"},
                 {SHOWN_CODE, "otp"},
                 {SHOWN_BOUND_KEY, "hwk"},
                 {SHOWN_SYNCED_KEY, "swk"},
                 {SHOWN_SECOND, "mfa"}};
    struct text_list l = {.items = arena_alloc(arena, ARRAY_LEN(names) * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (shown & names[i].bits)
            l.items[l.count++] = view_str(names[i].name);
    *ret = l;
    return OK;
}

RESULT session_token_make(const struct random *random, char out[static SESSION_TOKEN_SIZE])
{
    uint8_t bytes[TOKEN_BYTES];
    TRY(random->fill(random, bytes, sizeof bytes));
    memcpy(out, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1);
    enum err e = base62_put(bytes, sizeof bytes, out + sizeof TOKEN_PREFIX - 1, TOKEN_WIDTH);
    wipe(bytes, sizeof bytes);
    out[SESSION_TOKEN_SIZE - 1] = '\0';
    return e;
}

static bool well_formed(struct view token)
{
    uint8_t bytes[TOKEN_BYTES];
    if (token.len != SESSION_TOKEN_SIZE - 1 || !view_starts(token, TOKEN_PREFIX))
        return false;
    enum err e = base62_get((const char *)token.ptr + sizeof TOKEN_PREFIX - 1, TOKEN_WIDTH, bytes, sizeof bytes);
    wipe(bytes, sizeof bytes);
    return e == OK;
}

RESULT session_token_hash(const struct row_keys *keys, struct view token, uint8_t out[static 32])
{
    uint8_t pepper[32], plain[SHA256_SIZE];
    if (!well_formed(token))
        return ERR_UNAUTHENTICATED;
    TRY(keyring_subkey(row_keys_ring(keys), PEPPER_EPOCH, PURPOSE_PEPPER, pepper));
    sha256(token, plain);
    hmac_sha256(VIEW_OF(pepper), VIEW_OF(plain), out);
    wipe(pepper, sizeof pepper);
    wipe(plain, sizeof plain);
    return OK;
}

bool session_over(const struct session *s, uint64_t used_ms, uint64_t now_ms)
{
    return now_ms >= s->expires_ms || (s->idle_ms != 0 && now_ms >= used_ms && now_ms - used_ms >= s->idle_ms);
}
