/* Secrets (SEC-1 … SEC-5, SEC-8): their addresses, and what changes them. */
#include "api/routes.h"
#include "api/secrets_routes.h"

#define VALUE_BODY ((size_t)448 * 1024) /* a value in which every byte is escaped */

static const struct secret_action create = {EVENT_SECRET_STORED, ACCESS_WRITE};
static const struct secret_action rotate = {EVENT_SECRET_ROTATED, ACCESS_ADMIN};
static const struct secret_action revoke = {EVENT_SECRET_REVOKED, ACCESS_ADMIN};
static const struct secret_action change = {EVENT_SECRET_CHANGED, ACCESS_WRITE};
static const struct secret_action withdraw = {EVENT_SECRET_CHANGED, ACCESS_ADMIN};
static const struct secret_action destroy = {EVENT_SECRET_DESTROYED, ACCESS_ADMIN};

/* --- storing */

static enum http_outcome store(struct secret_op *op, struct view sealed)
{
    struct secret_edit by = secret_op_edit(op);
    AUTO_WRITER location = writer_new(1024);
    enum err e = secret_create(&by, &op->found.meta, sealed, &op->changes);

    if (e != OK)
        return http_answer_error(op->req, e);
    writer_str(&location, "/api/v1/secrets/data/");
    writer_view(&location, op->path);
    writer_u8(&location, '\0');
    if (writer_done(&location) != OK ||
        http_answer_header(op->req, "Location", (const char *)writer_view_of(&location).ptr) != OK)
        return http_answer_error(op->req, ERR_NO_MEMORY);
    return secret_op_commit(op, "version 1");
}

/* What stands there already is told to those only who may list it. */
static enum http_outcome refuse_taken(const struct secret_op *op, const struct secret_found *there)
{
    if (!secret_may_list(api_secret_access(op->req), there->meta.environment))
        return secret_op_hide(op);
    if (there->meta.revoked)
        return secret_op_refuse(op, ERR_REVOKED, "a revoked secret has this name; choose another one");
    return secret_op_refuse(op, ERR_EXISTS, "rotate it to store a new value");
}

static RESULT fill(struct secret_op *op, const struct secret_new *q)
{
    const struct random *random = api_of(op->req)->shared->random;
    struct secret_meta *m = &op->found.meta;

    *m = (struct secret_meta){.path = q->path,
                              .kind = q->kind,
                              .environment = q->environment,
                              .description = q->description,
                              .owner = q->owner.len ? q->owner : api_caller_of(op->req)->actor,
                              .tags = q->tags,
                              .rotation_days = q->rotation_days};
    return random->fill(random, m->id, sizeof m->id);
}

static enum http_outcome create_checked(struct secret_op *op, const struct secret_new *q)
{
    const struct api_thread *t = api_of(op->req);
    struct secret_found there;
    enum err e;

    if (secret_may(api_secret_access(op->req), q->environment, ACCESS_WRITE) != OK)
        return secret_op_refuse(op, ERR_FORBIDDEN, "storing needs the level write and the environment");
    e = secret_get(t->reader, atomic_load(&t->shared->keys), q->path, op->req->arena, &there);
    if (e == OK)
        return refuse_taken(op, &there);
    if (e == ERR_TAMPERED)
        return secret_op_refuse(op, e, "the metadata of this secret was altered, moved or put back");
    e = e == ERR_NOT_FOUND ? fill(op, q) : e;
    return e == OK ? secret_op_seal(op, store) : http_answer_error(op->req, e);
}

static enum http_outcome secrets_create(struct http_request *req)
{
    struct secret_new q = {0};
    struct problem why = {0};
    struct secret_op *op;
    struct view value;
    enum http_outcome out;
    enum err e;

    if (http_request_entity(req, &q, &why) != OK || secret_bytes(q.value, q.value_base64, &value, &why) != OK ||
        secret_value_acceptable(q.kind, value, &why) != OK)
        return http_answer_problem(req, &why);
    e = secret_op_new(req, &create, q.path, q.reason, &op);
    if (e != OK)
        return http_answer_error(req, e);
    if (!secret_op_has_reason(op, &out))
        return out;
    op->value = value;
    op->version = 1;
    op->status = 201;
    op->lost_race = ERR_EXISTS;
    return create_checked(op, &q);
}

/* --- rotating */

static const char *version_text(const struct secret_op *op, uint64_t version)
{
    char text[40];
    struct writer w = writer_fixed(text, sizeof text);

    writer_printf(&w, "version %llu", (unsigned long long)version);
    const char *kept = arena_str(op->req->arena, writer_view_of(&w));
    return kept ? kept : "";
}

static enum http_outcome rotated(struct secret_op *op, struct view sealed)
{
    struct secret_edit by = secret_op_edit(op);
    enum err e = secret_rotate(&by, &op->found, sealed, op->grace_ms, &op->changes);

    return e == OK ? secret_op_commit(op, version_text(op, op->version)) : http_answer_error(op->req, e);
}

static enum http_outcome secrets_rotate(struct http_request *req)
{
    struct secret_rotation q = {0};
    struct problem why = {0};
    struct secret_op *op;
    struct view value;
    enum http_outcome out;

    if (http_request_entity(req, &q, &why) != OK || secret_bytes(q.value, q.value_base64, &value, &why) != OK)
        return http_answer_problem(req, &why);
    if (!secret_op_begin(req, &rotate, q.reason, &op, &out))
        return out;
    if (op->found.meta.revoked)
        return secret_op_refuse(op, ERR_REVOKED, "");
    if (q.expected_version && q.expected_version != op->found.meta.current) {
        struct refusal_of of = secret_op_refusal(op);
        (void)!problem_set(&why, ERR_CONFLICT, "/expected_version", "the current version is %llu",
                           (unsigned long long)op->found.meta.current);
        return refusal_answer(req, &of, &why);
    }
    if (secret_value_acceptable(op->found.meta.kind, value, &why) != OK)
        return http_answer_problem(req, &why);
    op->value = value;
    op->version = secret_next_version(&op->found.meta);
    op->grace_ms = (uint64_t)q.grace_seconds * 1000;
    return secret_op_seal(op, rotated);
}

/* --- taking out of use */

static enum http_outcome settle(struct secret_op *op, enum err e, const char *detail)
{
    if (e == OK)
        return secret_op_commit(op, detail);
    if (e == ERR_CONFLICT)
        return secret_op_refuse(op, e, "the version is so already, or it was destroyed");
    return secret_op_refuse(op, e, "");
}

static enum http_outcome secrets_revoke(struct http_request *req)
{
    struct secret_reason q = {0};
    struct problem why = {0};
    struct secret_op *op;
    enum http_outcome out;

    if (req->body.len && http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (!secret_op_begin(req, &revoke, q.reason, &op, &out))
        return out;
    struct secret_edit by = secret_op_edit(op);
    return settle(op, secret_revoke(&by, &op->found, &op->changes), "");
}

static enum http_outcome set_version(struct http_request *req, const struct secret_action *action,
                                     enum secret_version_state state)
{
    struct secret_version_of q = {0};
    struct problem why = {0};
    struct secret_op *op;
    enum http_outcome out;

    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (!secret_op_begin(req, action, q.reason, &op, &out))
        return out;
    struct secret_edit by = secret_op_edit(op);
    char detail[64];
    struct writer w = writer_fixed(detail, sizeof detail - 1);
    writer_printf(&w, "%s version %llu", req->route->name + sizeof "secret-" - 1, (unsigned long long)q.version);
    detail[w.len] = '\0';
    const char *kept = arena_str(req->arena, view_str(detail));
    return settle(op, secret_set_version(&by, &op->found, q.version, state, &op->changes), kept ? kept : "");
}

static enum http_outcome secrets_delete(struct http_request *req)
{
    return set_version(req, &withdraw, VERSION_DELETED);
}

static enum http_outcome secrets_undelete(struct http_request *req)
{
    return set_version(req, &withdraw, VERSION_CURRENT);
}

static enum http_outcome secrets_destroy(struct http_request *req)
{
    return set_version(req, &destroy, VERSION_DESTROYED);
}

static enum http_outcome secrets_about(struct http_request *req)
{
    struct secret_about q = {0};
    struct problem why = {0};
    struct secret_op *op;
    enum http_outcome out;

    if (http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (!secret_op_begin(req, &change, q.reason, &op, &out))
        return out;
    struct secret_edit by = secret_op_edit(op);
    struct secret_meta *m = &op->found.meta;
    m->description = q.description;
    m->owner = q.owner.len ? q.owner : m->owner;
    m->tags = q.tags;
    m->rotation_days = q.rotation_days;
    return settle(op, secret_update(&by, &op->found, &op->changes), "metadata");
}

/* --- the addresses. The verb stands before the name, which may be as long as it likes. */

#define SECRET_ROW(method, address, handler, ...)                                                                      \
    ROUTE(method, "/api/v1/secrets" address, PERMISSION_SECRETS_ACCESS, handler, .tag = "secrets", .ways = WAYS_ALL,   \
          __VA_ARGS__)

static const struct route rows[] = {
    SECRET_ROW(HTTP_POST, "", secrets_create, .name = "secret-create",
               .summary = "Store a new secret. Needs the level write in its environment.", .event = EVENT_SECRET_STORED,
               .request = &secret_new_entity, .response = &secret_entity, .status = 201, .body_limit = VALUE_BODY),
    SECRET_ROW(HTTP_GET, "", secrets_list, .name = "secret-list",
               .summary = "List the secrets that the caller may see, below a prefix.", .event = EVENT_SECRET_LISTED,
               .query = &secret_list_query_entity, .response = &secret_page_entity),
    SECRET_ROW(HTTP_GET, "/data/{path...}", secrets_read_value, .name = "secret-read", .summary = "Read a value.",
               .event = EVENT_SECRET_READ, .query = &secret_value_query_entity, .response = &secret_read_entity),
    SECRET_ROW(HTTP_GET, "/metadata/{path...}", secrets_read_meta, .name = "secret-metadata",
               .summary = "What a secret is, with its versions but without any value.", .event = EVENT_SECRET_LISTED,
               .query = &secret_reason_entity, .response = &secret_entity),
    SECRET_ROW(HTTP_PUT, "/metadata/{path...}", secrets_about, .name = "secret-describe",
               .summary = "Replace description, owner, tags and rotation interval. Needs the level write.",
               .event = EVENT_SECRET_CHANGED, .request = &secret_about_entity, .response = &secret_entity),
    SECRET_ROW(HTTP_GET, "/history/{path...}", secrets_read_history, .name = "secret-history",
               .summary = "The versions of a secret, newest first.", .event = EVENT_SECRET_LISTED,
               .query = &secret_reason_entity, .response = &secret_history_entity),
    SECRET_ROW(
        HTTP_POST, "/rotate/{path...}", secrets_rotate, .name = "secret-rotate",
        .summary = "Store a new version; the former one stays readable for grace_seconds. Needs the level admin.",
        .event = EVENT_SECRET_ROTATED, .request = &secret_rotation_entity, .response = &secret_entity,
        .body_limit = VALUE_BODY),
    SECRET_ROW(HTTP_POST, "/revoke/{path...}", secrets_revoke, .name = "secret-revoke",
               .summary = "Take a secret out of use, finally. An administrator can recover its value for 30 days.",
               .event = EVENT_SECRET_REVOKED, .request = &secret_reason_entity, .response = &secret_entity),
    SECRET_ROW(HTTP_POST, "/delete/{path...}", secrets_delete, .name = "secret-delete",
               .summary = "Take one version out of use; undelete brings it back. Needs the level admin.",
               .event = EVENT_SECRET_CHANGED, .request = &secret_version_of_entity, .response = &secret_entity),
    SECRET_ROW(HTTP_POST, "/undelete/{path...}", secrets_undelete, .name = "secret-undelete",
               .summary = "Bring a deleted version back.", .event = EVENT_SECRET_CHANGED,
               .request = &secret_version_of_entity, .response = &secret_entity),
    SECRET_ROW(HTTP_POST, "/destroy/{path...}", secrets_destroy, .name = "secret-destroy",
               .summary = "Remove one version's value for good.", .event = EVENT_SECRET_DESTROYED,
               .request = &secret_version_of_entity, .response = &secret_entity),
};
const struct route_table secrets_routes = {rows, ARRAY_LEN(rows)};
