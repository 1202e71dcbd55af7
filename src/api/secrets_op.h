/* What all operations on one secret have in common: it is found, the caller may, or it is refused in a way that tells
 * him nothing he may not know; and each leaves its record. */
#ifndef HOLDFAST_API_SECRETS_OP_H
#define HOLDFAST_API_SECRETS_OP_H

#include "api/refusal.h"
#include "api/secrets_entity.h"

struct secret_action {
    uint16_t event;
    enum access_level needed;
};

struct secret_op {
    const struct secret_action *action;
    struct http_request *req;
    struct view path, resource, reason;
    struct secret_found found;
    struct view value;
    uint64_t version, grace_ms;
    struct view authored;
    enum err lost_race; /* what ERR_CONFLICT at the commit means */
    unsigned status;
    struct secret_changes changes;
};

/* An operation on the path of the address. False: the outcome is in *ret, the request is answered or will be. */
bool secret_op_begin(struct http_request *req, const struct secret_action *action, struct view reason,
                     struct secret_op **ret_op, enum http_outcome *ret);
/* Without looking anything up: for paths that come with the body. Whoever uses it asks secret_op_has_reason next. */
RESULT secret_op_new(struct http_request *req, const struct secret_action *action, struct view path, struct view reason,
                     struct secret_op **ret);
/* SEC-2: every call says why. False: the refusal is in *ret, the same whether there is such a secret or not. */
bool secret_op_has_reason(const struct secret_op *op, enum http_outcome *ret);
struct refusal_of secret_op_refusal(const struct secret_op *op);
enum http_outcome secret_op_refuse(const struct secret_op *op, enum err code, const char *detail);
/* As if there were no such secret, or no such right: nobody can tell which. */
enum http_outcome secret_op_hide(const struct secret_op *op);
/* Has the keeper seal op->value as op->version, and calls then with the sealed bytes (good until it returns). */
enum http_outcome secret_op_seal(struct secret_op *op,
                                 enum http_outcome (*then)(struct secret_op *op, struct view sealed));
struct secret_edit secret_op_edit(const struct secret_op *op);
/* Commits op->changes with the action's record and answers with the metadata. */
enum http_outcome secret_op_commit(struct secret_op *op, const char *detail);
/* Only the record: of reading what is no value. then answers. */
enum http_outcome secret_op_record(struct secret_op *op, const char *detail,
                                   enum http_outcome (*then)(struct api_change *c));
enum http_outcome secret_op_answer_meta(struct secret_op *op);

#endif
