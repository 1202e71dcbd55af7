/* A venue file. */
#include "signer/venue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct venue *v = NULL;
    struct problem why = {0};
    if (venue_parse("fuzz.yaml", VIEW(data, size), &v, &why) == OK)
        venue_free(v);
    else if (v)
        abort();
    return 0;
}
