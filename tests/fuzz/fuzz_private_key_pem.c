/* Private keys that an administrator imports: whatever is taken must also sign, and verify. */
#include "crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready && (crypto_init(NULL) != OK || crypto_pk_init() != OK))
        abort();
    ready = true;
    const struct view message = VIEW_STR("message");
    AUTO(secret_free) struct secret *seed = NULL;
    uint8_t public_key[ED25519_PUBLIC_SIZE], signature[ED25519_SIG_SIZE];
    if (ed25519_from_pem(VIEW(data, size), &seed) == OK) {
        if (ed25519_public(secret_ptr(seed), public_key) != OK ||
            ed25519_sign(secret_ptr(seed), message, signature) != OK ||
            ed25519_verify(public_key, message, VIEW_OF(signature)) != OK)
            abort();
    }
    AUTO(rsa_free) struct rsa_key *k = NULL;
    AUTO_WRITER w = writer_new(4096);
    if (rsa_from_pem(VIEW(data, size), &k) == OK && rsa_sign_sha256(k, message, &w) != OK)
        abort();
    (void)!rsa_verify_sha256(VIEW(data, size), message, VIEW_STR("signature"));
    return 0;
}
