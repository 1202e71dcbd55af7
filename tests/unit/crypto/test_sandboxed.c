/* After crypto_init and crypto_pk_init nothing in crypto/ may open a file or a socket: in keeper and signer the kernel
 * kills whoever tries. Here it does so too, so this test ends early if a library reaches for /dev/urandom. */
#include "crypto/keyring.h"
#include "crypto/password.h"
#include "crypto/shamir.h"
#include "crypto/sign.h"
#include "keyfile.h"

#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static struct keyfile rsa_pem, rsa_public, ed25519_pem;

static void nothing_opens_anything(void **state)
{
    (void)state;
    static const int forbidden[] = {SCMP_SYS(open),   SCMP_SYS(openat),  SCMP_SYS(openat2), SCMP_SYS(creat),
                                    SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(execve),  SCMP_SYS(clone),
                                    SCMP_SYS(clone3), SCMP_SYS(fork)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    assert_non_null(filter);
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
        assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, forbidden[i], 0), 0);
    assert_int_equal(seccomp_load(filter), 0);
    seccomp_release(filter);
}

static void guarded_memory_and_ring(void **state)
{
    (void)state;
    struct keyring *k = NULL;
    uint8_t out[256];
    struct writer w = writer_fixed(out, sizeof(out));
    assert_int_equal(keyring_new(KEY_CLASS_KEEPER, &k), OK);
    assert_int_equal(keyring_rotate(k, 1, random_system()), OK);
    assert_int_equal(
        keyring_seal(k, AEAD_XAES_256_GCM, PURPOSE_ANCHOR, VIEW_STR("a"), VIEW_STR("b"), random_system(), &w), OK);
    assert_int_equal(
        keyring_seal(k, AEAD_XCHACHA20_POLY1305, PURPOSE_ANCHOR, VIEW_STR("a"), VIEW_STR("b"), random_system(), &w),
        OK);
    keyring_free(k);
    struct secret *s = NULL;
    assert_int_equal(secret_random(100, &s), OK);
    secret_free(s);
}

static void passwords_and_shares(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_SIZE];
    struct share shares[3];
    const uint8_t secret[32] = {1};
    assert_int_equal(password_hash(VIEW_STR("p"), (struct argon2_cost){1, 64}, hash), OK);
    assert_int_equal(password_verify(hash, VIEW_STR("p")), OK);
    assert_int_equal(shamir_split(secret, 2, 3, random_system(), shares), OK);
}

static void signatures(void **state)
{
    (void)state;
    AUTO(secret_free) struct secret *seed = NULL;
    uint8_t sig[SECP256K1_SIG_SIZE], public_key[32], private_key[32], address[20];
    assert_int_equal(ed25519_from_pem(KEYFILE(ed25519_pem), &seed), OK);
    assert_int_equal(ed25519_sign(secret_ptr(seed), keyfile_message, sig), OK);
    assert_int_equal(box_keypair(secret_ptr(seed), public_key, private_key), OK);
    AUTO_WRITER box = writer_new(256);
    assert_int_equal(box_seal(public_key, keyfile_message, &box), OK);
    assert_int_equal(secp256k1_sign_digest(secret_ptr(seed), public_key, sig), OK);
    assert_int_equal(secp256k1_recover(public_key, sig, address), OK);

    AUTO(rsa_free) struct rsa_key *k = NULL;
    AUTO_WRITER w = writer_new(1024);
    assert_int_equal(rsa_from_pem(KEYFILE(rsa_pem), &k), OK);
    for (int i = 0; i < 50; i++) {
        writer_reset(&w);
        assert_int_equal(rsa_sign_sha256(k, keyfile_message, &w), OK);
    }
    assert_int_equal(rsa_verify_sha256(KEYFILE(rsa_public), keyfile_message, writer_view_of(&w)), OK);
}

int main(void)
{
    if (crypto_init(NULL) != OK || crypto_pk_init() != OK)
        return 1;
    rsa_pem = keyfile_read("rsa2048.pem");
    rsa_public = keyfile_read("rsa2048-public.pem");
    ed25519_pem = keyfile_read("ed25519.pem");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_opens_anything), /* first: it shuts the door */
        cmocka_unit_test(guarded_memory_and_ring),
        cmocka_unit_test(passwords_and_shares),
        cmocka_unit_test(signatures),
    };
    int failed = cmocka_run_group_tests_name("sandboxed", tests, NULL, NULL);
    fflush(NULL);
    _exit(failed); /* the leak check of a sanitizer build would now start a process and open files */
}
