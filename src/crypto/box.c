#include "crypto/sign.h"

#include <assert.h>
#include <sodium.h>

static_assert(BOX_PUBLIC_SIZE == crypto_box_PUBLICKEYBYTES && BOX_OVERHEAD == crypto_box_SEALBYTES,
              "sizes are libsodium's");

RESULT box_keypair(const uint8_t seed[static 32], uint8_t ret_public[static BOX_PUBLIC_SIZE],
                   uint8_t ret_private[static 32])
{
    return crypto_box_seed_keypair(ret_public, ret_private, seed) ? ERR_CRYPTO : OK;
}

RESULT box_seal(const uint8_t public_key[static BOX_PUBLIC_SIZE], struct view text, struct writer *w)
{
    if (text.len > crypto_box_MESSAGEBYTES_MAX || text.len > SIZE_MAX - BOX_OVERHEAD)
        return ERR_TOO_LONG;
    size_t len = text.len + BOX_OVERHEAD;
    uint8_t *box = malloc(len);
    if (!box)
        return ERR_NO_MEMORY;
    enum err e = crypto_box_seal(box, text.ptr, text.len, public_key) ? ERR_BAD_KEY : OK; /* a small-order key */
    if (e == OK)
        writer_bytes(w, box, len);
    free(box);
    TRY(e);
    return writer_done(w);
}

RESULT box_open(const uint8_t public_key[static BOX_PUBLIC_SIZE], const uint8_t private_key[static 32], struct view box,
                struct secret **ret)
{
    /* An empty text has no place in guarded memory, and nothing that is sent here is empty. */
    if (box.len <= BOX_OVERHEAD)
        return ERR_TAMPERED;
    AUTO(secret_free) struct secret *text = NULL;
    TRY(secret_new(box.len - BOX_OVERHEAD, &text));
    if (crypto_box_seal_open(secret_ptr(text), box.ptr, box.len, public_key, private_key) != 0)
        return ERR_TAMPERED;
    *ret = TAKE(text);
    return OK;
}
