#include "base/fields.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "domain/identity/identity.h"
#include "domain/keys/inside.h"

#define PREFIX      "hfk_"
#define SECRET_SIZE 32
#define SECRET_LEN  43 /* base62 characters of 32 bytes */
#define CHECK_LEN   6  /* base62 characters of 4 bytes */
#define TAIL_LEN    (API_KEY_ID_LEN + 1 + SECRET_LEN + CHECK_LEN)
#define PLAIN_MAX   (64u * 1024)

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char *const marks[] = {[1] = "dev_", [2] = "stg_", [3] = "live_"};

/* --- the entity */

static const char *const environment_names[] = {"none", "development", "staging", "production", NULL};
static const char *const status_names[] = {"none", "active", "suspended", "expired", "revoked", NULL};
static const char *const usage_names[] = {"none", "read_only", "read_write", "execute_only", "full_access", NULL};

static const struct field fields[] = {
    FIELD(1, struct api_key, id, TEXT, API_KEY_ID_LEN, .flags = FIELD_READ_ONLY, .check = api_key_id_valid,
          .rule = "16 letters and digits"),
    FIELD(2, struct api_key, name, TEXT, API_KEY_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = text_printable,
          .rule = "printable text"),
    FIELD(3, struct api_key, owner, TEXT, USER_NAME_MAX, .check = user_name_valid, .rule = USER_NAME_RULE),
    FIELD(4, struct api_key, description, TEXT, API_KEY_DESCRIPTION_MAX, .check = text_printable,
          .rule = "printable text"),
    FIELD(5, struct api_key, environment, ENUM, 0, .names = environment_names),
    FIELD(6, struct api_key, status, ENUM, 0, .flags = FIELD_READ_ONLY, .names = status_names),
    FIELD(7, struct api_key, usage, ENUM, 0, .names = usage_names),
    FIELD(8, struct api_key, roles, TEXTS, USER_ROLES_MAX, .check = role_name_valid, .rule = ROLE_NAME_RULE),
    FIELD(9, struct api_key, credentials, TEXTS, API_KEY_CREDENTIALS_MAX, .check = api_key_pattern_valid,
          .rule = API_KEY_PATTERN_RULE),
    FIELD(10, struct api_key, verifier, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(11, struct api_key, pepper_epoch, U32, 0, .flags = FIELD_HIDDEN),
    FIELD(12, struct api_key, old_verifier, FIXED, 32, .flags = FIELD_HIDDEN),
    FIELD(13, struct api_key, old_pepper_epoch, U32, 0, .flags = FIELD_HIDDEN),
    FIELD(14, struct api_key, old_until_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(15, struct api_key, created_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(16, struct api_key, expires_ms, TIME, 0),
    FIELD(17, struct api_key, rotated_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(18, struct api_key, last_used_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(19, struct api_key, secret_environments, U8, ENVIRONMENTS_ALL),
    FIELD(20, struct api_key, proof_key, TEXT, 64, .check = api_key_proof_valid,
          .rule = "a base64 Ed25519 public key of 32 bytes"),
    FIELD(21, struct api_key, unix_uid, U32, 0),
    FIELD(22, struct api_key, has_unix_uid, BOOL, 0),
    FIELD(23, struct api_key, per_hour, U32, LIMITS_MAX),
    FIELD(24, struct api_key, per_day, U32, LIMITS_MAX),
    FIELD(25, struct api_key, burst, U32, LIMITS_MAX),
    FIELD(26, struct api_key, allowed_networks, TEXTS, RULES_MAX, .check = network_valid, .rule = NETWORK_RULE),
    FIELD(27, struct api_key, blocked_networks, TEXTS, RULES_MAX, .check = network_valid, .rule = NETWORK_RULE),
    FIELD(28, struct api_key, allowed_endpoints, TEXTS, RULES_MAX, .check = rules_endpoint_valid,
          .rule = RULES_ENDPOINT_TEXT),
    FIELD(29, struct api_key, blocked_endpoints, TEXTS, RULES_MAX, .check = rules_endpoint_valid,
          .rule = RULES_ENDPOINT_TEXT),
    FIELD(30, struct api_key, mfa_required, BOOL, 0),
    FIELD(31, struct api_key, renewable, BOOL, 0),
    FIELD(32, struct api_key, unlocked_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(33, struct api_key, term_ms, TIME, 0, .flags = FIELD_READ_ONLY),
    FIELD(34, struct api_key, told, U8, NOTICE_EXPIRED, .flags = FIELD_HIDDEN),
    FIELD(35, struct api_key, imported, BOOL, 0, .flags = FIELD_READ_ONLY),
};
const struct entity api_key_entity = ENTITY("ApiKey", 0x0511, 1, struct api_key, fields);

/* --- rules of its texts */

/* Without a branch for each character, since each request comes here. */
static bool is_base62(struct view v)
{
    uint8_t good = 1;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t b = v.ptr[i], digit = (uint8_t)(b - '0'), letter = (uint8_t)((b | 0x20) - 'a');
        good &= (uint8_t)((digit < 10) | (letter < 26));
    }
    return good;
}

bool api_key_id_valid(struct view id)
{
    return id.len == API_KEY_ID_LEN && is_base62(id);
}

bool api_key_proof_valid(struct view text)
{
    uint8_t key[33];
    struct writer w = writer_fixed(key, sizeof key);
    return base64_get(text, &w) == OK && w.len == 32;
}

static bool component_valid(struct view c)
{
    for (size_t i = 0; i < c.len; i++) {
        uint8_t b = c.ptr[i];
        if (b != '.' && b != '_' && b != '-' && !is_base62(VIEW(&b, 1)))
            return false;
    }
    return c.len > 0 && c.len <= 64;
}

/* Cuts the first component off. */
static struct view next_component(struct view *rest)
{
    const uint8_t *slash = rest->len ? memchr(rest->ptr, '/', rest->len) : NULL;
    size_t n = slash ? (size_t)(slash - rest->ptr) : rest->len;
    struct view c = VIEW(rest->ptr, n);
    *rest = slash ? VIEW(slash + 1, rest->len - n - 1) : VIEW(NULL, 0);
    return c;
}

bool api_key_pattern_valid(struct view pattern)
{
    struct view rest = pattern;
    do {
        bool last = rest.len && !memchr(rest.ptr, '/', rest.len);
        struct view c = next_component(&rest);
        if (last && view_is(c, "*"))
            return true;
        if (!component_valid(c))
            return false;
    } while (rest.ptr);
    return true;
}

static bool covers(struct view pattern, struct view path)
{
    if (pattern.len == 0 || pattern.ptr[pattern.len - 1] != '*')
        return view_eq(pattern, path);
    size_t n = pattern.len - 1; /* with its slash */
    return path.len > n && view_eq(VIEW(pattern.ptr, n), VIEW(path.ptr, n));
}

bool api_key_names(const struct text_list *patterns, struct view path)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (covers(patterns->items[i], path))
            return true;
    return false;
}

bool api_key_signs_with(const struct api_key *k, struct view path)
{
    return api_key_names(&k->credentials, path);
}

/* --- the key's text */

static RESULT make_id(const struct random *random, char *out)
{
    uint8_t bytes[32];
    for (size_t n = 0; n < API_KEY_ID_LEN;) {
        TRY(random->fill(random, bytes, sizeof bytes));
        /* 248 is the largest multiple of 62 in a byte: what is above would make some characters likelier. */
        for (size_t i = 0; i < sizeof bytes && n < API_KEY_ID_LEN; i++)
            if (bytes[i] < 248)
                out[n++] = alphabet[bytes[i] % 62];
    }
    return OK;
}

/* As base62_put, at the speed of one number. */
static void put_check(struct view text, char *out)
{
    uint32_t rest = crc32_of(text);
    for (size_t at = CHECK_LEN; at > 0; at--) {
        unsigned digit = rest % 62;
        out[at - 1] = (char)(digit < 10 ? '0' + digit : digit < 36 ? 'A' + (digit - 10) : 'a' + (digit - 36));
        rest /= 62;
    }
}

static RESULT make_text(const struct random *random, uint8_t environment, char *out, size_t *ret_len)
{
    uint8_t secret[SECRET_SIZE];
    char *at = out;
    memcpy(at, PREFIX, sizeof PREFIX - 1);
    at += sizeof PREFIX - 1;
    size_t n = strlen(marks[environment]);
    memcpy(at, marks[environment], n);
    at += n;
    TRY(make_id(random, at));
    at += API_KEY_ID_LEN;
    *at++ = '_';
    TRY(random->fill(random, secret, sizeof secret));
    enum err e = base62_put(secret, sizeof secret, at, SECRET_LEN);
    wipe(secret, sizeof secret);
    TRY(e);
    at += SECRET_LEN;
    put_check(VIEW(out, (size_t)(at - out)), at);
    at += CHECK_LEN;
    *at = '\0';
    *ret_len = (size_t)(at - out);
    return OK;
}

RESULT api_key_make(const struct random *random, uint8_t environment, char out[static API_KEY_TEXT_SIZE],
                    struct api_key_parts *ret)
{
    size_t len = 0;
    if (environment < 1 || environment >= ARRAY_LEN(marks))
        return ERR_BAD_VALUE;
    TRY(make_text(random, environment, out, &len));
    return api_key_parse(VIEW(out, len), ret);
}

RESULT api_key_remake(const struct random *random, const struct api_key *key, char out[static API_KEY_TEXT_SIZE],
                      struct api_key_parts *ret)
{
    size_t len = 0;
    if (key->environment < 1 || key->environment >= ARRAY_LEN(marks) || key->id.len != API_KEY_ID_LEN)
        return ERR_BAD_VALUE;
    TRY(make_text(random, key->environment, out, &len));
    memcpy(out + len - TAIL_LEN, key->id.ptr, API_KEY_ID_LEN);
    put_check(VIEW(out, len - CHECK_LEN), out + len - CHECK_LEN);
    return api_key_parse(VIEW(out, len), ret);
}

static uint8_t environment_of(struct view *rest)
{
    for (size_t e = 1; e < ARRAY_LEN(marks); e++) {
        if (!view_starts(*rest, marks[e]))
            continue;
        size_t n = strlen(marks[e]);
        *rest = VIEW(rest->ptr + n, rest->len - n);
        return (uint8_t)e;
    }
    return 0;
}

bool api_key_is_ours(struct view text)
{
    return view_starts(text, PREFIX);
}

RESULT api_key_split(struct view text, struct api_key_parts *ret)
{
    struct api_key_parts p = {0};
    if (!api_key_is_ours(text))
        return ERR_KEY_MALFORMED;
    struct view rest = VIEW(text.ptr + sizeof PREFIX - 1, text.len - (sizeof PREFIX - 1));
    p.environment = environment_of(&rest);
    if (p.environment == 0 || rest.len != TAIL_LEN || rest.ptr[API_KEY_ID_LEN] != '_' ||
        !is_base62(VIEW(rest.ptr, API_KEY_ID_LEN)) ||
        !is_base62(VIEW(rest.ptr + API_KEY_ID_LEN + 1, SECRET_LEN + CHECK_LEN)))
        return ERR_KEY_MALFORMED;
    memcpy(p.id, rest.ptr, API_KEY_ID_LEN);
    *ret = p;
    return OK;
}

RESULT api_key_check(struct view text)
{
    char check[CHECK_LEN];
    put_check(VIEW(text.ptr, text.len - CHECK_LEN), check);
    return memcmp(check, text.ptr + text.len - CHECK_LEN, CHECK_LEN) == 0 ? OK : ERR_KEY_MALFORMED;
}

RESULT api_key_parse(struct view text, struct api_key_parts *ret)
{
    struct api_key_parts p;
    TRY(api_key_split(text, &p));
    TRY(api_key_check(text));
    sha256(text, p.hash);
    *ret = p;
    return OK;
}

/* --- issued elsewhere */

/* The first epoch is never retired (crypto/keyring.h), so an id stays what it is. */
#define FOREIGN_EPOCH 1
#define FOREIGN_BYTES 11 /* as many as fit 16 characters */

RESULT api_key_foreign(const struct row_keys *keys, const uint8_t hash[static 32], struct api_key_parts *ret)
{
    uint8_t pepper[32], tag[SHA256_SIZE];
    struct api_key_parts p = {0};
    TRY(keyring_subkey(row_keys_ring(keys), FOREIGN_EPOCH, PURPOSE_PEPPER, pepper));
    hmac_sha256_list(VIEW_OF(pepper), (struct view[]){VIEW_STR("id of a foreign key"), VIEW(hash, 32)}, 2, tag);
    wipe(pepper, sizeof pepper);
    memcpy(p.hash, hash, sizeof p.hash);
    TRY(base62_put(tag, FOREIGN_BYTES, p.id, API_KEY_ID_LEN));
    *ret = p;
    return OK;
}

RESULT api_key_read(const struct row_keys *keys, struct view text, struct api_key_parts *ret)
{
    uint8_t hash[SHA256_SIZE];
    if (api_key_is_ours(text))
        return api_key_parse(text, ret);
    if (text.len < API_KEY_FOREIGN_MIN || text.len > API_KEY_FOREIGN_MAX)
        return ERR_KEY_MALFORMED;
    sha256(text, hash);
    return api_key_foreign(keys, hash, ret);
}

/* --- what is kept */

RESULT api_key_verifier(const struct row_keys *keys, uint32_t epoch, const uint8_t hash[static 32],
                        uint8_t out[static 32])
{
    return row_keys_pepper(keys, epoch, VIEW(hash, 32), out);
}

RESULT api_key_put(const struct row_keys *keys, const struct api_key *key, const struct api_key_found *before,
                   struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_put(TABLE_KEY, before ? before->version : 0, before ? before->commitment : NULL);
    uint8_t name[STORE_KEY_MAX];
    struct writer n = writer_fixed(name, sizeof name);
    AUTO_WRITER w = writer_new(PLAIN_MAX);
    if (key->id.len != API_KEY_ID_LEN)
        return ERR_BAD_VALUE;
    TRY(row_key_exact(keys, TABLE_KEY, key->id, &n));
    TRY(arena_copy(arena, writer_view_of(&n), &c.key));
    TRY(entity_encode(&api_key_entity, key, &w));
    TRY(arena_copy(arena, writer_view_of(&w), &c.value));
    *ret = c;
    return OK;
}

uint8_t api_key_status_at(const struct api_key *k, uint64_t now_ms)
{
    return k->status == KEY_ACTIVE && now_ms >= k->expires_ms ? KEY_EXPIRED : k->status;
}

bool api_key_allows(const struct api_key *k, const struct network_source *from, struct view method, struct view path)
{
    return rules_allow_source(&k->allowed_networks, &k->blocked_networks, from) &&
           rules_allow_endpoint(&k->allowed_endpoints, &k->blocked_endpoints, method, path);
}
