/* Lists of users from elsewhere, as bodies for POST /api/v1/users. CSV (RFC 4180) with a line of names first: name,
 * email, roles, environments, password_hash, in any order; several roles or environments in one field are parted by
 * ';'. Or a JSON array of objects as that address takes them. */
#ifndef HOLDFAST_CLI_IMPORT_H
#define HOLDFAST_CLI_IMPORT_H

#include "base/arena.h"

#define IMPORT_MAX (64u << 20) /* bytes of a list */

/* Calls each for every user, with his number (from 1) and his body, valid until it returns; an error of it ends the
 * walk. A list that can't be read is ERR_MALFORMED or ERR_BAD_JSON, with why->where the line or the user's number; what
 * came before it was given to each already. */
typedef enum err (*import_each)(void *context, size_t number, struct view body);
RESULT import_users(struct view text, import_each each, void *context, struct problem *why);

#endif
