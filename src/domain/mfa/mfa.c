#include "domain/mfa/mfa.h"

#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/secmem.h"

#define DRIFT_STEPS    1
#define RECOVERY_WIDTH 15
#define RECOVERY_GROUP 5
/* Without the letters and digits that are taken for others. */
static const char alphabet[] = "23456789abcdefghjkmnpqrstuvwxyz";
#define ALPHABET_SIZE (sizeof alphabet - 1)
/* As for session tokens: the first epoch's pepper is never retired (crypto/keyring.h), and rotating keys must not make
 * codes void that lie in a safe. */
#define PEPPER_EPOCH 1

static const struct field recovery_fields[] = {
    FIELD(1, struct recovery_code, hash, FIXED, 32, .flags = FIELD_HIDDEN),
};
static const struct entity recovery_entity = ENTITY("RecoveryCode", 0x0521, 1, struct recovery_code, recovery_fields);

static const struct field passkey_fields[] = {
    FIELD(1, struct passkey_ref, hash, FIXED, PASSKEY_HASH_SIZE, .flags = FIELD_HIDDEN),
};
static const struct entity passkey_entity = ENTITY("PasskeyRef", 0x0522, 1, struct passkey_ref, passkey_fields);

static const struct field mfa_fields[] = {
    FIELD(1, struct mfa, totp_secret, BYTES, TOTP_SECRET_SIZE, .flags = FIELD_HIDDEN),
    FIELD(2, struct mfa, totp_since_ms, TIME, 0, .flags = FIELD_READ_ONLY,
          .doc = "One-time passwords are set up since."),
    FIELD(3, struct mfa, totp_step, U64, 0, .flags = FIELD_HIDDEN),
    FIELD(4, struct mfa, recovery, LIST, RECOVERY_CODES, .flags = FIELD_HIDDEN, .nested = &recovery_entity),
    FIELD(5, struct mfa, passkeys, LIST, PASSKEYS_MAX, .flags = FIELD_HIDDEN, .nested = &passkey_entity),
};
const struct entity mfa_entity = ENTITY("Mfa", 0x0520, 1, struct mfa, mfa_fields);

/* --- one-time passwords */

RESULT mfa_totp_begin(struct mfa *m, const struct random *random, struct arena *arena)
{
    uint8_t *secret = arena_alloc(arena, TOTP_SECRET_SIZE);

    if (!secret)
        return ERR_NO_MEMORY;
    TRY(random->fill(random, secret, TOTP_SECRET_SIZE));
    m->totp_secret = VIEW(secret, TOTP_SECRET_SIZE);
    m->totp_since_ms = m->totp_step = 0;
    return OK;
}

bool mfa_totp_ready(const struct mfa *m)
{
    return m->totp_secret.len == TOTP_SECRET_SIZE && m->totp_since_ms != 0;
}

static RESULT take_code(struct mfa *m, struct view code, uint64_t now_ms)
{
    uint64_t step = now_ms / TOTP_STEP_MS, found = 0;
    uint64_t first = step > DRIFT_STEPS ? step - DRIFT_STEPS : 0;

    TRY(totp_find(m->totp_secret.ptr, first, step + DRIFT_STEPS, code, &found));
    if (found <= m->totp_step)
        return ERR_BAD_CREDENTIALS; /* RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of the OTP" */
    m->totp_step = found;
    return OK;
}

RESULT mfa_totp_confirm(struct mfa *m, struct view code, uint64_t now_ms)
{
    if (m->totp_secret.len != TOTP_SECRET_SIZE || m->totp_since_ms != 0)
        return ERR_CONFLICT;
    TRY(take_code(m, code, now_ms));
    m->totp_since_ms = now_ms;
    return OK;
}

RESULT mfa_totp_use(struct mfa *m, struct view code, uint64_t now_ms)
{
    return mfa_totp_ready(m) ? take_code(m, code, now_ms) : ERR_BAD_CREDENTIALS;
}

RESULT mfa_totp_uri(const struct mfa *m, struct view issuer, struct view name, struct writer *w)
{
    char secret[TOTP_SECRET_TEXT_SIZE];

    if (m->totp_secret.len != TOTP_SECRET_SIZE)
        return ERR_CONFLICT;
    TRY(totp_secret_text(m->totp_secret.ptr, secret));
    writer_str(w, "otpauth://totp/");
    percent_put(w, issuer);
    writer_u8(w, ':');
    percent_put(w, name);
    writer_printf(w, "?secret=%s&issuer=", secret);
    percent_put(w, issuer);
    writer_printf(w, "&algorithm=SHA1&digits=%d&period=%u", TOTP_DIGITS, (unsigned)(TOTP_STEP_MS / 1000));
    wipe(secret, sizeof secret);
    return writer_done(w);
}

/* --- passkeys */

static size_t passkey_at(const struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE])
{
    const struct passkey_ref *refs = m->passkeys.items;
    size_t i = 0;

    while (i < m->passkeys.count && memcmp(refs[i].hash, hash, PASSKEY_HASH_SIZE) != 0)
        i++;
    return i;
}

bool mfa_passkey_has(const struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE])
{
    return passkey_at(m, hash) < m->passkeys.count;
}

/* What was decoded may lie beside the list of another: a change works on a copy. */
static RESULT copied(const struct mfa *m, struct arena *arena, struct passkey_ref **ret)
{
    struct passkey_ref *refs = arena_alloc(arena, (m->passkeys.count + 1) * sizeof *refs);

    if (!refs)
        return ERR_NO_MEMORY;
    if (m->passkeys.count)
        memcpy(refs, m->passkeys.items, m->passkeys.count * sizeof *refs);
    *ret = refs;
    return OK;
}

RESULT mfa_passkey_add(struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE], struct arena *arena)
{
    struct passkey_ref *refs = NULL;

    if (mfa_passkey_has(m, hash))
        return ERR_EXISTS;
    if (m->passkeys.count >= PASSKEYS_MAX)
        return ERR_LIMIT_REACHED;
    TRY(copied(m, arena, &refs));
    memcpy(refs[m->passkeys.count].hash, hash, PASSKEY_HASH_SIZE);
    m->passkeys = (struct entity_list){refs, m->passkeys.count + 1};
    return OK;
}

RESULT mfa_passkey_remove(struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE], struct arena *arena)
{
    struct passkey_ref *refs = NULL;
    size_t at = passkey_at(m, hash), count = m->passkeys.count;

    if (at == count)
        return ERR_NOT_FOUND;
    TRY(copied(m, arena, &refs));
    memmove(&refs[at], &refs[at + 1], (count - at - 1) * sizeof *refs);
    m->passkeys = (struct entity_list){refs, count - 1};
    return OK;
}

/* --- recovery codes */

/* Bytes that would make some characters likelier than others are thrown away. */
static RESULT draw(const struct random *random, char *out, size_t n)
{
    const unsigned fair = 256 - 256 % ALPHABET_SIZE;
    uint8_t byte;

    for (size_t i = 0; i < n;) {
        TRY(random->fill(random, &byte, 1));
        if (byte < fair)
            out[i++] = alphabet[byte % ALPHABET_SIZE];
    }
    return OK;
}

static RESULT hash_code(const struct row_keys *keys, const char text[static RECOVERY_WIDTH], uint8_t out[static 32])
{
    uint8_t pepper[32];

    TRY(keyring_subkey(row_keys_ring(keys), PEPPER_EPOCH, PURPOSE_PEPPER, pepper));
    const struct view parts[] = {VIEW_STR("recovery:"), VIEW(text, RECOVERY_WIDTH)};
    hmac_sha256_list(VIEW_OF(pepper), parts, ARRAY_LEN(parts), out);
    wipe(pepper, sizeof pepper);
    return OK;
}

static void show(const char text[static RECOVERY_WIDTH], char out[static RECOVERY_TEXT_SIZE])
{
    for (size_t i = 0, at = 0; i < RECOVERY_WIDTH; i++) {
        if (i && i % RECOVERY_GROUP == 0)
            out[at++] = '-';
        out[at++] = text[i];
    }
    out[RECOVERY_TEXT_SIZE - 1] = '\0';
}

RESULT mfa_recovery_make(struct mfa *m, const struct random *random, const struct row_keys *keys, struct arena *arena,
                         char ret_codes[static RECOVERY_CODES][RECOVERY_TEXT_SIZE])
{
    struct recovery_code *codes = arena_alloc(arena, RECOVERY_CODES * sizeof *codes);
    char text[RECOVERY_WIDTH];
    enum err e = codes ? OK : ERR_NO_MEMORY;

    for (size_t i = 0; i < RECOVERY_CODES && e == OK; i++) {
        e = draw(random, text, sizeof text);
        if (e == OK)
            e = hash_code(keys, text, codes[i].hash);
        if (e == OK)
            show(text, ret_codes[i]);
    }
    wipe(text, sizeof text);
    TRY(e);
    m->recovery = (struct entity_list){codes, RECOVERY_CODES};
    return OK;
}

size_t mfa_recovery_left(const struct mfa *m)
{
    static const uint8_t used[32];
    const struct recovery_code *codes = m->recovery.items;
    size_t left = 0;

    for (size_t i = 0; i < m->recovery.count; i++)
        left += !ct_eq(codes[i].hash, used, sizeof used);
    return left;
}

static RESULT normalise(struct view code, char out[static RECOVERY_WIDTH])
{
    size_t n = 0;

    for (size_t i = 0; i < code.len; i++) {
        char c = (char)code.ptr[i];
        if (c == '-' || c == ' ')
            continue;
        if (n == RECOVERY_WIDTH)
            return ERR_BAD_CREDENTIALS;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return n == RECOVERY_WIDTH ? OK : ERR_BAD_CREDENTIALS;
}

RESULT mfa_recovery_use(struct mfa *m, struct view code, const struct row_keys *keys)
{
    struct recovery_code *codes = m->recovery.items, *found = NULL;
    char text[RECOVERY_WIDTH];
    uint8_t hash[32];

    TRY(normalise(code, text));
    enum err e = hash_code(keys, text, hash);
    wipe(text, sizeof text);
    TRY(e);
    for (size_t i = 0; i < m->recovery.count; i++)
        if (ct_eq(codes[i].hash, hash, sizeof hash))
            found = &codes[i];
    wipe(hash, sizeof hash);
    if (!found)
        return ERR_BAD_CREDENTIALS;
    memset(found->hash, 0, sizeof found->hash);
    return OK;
}
