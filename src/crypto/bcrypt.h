/* Passwords that another system hashed with bcrypt: "$2a$", "$2b$" or "$2y$", two digits of cost, "$" and 53
 * characters. They are verified, never made. By libxcrypt, which knows the bug that "$2a$" stands for. Slow on purpose:
 * never on an event loop. */
#ifndef HOLDFAST_CRYPTO_BCRYPT_H
#define HOLDFAST_CRYPTO_BCRYPT_H

#include "base/buf.h"

#define BCRYPT_HASH_LEN 60
#define BCRYPT_COST_MAX 14 /* about a second; more would let one import stall all log-ins */

bool bcrypt_hash_valid(struct view hash);
/* OK, ERR_BAD_CREDENTIALS (also for a text that is no such hash), or ERR_NO_MEMORY, which is no failed attempt. As
 * everywhere with bcrypt, only the first 72 bytes of the password count. */
RESULT bcrypt_verify(const char *hash, struct view password);

#endif
