/* One-time passwords by time: TOTP (RFC 6238) over HOTP (RFC 4226) with HMAC-SHA-1, 6 digits, steps of 30 seconds: what
 * every authenticator app can do. HMAC-SHA-1 is sound for this; its weakness is in collisions. liboath. */
#ifndef HOLDFAST_CRYPTO_TOTP_H
#define HOLDFAST_CRYPTO_TOTP_H

#include "base/buf.h"

#define TOTP_SECRET_SIZE      20 /* bytes; what RFC 4226 §4 recommends */
#define TOTP_SECRET_TEXT_SIZE 33 /* base32 (RFC 4648 §6) and NUL */
#define TOTP_DIGITS           6
#define TOTP_STEP_MS          30000ull

/* The code of one step, with a NUL: step is the time since 1970 divided by TOTP_STEP_MS. ERR_INTERNAL. */
RESULT totp_code(const uint8_t secret[static TOTP_SECRET_SIZE], uint64_t step, char ret_code[static TOTP_DIGITS + 1]);
/* Whether code is that of a step from first to last; all of them are computed, and the compares are constant in time.
 * ERR_BAD_CREDENTIALS if it is not; ret_step is then untouched. */
RESULT totp_find(const uint8_t secret[static TOTP_SECRET_SIZE], uint64_t first, uint64_t last, struct view code,
                 uint64_t *ret_step);
/* What an app wants typed. */
RESULT totp_secret_text(const uint8_t secret[static TOTP_SECRET_SIZE], char ret_text[static TOTP_SECRET_TEXT_SIZE]);

#endif
