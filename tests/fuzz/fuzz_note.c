/* Notes and verifier keys from outside. Nothing that is not signed by the key opens; the key is one that never signed.
 */
#include "ledger/note.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {42};
    struct checkpoint c;
    uint8_t key[32];
    uint64_t n = 0;
    char origin[NOTE_ORIGIN_MAX];
    if (ed25519_public(seed, key) != OK)
        return 0;
    if (note_open(VIEW(data, size), key, &c) == OK)
        __builtin_trap();
    (void)!note_size(VIEW(data, size), &n);
    if (note_verifier_get(VIEW(data, size), origin, key) != OK)
        return 0;
    AUTO_WRITER w = writer_new(1024);
    if (note_verifier_put(origin, key, &w) != OK)
        __builtin_trap();
    return 0;
}
