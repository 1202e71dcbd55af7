/* A ring comes from the anchor or from another process. What imports must export to the same bytes, and bytes that
 * claim to be sealed must only ever open or be refused. */
#include "crypto/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready && crypto_init(NULL) != OK)
        abort();
    ready = true;
    AUTO(keyring_free) struct keyring *k = NULL;
    AUTO_WRITER w = writer_new((size_t)1 << 20), opened = writer_new((size_t)1 << 20);
    if (keyring_import(VIEW(data, size), &k) != OK)
        return 0;
    if (keyring_export(k, &w) != OK || !view_eq(writer_view_of(&w), VIEW(data, size)))
        abort();
    uint32_t epoch = 0;
    if (sealed_epoch(VIEW(data, size), &epoch) == OK)
        (void)!keyring_open(k, PURPOSE_ROW, VIEW(data, size < 64 ? size : 64), VIEW(data, size), &opened);
    return 0;
}
