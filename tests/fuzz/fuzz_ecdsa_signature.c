/* Signatures of ECDSA in DER: one spelling for each value, so what reads must write back to the same bytes. */
#include "crypto/ecdsa.h"
#include "crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t raw[ECDSA_RAW_SIZE], der[ECDSA_DER_MAX_SIZE] = {0};
    if (ecdsa_from_der(VIEW(data, size), raw) != OK)
        return 0;
    size_t len = ecdsa_to_der(raw, der);
    if (!view_eq(VIEW(data, size), VIEW(der, len)))
        abort();
    return 0;
}
