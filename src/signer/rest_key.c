#include "signer/rest_key.h"

#include "base/text.h"
#include "crypto/hash.h"

#define API_KEY_MAX     256
#define HMAC_SECRET_MAX 1024

struct signing_key {
    enum scheme_algorithm algorithm;
    struct secret *secret; /* HMAC text, or Ed25519 seed */
    struct rsa_key *rsa;
    size_t name_len;
    uint8_t name[API_KEY_MAX];
};

void rest_key_free(struct signing_key *key)
{
    if (!key)
        return;
    secret_free(key->secret);
    rsa_free(key->rsa);
    wipe(key, sizeof(*key));
    free(key);
}

struct view rest_key_name(const struct signing_key *key)
{
    return VIEW(key->name, key->name_len);
}

/* Visible ASCII without separators: the name goes into headers and signed texts as it is. */
static bool name_clear(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
        if (!plain)
            return false;
    }
    return name.len > 0 && name.len <= API_KEY_MAX;
}

static bool visible_ascii(struct view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f)
            return false;
    return text.len > 0 && text.len <= HMAC_SECRET_MAX;
}

static RESULT wrong_key(struct problem *why, const char *wanted)
{
    return problem_set(why, ERR_WRONG_KEY_FOR_VENUE, "/secret", "this scheme needs %s", wanted);
}

static RESULT parse_secret(struct signing_key *key, struct view text, struct problem *why)
{
    enum err e = OK;
    switch (key->algorithm) {
    case ALGORITHM_NONE:
        return OK;
    case ALGORITHM_HMAC:
        return visible_ascii(text) ? secret_from(text, &key->secret)
                                   : wrong_key(why, "the HMAC secret text as the venue shows it");
    case ALGORITHM_RSA:
        e = rsa_from_pem(text, &key->rsa);
        return e == ERR_BAD_KEY ? wrong_key(why, "an RSA private key of at least 2048 bits in PEM form") : e;
    case ALGORITHM_ED25519:
        e = ed25519_from_pem(text, &key->secret);
        return e == ERR_BAD_KEY ? wrong_key(why, "an Ed25519 private key in PEM form (PKCS#8)") : e;
    }
    return ERR_INTERNAL;
}

RESULT rest_key_new(enum scheme_algorithm algorithm, const struct bundle *bundle, struct signing_key **ret,
                    struct problem *why)
{
    if (!name_clear(bundle->api_key))
        return problem_set(why, ERR_WRONG_KEY_FOR_VENUE, "/api_key",
                           "the API key has 1 to %d letters, digits, '-' or '_'", API_KEY_MAX);
    AUTO(rest_key_free) struct signing_key *key = calloc(1, sizeof(*key));
    if (!key)
        return ERR_NO_MEMORY;
    key->algorithm = algorithm;
    memcpy(key->name, bundle->api_key.ptr, bundle->api_key.len);
    key->name_len = bundle->api_key.len;
    TRY(parse_secret(key, bundle->secret, why));
    *ret = TAKE(key);
    return OK;
}

static RESULT sign_bytes(const struct signing_key *key, struct view text, struct writer *raw)
{
    uint8_t sig[ED25519_SIG_SIZE];
    switch (key->algorithm) {
    case ALGORITHM_HMAC:
        hmac_sha256(secret_view(key->secret), text, sig);
        writer_bytes(raw, sig, SHA256_SIZE);
        return OK;
    case ALGORITHM_RSA:
        return rsa_sign_sha256(key->rsa, text, raw);
    case ALGORITHM_ED25519:
        TRY(ed25519_sign(secret_ptr(key->secret), text, sig));
        writer_bytes(raw, sig, sizeof(sig));
        return OK;
    case ALGORITHM_NONE:
        break;
    }
    return ERR_INTERNAL;
}

RESULT rest_key_sign(const struct signing_key *key, struct view text, struct arena *arena, struct view *ret)
{
    uint8_t memory[1024];
    struct writer raw = writer_fixed(memory, sizeof(memory));
    TRY(sign_bytes(key, text, &raw));
    TRY(writer_done(&raw));
    size_t cap = 2 * sizeof(memory);
    char *out = arena_alloc(arena, cap);
    if (!out)
        return ERR_NO_MEMORY;
    struct writer w = writer_fixed(out, cap);
    if (key->algorithm == ALGORITHM_HMAC)
        hex_put(&w, writer_view_of(&raw));
    else
        base64_put(&w, writer_view_of(&raw));
    TRY(writer_done(&w));
    *ret = writer_view_of(&w);
    return OK;
}
