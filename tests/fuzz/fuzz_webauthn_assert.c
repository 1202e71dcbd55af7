/* The answer to a login, and the stored key that it is held against: u16 length and client data, u16 length and key, u8
 * length and signature, then the authenticator data. The counter rises with everything that is taken. */
#include "crypto/sign.h"
#include "domain/webauthn/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t handle[WEBAUTHN_HANDLE_SIZE];
    static const struct view origins[] = {VIEW_STR("https://example.org")};
    struct reader r = reader_new(VIEW(data, size));
    struct webauthn_asserted answer = {.id = VIEW_STR("id")};
    struct webauthn_credential stored = {.id = VIEW_STR("id"), .sign_count = 4}, used = {0};
    struct problem why = {0};
    uint16_t n = 0;
    if (reader_u16(&r, &n) != OK || reader_bytes(&r, n, &answer.client_data) != OK || reader_u16(&r, &n) != OK ||
        reader_bytes(&r, n, &stored.public_key) != OK || reader_u16(&r, &n) != OK ||
        reader_bytes(&r, n, &answer.signature) != OK)
        return 0;
    answer.authenticator_data = VIEW(r.ptr, r.left);
    const struct webauthn_ceremony expect = {.challenge = VIEW_STR("fuzz"),
                                             .rp_id = VIEW_STR("example.org"),
                                             .origins = origins,
                                             .origin_count = 1,
                                             .now_ms = UINT64_C(1780000000000),
                                             .user_handle = VIEW_OF(handle)};
    if (webauthn_assert(&expect, &answer, &stored, &used, &why) == OK && used.sign_count <= stored.sign_count)
        abort();
    return 0;
}
