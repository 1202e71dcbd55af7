/* JSON as MessagePack, the way Hyperliquid hashes an action: members in the order they were written, text as str,
 * integers in their shortest form (https://github.com/msgpack/msgpack/blob/master/spec.md). The packer is libmsgpack's.
 *
 * There is one encoding for each value. What would have more than one is refused: numbers with a point or an exponent,
 * which clients pack as float or as integer, and integers from 2^53 on, which JavaScript has rounded already. */
#ifndef HOLDFAST_SIGNER_MSGPACK_H
#define HOLDFAST_SIGNER_MSGPACK_H

#include "base/json.h"

#define MSGPACK_INTEGER_MAX 9007199254740991 /* 2^53 - 1 */

/* ERR_WRONG_TYPE, ERR_OUT_OF_RANGE, ERR_TOO_LONG (the writer is full, or nested deeper than JSON_MAX_DEPTH). Never more
 * than one byte for each of JSON, plus 3 for each text of 64 KiB and longer. */
RESULT msgpack_put_json(const json_t *value, struct writer *w);

/* The largest encoding of a JSON text of that length, for sizing a writer. */
#define MSGPACK_ROOM(json_len) ((json_len) + (json_len) / 16384 + 16)

/* The header of a list of count items, or of an object of count members, whose contents the caller writes next. */
RESULT msgpack_put_list(size_t count, struct writer *w);
RESULT msgpack_put_object(size_t count, struct writer *w);
RESULT msgpack_put_text(struct view text, struct writer *w);

#endif
