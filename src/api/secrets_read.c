/* Reading secrets: values, metadata, history, lists. */
#include "api/secrets_routes.h"

#include "base/json.h"

#define SCAN_MAX      10000 /* rows looked at for one page, seen or not */
#define LIMIT_DEFAULT 100

static const struct secret_action read_value = {EVENT_SECRET_READ, ACCESS_READ};
static const struct secret_action read_about = {EVENT_SECRET_LISTED, ACCESS_READ};

/* --- values */

struct reading {
    struct secret_op *op;
    struct secret_read answer;
};

static enum http_outcome released(struct api_change *c)
{
    const struct reading *r = c->context;

    return c->txn.result == OK ? http_answer_entity(c->req, 200, &secret_read_entity, &r->answer)
                               : api_change_failed(c);
}

static RESULT take_value(struct reading *r, struct view entity, struct api_change **ret)
{
    struct http_request *req = r->op->req;
    struct keeper_opened opened;
    struct view value;

    TRY(entity_decode(&keeper_opened_entity, entity, req->arena, &opened));
    TRY(arena_copy(req->arena, opened.value, &value));
    *(utf8_valid(value) ? &r->answer.value : &r->answer.value_base64) = value;
    TRY(api_change_new(req, ret));
    (*ret)->then = released;
    (*ret)->context = r;
    return api_change_authored(*ret, opened.authored);
}

/* The keeper has recorded that the value was released: it is, once that record is durable. */
static enum http_outcome opened(struct http_request *req, void *context, enum err error, struct view entity,
                                const struct problem *why)
{
    struct api_change *c;

    if (error != OK)
        return http_answer_problem(req, why); /* of what it found altered the keeper's own record is on its way */
    error = take_value(context, entity, &c);
    if (error == OK)
        return api_change_submit(c);
    atomic_store(&api_of(req)->shared->health.look_for_lost, true);
    return http_answer_error(req, error);
}

static void describe(const struct secret_meta *m, const struct secret_version *v, uint64_t now_ms,
                     struct secret_read *ret)
{
    *ret = (struct secret_read){.path = m->path,
                                .version = v->number,
                                .state = (uint8_t)secret_state_at(v, now_ms),
                                .kind = m->kind,
                                .environment = m->environment,
                                .created_ms = v->created_ms,
                                .description = m->description,
                                .owner = m->owner,
                                .tags = m->tags,
                                .revoked = m->revoked};
}

static enum http_outcome ask_keeper(struct secret_op *op, const struct secret_sealed *sealed, uint64_t now_ms)
{
    struct keeper_secret_open q = {.version = sealed->version, .path = sealed->path, .sealed = sealed->sealed};
    struct reading *r = arena_alloc(op->req->arena, sizeof *r);
    const struct secret_version *v = op->found.meta.versions.items;
    enum err e = r ? api_who(op->req, op->reason, &q.who) : ERR_NO_MEMORY;

    if (e != OK)
        return http_answer_error(op->req, e);
    r->op = op;
    while (v->number != sealed->version) /* secret_value found it */
        v++;
    describe(&op->found.meta, v, now_ms, &r->answer);
    memcpy(q.id, sealed->id, sizeof q.id);
    return api_call_keeper(op->req, KEEPER_SECRET_OPEN, &keeper_secret_open_entity, &q, opened, r);
}

static const struct {
    enum err code;
    const char *detail;
} no_value[] = {
    {ERR_NOT_FOUND, "this version is not there or out of use; 'recover' reads what is sealed or deleted"},
    {ERR_REVOKED, "the secret is revoked; 'recover' reads it until its retention ends"},
    {ERR_TAMPERED, "the stored value was altered, moved or removed"},
};

static enum http_outcome refuse_value(const struct secret_op *op, enum err e)
{
    for (size_t i = 0; i < ARRAY_LEN(no_value); i++)
        if (no_value[i].code == e)
            return secret_op_refuse(op, e, no_value[i].detail);
    return http_answer_error(op->req, e);
}

enum http_outcome secrets_read_value(struct http_request *req)
{
    const struct api_thread *t = api_of(req);
    struct secret_value_query q = {0};
    struct problem why = {0};
    struct secret_op *op;
    struct secret_sealed sealed;
    enum http_outcome out;
    enum err e;

    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    if (!secret_op_begin(req, &read_value, q.reason, &op, &out))
        return out;
    if (q.recover && secret_may(api_secret_access(req), op->found.meta.environment, ACCESS_ADMIN) != OK)
        return secret_op_refuse(op, ERR_FORBIDDEN, "recovering needs the level admin");
    struct secret_wanted want = {q.version, q.recover, t->shared->clock->wall_ms(t->shared->clock)};
    e = secret_value(t->reader, atomic_load(&t->shared->keys), &op->found, &want, req->arena, &sealed);
    return e == OK ? ask_keeper(op, &sealed, want.now_ms) : refuse_value(op, e);
}

/* --- metadata and history */

static enum http_outcome shown_meta(struct api_change *c)
{
    return c->txn.result == OK ? secret_op_answer_meta(c->context) : api_change_failed(c);
}

static enum http_outcome shown_history(struct api_change *c)
{
    struct secret_op *op = c->context;
    struct secret_meta *m = &op->found.meta;
    struct secret_history h = {.path = m->path, .revoked = m->revoked, .versions = m->versions};

    if (c->txn.result != OK)
        return api_change_failed(c);
    secret_states_at(m, c->req->wall_ms);
    return http_answer_entity(c->req, 200, &secret_history_entity, &h);
}

static enum http_outcome show(struct http_request *req, const char *detail,
                              enum http_outcome (*then)(struct api_change *c))
{
    struct secret_reason q = {0};
    struct problem why = {0};
    struct secret_op *op;
    enum http_outcome out;

    if (http_request_query(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    return secret_op_begin(req, &read_about, q.reason, &op, &out) ? secret_op_record(op, detail, then) : out;
}

enum http_outcome secrets_read_meta(struct http_request *req)
{
    return show(req, "metadata", shown_meta);
}

enum http_outcome secrets_read_history(struct http_request *req)
{
    return show(req, "history", shown_history);
}

/* --- lists: written as they are found, since a thousand of them are more than a request may keep */

struct page {
    const struct secret_access *access;
    struct writer *w;
    size_t limit, count, scanned;
    uint64_t now_ms;
    uint8_t key[STORE_KEY_MAX];
    size_t key_len;
    bool more;
};

static bool put_secret(void *context, const struct secret_found *s)
{
    struct page *p = context;
    struct secret_meta meta = s->meta;

    if (p->count == p->limit || p->scanned == SCAN_MAX) {
        p->more = true;
        return false;
    }
    p->scanned++;
    memcpy(p->key, s->key.ptr, s->key.len);
    p->key_len = s->key.len;
    if (!secret_may_list(p->access, meta.environment))
        return true;
    meta.versions = (struct entity_list){0};
    p->count++;
    json_item(p->w);
    entity_to_json(&secret_entity, &meta, p->w);
    return true;
}

static RESULT put_page(struct http_request *req, const struct secret_list_query *q, struct problem *why)
{
    const struct api_thread *t = api_of(req);
    uint8_t after[STORE_KEY_MAX];
    struct page p = {
        .access = api_secret_access(req), .w = http_body(req), .limit = q->limit ? q->limit : LIMIT_DEFAULT};
    struct secret_range range = {.prefix = q->prefix, .after = VIEW(after, q->after.len / 2)};

    if (q->after.len && (q->after.len / 2 > sizeof after || hex_get(q->after, after, q->after.len / 2) != OK))
        return problem_set(why, ERR_BAD_VALUE, "?after", "%s", "it must be the \"next\" of the page before");
    json_open(p.w, '{');
    json_name(p.w, "secrets");
    json_open(p.w, '[');
    TRY(secret_list(t->reader, atomic_load(&t->shared->keys), &range, put_secret, &p, why));
    json_close(p.w, ']');
    if (p.more) {
        json_name(p.w, "next");
        writer_u8(p.w, '"');
        hex_put(p.w, VIEW(p.key, p.key_len));
        writer_u8(p.w, '"');
    }
    json_close(p.w, '}');
    return OK;
}

static enum http_outcome shown_page(struct api_change *c)
{
    return c->txn.result == OK ? http_answer_json(c->req, 200) : api_change_failed(c);
}

enum http_outcome secrets_list(struct http_request *req)
{
    struct secret_list_query q = {0};
    struct problem why = {0};
    struct secret_op *op;
    enum http_outcome out;
    enum err e = http_request_query(req, &q, &why);

    if (e == OK)
        e = secret_op_new(req, &read_about, q.prefix, q.reason, &op);
    if (e == OK && !secret_op_has_reason(op, &out))
        return out;
    if (e == OK)
        e = put_page(req, &q, &why);
    if (e != OK && why.code == OK)
        why.code = e;
    if (e != OK)
        return http_answer_problem(req, &why);
    return secret_op_record(op, "list", shown_page);
}
