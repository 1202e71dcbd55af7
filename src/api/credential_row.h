/* The row of a signing credential: TABLE_CREDENTIAL, found by the credential's path, its version the descriptor's. It
 * is a raw row: the key inside is sealed by the keeper, and its commitment is the descriptor's hash, which the keeper's
 * own leaf of the change carries. */
#ifndef HOLDFAST_API_CREDENTIAL_ROW_H
#define HOLDFAST_API_CREDENTIAL_ROW_H

#include "ipc/keeper_msg.h"
#include "ledger/ledger.h"

struct credential_row {
    struct view descriptor; /* entity CredentialDescriptor, byte for byte as administrators approved it */
    struct view sealed;     /* the bundle, by the keeper */
};
extern const struct entity credential_row_entity;

/* The row at path; views live in arena. ERR_NOT_FOUND, ERR_BAD_VALUE, ERR_TAMPERED. */
RESULT credential_row_get(struct store *reader, const struct row_keys *keys, struct view path, struct arena *arena,
                          struct credential_row *ret);
/* The change that stores what the keeper answered to KEEPER_CREDENTIAL_PUT, also for a record that it lists as pending.
 * ERR_EXISTS if the store has this version or a later one already. */
RESULT credential_row_change(struct store *reader, const struct row_keys *keys, struct view descriptor,
                             struct view sealed, struct arena *arena, struct txn_change *ret);

#endif
