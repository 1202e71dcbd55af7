#include "crypto/password.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_argon2id_STRBYTES, "libsodium's text form fits");
static_assert(ARGON2_SALT_SIZE == crypto_pwhash_argon2id_SALTBYTES, "libsodium's salt fits");

/* libsodium wants a pointer also for no characters. */
static const char *chars(struct view v)
{
    return v.ptr ? (const char *)v.ptr : "";
}

static bool cost_sane(struct argon2_cost cost)
{
    return cost.passes >= 1 && cost.passes <= ARGON2_MAX_PASSES && cost.memory_kib >= ARGON2_MIN_MEMORY_KIB &&
           cost.memory_kib <= ARGON2_MAX_MEMORY_KIB;
}

RESULT argon2_key(struct view passphrase, const uint8_t salt[static ARGON2_SALT_SIZE], struct argon2_cost cost,
                  uint8_t *out, size_t out_len)
{
    if (!cost_sane(cost) || out_len < crypto_pwhash_argon2id_BYTES_MIN || out_len > ARGON2_MAX_OUT)
        return ERR_OUT_OF_RANGE;
    if (passphrase.len > PASSWORD_MAX_SIZE)
        return ERR_TOO_LONG;
    if (crypto_pwhash_argon2id(out, out_len, chars(passphrase), passphrase.len, salt, cost.passes,
                               (size_t)cost.memory_kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13))
        return ERR_NO_MEMORY; /* the ranges are checked, so nothing else is left to fail */
    return OK;
}

RESULT password_hash(struct view password, struct argon2_cost cost, char out[static PASSWORD_HASH_SIZE])
{
    if (!cost_sane(cost))
        return ERR_OUT_OF_RANGE;
    if (password.len > PASSWORD_MAX_SIZE)
        return ERR_TOO_LONG;
    if (crypto_pwhash_argon2id_str(out, chars(password), password.len, cost.passes, (size_t)cost.memory_kib * 1024))
        return ERR_NO_MEMORY;
    return OK;
}

/* A stored hash states its own cost. Whoever can write the store must not be able to name one that stalls the process
 * or takes all its memory. */
static bool hash_cost(const char *hash, struct argon2_cost *ret)
{
    static const struct {
        const char *prefix;
        unsigned long max;
    } parts[] = {{"$argon2id$v=19$m=", ARGON2_MAX_MEMORY_KIB}, {",t=", ARGON2_MAX_PASSES}, {",p=", 16}};
    unsigned long values[ARRAY_LEN(parts)] = {0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n = strlen(parts[i].prefix);
        if (strncmp(hash, parts[i].prefix, n) != 0 || hash[n] < '0' || hash[n] > '9')
            return false;
        char *end = NULL;
        errno = 0;
        unsigned long v = strtoul(hash + n, &end, 10);
        if (errno || v > parts[i].max)
            return false;
        hash = end;
        values[i] = v;
    }
    *ret = (struct argon2_cost){.memory_kib = (uint32_t)values[0], .passes = (uint32_t)values[1]};
    return true;
}

RESULT password_verify(const char *hash, struct view password)
{
    if (!hash || strnlen(hash, PASSWORD_HASH_SIZE) == PASSWORD_HASH_SIZE || password.len > PASSWORD_MAX_SIZE)
        return ERR_BAD_CREDENTIALS;
    struct argon2_cost cost;
    if (!hash_cost(hash, &cost))
        return ERR_BAD_CREDENTIALS;
    errno = 0;
    if (crypto_pwhash_argon2id_str_verify(hash, chars(password), password.len) == 0)
        return OK;
    /* A shortage of memory must not count as a failed attempt. */
    return errno == ENOMEM ? ERR_NO_MEMORY : ERR_BAD_CREDENTIALS;
}

bool password_outdated(const char *hash, struct argon2_cost cost)
{
    struct argon2_cost was;
    return !hash_cost(hash, &was) || (uint64_t)was.passes * was.memory_kib < (uint64_t)cost.passes * cost.memory_kib;
}

#define CALIBRATE_MOST_KIB  65536
#define CALIBRATE_LEAST_KIB 19456
#define CALIBRATE_TRIES     3

/* The fastest of a few: what else the machine does must not make passwords cheap. */
static RESULT fastest_ms(const struct clock *clock, struct argon2_cost cost, uint64_t *ret)
{
    static const uint8_t salt[ARGON2_SALT_SIZE];
    uint8_t out[32];
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < CALIBRATE_TRIES; i++) {
        uint64_t begin = clock->mono_ms(clock);
        TRY(argon2_key(VIEW_STR("calibration"), salt, cost, out, sizeof out));
        uint64_t took = clock->mono_ms(clock) - begin;
        best = took < best ? took : best;
    }
    *ret = best ? best : 1;
    return OK;
}

RESULT argon2_calibrate(const struct clock *clock, uint32_t target_ms, struct argon2_cost *ret)
{
    struct argon2_cost cost = {.passes = 1, .memory_kib = CALIBRATE_MOST_KIB};
    uint64_t one = 1;
    TRY(fastest_ms(clock, cost, &one));
    while (one > target_ms && cost.memory_kib > CALIBRATE_LEAST_KIB) {
        cost.memory_kib = cost.memory_kib / 2 > CALIBRATE_LEAST_KIB ? cost.memory_kib / 2 : CALIBRATE_LEAST_KIB;
        TRY(fastest_ms(clock, cost, &one));
    }
    uint64_t passes = one ? target_ms / one : target_ms;
    cost.passes = passes < 1 ? 1 : passes > ARGON2_MAX_PASSES ? ARGON2_MAX_PASSES : (uint32_t)passes;
    if (cost.memory_kib == CALIBRATE_LEAST_KIB && cost.passes < 2)
        cost.passes = 2;
    *ret = cost;
    return OK;
}
