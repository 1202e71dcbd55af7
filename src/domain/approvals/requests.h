/* Changes that one administrator approved and that wait for another one. The rows carry what is asked and the
 * signatures; they are no authority: the keeper looks at both signatures itself, so a row that somebody altered or
 * invented moves nothing. */
#ifndef HOLDFAST_DOMAIN_APPROVALS_REQUESTS_H
#define HOLDFAST_DOMAIN_APPROVALS_REQUESTS_H

#include "ipc/approval_request.h"
#include "ledger/ledger.h"

#define REQUESTS_MAX 64 /* that wait at a time */
struct request_found {
    struct approval_request request;
    uint64_t version;
    uint8_t commitment[32];
};

/* It can be asked at all: kind, parts that the kind has and no others, expiry. */
RESULT request_check(const struct approval_request *r, uint64_t now_ms, struct problem *why);
/* ERR_NOT_FOUND also for one that is over. */
RESULT request_get(struct store *reader, const struct row_keys *keys, const uint8_t id[static 16], uint64_t now_ms,
                   struct arena *arena, struct request_found *ret);
/* All of them, those that are over too, in no order; what visit is given lives until it returns. Rows that don't open
 * are left out: the check in the background names them. */
RESULT request_each(struct store *reader, const struct row_keys *keys,
                    enum err (*visit)(void *context, const struct request_found *found), void *context);
static inline bool request_over(const struct approval_request *r, uint64_t now_ms)
{
    return r->expiry_ms <= now_ms;
}

/* Changes: one txn_change each, in arena. before: NULL for a new one. */
RESULT request_put(const struct row_keys *keys, const struct approval_request *r, const struct request_found *before,
                   struct arena *arena, struct txn_change *ret);
RESULT request_remove(const struct row_keys *keys, const struct request_found *before, struct arena *arena,
                      struct txn_change *ret);
/* For the record, in arena: "approval:<id>", and "credential exchange/binance/main, asked by user:alice, approved by
 * user:bob". */
RESULT request_resource(const struct approval_request *r, struct arena *arena, struct view *ret);
RESULT request_detail(const struct approval_request *r, struct arena *arena, struct view *ret);

#endif
