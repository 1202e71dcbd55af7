/* Second factors that a person types: one-time passwords by time (TOTP) and recovery codes. Part of the user's row, so
 * that two requests that bring the same code race for one version, and one of them loses. Which passkeys he has is
 * there as well; each has a row of its own besides (domain/identity/passkeys.h). */
#ifndef HOLDFAST_DOMAIN_MFA_MFA_H
#define HOLDFAST_DOMAIN_MFA_MFA_H

#include "base/clock.h"
#include "base/entity.h"
#include "crypto/totp.h"
#include "ledger/rows.h"

#define RECOVERY_CODES     10
#define RECOVERY_TEXT_SIZE 18 /* "xxxxx-xxxxx-xxxxx" and NUL: 15 characters of 31, 74 bits */

struct recovery_code {
    uint8_t hash[32]; /* HMAC(pepper, text); all zero once it was used */
};

#define PASSKEYS_MAX      16 /* of a user */
#define PASSKEY_HASH_SIZE 32
struct passkey_ref {
    uint8_t hash[PASSKEY_HASH_SIZE]; /* SHA-256 of the credential's id: where the passkey's own row is */
};

struct mfa {
    struct view totp_secret;     /* TOTP_SECRET_SIZE bytes, or empty */
    uint64_t totp_since_ms;      /* 0: made, and not confirmed by a first code yet */
    uint64_t totp_step;          /* of the newest code that was taken: neither it nor an older one is good again */
    struct entity_list recovery; /* of struct recovery_code */
    struct entity_list passkeys; /* of struct passkey_ref */
};
extern const struct entity mfa_entity; /* for people: only what is set up; the rest is FIELD_HIDDEN */

/* A new secret, in arena, that mfa_totp_confirm has yet to confirm. What was in use stays untouched on failure. */
RESULT mfa_totp_begin(struct mfa *m, const struct random *random, struct arena *arena);
/* The first code shows that the app has the secret. ERR_BAD_CREDENTIALS; ERR_CONFLICT if there is nothing to confirm.
 */
RESULT mfa_totp_confirm(struct mfa *m, struct view code, uint64_t now_ms);
bool mfa_totp_ready(const struct mfa *m);
/* A code of this step, the one before or the one after (clocks drift, and fingers are slow), newer than any that was
 * taken. The caller commits the row before he answers. ERR_BAD_CREDENTIALS. */
RESULT mfa_totp_use(struct mfa *m, struct view code, uint64_t now_ms);
/* otpauth://totp/ISSUER:NAME?secret=… as authenticator apps read it. */
RESULT mfa_totp_uri(const struct mfa *m, struct view issuer, struct view name, struct writer *w);

bool mfa_passkey_has(const struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE]);
/* The list as it will be, in arena. ERR_EXISTS, ERR_LIMIT_REACHED; ERR_NOT_FOUND. */
RESULT mfa_passkey_add(struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE], struct arena *arena);
RESULT mfa_passkey_remove(struct mfa *m, const uint8_t hash[static PASSKEY_HASH_SIZE], struct arena *arena);

/* New codes replace all former ones. The texts are shown once and wiped by the caller. */
RESULT mfa_recovery_make(struct mfa *m, const struct random *random, const struct row_keys *keys, struct arena *arena,
                         char ret_codes[static RECOVERY_CODES][RECOVERY_TEXT_SIZE]);
size_t mfa_recovery_left(const struct mfa *m);
/* Takes one code, for good; all are compared, in constant time. Case and hyphens don't matter. ERR_BAD_CREDENTIALS. */
RESULT mfa_recovery_use(struct mfa *m, struct view code, const struct row_keys *keys);

#endif
