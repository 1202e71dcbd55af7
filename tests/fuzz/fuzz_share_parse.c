/* Shares come over the operator socket as text. What parses must print as exactly what was read. */
#include "crypto/shamir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct share s;
    char text[SHARE_TEXT_SIZE];
    uint8_t secret[SHAMIR_SECRET_SIZE];
    if (share_parse(VIEW(data, size), &s) != OK)
        return 0;
    if (share_format(&s, text) != OK || !view_is(VIEW(data, size), text))
        abort();
    (void)!shamir_join(&s, 1, secret);
    return 0;
}
