/* What the Hyperliquid tests share: the venue as declared, the vectors, and requests made from them. */
#ifndef HOLDFAST_TEST_HYPERLIQUID_CASE_H
#define HOLDFAST_TEST_HYPERLIQUID_CASE_H

#include "signer/hyperliquid.h"
#include "signer/hyperliquid_hash.h"
#include "signer/venue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CASE_KEY   "0x0123456789012345678901234567890123456789012345678901234567890123"
#define CASE_NONCE 1700000000000

/* Calls each for every line of both files whose scheme begins with hl-; fails if a file is missing. */
void case_each(void (*each)(const json_t *line));
const char *case_text(const json_t *line, const char *name); /* NULL if absent or null */

/* spec/venues/hyperliquid.yaml; the caller frees. */
struct venue *case_venue(void);
struct arena *case_arena(void);
struct signing_key *case_key(const char *hex);

const struct scheme *case_scheme(const char *name);
/* A mainnet request for this action with nonce CASE_NONCE. */
struct sign_request case_request(const char *action);
enum err case_judge(const struct venue *venue, const char *scheme, const char *action, struct arena *arena,
                    struct intents *ret, struct problem *why);

#endif
