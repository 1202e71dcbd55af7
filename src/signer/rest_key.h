/* Keys of the REST schemes: HMAC text, RSA or Ed25519, and the key's public name. */
#ifndef HOLDFAST_SIGNER_REST_KEY_H
#define HOLDFAST_SIGNER_REST_KEY_H

#include "signer/scheme.h"
#include "signer/venue_model.h"

/* ERR_WRONG_KEY_FOR_VENUE where the secret is of another kind. */
RESULT rest_key_new(enum scheme_algorithm algorithm, const struct bundle *bundle, struct signing_key **ret,
                    struct problem *why);
void rest_key_free(struct signing_key *key);
struct view rest_key_name(const struct signing_key *key);
/* The signature of text as the venue writes it: hex for HMAC, base64 for the others. */
RESULT rest_key_sign(const struct signing_key *key, struct view text, struct arena *arena, struct view *ret);

AUTO_DEFINE(struct signing_key *, rest_key_free);

#endif
