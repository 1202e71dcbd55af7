/* The answer to a registration: u16 length and client data, then the attestation object. Whatever is taken is what was
 * asked for, and is taken again by a login's reading of the key. */
#include "crypto/sign.h"
#include "domain/webauthn/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID_AT 55 /* in authenticator data: hash, flags, counter, aaguid, length */

/* The id that the object claims, so that the check of it does not stop everything: found where the text "authData"
 * ends. */
static struct view claimed_id(struct view object)
{
    const uint8_t *mark = memmem(object.ptr, object.len, "authData", 8);
    if (!mark)
        return VIEW_STR("id");
    struct reader r = reader_new(VIEW(mark + 8, (size_t)(object.ptr + object.len - mark - 8)));
    struct view skipped = {0}, id = {0};
    uint8_t head = 0;
    uint16_t n = 0;
    if (reader_u8(&r, &head) != OK || reader_bytes(&r, head == 0x59 ? 2 : 1, &skipped) != OK ||
        reader_bytes(&r, ID_AT - 2, &skipped) != OK || reader_u16(&r, &n) != OK || reader_bytes(&r, n, &id) != OK)
        return VIEW_STR("id");
    return id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t offered[] = {WEBAUTHN_ES256, WEBAUTHN_EDDSA, WEBAUTHN_RS256,
                                      WEBAUTHN_ES384, WEBAUTHN_ES512, WEBAUTHN_ED448};
    static const uint8_t handle[WEBAUTHN_HANDLE_SIZE];
    static const struct view origins[] = {VIEW_STR("https://example.org")};
    static const struct view tops[] = {VIEW_STR("https://top.example")};
    static const struct webauthn_policy policy = {.least = WEBAUTHN_UNATTESTED};
    struct reader r = reader_new(VIEW(data, size));
    struct webauthn_created answer = {0};
    struct webauthn_credential made = {0}, used = {0};
    struct problem why = {0};
    uint16_t n = 0;
    if (reader_u16(&r, &n) != OK || reader_bytes(&r, n, &answer.client_data) != OK)
        return 0;
    answer.attestation_object = VIEW(r.ptr, r.left);
    answer.id = claimed_id(answer.attestation_object);
    struct webauthn_ceremony expect = {.challenge = VIEW_STR("fuzz"),
                                       .rp_id = VIEW_STR("example.org"),
                                       .origins = origins,
                                       .origin_count = 1,
                                       .framed = true,
                                       .top_origins = tops,
                                       .top_origin_count = 1,
                                       .now_ms = UINT64_C(1780000000000),
                                       .algorithms = offered,
                                       .algorithm_count = ARRAY_LEN(offered),
                                       .policy = &policy,
                                       .user_handle = VIEW_OF(handle)};
    if (webauthn_register(&expect, &answer, &made, &why) != OK)
        return 0;
    if (made.id.len == 0 || made.id.len > WEBAUTHN_ID_MAX || made.public_key.len > WEBAUTHN_KEY_MAX || !made.format ||
        !made.attestation || (made.backed_up && !made.backup_eligible))
        abort();
    struct webauthn_asserted login = {.id = made.id, .client_data = answer.client_data};
    if (webauthn_assert(&expect, &login, &made, &used, &why) == OK)
        abort(); /* a registration is no login */
    return 0;
}
