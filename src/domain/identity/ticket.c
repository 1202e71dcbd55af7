#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/secmem.h"
#include "domain/identity/identity.h"

/* "hft_" and base64url of: u64 when it ends ‖ proof of the user's state ‖ MAC over all the rest ‖ his name. */
#define PREFIX    "hft_"
#define HEAD_SIZE (8 + TICKET_PROOF_SIZE)
#define BYTES_MAX (HEAD_SIZE + HMAC_SIZE + USER_NAME_MAX)
#define HMAC_SIZE 32
/* As for session tokens: the first epoch's pepper is never retired. */
#define PEPPER_EPOCH 1

static RESULT mac_of(const struct row_keys *keys, const struct view *parts, size_t count, uint8_t out[static HMAC_SIZE])
{
    uint8_t pepper[32];
    TRY(keyring_subkey(row_keys_ring(keys), PEPPER_EPOCH, PURPOSE_PEPPER, pepper));
    hmac_sha256_list(VIEW_OF(pepper), parts, count, out);
    wipe(pepper, sizeof pepper);
    return OK;
}

/* What changes when he signs in, or gets another password. */
static RESULT state_of(const struct row_keys *keys, const struct user *u, uint8_t out[static TICKET_PROOF_SIZE])
{
    uint8_t login[8];
    struct writer w = writer_fixed(login, sizeof login);
    writer_u64(&w, u->last_login_ms);
    const struct view parts[] = {VIEW_STR("ticket state:"), VIEW_OF(login), VIEW_OF(u->id), u->password_hash};
    return mac_of(keys, parts, ARRAY_LEN(parts), out);
}

static RESULT sign(const struct row_keys *keys, struct view head, struct view name, uint8_t out[static HMAC_SIZE])
{
    const struct view parts[] = {VIEW_STR("ticket:"), head, name};
    return mac_of(keys, parts, ARRAY_LEN(parts), out);
}

RESULT ticket_make(const struct row_keys *keys, const struct user *u, uint64_t now_ms, struct writer *w)
{
    uint8_t bytes[BYTES_MAX], state[TICKET_PROOF_SIZE], mac[HMAC_SIZE];
    struct writer b = writer_fixed(bytes, sizeof bytes);
    TRY(state_of(keys, u, state));
    writer_u64(&b, now_ms + TICKET_MS);
    writer_bytes(&b, state, sizeof state);
    TRY(sign(keys, writer_view_of(&b), u->name, mac));
    writer_bytes(&b, mac, sizeof mac);
    writer_view(&b, u->name);
    TRY(writer_done(&b));
    writer_str(w, PREFIX);
    base64url_put(w, writer_view_of(&b));
    return writer_done(w);
}

RESULT ticket_open(const struct row_keys *keys, struct view text, uint64_t now_ms, struct arena *arena,
                   struct view *ret_user, uint8_t ret_proof[static TICKET_PROOF_SIZE])
{
    uint8_t bytes[BYTES_MAX], mac[HMAC_SIZE];
    struct writer b = writer_fixed(bytes, sizeof bytes);
    const size_t prefix = sizeof PREFIX - 1, fixed = HEAD_SIZE + HMAC_SIZE;
    if (!view_starts(text, PREFIX) || base64url_get(VIEW(text.ptr + prefix, text.len - prefix), &b) != OK)
        return ERR_BAD_CREDENTIALS;
    struct view all = writer_view_of(&b);
    if (all.len <= fixed)
        return ERR_BAD_CREDENTIALS;
    struct view head = VIEW(all.ptr, HEAD_SIZE), name = VIEW(all.ptr + fixed, all.len - fixed);
    TRY(sign(keys, head, name, mac));
    if (!ct_eq(mac, all.ptr + HEAD_SIZE, sizeof mac))
        return ERR_BAD_CREDENTIALS;
    struct reader r = reader_new(head);
    uint64_t until_ms = 0;
    TRY(reader_u64(&r, &until_ms));
    if (now_ms >= until_ms)
        return ERR_BAD_CREDENTIALS;
    TRY(arena_copy(arena, name, ret_user));
    memcpy(ret_proof, head.ptr + 8, TICKET_PROOF_SIZE);
    return OK;
}

RESULT ticket_fits(const struct row_keys *keys, const struct user *u, const uint8_t proof[static TICKET_PROOF_SIZE])
{
    uint8_t state[TICKET_PROOF_SIZE];
    TRY(state_of(keys, u, state));
    return ct_eq(state, proof, sizeof state) ? OK : ERR_BAD_CREDENTIALS;
}
