/* A ticket as anybody may send one: nothing that was not made with the installation's own key is taken. */
#include "crypto/secmem.h"
#include "domain/identity/identity.h"

#include <stdlib.h>

#define NOW_MS 1790000000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct row_keys *keys_of_installation(void)
{
    AUTO(keyring_free) struct keyring *ring = NULL;
    struct row_keys *keys = NULL;

    if (crypto_init(NULL) != OK || keyring_new(KEY_CLASS_STATE, &ring) != OK ||
        keyring_rotate(ring, NOW_MS, random_system()) != OK || row_keys_new(ring, AEAD_XAES_256_GCM, &keys) != OK)
        abort();
    return keys;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct row_keys *keys;
    AUTO(arena_free) struct arena *arena = NULL;
    uint8_t proof[TICKET_PROOF_SIZE];
    struct view name;

    if (!keys)
        keys = keys_of_installation();
    if (arena_new(1024, 65536, &arena) != OK)
        return 0;
    if (ticket_open(keys, VIEW(data, size), NOW_MS, arena, &name, proof) != ERR_BAD_CREDENTIALS)
        abort();
    return 0;
}
