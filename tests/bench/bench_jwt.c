/* jwt_accept_vs_p256_verify: access tokens accepted a second (hash, key, revocations, grant, and the owner's roles)
 * when many tokens are in use and each was seen before, against GnuTLS's bare P-256 verification of the same tokens. */
#include "bench.h"

#include "base/text.h"
#include "domain/identity/identity.h"
#include "domain/tokens/tokens.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>

#define NOW     1790000000000ull
#define TOKENS  20000
#define USERS   1000
#define PASSES  25 /* over all tokens, in a round */
#define VERIFY  4000
#define REVOKED 1000
#define ISSUER  "urn:holdfast:bench"

struct one {
    char text[TOKEN_TEXT_MAX];
    size_t len, dot; /* the signature begins behind dot */
    uint8_t signature[64];
};

static struct one *all;
static struct tokens *tokens;
static struct identity *people;
static struct row_keys *row_keys;
static struct token_public public_key;
static struct secret *private_key;
static char kid[TOKEN_KID_LEN + 1];

static void apply(const struct txn_change *c)
{
    bench_must(tokens_applied(tokens, c), "a row");
    bench_must(identity_applied(people, c), "a row");
}

static void user_name(unsigned i, char out[static 16])
{
    (void)snprintf(out, 16, "user%u", i % USERS);
}

static void make_user(unsigned i, struct arena *arena)
{
    static struct view roles[] = {VIEW_STR("trader"), VIEW_STR("risk_analyst")};
    struct user u = {.roles = {roles, 2}, .state = USER_ACTIVE, .environments = ENVIRONMENTS_ALL};
    struct txn_change c;
    char name[16];

    user_name(i, name);
    u.name = view_str(name);
    bench_must(identity_put_user(row_keys, &u, NULL, arena, &c), "a user");
    apply(&c);
}

static void make_grant(unsigned i, struct arena *arena)
{
    struct grant g = {.client = VIEW_STR("bench"),
                      .created_ms = NOW - 1000,
                      .used_ms = NOW,
                      .expires_ms = NOW + 86400000,
                      .idle_ms = 3600000,
                      .generation = 1};
    struct txn_change c;
    char name[16];

    user_name(i, name);
    g.user = view_str(name);
    memcpy(g.id, &i, sizeof i);
    g.id[15] = 1;
    bench_must(grant_put(row_keys, &g, NULL, arena, &c), "a grant");
    apply(&c);
}

static void make_revocation(unsigned i, struct arena *arena)
{
    char id[33];
    struct revocation r = {.kind = REVOKED_TOKEN, .at_ms = NOW, .until_ms = NOW + 86400000};
    struct txn_change c;

    (void)snprintf(id, sizeof id, "%012llx%020x", NOW, i + TOKENS);
    r.name = view_str(id);
    bench_must(tokens_revoke(tokens, row_keys, &r, arena, &c), "a revocation");
    apply(&c);
}

static void put64(struct writer *w, const char *text)
{
    base64url_put(w, view_str(text));
}

static void make_token(unsigned i, struct one *out)
{
    char header[256], claims[1024], name[16];
    struct writer w = writer_fixed(out->text, sizeof out->text), sig = writer_fixed(out->signature, 64);
    uint8_t sid[16] = {0};
    char sid_hex[33];
    struct writer hex = writer_fixed(sid_hex, 32);

    memcpy(sid, &i, sizeof i);
    sid[15] = 1;
    hex_put(&hex, VIEW_OF(sid));
    sid_hex[32] = '\0';
    user_name(i, name);
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", kid);
    (void)snprintf(claims, sizeof claims,
                   "{\"iss\":\"" ISSUER "\",\"sub\":\"user:%s\",\"aud\":\"" ISSUER
                   "\",\"exp\":%llu,\"nbf\":%llu,\"iat\":%llu,"
                   "\"jti\":\"%012llx%020x\",\"client_id\":\"bench\",\"sid\":\"%s\"}",
                   name, NOW / 1000 + 900, NOW / 1000, NOW / 1000, NOW, i, sid_hex);
    put64(&w, header);
    writer_u8(&w, '.');
    put64(&w, claims);
    out->dot = w.len;
    bench_must(token_key_sign(&public_key, private_key, random_system(), writer_view_of(&w), &sig), "a signature");
    writer_u8(&w, '.');
    base64url_put(&w, VIEW_OF(out->signature));
    bench_must(writer_done(&w), "a token");
    out->len = w.len;
}

static void make(void)
{
    struct keeper_token_key key = {.alg = TOKEN_ES256};
    struct keeper_token_keys keys = {.keys = {&key, 1}, .issuer = VIEW_STR(ISSUER), .max_seconds = 900};
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO(keyring_free) struct keyring *ring = NULL;

    bench_must(arena_new(65536, 1u << 20, &arena), "an arena");
    bench_must(keyring_new(KEY_CLASS_STATE, &ring), "a ring");
    bench_must(keyring_rotate(ring, NOW, random_system()), "a ring");
    bench_must(row_keys_new(ring, AEAD_XAES_256_GCM, &row_keys), "keys of rows");
    bench_must(token_key_make(TOKEN_ES256, random_system(), &private_key, &public_key), "a key");
    bench_must(token_key_id(&public_key, kid), "its name");
    key.public_key = VIEW(public_key.bytes, public_key.len);
    bench_must(tokens_new(&tokens), "tables");
    bench_must(identity_new(&people), "tables");
    bench_must(tokens_set_keys(tokens, &keys), "keys");
    for (unsigned i = 0; i < USERS; i++, arena_reset(arena))
        make_user(i, arena);
    for (unsigned i = 0; i < REVOKED; i++, arena_reset(arena))
        make_revocation(i, arena);
    all = calloc(TOKENS, sizeof *all);
    bench_must(all ? OK : ERR_NO_MEMORY, "tokens");
    for (unsigned i = 0; i < TOKENS; i++, arena_reset(arena)) {
        make_grant(i, arena);
        make_token(i, &all[i]);
    }
}

static void accept_one(const struct one *t, struct arena *arena)
{
    struct token_accepted a;
    struct user_found f;
    struct permission_set may = {0};
    uint8_t level = 0;

    bench_must(tokens_accept(tokens, VIEW(t->text, t->len), NOW + 1000, &a), "a token");
    bench_must(identity_user(people, view_str(a.subject + 5), arena, &f), "its owner");
    bench_must(roles_effective(identity_roles(people), f.user.roles.items, f.user.roles.count, &may, &level),
               "his roles");
    if (!permission_has(may, PERMISSION_ORDERS_PLACE))
        bench_must(ERR_FORBIDDEN, "his roles");
}

static double accept_round(unsigned passes, struct arena *arena)
{
    double start = bench_now();

    for (unsigned p = 0; p < passes; p++)
        for (unsigned i = 0; i < TOKENS; i++, arena_reset(arena))
            accept_one(&all[i], arena);
    return (double)passes * TOKENS / (bench_now() - start);
}

static double verify_round(gnutls_pubkey_t key)
{
    gnutls_datum_t der[VERIFY];
    double start, rate;

    for (unsigned i = 0; i < VERIFY; i++) {
        gnutls_datum_t r = {all[i].signature, 32}, s = {all[i].signature + 32, 32};
        bench_must(gnutls_encode_rs_value(&der[i], &r, &s) == 0 ? OK : ERR_CRYPTO, "a signature");
    }
    start = bench_now();
    for (unsigned i = 0; i < VERIFY; i++) {
        gnutls_datum_t text = {(unsigned char *)all[i].text, (unsigned)all[i].dot};
        int e = gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &text, &der[i]);
        bench_must(e >= 0 ? OK : ERR_BAD_SIGNATURE, "GnuTLS");
    }
    rate = VERIFY / (bench_now() - start);
    for (unsigned i = 0; i < VERIFY; i++)
        gnutls_free(der[i].data);
    return rate;
}

static gnutls_pubkey_t gnutls_key(void)
{
    gnutls_datum_t x = {public_key.bytes, 32}, y = {public_key.bytes + 32, 32};
    gnutls_pubkey_t key = NULL;
    int e = gnutls_pubkey_init(&key);

    if (e == 0)
        e = gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_SECP256R1, &x, &y);
    bench_must(e == 0 ? OK : ERR_BAD_KEY, "GnuTLS");
    return key;
}

int main(void)
{
    double accepted[BENCH_ROUNDS], verified[BENCH_ROUNDS];
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER json = writer_new(1024);
    gnutls_pubkey_t key;
    bool locked;

    bench_must(crypto_init(&locked), "crypto");
    bench_must(arena_new(16384, 1u << 20, &arena), "an arena");
    make();
    key = gnutls_key();
    fprintf(stderr, "the first time: %.0f tokens/s\n", accept_round(1, arena));
    for (size_t i = 0; i < BENCH_ROUNDS; i++) {
        accepted[i] = accept_round(PASSES, arena);
        verified[i] = verify_round(key);
        fprintf(stderr, "round %zu: accepted %.0f tokens/s, GnuTLS verified %.0f\n", i + 1, accepted[i], verified[i]);
    }
    gnutls_pubkey_deinit(key);
    tokens_free(tokens);
    identity_free(people);
    row_keys_free(row_keys);
    secret_free(private_key);
    free(all);
    bench_result(&json, "jwt_accept_vs_p256_verify", bench_median(accepted, BENCH_ROUNDS),
                 bench_median(verified, BENCH_ROUNDS), "tokens/s");
    bench_print(&json);
    return 0;
}
