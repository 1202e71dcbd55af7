/* Passkeys as the store has them: a row each, by the hash of the credential's id, and in memory. Whose one is, the
 * user's row says as well (struct mfa): a passkey counts only if both do. So removing one is a change of the user,
 * which a log-in that is under way loses against. */
#ifndef HOLDFAST_DOMAIN_IDENTITY_PASSKEYS_H
#define HOLDFAST_DOMAIN_IDENTITY_PASSKEYS_H

#include "domain/identity/identity.h"
#include "domain/webauthn/webauthn.h"

struct passkey_found {
    struct webauthn_credential passkey;
    uint64_t version;
    uint8_t commitment[32];
};

void passkeys_hash(struct view id, uint8_t out[static PASSKEY_HASH_SIZE]);
/* What people call one: the beginning of that hash. */
#define PASSKEY_ID_SIZE 16

/* A copy of what the tables hold, in arena. ERR_NOT_FOUND, which takes as long. */
RESULT passkeys_find(struct identity *i, const uint8_t hash[static PASSKEY_HASH_SIZE], struct arena *arena,
                     struct passkey_found *ret);
/* Those that this user has, in the order in which he got them. A row that was found to be damaged is left out. At most
 * PASSKEYS_MAX. */
RESULT passkeys_of(struct identity *i, const struct user *u, struct arena *arena, struct passkey_found **ret,
                   size_t *ret_count);
/* Fill one txn_change, as identity_put_user does. before: what was read, NULL for a new one. */
RESULT passkeys_put(const struct row_keys *keys, const struct webauthn_credential *passkey,
                    const struct passkey_found *before, struct arena *arena, struct txn_change *ret);
RESULT passkeys_remove(const struct row_keys *keys, const struct passkey_found *before, struct arena *arena,
                       struct txn_change *ret);

#endif
