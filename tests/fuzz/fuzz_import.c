/* Lists of users that another system wrote, CSV or JSON. Whatever comes out of one is one JSON object. */
#include "base/json.h"
#include "cli/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err look(void *context, size_t number, struct view body)
{
    struct problem why = {0};
    size_t *before = context;

    if (number != *before + 1 || json_check(body, &why) != OK)
        abort();
    *before = number;
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problem why = {0};
    size_t count = 0;
    enum err e = import_users(VIEW(data, size), look, &count, &why);

    if (e != OK && e != ERR_NO_MEMORY && !why.detail[0] && !why.where[0])
        abort(); /* what is wrong must be said */
    return 0;
}
