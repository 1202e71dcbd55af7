#include "crypto/totp.h"

#include "crypto/secmem.h"

#include <liboath/oath.h>
#include <stdlib.h>

RESULT totp_code(const uint8_t secret[static TOTP_SECRET_SIZE], uint64_t step, char ret_code[static TOTP_DIGITS + 1])
{
    char code[TOTP_DIGITS + 1];

    if (oath_hotp_generate((const char *)secret, TOTP_SECRET_SIZE, step, TOTP_DIGITS, false,
                           OATH_HOTP_DYNAMIC_TRUNCATION, code) != OATH_OK)
        return ERR_INTERNAL;
    memcpy(ret_code, code, sizeof code);
    wipe(code, sizeof code);
    return OK;
}

RESULT totp_find(const uint8_t secret[static TOTP_SECRET_SIZE], uint64_t first, uint64_t last, struct view code,
                 uint64_t *ret_step)
{
    char right[TOTP_DIGITS + 1];
    uint64_t found = 0;
    bool any = false;
    enum err e = OK;

    if (code.len != TOTP_DIGITS)
        return ERR_BAD_CREDENTIALS;
    for (uint64_t step = first; step <= last && e == OK; step++) {
        e = totp_code(secret, step, right);
        if (e == OK && ct_eq(right, code.ptr, TOTP_DIGITS)) {
            found = step;
            any = true;
        }
    }
    wipe(right, sizeof right);
    TRY(e);
    if (!any)
        return ERR_BAD_CREDENTIALS;
    *ret_step = found;
    return OK;
}

RESULT totp_secret_text(const uint8_t secret[static TOTP_SECRET_SIZE], char ret_text[static TOTP_SECRET_TEXT_SIZE])
{
    char *text = NULL;
    size_t len = 0;

    if (oath_base32_encode((const char *)secret, TOTP_SECRET_SIZE, &text, &len) != OATH_OK)
        return ERR_NO_MEMORY;
    bool fits = len == TOTP_SECRET_TEXT_SIZE - 1;
    if (fits) {
        memcpy(ret_text, text, len);
        ret_text[len] = '\0';
    }
    wipe(text, len);
    free(text);
    return fits ? OK : ERR_INTERNAL;
}
