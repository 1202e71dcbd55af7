/* Questions of AuthZEN as bodies, to both addresses: what is walked here is JSON that is held against no entity. */
#include "api_desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_WRITER w = writer_new(1u << 20);
    if (size == 0 || size > 65536)
        return 0;
    desk_open();
    writer_printf(&w,
                  "POST /access/v1/evaluation%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: %s\r\n"
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  data[0] % 2 ? "s" : "", desk.admin, size - 1);
    writer_bytes(&w, data + 1, size - 1);
    if (writer_done(&w) != OK)
        abort();
    desk_ask(writer_view_of(&w));
    return 0;
}
