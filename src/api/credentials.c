/* Signing credentials: storing, changing, freezing, releasing. What administrators approved goes to the signer to be
 * checked, to the keeper to be put in force, and into the log with its row; it is answered once a checkpoint covers it,
 * since only then is the former policy dead even across a power cut. */
#include "api/credentials.h"

#include "api/routes.h"
#include "domain/secrets/secrets.h"

#define PUT_BODY ((size_t)128 * 1024)

static const uint8_t nothing[32];

struct change {
    struct http_request *req;
    struct refusal_of of;
    struct view path;
    struct credential_put_request put;
    struct credential_descriptor descriptor;
    struct keeper_credential_freeze freeze;
    struct credential_row row; /* in force before; afterwards what was stored */
    bool stored;               /* there was one before */
    struct credential_changed answer;
};

/* Fills what an answer and a refusal say. */
static RESULT change_new(struct http_request *req, struct view path, struct view reason, struct change **ret)
{
    struct change *c = arena_alloc(req->arena, sizeof *c);

    if (!c)
        return ERR_NO_MEMORY;
    c->req = req;
    c->path = path;
    c->answer.path = path;
    c->of = (struct refusal_of){.type = req->route->event, .what = req->route->name, .reason = reason};
    TRY(refusal_resource(req, "credential:", path, &c->of.resource));
    *ret = c;
    return OK;
}

static RESULT find_row(struct change *c)
{
    const struct api_thread *t = api_of(c->req);
    enum err e = credential_row_get(t->reader, atomic_load(&t->shared->keys), c->path, c->req->arena, &c->row);

    c->stored = e == OK;
    return e == ERR_NOT_FOUND ? OK : e;
}

/* --- after the commit: the checkpoint, the signer, the answer */

static enum http_outcome loaded(struct http_request *req, void *context, enum err error, struct view entity,
                                const struct problem *why)
{
    const struct change *c = context;

    /* A signer that could not load it signs nothing with it; the next request to sign says why. */
    (void)error, (void)entity, (void)why;
    return http_answer_entity(req, req->route->status ? req->route->status : 200, &credential_changed_entity,
                              &c->answer);
}

/* A request to sign may have had the former one loaded while this change was not durable yet. */
static enum http_outcome load(struct change *c)
{
    struct signer_load q = {.descriptor = c->row.descriptor, .sealed = c->row.sealed};

    return api_call_signer(c->req, SIGNER_LOAD, &signer_load_entity, &q, loaded, c);
}

static enum http_outcome uncovered(struct http_request *req)
{
    struct problem why = {0};

    (void)!problem_set(&why, ERR_OUTCOME_UNKNOWN, "", "%s",
                       "the change is stored and recorded, but no checkpoint covers it yet: wait for one before you "
                       "rely on it");
    return http_answer_problem(req, &why);
}

static enum http_outcome covered(struct http_request *req, void *context, enum err error, struct view entity,
                                 const struct problem *why)
{
    struct change *c = context;
    struct keeper_note note;

    (void)why;
    if (error == OK)
        error = entity_decode(&keeper_note_entity, entity, req->arena, &note);
    if (error == OK)
        error = arena_copy(req->arena, note.note, &c->answer.checkpoint);
    if (error == OK)
        error = ledger_put_checkpoint(api_of(req)->shared->ledger, c->answer.checkpoint);
    return error == OK ? load(c) : uncovered(req);
}

static enum http_outcome committed(struct api_change *change)
{
    struct change *c = change->context;
    struct keeper_checkpoint q = {.size = change->txn.first_index + 1};

    if (change->txn.result != OK)
        return api_change_failed(change);
    c->answer.log_index = change->txn.first_index;
    return api_call_keeper(c->req, KEEPER_CHECKPOINT, &keeper_checkpoint_entity, &q, covered, c);
}

/* --- after the keeper: it has put the change in force, so from here on it must get into the log, whoever waits */

static RESULT log_change(struct change *c, const struct keeper_sealed *done, const struct txn_change *row)
{
    struct api_change *change;

    TRY(api_change_new(c->req, &change));
    change->then = committed;
    change->context = c;
    if (row)
        TRY(api_change_put(change, row));
    TRY(api_change_authored(change, done->authored));
    c->req->state = change;
    return OK;
}

/* What can't be done here the keeper's list of pending records brings again, with the row. */
static enum http_outcome submit(struct change *c, enum err e)
{
    if (e == OK)
        return api_change_submit(c->req->state);
    atomic_store(&api_of(c->req)->shared->health.look_for_lost, true);
    return http_answer_error(c->req, e);
}

static RESULT take_put(struct change *c, struct view entity)
{
    const struct api_thread *t = api_of(c->req);
    struct keeper_sealed done;
    struct txn_change row;

    TRY(entity_decode(&keeper_sealed_entity, entity, c->req->arena, &done));
    TRY(arena_copy(c->req->arena, done.sealed, &c->row.sealed));
    c->row.descriptor = c->put.descriptor;
    TRY(credential_row_change(t->reader, atomic_load(&t->shared->keys), c->row.descriptor, c->row.sealed, c->req->arena,
                              &row));
    return log_change(c, &done, &row);
}

static enum http_outcome put_done(struct http_request *req, void *context, enum err error, struct view entity,
                                  const struct problem *why)
{
    struct change *c = context;
    struct credential_cache *cache = credentials_cache(api_of(req)->shared);

    if (error != OK)
        return refusal_answer(req, &c->of, why);
    if (cache)
        credential_cache_drop(cache, c->path);
    return submit(c, take_put(c, entity));
}

static enum http_outcome freeze_done(struct http_request *req, void *context, enum err error, struct view entity,
                                     const struct problem *why)
{
    struct change *c = context;
    struct keeper_sealed done;

    if (error != OK)
        return refusal_answer(req, &c->of, why);
    error = entity_decode(&keeper_sealed_entity, entity, req->arena, &done);
    return submit(c, error == OK ? log_change(c, &done, NULL) : error);
}

/* --- putting */

static enum http_outcome ask_keeper(struct change *c)
{
    struct keeper_credential_put q = {.descriptor = c->put.descriptor,
                                      .box = c->put.box,
                                      .sealed = c->put.box.len ? VIEW(NULL, 0) : c->row.sealed,
                                      .approval = c->put.approval,
                                      .second = c->put.second};
    enum err e = api_who(c->req, c->of.reason, &q.who);

    memcpy(q.previous, c->put.previous, sizeof q.previous);
    return e == OK ? api_call_keeper(c->req, KEEPER_CREDENTIAL_PUT, &keeper_credential_put_entity, &q, put_done, c)
                   : http_answer_error(c->req, e);
}

static enum http_outcome checked(struct http_request *req, void *context, enum err error, struct view entity,
                                 const struct problem *why)
{
    struct change *c = context;

    (void)entity;
    return error == OK ? ask_keeper(c) : refusal_answer(req, &c->of, why);
}

/* A name keeps its credential for ever: a bot that asks for it must not get another one's signature. */
static RESULT check_succession(const struct change *c, struct problem *why)
{
    struct credential_descriptor former;
    uint8_t hash[32];

    if (!c->stored && memcmp(c->put.previous, nothing, sizeof nothing) != 0)
        return problem_set(why, ERR_APPROVAL_STALE, "/previous", "%s", "there is no credential of this name yet");
    if (!c->stored && c->descriptor.environment == 0)
        return problem_set(why, ERR_MISSING_FIELD, "/descriptor", "%s",
                           "a credential belongs to development, staging or production: keys of the same sign with it");
    if (!c->stored)
        return c->put.box.len
                   ? OK
                   : problem_set(why, ERR_MISSING_FIELD, "/box", "%s", "a new credential comes with its key material");
    TRY(entity_decode(&credential_descriptor_entity, c->row.descriptor, c->req->arena, &former));
    if (memcmp(former.id, c->descriptor.id, sizeof former.id) != 0)
        return problem_set(why, ERR_EXISTS, "/descriptor", "%s",
                           "another credential has this name: change that one, or choose another name");
    if (former.revoked)
        return problem_set(why, ERR_REVOKED, "/descriptor", "%s", "the credential is revoked");
    sha256(c->row.descriptor, hash);
    if (memcmp(hash, c->put.previous, sizeof hash) != 0)
        return problem_set(why, ERR_APPROVAL_STALE, "/previous", "the credential is at version %llu now",
                           (unsigned long long)former.version);
    return OK;
}

static uint16_t event_of(const struct credential_descriptor *d)
{
    return d->revoked        ? EVENT_CREDENTIAL_REVOKED
           : d->version == 1 ? EVENT_CREDENTIAL_STORED
                             : EVENT_CREDENTIAL_POLICY_CHANGED;
}

static RESULT read_put(struct http_request *req, struct view path, struct credential_put_request *q,
                       struct credential_descriptor *d, struct problem *why)
{
    TRY(http_request_entity(req, q, why));
    if (entity_decode(&credential_descriptor_entity, q->descriptor, req->arena, d) != OK)
        return problem_set(why, ERR_MALFORMED, "/descriptor", "%s",
                           "it is no CredentialDescriptor in its wire form, or one of its fields is out of bounds");
    if (!view_eq(d->path, path))
        return problem_set(why, ERR_BAD_VALUE, "/descriptor", "%s", "the descriptor is for another name");
    return OK;
}

static enum http_outcome credentials_put(struct http_request *req)
{
    struct credential_put_request q = {0};
    struct credential_descriptor d = {0};
    struct problem why = {0};
    struct change *c;
    struct view path = {0};
    enum err e;

    if (credentials_path(req, &path, &why) != OK || read_put(req, path, &q, &d, &why) != OK)
        return http_answer_problem(req, &why);
    e = change_new(req, path, q.reason, &c);
    if (e != OK)
        return http_answer_error(req, e);
    e = find_row(c);
    if (e == ERR_TAMPERED)
        return refusal_code(req, &c->of, e, "the stored credential was altered, moved or put back");
    if (e != OK)
        return http_answer_error(req, e);
    c->put = q;
    c->descriptor = d;
    c->of.type = event_of(&d);
    memcpy(c->answer.id, d.id, sizeof d.id);
    c->answer.version = d.version;
    sha256(q.descriptor, c->answer.hash);
    if (check_succession(c, &why) != OK)
        return refusal_answer(req, &c->of, &why);
    struct signer_check check = {.descriptor = q.descriptor};
    return api_call_signer(req, SIGNER_CHECK, &signer_check_entity, &check, checked, c);
}

/* --- freezing and releasing */

static enum http_outcome ask_freeze(struct change *c, bool frozen, const struct credential_release_request *q)
{
    struct credential_descriptor d;
    enum err e = entity_decode(&credential_descriptor_entity, c->row.descriptor, c->req->arena, &d);

    if (e == OK)
        e = api_who(c->req, c->of.reason, &c->freeze.who);
    if (e != OK)
        return http_answer_error(c->req, e);
    memcpy(c->freeze.id, d.id, sizeof d.id);
    memcpy(c->answer.id, d.id, sizeof d.id);
    sha256(c->row.descriptor, c->answer.hash);
    c->answer.version = d.version;
    c->answer.frozen = c->freeze.frozen = frozen;
    c->freeze.descriptor = c->row.descriptor;
    if (q) {
        c->freeze.has_approval = true;
        c->freeze.approval = q->approval;
        c->freeze.second = q->second;
    }
    return api_call_keeper(c->req, KEEPER_CREDENTIAL_FREEZE, &keeper_credential_freeze_entity, &c->freeze, freeze_done,
                           c);
}

static enum http_outcome set_frozen(struct http_request *req, struct view path, struct view reason,
                                    const struct credential_release_request *q)
{
    struct change *c;
    enum err e = change_new(req, path, reason, &c);

    if (e != OK)
        return http_answer_error(req, e);
    e = find_row(c);
    if (e == OK && !c->stored)
        e = ERR_NOT_FOUND;
    if (e != OK)
        return refusal_code(req, &c->of, e, "");
    return ask_freeze(c, q == NULL, q);
}

/* Stopping is for everybody who looks after money or keys; it needs no approval. */
static bool may_freeze(const struct http_request *req)
{
    static const enum permission any[] = {PERMISSION_SYSTEM_CONFIG, PERMISSION_SECRETS_ACCESS,
                                          PERMISSION_EMERGENCY_OVERRIDE};

    for (size_t i = 0; i < ARRAY_LEN(any); i++)
        if (permission_has(api_caller_of(req)->permissions, any[i]))
            return true;
    return false;
}

static enum http_outcome credentials_freeze(struct http_request *req)
{
    struct credential_freeze_request q = {0};
    struct refusal_of of = {.type = req->route->event, .what = req->route->name};
    struct problem why = {0};
    struct view path;

    if (credentials_path(req, &path, &why) != OK || (req->body.len && http_request_entity(req, &q, &why) != OK))
        return http_answer_problem(req, &why);
    if (may_freeze(req))
        return set_frozen(req, path, q.reason, NULL);
    if (refusal_resource(req, "credential:", path, &of.resource) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return refusal_code(req, &of, ERR_FORBIDDEN, "this needs system:config, secrets:access or emergency:override");
}

static enum http_outcome credentials_release(struct http_request *req)
{
    struct credential_release_request q = {0};
    struct problem why = {0};
    struct view path;

    if (credentials_path(req, &path, &why) != OK || http_request_entity(req, &q, &why) != OK)
        return http_answer_problem(req, &why);
    return set_frozen(req, path, q.reason, &q);
}

/* --- the addresses. What changes a credential is configuration of the desk: it needs system:config here, and the
 * administrators' signature at the keeper, which is what really decides. */

#define CREDENTIAL_ROW(method, address, permission, handler, ...)                                                      \
    ROUTE(method, "/api/v1/" address, permission, handler, .tag = "credentials", .ways = WAYS_ALL, __VA_ARGS__)

static const struct route rows[] = {
    CREDENTIAL_ROW(HTTP_GET, "import-key", PERMISSION_AUTHENTICATED, credentials_import_key, .name = "import-key",
                   .flags = ROUTE_ENROLS,
                   .summary = "The key that credentials are encrypted to before they leave your machine.",
                   .durability = DURABLE_NONE, .response = &import_key_entity),
    CREDENTIAL_ROW(HTTP_GET, "venues", PERMISSION_AUTHENTICATED, credentials_venues, .name = "venue-list",
                   .summary = "The venues that can be signed for, and their schemes.", .durability = DURABLE_NONE,
                   .response = &signer_venues_entity),
    CREDENTIAL_ROW(HTTP_GET, "credentials", PERMISSION_AUTHENTICATED, credentials_list, .name = "credential-list",
                   .summary = "Credentials that the caller looks after, or may sign with.", .durability = DURABLE_NONE,
                   .query = &credential_list_query_entity, .response = &credential_page_entity),
    CREDENTIAL_ROW(HTTP_GET, "credentials/data/{path...}", PERMISSION_AUTHENTICATED, credentials_show,
                   .name = "credential-show", .summary = "A credential's descriptor and policy; never its key.",
                   .durability = DURABLE_NONE, .response = &credential_view_entity),
    CREDENTIAL_ROW(HTTP_PUT, "credentials/data/{path...}", PERMISSION_SYSTEM_CONFIG, credentials_put,
                   .name = "credential-put",
                   .summary = "Store a credential or change its policy, with an administrator's approval.",
                   .event = EVENT_CREDENTIAL_STORED, .request = &credential_put_request_entity,
                   .response = &credential_changed_entity, .body_limit = PUT_BODY),
    CREDENTIAL_ROW(HTTP_POST, "credentials/freeze/{path...}", PERMISSION_AUTHENTICATED, credentials_freeze,
                   .name = "credential-freeze",
                   .summary = "Stop all signing with a credential at once. Needs system:config, secrets:access or "
                              "emergency:override.",
                   .event = EVENT_CREDENTIAL_FROZEN, .request = &credential_freeze_request_entity,
                   .response = &credential_changed_entity),
    CREDENTIAL_ROW(HTTP_POST, "credentials/release/{path...}", PERMISSION_SYSTEM_CONFIG, credentials_release,
                   .name = "credential-release",
                   .summary = "Let a frozen credential sign again, with an administrator's approval.",
                   .event = EVENT_CREDENTIAL_RELEASED, .request = &credential_release_request_entity,
                   .response = &credential_changed_entity),
};
const struct route_table credentials_routes = {rows, ARRAY_LEN(rows)};
