/* Records of what the guard allowed, written together. Requests of one identity to one endpoint, from one address and
 * with one program, that come in the same turn of the loop or while the record before is written (in the same
 * ALLOWED_BEHIND_MS when their record may follow the answer) share a record, and it lists every one of them by its id.
 * So a bot that asks ten thousand times a second fills the log with some hundred records, and yet none of its requests
 * is missing.
 *
 * What could not be written is kept and tried again, and until it is written nothing more is taken: an answer without
 * its record is lost by a crash alone. */
#ifndef HOLDFAST_API_ALLOWED_H
#define HOLDFAST_API_ALLOWED_H

#include "api/context.h"

#define ALLOWED_BEHIND_MS 10
#define ALLOWED_TOGETHER  100 /* requests in one record: what its text has room for */

/* One request. `what` is copied; it has no error. */
struct allowed_ask {
    struct http_request *req;
    struct record_object what;
    bool behind;                                                        /* of its answer, not before it */
    enum http_outcome (*then)(struct http_request *req, void *context); /* gives the answer, once it may be given */
    void *context;
};
/* Behind: then()'s answer, at once. Else HTTP_LATER, and then() when the record is durable; or the problem. */
enum http_outcome allowed_record(const struct allowed_ask *ask);

/* --- for context.c */
struct allowed;
RESULT allowed_new(struct api_thread *t, struct allowed **ret);
void allowed_free(struct allowed *a); /* nothing is under way any more */
/* At the end of a turn, before changes are handed over. */
void allowed_turn(struct allowed *a);

#endif
