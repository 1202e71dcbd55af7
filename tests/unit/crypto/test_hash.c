/* Hashes against published values, passwords, the multiset hash and guarded memory. */
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/multiset.h"
#include "crypto/password.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_hex(const uint8_t *got, size_t n, const char *hex)
{
    uint8_t want[64];
    assert_true(n <= sizeof(want));
    assert_int_equal(hex_get(view_str(hex), want, n), OK);
    assert_memory_equal(got, want, n);
}

static void hashes_published(void **state)
{
    (void)state;
    uint8_t out[SHA512_SIZE];
    sha256(VIEW_STR("abc"), out); /* FIPS 180-4 */
    expect_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256(VIEW(NULL, 0), out);
    expect_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha512(VIEW_STR("abc"), out);
    expect_hex(out, 64,
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    keccak256(VIEW(NULL, 0), out); /* Ethereum's hash of nothing */
    expect_hex(out, 32, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    keccak256(VIEW_STR("transfer(address,uint256)"), out);
    expect_hex(out, 4, "a9059cbb");
}

/* Around the block size, in one piece, in two, and byte by byte. */
static void lists_hash_the_concatenation(void **state)
{
    (void)state;
    static uint8_t bytes[300];
    static struct view each[300];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
        each[i] = VIEW(&bytes[i], 1);
    }
    const struct view key = VIEW_STR("key");
    struct hmac_key prepared;
    hmac_key_init(&prepared, key);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        const struct view whole = VIEW(bytes, n), two[] = {VIEW(bytes, n / 3), VIEW(bytes + n / 3, n - n / 3)};
        uint8_t a[32], b[32], c[32];
        keccak256(whole, a), keccak256_list(two, 2, b), keccak256_list(each, n, c);
        assert_memory_equal(a, b, 32);
        assert_memory_equal(a, c, 32);
        sha256(whole, a), sha256_list(two, 2, b), sha256_list(each, n, c);
        assert_memory_equal(a, b, 32);
        assert_memory_equal(a, c, 32);
        hmac_sha256(key, whole, a), hmac_sha256_list(key, two, 2, b), hmac_sha256_list(key, each, n, c);
        assert_memory_equal(a, b, 32);
        assert_memory_equal(a, c, 32);
        hmac_key_code(&prepared, two, 2, b), hmac_key_code(&prepared, each, n, c);
        assert_memory_equal(a, b, 32);
        assert_memory_equal(a, c, 32);
    }
    uint8_t out[32];
    keccak256(VIEW(bytes, 136), out); /* exactly one block: padding takes a block of its own */
    expect_hex(out, 32, "81e7ecb492d033f1692e770a6eb874e70aac45ec10da93483fc8d3537805c097");
}

static void derivations_know_their_limits(void **state)
{
    (void)state;
    static uint8_t out[8161];
    const struct view none = {NULL, 0};
    assert_int_equal(hkdf_sha256(none, none, none, out, 8160), OK);
    assert_int_equal(hkdf_sha256(none, none, none, out, 8161), ERR_OUT_OF_RANGE);
    assert_int_equal(hkdf_sha256(none, none, none, out, 0), ERR_OUT_OF_RANGE);
    assert_int_equal(pbkdf2_sha256(none, none, 0, out, 32), ERR_OUT_OF_RANGE);
    assert_int_equal(pbkdf2_sha256(none, none, 1, out, 0), ERR_OUT_OF_RANGE);
}

static const struct argon2_cost cheap = {.passes = 1, .memory_kib = 64};

/* The golden value is OpenSSL's. */
static void argon2_published(void **state)
{
    (void)state;
    const uint8_t salt[ARGON2_SALT_SIZE] = "somesaltsomesalt";
    uint8_t out[32];
    assert_int_equal(argon2_key(VIEW_STR("password"), salt, ARGON2_DEFAULT, out, sizeof(out)), OK);
    expect_hex(out, 32, "7664ad4ba1a3c999fcdd0991ffc2270f78302d2383233db5e7befc85d1bb1819");
    static const struct argon2_cost bad[] = {
        {0, 64}, {1, 7}, {ARGON2_MAX_PASSES + 1, 64}, {1, ARGON2_MAX_MEMORY_KIB + 1}, {1, UINT32_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(argon2_key(VIEW_STR("password"), salt, bad[i], out, 32), ERR_OUT_OF_RANGE);
    assert_int_equal(argon2_key(VIEW_STR("password"), salt, cheap, out, 15), ERR_OUT_OF_RANGE);
}

static void passwords(void **state)
{
    (void)state;
    static uint8_t long_text[PASSWORD_MAX_SIZE + 1];
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    const struct view password = VIEW_STR("Correct-horse-9");
    assert_int_equal(password_hash(password, cheap, hash), OK);
    assert_int_equal(password_hash(password, cheap, again), OK);
    assert_string_not_equal(hash, again); /* each its own salt */
    assert_int_equal(password_verify(hash, password), OK);
    assert_int_equal(password_verify(again, password), OK);
    assert_int_equal(password_verify(hash, VIEW_STR("Correct-horse-8")), ERR_BAD_CREDENTIALS);
    assert_int_equal(password_verify(hash, VIEW(NULL, 0)), ERR_BAD_CREDENTIALS);
    assert_int_equal(password_verify(hash, VIEW_OF(long_text)), ERR_BAD_CREDENTIALS);
    assert_int_equal(password_hash(VIEW_OF(long_text), cheap, again), ERR_TOO_LONG);
    for (size_t i = 0; hash[i]; i++) {
        char was = hash[i];
        hash[i] = was == 'x' ? 'y' : 'x';
        assert_int_equal(password_verify(hash, password), ERR_BAD_CREDENTIALS);
        hash[i] = was;
    }
}

/* What somebody who can write the store could put there: never tried, never a crash. */
#define BYTES32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
static void hostile_stored_hashes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "$argon2id$",
        "$argon2id$v=19$m=",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" BYTES32,
        "$argon2id$v=19$m=99999999999999999999999,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" BYTES32,
        "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHRzb21lc2FsdA$" BYTES32,
        "$argon2id$v=19$m=64,t=1,p=16777215$c29tZXNhbHRzb21lc2FsdA$" BYTES32,
        "$argon2id$v=19$m=-1,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" BYTES32,
        "$argon2id$v=19$m= 64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" BYTES32,
        "$argon2i$v=19$m=64,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(password_verify(bad[i], VIEW_STR("password")), ERR_BAD_CREDENTIALS);
    char unending[PASSWORD_HASH_SIZE];
    memset(unending, '1', sizeof(unending));
    assert_int_equal(password_verify(unending, VIEW_STR("password")), ERR_BAD_CREDENTIALS);
    assert_int_equal(password_verify(NULL, VIEW_STR("password")), ERR_BAD_CREDENTIALS);
}

static void multiset_follows_the_set(void **state)
{
    (void)state;
    enum { N = 40 };
    const uint8_t key[32] = {3}, other_key[32] = {4};
    struct hmac_key prepared;
    hmac_key_init(&prepared, VIEW_OF(key));
    struct multiset forward = {{0}}, backward = {{0}}, half[2] = {{{0}}, {{0}}}, empty = {{0}};
    uint8_t a[32], b[32];
    for (uint32_t i = 0; i < N; i++) {
        uint32_t j = N - 1 - i;
        multiset_add(&forward, &prepared, VIEW(&i, sizeof(i)));
        multiset_add(&backward, &prepared, VIEW(&j, sizeof(j)));
        multiset_add(&half[i % 2], &prepared, VIEW(&i, sizeof(i)));
    }
    assert_memory_equal(&forward, &backward, sizeof(forward));
    multiset_merge(&half[0], &half[1]);
    assert_memory_equal(&forward, &half[0], sizeof(forward));
    multiset_digest(&forward, key, a), multiset_digest(&backward, key, b);
    assert_memory_equal(a, b, sizeof(a));
    multiset_digest(&forward, other_key, b);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, &forward, sizeof(a)); /* the sum itself is not published */

    /* An element twice is not an element once, nor none (which an XOR would make of it). */
    uint32_t twice = 5;
    multiset_add(&forward, &prepared, VIEW(&twice, sizeof(twice)));
    multiset_digest(&forward, key, b);
    assert_memory_not_equal(a, b, sizeof(a));
    for (uint32_t i = 0; i < N; i++)
        multiset_remove(&forward, &prepared, VIEW(&i, sizeof(i)));
    assert_memory_not_equal(&forward, &empty, sizeof(empty));
    multiset_remove(&forward, &prepared, VIEW(&twice, sizeof(twice)));
    assert_memory_equal(&forward, &empty, sizeof(empty));

    /* Below zero and back: carries run through all limbs. */
    multiset_remove(&forward, &prepared, VIEW_STR("x"));
    multiset_add(&forward, &prepared, VIEW_STR("x"));
    assert_memory_equal(&forward, &empty, sizeof(empty));
    struct multiset top = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    const struct multiset one = {{1}};
    multiset_merge(&top, &one);
    assert_memory_equal(&top, &empty, sizeof(empty));
}

static void secrets(void **state)
{
    (void)state;
    struct secret *s = NULL, *t = NULL;
    assert_int_equal(secret_new(0, &s), ERR_TOO_SHORT);
    assert_int_equal(secret_new(SIZE_MAX, &s), ERR_TOO_LONG);
    assert_null(s);
    for (size_t n = 1; n < 70; n++) {
        assert_int_equal(secret_new(n, &s), OK);
        assert_int_equal(secret_len(s), n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(secret_ptr(s)[i], 0);
        memset(secret_ptr(s), 0xaa, n);
        secret_free(s);
    }
    assert_int_equal(secret_from(VIEW_STR("four"), &s), OK);
    assert_true(view_is(secret_view(s), "four"));
    assert_true(ct_eq_view(secret_view(s), VIEW_STR("four")));
    assert_false(ct_eq_view(secret_view(s), VIEW_STR("fou")));
    assert_false(ct_eq_view(secret_view(s), VIEW_STR("fous")));
    assert_true(ct_eq(NULL, NULL, 0));
    secret_free(s);
    assert_int_equal(secret_random(32, &s), OK);
    assert_int_equal(secret_random(32, &t), OK);
    assert_false(ct_eq_view(secret_view(s), secret_view(t)));
    wipe(secret_ptr(s), 32);
    const uint8_t zeros[32] = {0};
    assert_memory_equal(secret_ptr(s), zeros, 32);
    secret_free(s);
    secret_free(t);
    secret_free(NULL);
}

/* A write of a single byte behind a secret must stop the process, not change something else. */
static void overruns_stop_the_process(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 48; n += 47) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct secret *s = NULL;
            const struct rlimit no_core = {0, 0};
            setrlimit(RLIMIT_CORE, &no_core);
            signal(SIGSEGV, SIG_DFL);
            signal(SIGBUS, SIG_DFL);
            if (secret_new(n, &s) == OK)
                ((volatile uint8_t *)secret_ptr(s))[n] = 1;
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
}

/* A clock that says each reading how long Argon2id took, by the memory and passes of this table's turn. */
static uint64_t slow_ms, elapsed_ms;

static uint64_t ticking(const struct clock *c)
{
    static bool second;
    (void)c;
    elapsed_ms += second ? slow_ms : 0;
    second = !second;
    return elapsed_ms;
}

static void test_cost_is_measured(void **state)
{
    static const struct {
        uint64_t one_pass_ms;
        struct argon2_cost cost;
    } cases[] = {{20, {5, 65536}}, {34, {2, 65536}}, {100, {1, 65536}}, {1, {64, 65536}}, {500, {2, 19456}}};
    const struct clock clock = {.wall_ms = ticking, .mono_ms = ticking};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct argon2_cost cost = {0};
        slow_ms = cases[i].one_pass_ms;
        assert_int_equal(argon2_calibrate(&clock, 100, &cost), OK);
        assert_int_equal(cost.passes, cases[i].cost.passes);
        assert_int_equal(cost.memory_kib, cases[i].cost.memory_kib);
    }
}

static void test_cheaper_hashes_are_outdated(void **state)
{
    char hash[PASSWORD_HASH_SIZE];
    const struct argon2_cost cost = {.passes = 2, .memory_kib = 64};
    (void)state;
    assert_int_equal(password_hash(VIEW_STR("x"), cost, hash), OK);
    assert_false(password_outdated(hash, cost));
    assert_false(password_outdated(hash, (struct argon2_cost){.passes = 1, .memory_kib = 64}));
    assert_true(password_outdated(hash, (struct argon2_cost){.passes = 3, .memory_kib = 64}));
    assert_true(password_outdated(hash, (struct argon2_cost){.passes = 2, .memory_kib = 128}));
    assert_true(password_outdated("$2b$05$abc", cost));
    assert_true(password_outdated("", cost));
}

int main(void)
{
    bool locked = false;
    if (crypto_init(&locked) != OK || crypto_init(NULL) != OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost_is_measured),
        cmocka_unit_test(test_cheaper_hashes_are_outdated),
        cmocka_unit_test(hashes_published),
        cmocka_unit_test(lists_hash_the_concatenation),
        cmocka_unit_test(derivations_know_their_limits),
        cmocka_unit_test(argon2_published),
        cmocka_unit_test(passwords),
        cmocka_unit_test(hostile_stored_hashes),
        cmocka_unit_test(multiset_follows_the_set),
        cmocka_unit_test(secrets),
        cmocka_unit_test(overruns_stop_the_process),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
