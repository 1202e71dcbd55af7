/* The text of an API key: whatever is taken must be exactly one key, and its parts must be those of its text. */
#include "domain/keys/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_key_parts p = {0};
    struct view text = VIEW(data, size);
    if (api_key_parse(text, &p) != OK)
        return 0;
    static const char *const marks[] = {"", "hfk_dev_", "hfk_stg_", "hfk_live_"};
    if (p.environment < 1 || p.environment > 3 || !view_starts(text, marks[p.environment]))
        abort();
    if (memcmp(p.id, data + strlen(marks[p.environment]), API_KEY_ID_LEN) != 0 || p.id[API_KEY_ID_LEN] != '\0')
        abort();
    return 0;
}
