#include "api/secrets_op.h"

#include "api/credential_row.h"

#define REASON_MAX 1024 /* of RequestContext */

#define EMERGENCY_MARK "emergency access: "

/* Each record of what is done under emergency access says so, before the reason; one that is too long is cut. */
static RESULT mark_emergency(struct http_request *req, struct view *reason)
{
    size_t most = REASON_MAX - (sizeof EMERGENCY_MARK - 1);
    struct view kept = *reason;

    if (api_caller_of(req)->emergency.level == ACCESS_NONE || reason->len == 0)
        return OK;
    while (kept.len > most || (kept.len && kept.len < reason->len && (kept.ptr[kept.len] & 0xc0) == 0x80))
        kept.len--;
    return refusal_resource(req, EMERGENCY_MARK, kept, reason);
}

RESULT secret_op_new(struct http_request *req, const struct secret_action *action, struct view path, struct view reason,
                     struct secret_op **ret)
{
    struct secret_op *op = arena_alloc(req->arena, sizeof *op);

    if (!op)
        return ERR_NO_MEMORY;
    if (reason.len == 0)
        (void)http_header(req, "X-Holdfast-Reason", &reason);
    TRY(mark_emergency(req, &reason));
    *op = (struct secret_op){.action = action, .req = req, .path = path, .reason = reason, .status = 200};
    TRY(refusal_resource(req, "secret:", path, &op->resource));
    *ret = op;
    return OK;
}

struct refusal_of secret_op_refusal(const struct secret_op *op)
{
    return (struct refusal_of){
        .type = op->action->event, .resource = op->resource, .what = op->req->route->name, .reason = op->reason};
}

enum http_outcome secret_op_refuse(const struct secret_op *op, enum err code, const char *detail)
{
    struct refusal_of of = secret_op_refusal(op);

    return refusal_code(op->req, &of, code, detail);
}

enum http_outcome secret_op_hide(const struct secret_op *op)
{
    return secret_op_refuse(op, ERR_FORBIDDEN, "");
}

/* --- may he */

bool secret_op_has_reason(const struct secret_op *op, enum http_outcome *ret)
{
    for (size_t i = 0; i < op->reason.len; i++)
        if (op->reason.ptr[i] > ' ')
            return true;
    *ret = secret_op_refuse(op, ERR_REASON_NEEDED, "");
    return false;
}

static const char *const levels[] = {"", "read", "write", "admin", "emergency"};

static enum http_outcome refuse_level(const struct secret_op *op)
{
    struct refusal_of of = secret_op_refusal(op);
    struct problem why = {0};

    (void)!problem_set(&why, ERR_FORBIDDEN, "", "this needs the level %s for %s secrets", levels[op->action->needed],
                       secret_environment_names[op->found.meta.environment]);
    return refusal_answer(op->req, &of, &why);
}

/* Somebody altered the row: that is recorded in any case, and told to those who might have seen the secret. */
static enum http_outcome refuse_missing(const struct secret_op *op, enum err e)
{
    bool may_know = secret_may_list(api_secret_access(op->req), 0);
    const struct api_thread *t = api_of(op->req);
    struct credential_row row;

    if (e == ERR_TAMPERED)
        return secret_op_refuse(op, ERR_TAMPERED, "the metadata of this secret was altered, moved or put back");
    if (e != ERR_NOT_FOUND)
        return http_answer_error(op->req, e);
    if (!may_know)
        return secret_op_hide(op);
    /* Credentials have names of their own kind; whoever looks for one here is told why there is nothing to read. */
    if (credential_row_get(t->reader, atomic_load(&t->shared->keys), op->path, op->req->arena, &row) == OK)
        return secret_op_refuse(op, ERR_FORBIDDEN,
                                "this is a signing credential: requests are signed with it, and nobody can read it");
    return secret_op_refuse(op, ERR_NOT_FOUND, "");
}

static bool admitted(const struct secret_op *op, enum http_outcome *ret)
{
    const struct secret_access *access = api_secret_access(op->req);
    uint8_t environment = op->found.meta.environment;

    if (!secret_may_list(access, environment)) {
        *ret = secret_op_hide(op);
        return false;
    }
    if (secret_may(access, environment, op->action->needed) != OK) {
        *ret = refuse_level(op);
        return false;
    }
    return true;
}

bool secret_op_begin(struct http_request *req, const struct secret_action *action, struct view reason,
                     struct secret_op **ret_op, enum http_outcome *ret)
{
    const struct api_thread *t = api_of(req);
    struct problem why = {0};
    struct view path = {0};
    struct secret_op *op;
    enum err e;

    if (!http_param(req, "path", &path) || !secret_path_valid(path)) {
        (void)!problem_set(&why, ERR_BAD_VALUE, "path", "%s",
                           "a secret's name is 1 to 12 names of A-Z a-z 0-9 . _ - with '/' between them");
        *ret = http_answer_problem(req, &why);
        return false;
    }
    e = secret_op_new(req, action, path, reason, &op);
    if (e != OK) {
        *ret = http_answer_error(req, e);
        return false;
    }
    if (!secret_op_has_reason(op, ret))
        return false;
    e = secret_get(t->reader, atomic_load(&t->shared->keys), path, req->arena, &op->found);
    if (e != OK) {
        *ret = refuse_missing(op, e);
        return false;
    }
    *ret_op = op;
    return admitted(op, ret);
}

/* --- sealing */

struct sealing {
    struct secret_op *op;
    enum http_outcome (*then)(struct secret_op *op, struct view sealed);
};

static enum http_outcome sealed(struct http_request *req, void *context, enum err error, struct view entity,
                                const struct problem *why)
{
    const struct sealing *s = context;
    struct keeper_sealed answer;

    if (error == OK)
        error = entity_decode(&keeper_sealed_entity, entity, req->arena, &answer);
    else
        return http_answer_problem(req, why);
    return error == OK ? s->then(s->op, answer.sealed) : http_answer_error(req, error);
}

enum http_outcome secret_op_seal(struct secret_op *op,
                                 enum http_outcome (*then)(struct secret_op *op, struct view sealed))
{
    struct keeper_secret_seal q = {.version = op->version, .path = op->path, .value = op->value};
    struct sealing *s = arena_alloc(op->req->arena, sizeof *s);

    if (!s)
        return http_answer_error(op->req, ERR_NO_MEMORY);
    *s = (struct sealing){.op = op, .then = then};
    memcpy(q.id, op->found.meta.id, sizeof q.id);
    return api_call_keeper(op->req, KEEPER_SECRET_SEAL, &keeper_secret_seal_entity, &q, sealed, s);
}

/* --- committing */

struct secret_edit secret_op_edit(const struct secret_op *op)
{
    const struct api_thread *t = api_of(op->req);

    return (struct secret_edit){.reader = t->reader,
                                .keys = atomic_load(&t->shared->keys),
                                .random = t->shared->random,
                                .arena = op->req->arena,
                                .actor = api_caller_of(op->req)->actor,
                                .now_ms = t->shared->clock->wall_ms(t->shared->clock)};
}

enum http_outcome secret_op_answer_meta(struct secret_op *op)
{
    struct secret_meta *meta = &op->found.meta;

    secret_states_at(meta, api_of(op->req)->shared->clock->wall_ms(api_of(op->req)->shared->clock));
    return http_answer_entity(op->req, op->status, &secret_entity, meta);
}

static enum http_outcome committed(struct api_change *c)
{
    struct secret_op *op = c->context;

    if (c->txn.result == ERR_CONFLICT && op->lost_race != OK)
        c->txn.result = op->lost_race;
    return c->txn.result == OK ? secret_op_answer_meta(op) : api_change_failed(c);
}

static RESULT begin_change(struct secret_op *op, const char *detail, struct api_change **ret)
{
    struct record_object what = {.resource = op->resource, .detail = view_str(detail)};

    TRY(api_change_new(op->req, ret));
    (*ret)->context = op;
    for (size_t i = 0; i < op->changes.count; i++)
        TRY(api_change_put(*ret, &op->changes.items[i]));
    return api_change_record(*ret, op->action->event, OUTCOME_DONE, &what, op->reason);
}

enum http_outcome secret_op_record(struct secret_op *op, const char *detail,
                                   enum http_outcome (*then)(struct api_change *c))
{
    struct api_change *c;
    enum err e = begin_change(op, detail, &c);

    if (e != OK)
        return http_answer_error(op->req, e);
    c->then = then;
    return api_change_submit(c);
}

enum http_outcome secret_op_commit(struct secret_op *op, const char *detail)
{
    return secret_op_record(op, detail, committed);
}
