/* A token as anybody may show one: read by the strict parser, and what is read must be spelled in one way. */
#include "base/text.h"
#include "domain/tokens/tokens.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena *arena = NULL;
    AUTO_WRITER signature = writer_new(TOKEN_TEXT_MAX);
    struct view text = VIEW(data, size);
    struct jwt jwt;

    if (arena_new(4096, 65536, &arena) != OK)
        return 0;
    if (jwt_parse(text, arena, &jwt) != OK)
        return 0;
    if (jwt.alg == TOKEN_ALG_NONE || jwt.alg >= TOKEN_ALG_COUNT || strlen(jwt.kid) != TOKEN_KID_LEN)
        abort();
    base64url_put(&signature, VIEW(jwt.signature, jwt.signature_len));
    if (jwt.signed_part.len + 1 + signature.len != size ||
        memcmp(data + jwt.signed_part.len + 1, signature.ptr, signature.len) != 0)
        abort();
    return 0;
}
