/* Tokens: what is taken, what isn't (RFC 8725), and that an end is seen at once by what was taken before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "domain/tokens/tokens.h"

#include "../ledger/ledger_test.h"

#define NOW    1790000000123ull
#define ISSUER "urn:holdfast:test"

static struct arena *arena;
static struct tokens *tokens;
static struct row_keys *row_keys;
static struct secret *private_key[TOKEN_ALG_COUNT];
static struct token_public public_key[TOKEN_ALG_COUNT];

static struct view text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct view text(const char *format, ...)
{
    char *buffer = arena_alloc(arena, 4096);
    va_list list;

    assert_non_null(buffer);
    va_start(list, format);
    int n = vsnprintf(buffer, 4096, format, list);
    va_end(list);
    assert_true(n >= 0 && n < 4096);
    return VIEW(buffer, n);
}

static struct view url64(struct view v)
{
    AUTO_WRITER w = writer_new(8192);
    struct view out;

    base64url_put(&w, v);
    assert_int_equal(arena_copy(arena, writer_view_of(&w), &out), OK);
    return out;
}

static const char *kid_of(enum token_alg alg)
{
    char *kid = arena_alloc(arena, TOKEN_KID_LEN + 1);

    assert_int_equal(token_key_id(&public_key[alg], kid), OK);
    return kid;
}

static const char *header_of(enum token_alg alg)
{
    return (const char *)text("{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", token_alg_names[alg], kid_of(alg))
        .ptr;
}

struct claims {
    const char *iss, *aud, *sub, *more;
    int64_t issued_s, nbf_s, life_s; /* against NOW; nbf 0: as issued */
    uint8_t grant;
    uint16_t number; /* in the id */
};

static struct claims good(void)
{
    return (struct claims){.iss = ISSUER, .aud = ISSUER, .sub = "key:0123456789abcdef", .more = "", .life_s = 900};
}

static const char *json_of(const struct claims *c)
{
    uint64_t ms = NOW + (uint64_t)(c->issued_s * 1000), s = ms / 1000;
    char sid[64] = "";

    if (c->grant)
        (void)snprintf(sid, sizeof sid, ",\"sid\":\"%032x\"", (unsigned)c->grant);
    return (const char *)text(
               "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"exp\":%llu,\"nbf\":%llu,\"iat\":%llu,\"jti\":"
               "\"%012llx%020x\",\"client_id\":\"t\"%s%s}",
               c->iss, c->sub, c->aud, (unsigned long long)(s + (uint64_t)c->life_s),
               (unsigned long long)(s + (uint64_t)c->nbf_s), (unsigned long long)s, (unsigned long long)ms,
               (unsigned)c->number, sid, c->more)
        .ptr;
}

static struct view sign(enum token_alg alg, const char *header, const char *claims)
{
    struct view head = url64(view_str(header)), body = url64(view_str(claims));
    struct view message = text("%.*s.%.*s", (int)head.len, (const char *)head.ptr, (int)body.len,
                               (const char *)body.ptr);
    AUTO_WRITER sig = writer_new(TOKEN_SIG_MAX);

    assert_int_equal(token_key_sign(&public_key[alg], private_key[alg], random_system(), message, &sig), OK);
    head = url64(writer_view_of(&sig));
    return text("%.*s.%.*s", (int)message.len, (const char *)message.ptr, (int)head.len, (const char *)head.ptr);
}

static struct view token(const struct claims *c)
{
    return sign(TOKEN_ES256, header_of(TOKEN_ES256), json_of(c));
}

static enum err taken_at(struct view t, uint64_t now)
{
    struct token_accepted a;

    return tokens_accept(tokens, t, now, &a);
}

static enum err taken(struct view t)
{
    return taken_at(t, NOW);
}

static void publish(unsigned algs, uint64_t until_ms)
{
    struct keeper_token_key keys[TOKEN_ALG_COUNT];
    struct keeper_token_keys all = {.keys = {keys, 0}, .issuer = VIEW_STR(ISSUER), .max_seconds = 900};

    for (unsigned alg = 1; alg < TOKEN_ALG_COUNT; alg++)
        if (algs & 1u << alg)
            keys[all.keys.count++] = (struct keeper_token_key){
                .alg = (uint8_t)alg,
                .public_key = VIEW(public_key[alg].bytes, public_key[alg].len),
                .until_ms = until_ms};
    assert_int_equal(tokens_set_keys(tokens, &all), OK);
}

static int set_up(void **state)
{
    struct keyring *ring;

    (void)state;
    assert_int_equal(arena_new(65536, 64u << 20, &arena), OK);
    assert_int_equal(tokens_new(&tokens), OK);
    assert_int_equal(keyring_new(KEY_CLASS_STATE, &ring), OK);
    assert_int_equal(keyring_rotate(ring, NOW, random_system()), OK);
    assert_int_equal(row_keys_new(ring, AEAD_XAES_256_GCM, &row_keys), OK);
    keyring_free(ring);
    publish(~0u, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tokens_free(tokens);
    row_keys_free(row_keys);
    arena_free(arena);
    return 0;
}

static void takes_what_the_keeper_signs(void **state)
{
    struct token_accepted a;
    struct claims c = good();

    (void)state;
    for (unsigned alg = 1; alg < TOKEN_ALG_COUNT; alg++) {
        struct view t = sign(alg, header_of(alg), json_of(&c));
        for (unsigned i = 0; i < 2; i++) { /* the second time from memory */
            assert_int_equal(tokens_accept(tokens, t, NOW, &a), OK);
            assert_string_equal(a.subject, "key:0123456789abcdef");
            assert_int_equal(a.issued_ms, NOW);
            assert_int_equal(a.expires_ms, NOW / 1000 * 1000 + 900000);
        }
    }
}

/* RFC 8725 §2.1, §3.1: the header never decides how it is checked. */
static void confusion_is_refused(void **state)
{
    const char *claims, *es = kid_of(TOKEN_ES256), *rs = kid_of(TOKEN_RS256);
    struct claims c = good();
    struct view head, body, message;
    uint8_t mac[SHA256_SIZE];

    (void)state;
    claims = json_of(&c);
    /* none, with and without a signature's part */
    head = url64(text("{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", es));
    body = url64(view_str(claims));
    message = text("%.*s.%.*s", (int)head.len, (const char *)head.ptr, (int)body.len, (const char *)body.ptr);
    assert_int_equal(taken(text("%.*s.", (int)message.len, (const char *)message.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(text("%.*s.AAAA", (int)message.len, (const char *)message.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(message), ERR_TOKEN_INVALID);
    /* HS256 under the public key */
    head = url64(text("{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", rs));
    message = text("%.*s.%.*s", (int)head.len, (const char *)head.ptr, (int)body.len, (const char *)body.ptr);
    hmac_sha256(VIEW(public_key[TOKEN_RS256].bytes, public_key[TOKEN_RS256].len), message, mac);
    head = url64(VIEW_OF(mac));
    assert_int_equal(
        taken(text("%.*s.%.*s", (int)message.len, (const char *)message.ptr, (int)head.len, (const char *)head.ptr)),
        ERR_TOKEN_INVALID);
    /* one key's name over another's algorithm and signature */
    assert_int_equal(
        taken(sign(TOKEN_EDDSA, (const char *)text("{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", es).ptr,
                   claims)),
        ERR_TOKEN_INVALID);
    assert_int_equal(
        taken(sign(TOKEN_ES256, (const char *)text("{\"alg\":\"RS256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", es).ptr,
                   claims)),
        ERR_TOKEN_INVALID);
}

/* Headers that would say where the key is, or that mean something else: RFC 8725 §3.10, §3.11; and unknown names. */
static void headers_are_of_one_form(void **state)
{
    static const char *const wrong[] = {
        "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"AT+JWT\"}",
        "{\"alg\":\"es256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\",\"jku\":\"https://evil.example/jwks\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\",\"jwk\":{\"kty\":\"EC\"}}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\",\"x5u\":\"https://evil.example\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\",\"x5c\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\",\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
        "[{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}]",
        "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}x",
        "{\"alg\":\"ES256\",\"kid\":\"../../%.37s\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"' OR '1'='1' --%.29s\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%.42s\\u0000\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%.42s\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":[\"%s\"],\"typ\":\"at+jwt\"}",
    };
    struct claims c = good();
    const char *kid = kid_of(TOKEN_ES256);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char header[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(header, sizeof header, wrong[i], kid);
#pragma GCC diagnostic pop
        if (taken(sign(TOKEN_ES256, header, json_of(&c))) != ERR_TOKEN_INVALID)
            fail_msg("taken: %s", wrong[i]);
    }
}

static void claims_are_checked(void **state)
{
    struct claims c = good();
    static const char *const more[] = {",\"exp\":9999999999", ",\"iss\":\"x\"", ",\"admin\":true",
                                       ",\"roles\":[\"admin\"]"};

    (void)state;
    c.iss = "urn:holdfast:other";
    assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID);
    c = good();
    c.aud = "another service";
    assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID);
    c = good();
    c.sub = "administrator:alice";
    assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID);
    c = good();
    c.issued_s = -900;
    assert_int_equal(taken(token(&c)), ERR_TOKEN_EXPIRED); /* to the second */
    c.issued_s = -899;
    assert_int_equal(taken(token(&c)), OK);
    c = good();
    c.issued_s = 6;
    assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID); /* not yet */
    c.issued_s = 4;
    assert_int_equal(taken(token(&c)), OK); /* within the skew */
    c = good();
    c.nbf_s = 60;
    assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID);
    c = good();
    c.life_s = -1;
    assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID);
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        c = good();
        c.more = more[i];
        assert_int_equal(taken(token(&c)), ERR_TOKEN_INVALID);
    }
    assert_int_equal(taken(sign(TOKEN_ES256, header_of(TOKEN_ES256), "{}")), ERR_TOKEN_INVALID);
    assert_int_equal(taken(sign(TOKEN_ES256, header_of(TOKEN_ES256), "null")), ERR_TOKEN_INVALID);
}

/* A token has one spelling: otherwise revoking one would leave its twins. */
static void one_spelling(void **state)
{
    struct claims c = good();
    struct view t = token(&c), bad;
    uint8_t *last;

    (void)state;
    assert_int_equal(taken(t), OK);
    assert_int_equal(taken(text("%.*s.", (int)t.len, (const char *)t.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(text("%.*s=", (int)t.len, (const char *)t.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(text("%.*s ", (int)t.len, (const char *)t.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(text(" %.*s", (int)t.len, (const char *)t.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(text("%.*s.AAAA", (int)t.len, (const char *)t.ptr)), ERR_TOKEN_INVALID);
    assert_int_equal(taken(text(".%.*s", (int)t.len, (const char *)t.ptr)), ERR_TOKEN_INVALID);
    /* 64 bytes leave four bits in the last character: they must be zero */
    assert_int_equal(arena_copy(arena, t, &bad), OK);
    last = (uint8_t *)(uintptr_t)&bad.ptr[bad.len - 1];
    *last = (uint8_t)(*last + 1);
    assert_int_equal(taken(bad), ERR_TOKEN_INVALID);
    assert_int_equal(taken((struct view){0}), ERR_TOKEN_INVALID);
    assert_int_equal(taken(VIEW_STR("..")), ERR_TOKEN_INVALID);
    assert_int_equal(taken(VIEW_STR("a.b.c")), ERR_TOKEN_INVALID);
    for (size_t i = 0; i < t.len; i++) {
        assert_int_equal(arena_copy(arena, t, &bad), OK);
        *(uint8_t *)(uintptr_t)&bad.ptr[i] ^= 1;
        assert_int_not_equal(taken(bad), OK);
    }
}

/* A dropped key takes along what was taken already; one that ends does so at its time. */
static void keys_end(void **state)
{
    struct claims c = good();
    struct view t = token(&c);
    AUTO_WRITER jwks = writer_new(4096);

    (void)state;
    assert_int_equal(taken(t), OK);
    publish(1u << TOKEN_EDDSA, 0);
    assert_int_equal(taken(t), ERR_TOKEN_INVALID);
    publish(1u << TOKEN_ES256, NOW + 1);
    assert_int_equal(taken(t), OK);
    assert_int_equal(taken_at(t, NOW + 1), ERR_TOKEN_INVALID);
    assert_int_equal(tokens_jwks(tokens, NOW + 1, &jwks), OK);
    assert_true(view_is(writer_view_of(&jwks), "{\"keys\":[]}"));
}

static void revoke(enum revocation_kind kind, const char *name, uint64_t since, uint64_t at)
{
    struct revocation r = {
        .kind = (uint8_t)kind, .name = view_str(name), .since_ms = since, .at_ms = at, .until_ms = at + 90000000};
    struct txn_change c;

    assert_int_equal(tokens_revoke(tokens, row_keys, &r, arena, &c), OK);
    assert_int_equal(tokens_applied(tokens, &c), OK);
}

static void put_numbered(uint32_t number, const char *user, uint64_t created)
{
    struct grant g = {.user = view_str(user),
                      .client = VIEW_STR("t"),
                      .created_ms = created,
                      .used_ms = created,
                      .expires_ms = created + 3600000,
                      .idle_ms = 600000,
                      .generation = 1};
    AUTO(arena_free) struct arena *scratch = NULL;
    struct txn_change c;

    for (unsigned i = 0; i < 4; i++)
        g.id[15 - i] = (uint8_t)(number >> 8 * i);
    g.session[0] = (uint8_t)number;
    assert_int_equal(arena_new(4096, 65536, &scratch), OK);
    assert_int_equal(grant_put(row_keys, &g, NULL, scratch, &c), OK);
    assert_int_equal(tokens_applied(tokens, &c), OK);
}

static void put_grant(uint8_t id, const char *user, uint64_t created)
{
    put_numbered(id, user, created);
}

static size_t grants_of(const char *user)
{
    const struct grants_range range = {.user = view_str(user), .limit = 1000, .now_ms = NOW};
    struct entity_list list;

    assert_int_equal(tokens_grants(tokens, &range, arena, &list), OK);
    return list.count;
}

static void ends_are_seen_at_once(void **state)
{
    struct claims one = good(), two = good();
    struct view first, second;

    (void)state;
    two.number = 2;
    two.issued_s = -10;
    first = token(&one);
    second = token(&two);
    assert_int_equal(taken(first), OK);
    assert_int_equal(taken(second), OK);
    revoke(REVOKED_TOKEN, (const char *)text("%012llx%020x", (unsigned long long)(NOW - 10000), 2u).ptr, 0, NOW);
    assert_int_equal(taken(second), ERR_TOKEN_REVOKED);
    assert_int_equal(taken(first), OK);
    revoke(REVOKED_SUBJECT, "key:0123456789abcdeX", 0, NOW);
    assert_int_equal(taken(first), OK);
    revoke(REVOKED_SUBJECT, "key:0123456789abcdef", 0, NOW - 1);
    assert_int_equal(taken(first), OK); /* issued after it */
    revoke(REVOKED_SUBJECT, "key:0123456789abcdef", 0, NOW);
    assert_int_equal(taken(first), ERR_TOKEN_REVOKED);
    revoke(REVOKED_SUBJECT, "key:0123456789abcdef", 0, NOW - 5000);
    assert_int_equal(taken(first), ERR_TOKEN_REVOKED); /* an end is not taken back */
}

static void issued_since_ends_what_lies_between(void **state)
{
    struct claims before = good(), between = good(), after = good();

    (void)state;
    before.issued_s = -100;
    between.issued_s = -50;
    after.issued_s = -1;
    before.number = 1, between.number = 2, after.number = 3;
    put_grant(9, "alice", NOW - 200000);
    revoke(REVOKED_ALL, "", NOW - 60000, NOW - 20000);
    assert_int_equal(taken(token(&before)), OK);
    assert_int_equal(taken(token(&between)), ERR_TOKEN_REVOKED);
    assert_int_equal(taken(token(&after)), OK);
    after.grant = 9;
    after.sub = "user:alice";
    assert_int_equal(taken(token(&after)), ERR_TOKEN_REVOKED); /* its grant is older than the revocation */
}

/* A person's token lives with its grant: no grant, another's, an ended one: no token. */
static void grants_hold_tokens(void **state)
{
    struct claims c = good();
    struct view t;

    (void)state;
    c.sub = "user:alice";
    assert_int_equal(taken(token(&c)), ERR_TOKEN_REVOKED);
    c.grant = 5;
    t = token(&c);
    assert_int_equal(taken(t), ERR_TOKEN_REVOKED);
    put_grant(5, "bob", NOW - 1000);
    assert_int_equal(taken(t), ERR_TOKEN_REVOKED);
    put_grant(6, "alice", NOW - 1000);
    c.grant = 6;
    t = token(&c);
    assert_int_equal(taken(t), OK);
    revoke(REVOKED_GRANT, (const char *)text("%032x", 7u).ptr, 0, NOW);
    assert_int_equal(taken(t), OK);
    revoke(REVOKED_SESSION, (const char *)text("06%062x", 0u).ptr, 0, NOW); /* a log-out */
    assert_int_equal(taken(t), ERR_TOKEN_REVOKED);
    put_grant(8, "alice", NOW - 1000);
    c.grant = 8;
    t = token(&c);
    assert_int_equal(taken(t), OK);
    revoke(REVOKED_GRANT, (const char *)text("%032x", 8u).ptr, 0, NOW);
    assert_int_equal(taken(t), ERR_TOKEN_REVOKED);
}

static void room_is_made_for_a_grant(void **state)
{
    struct txn_change *gone;
    size_t count;

    (void)state;
    for (uint8_t i = 1; i <= GRANTS_PER_USER; i++)
        put_grant(i, "alice", NOW - 1000u * i);
    put_grant(100, "alice", NOW - 3600001u);
    put_grant(101, "bob", NOW);
    assert_int_equal(tokens_make_room(tokens, row_keys, VIEW_STR("alice"), NOW, arena, &gone, &count), OK);
    assert_int_equal(count, 2); /* the one that is over, and the oldest */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(tokens_applied(tokens, &gone[i]), OK);
    assert_int_equal(grants_of("alice"), GRANTS_PER_USER - 1);
    assert_int_equal(grants_of(""), GRANTS_PER_USER);
}

#define MANY    40000
#define REQUEST (8u << 20) /* the memory of one request */

/* A token for one must not cost memory for each grant of everybody: with enough of them nobody would get one. */
static void others_grants_cost_a_request_nothing(void **state)
{
    struct grants_range range = {.limit = 500, .now_ms = NOW};
    struct txn_change *gone;
    struct entity_list page;
    size_t count, seen = 0;

    (void)state;
    for (uint32_t i = 1; i <= MANY; i++)
        put_numbered(i, "bob", NOW - i % 7);
    do {
        AUTO(arena_free) struct arena *request = NULL;
        assert_int_equal(arena_new(65536, REQUEST, &request), OK);
        assert_int_equal(tokens_make_room(tokens, row_keys, VIEW_STR("alice"), NOW, request, &gone, &count), OK);
        assert_int_equal(count, 0);
        assert_int_equal(tokens_grants(tokens, &range, request, &page), OK);
        const struct grant *g = page.items;
        for (size_t i = 1; i < page.count; i++)
            assert_true(g[i - 1].created_ms <= g[i].created_ms);
        seen += page.count;
        if (page.count == 0)
            break;
        range.after.created_ms = g[page.count - 1].created_ms;
        memcpy(range.after.id, g[page.count - 1].id, sizeof range.after.id);
    } while (page.count);
    assert_int_equal(seen, MANY);
}

/* People who never come back leave their grants behind. What an access token may still come from stays. */
static void what_is_over_is_found_whosever_it_is(void **state)
{
    const uint64_t day = 86400000, idle = 600000, all = 3600000;
    struct txn_change *gone;
    size_t count = 0;

    (void)state;
    put_grant(1, "alice", NOW);
    put_grant(2, "bob", NOW - 1000);
    assert_int_equal(tokens_end_over(tokens, row_keys, NOW + idle, arena, &gone, &count), ERR_NOT_FOUND);
    revoke(REVOKED_GRANT, (const char *)text("%032x", 2u).ptr, 0, NOW);
    assert_int_equal(tokens_end_over(tokens, row_keys, NOW + idle, arena, &gone, &count), ERR_NOT_FOUND);
    assert_int_equal(tokens_end_over(tokens, row_keys, NOW + all - 1000, arena, &gone, &count), OK);
    assert_int_equal(count, 1);
    assert_int_equal(tokens_applied(tokens, &gone[0]), OK);
    assert_int_equal(tokens_end_over(tokens, row_keys, NOW + idle + day, arena, &gone, &count), OK);
    assert_int_equal(count, 1);
    for (uint32_t i = 10; i < 10 + 2 * TOKENS_ENDED_MAX; i++)
        put_numbered(i, "carol", NOW);
    assert_int_equal(tokens_end_over(tokens, row_keys, NOW + all, arena, &gone, &count), OK);
    assert_int_equal(count, TOKENS_ENDED_MAX); /* as many as fit one transaction */
}

static void refresh_tokens_are_known(void **state)
{
    static const uint8_t id[16] = {1, 2, 3};
    char one[REFRESH_TEXT_SIZE], bad[REFRESH_TEXT_SIZE];
    uint8_t verifier[32];
    struct refresh r;

    (void)state;
    assert_int_equal(refresh_make(row_keys, random_system(), id, 7, one, verifier), OK);
    assert_int_equal(refresh_parse(row_keys, view_str(one), &r), OK);
    assert_memory_equal(r.id, id, 16);
    assert_int_equal(r.generation, 7);
    assert_memory_equal(r.verifier, verifier, 32);
    for (size_t i = 4; i < sizeof one - 1; i++) {
        memcpy(bad, one, sizeof bad);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        /* What was never issued ends nobody's grant. */
        assert_int_equal(refresh_parse(row_keys, view_str(bad), &r), ERR_TOKEN_INVALID);
    }
    assert_int_equal(refresh_parse(row_keys, VIEW(one, sizeof one - 2), &r), ERR_TOKEN_INVALID);
}

/* Ends come back after a restart. One that can't be read any more may have been of any token, so all that are older
 * end. */
static void a_lost_revocation_ends_all_that_is_older(void **state)
{
    struct rig *rig = rig_new(NULL, NULL);
    struct revocation r = {.kind = REVOKED_SUBJECT, .name = VIEW_STR("key:0123456789abcdef"), .at_ms = NOW - 50000};
    struct record record = {.type = EVENT_TOKEN_REVOKED, .outcome = OUTCOME_DONE};
    struct txn_change change;
    struct txn t = {.arena = arena, .changes = &change, .change_count = 1, .records = &record, .record_count = 1};
    struct claims older = good(), old = good(), fresh = good();
    struct problem why = {0};
    size_t bad = 99;

    (void)state;
    older.issued_s = -60, old.issued_s = -40;
    older.number = 1, old.number = 2;
    assert_int_equal(rig_open(rig, &why), OK);
    assert_int_equal(tokens_revoke(tokens, rig->keys, &r, arena, &change), OK);
    assert_int_equal(rig_submit(rig, &t), OK);
    assert_int_equal(taken(token(&older)), OK); /* not told yet */
    assert_int_equal(tokens_load(tokens, rig->reader, rig->keys, NOW - 1, &bad, &why), OK);
    assert_int_equal(bad, 0);
    assert_int_equal(taken(token(&older)), ERR_TOKEN_REVOKED);
    assert_int_equal(taken(token(&old)), OK);
    assert_int_equal(rig_put(rig, TABLE_GRANT, "x", "this is no grant"), OK);
    assert_int_equal(tokens_load(tokens, rig->reader, rig->keys, NOW - 1, &bad, &why), OK);
    assert_int_equal(bad, 1);
    assert_int_equal(taken(token(&old)), OK);
    assert_int_equal(rig_put(rig, TABLE_REVOCATION, "x", "this is no revocation"), OK);
    assert_int_equal(tokens_load(tokens, rig->reader, rig->keys, NOW - 1, &bad, &why), OK);
    assert_int_equal(bad, 2);
    assert_int_equal(taken(token(&old)), ERR_TOKEN_REVOKED);
    assert_int_equal(taken(token(&fresh)), OK);
    rig_free(rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(takes_what_the_keeper_signs),
        TEST(confusion_is_refused),
        TEST(headers_are_of_one_form),
        TEST(claims_are_checked),
        TEST(one_spelling),
        TEST(keys_end),
        TEST(ends_are_seen_at_once),
        TEST(issued_since_ends_what_lies_between),
        TEST(grants_hold_tokens),
        TEST(room_is_made_for_a_grant),
        TEST(others_grants_cost_a_request_nothing),
        TEST(what_is_over_is_found_whosever_it_is),
        TEST(refresh_tokens_are_known),
        TEST(a_lost_revocation_ends_all_that_is_older),
    };
    bool locked;
    int failed;

    if (crypto_init(&locked) != OK)
        return 1;
    for (unsigned alg = 1; alg < TOKEN_ALG_COUNT; alg++)
        if (token_key_make(alg, random_system(), &private_key[alg], &public_key[alg]) != OK)
            return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (unsigned alg = 1; alg < TOKEN_ALG_COUNT; alg++)
        secret_free(private_key[alg]);
    return failed;
}
