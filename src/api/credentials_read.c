/* What can be known of signing credentials: everything but the key. */
#include "api/credentials.h"

#include "api/keys.h"
#include "base/json.h"
#include "domain/secrets/secrets.h"

#define SCAN_MAX      10000
#define LIMIT_DEFAULT 100

/* --- who may see what */

bool credentials_pattern_matches(struct view pattern, struct view path)
{
    if (view_is(pattern, "*"))
        return true;
    if (pattern.len < 2 || pattern.ptr[pattern.len - 1] != '*' || pattern.ptr[pattern.len - 2] != '/')
        return view_eq(pattern, path);
    return path.len >= pattern.len && memcmp(path.ptr, pattern.ptr, pattern.len - 1) == 0;
}

RESULT credentials_rights(const struct http_request *req, struct credential_rights *ret)
{
    static const enum permission any[] = {PERMISSION_SECRETS_ACCESS, PERMISSION_SYSTEM_CONFIG, PERMISSION_AUDIT_VIEW};
    const struct api_caller *c = api_caller_of(req);
    struct credential_rights r = {
        .is_key = c->standing.is_key, .signs_in = c->standing.signs_in, .named = c->standing.credentials};

    for (size_t i = 0; i < ARRAY_LEN(any); i++)
        r.sees_all |= permission_has(c->permissions, any[i]);
    *ret = r;
    return OK;
}

bool credentials_named(const struct credential_rights *r, struct view path)
{
    return api_key_names(&r->named, path);
}

RESULT credentials_path(struct http_request *req, struct view *ret, struct problem *why)
{
    struct view path = {0};

    if (!http_param(req, "path", &path) || !secret_path_valid(path))
        return problem_set(why, ERR_BAD_VALUE, "path", "%s",
                           "a credential's name is 1 to 12 names of A-Z a-z 0-9 . _ - with '/' between them");
    *ret = path;
    return OK;
}

struct credential_cache *credentials_cache(struct api_shared *s)
{
    struct credential_cache *there = atomic_load(&s->credential_ids), *fresh = NULL;

    if (there || credential_cache_new(&fresh) != OK)
        return there;
    if (atomic_compare_exchange_strong(&s->credential_ids, &there, fresh))
        return fresh;
    credential_cache_free(fresh); /* another thread was first */
    return there;
}

/* --- the import key */

/* As the command line shows it, so that people can compare. */
static RESULT fingerprint(struct http_request *req, struct view bytes, struct view *ret)
{
    uint8_t hash[SHA256_SIZE];
    AUTO_WRITER w = writer_new(128);

    sha256(bytes, hash);
    for (size_t i = 0; i < sizeof hash; i += 2) {
        writer_str(&w, i ? ":" : "");
        hex_put(&w, VIEW(hash + i, 2));
    }
    TRY(writer_done(&w));
    return arena_copy(req->arena, writer_view_of(&w), ret);
}

static RESULT verifier(struct http_request *req, struct view *ret)
{
    const struct api_shared *s = api_of(req)->shared;
    AUTO_WRITER origin = writer_new(NOTE_ORIGIN_MAX);
    AUTO_WRITER w = writer_new(NOTE_MAX);

    log_origin_put(s->installation, &origin);
    writer_u8(&origin, '\0');
    TRY(writer_done(&origin));
    TRY(note_verifier_put((const char *)writer_view_of(&origin).ptr, s->checkpoint_key, &w));
    return arena_copy(req->arena, writer_view_of(&w), ret);
}

enum http_outcome credentials_import_key(struct http_request *req)
{
    const struct api_shared *s = api_of(req)->shared;
    struct import_key k = {0};

    memcpy(k.installation, s->installation, sizeof k.installation);
    memcpy(k.import_key, s->import_key, sizeof k.import_key);
    if (fingerprint(req, VIEW_OF(k.import_key), &k.fingerprint) != OK ||
        fingerprint(req, VIEW_OF(k.installation), &k.installation_fingerprint) != OK ||
        verifier(req, &k.verifier) != OK)
        return http_answer_error(req, ERR_NO_MEMORY);
    return http_answer_entity(req, 200, &import_key_entity, &k);
}

/* --- venues */

static enum http_outcome told_venues(struct http_request *req, void *context, enum err error, struct view entity,
                                     const struct problem *why)
{
    struct signer_venues v;

    (void)context;
    if (error != OK)
        return http_answer_problem(req, why);
    error = entity_decode(&signer_venues_entity, entity, req->arena, &v);
    return error == OK ? http_answer_entity(req, 200, &signer_venues_entity, &v) : http_answer_error(req, error);
}

enum http_outcome credentials_venues(struct http_request *req)
{
    return api_call_signer(req, SIGNER_VENUES, NULL, NULL, told_venues, NULL);
}

/* --- one */

static RESULT view_of(struct http_request *req, struct view path, struct credential_view *ret)
{
    const struct api_thread *t = api_of(req);
    struct credential_row row;
    struct credential_descriptor d;

    TRY(credential_row_get(t->reader, atomic_load(&t->shared->keys), path, req->arena, &row));
    TRY(entity_decode(&credential_descriptor_entity, row.descriptor, req->arena, &d));
    *ret = (struct credential_view){.path = d.path,
                                    .version = d.version,
                                    .venue = d.venue,
                                    .scheme = d.scheme,
                                    .api_key_id = d.api_key_id,
                                    .environment = d.environment,
                                    .description = d.description,
                                    .revoked = d.revoked,
                                    .policy = d.policy,
                                    .descriptor = row.descriptor};
    memcpy(ret->id, d.id, sizeof ret->id);
    sha256(row.descriptor, ret->hash);
    return OK;
}

/* Freezing is the keeper's: it holds also for those who have the database. */
static enum http_outcome told_state(struct http_request *req, void *context, enum err error, struct view entity,
                                    const struct problem *why)
{
    struct keeper_credential_state state = {0};
    struct credential_view *v = context;

    if (error == OK)
        error = entity_decode(&keeper_credential_state_entity, entity, req->arena, &state);
    else
        return http_answer_problem(req, why);
    v->frozen = state.frozen;
    return error == OK ? http_answer_entity(req, 200, &credential_view_entity, v) : http_answer_error(req, error);
}

static enum http_outcome ask_state(struct http_request *req, struct credential_view *v)
{
    struct keeper_credential_of q;

    memcpy(q.id, v->id, sizeof q.id);
    return api_call_keeper(req, KEEPER_CREDENTIAL_STATE, &keeper_credential_of_entity, &q, told_state, v);
}

enum http_outcome credentials_show(struct http_request *req)
{
    struct refusal_of of = {.type = EVENT_PERMISSION_DENIED, .what = req->route->name};
    struct credential_rights rights;
    struct problem why = {0};
    struct credential_view *v = arena_alloc(req->arena, sizeof *v);
    struct view path = {0};
    enum err e;

    if (!v)
        return http_answer_error(req, ERR_NO_MEMORY);
    if (credentials_path(req, &path, &why) != OK)
        return http_answer_problem(req, &why);
    e = refusal_resource(req, "credential:", path, &of.resource);
    if (e == OK)
        e = credentials_rights(req, &rights);
    if (e != OK)
        return http_answer_error(req, e);
    e = view_of(req, path, v);
    if (!credentials_visible(&rights, path, e == OK ? v->environment : 0))
        return refusal_code(req, &of, ERR_FORBIDDEN, "");
    if (e == ERR_TAMPERED)
        return refusal_code(req, &of, e, "the stored credential was altered, moved or put back");
    return e == OK ? ask_state(req, v) : http_answer_error(req, e);
}

/* --- all */

struct page {
    struct http_request *req;
    struct credential_rights rights;
    struct writer *w;
    struct arena *scratch;
    struct view prefix, frozen; /* frozen: ids, 16 bytes each */
    size_t limit, count, scanned;
    uint8_t key[STORE_KEY_MAX];
    size_t key_len;
    bool more;
    enum err result;
};

static bool is_frozen(const struct page *p, const uint8_t id[static 16])
{
    for (size_t i = 0; i + 16 <= p->frozen.len; i += 16)
        if (memcmp(p->frozen.ptr + i, id, 16) == 0)
            return true;
    return false;
}

static RESULT put_brief(struct page *p, const struct store_row *row)
{
    struct credential_row stored;
    struct credential_descriptor d;

    TRY(entity_decode(&credential_row_entity, row->value, p->scratch, &stored));
    TRY(entity_decode(&credential_descriptor_entity, stored.descriptor, p->scratch, &d));
    if (!credentials_visible(&p->rights, d.path, d.environment))
        return OK;
    struct credential_brief b = {.path = d.path,
                                 .version = d.version,
                                 .venue = d.venue,
                                 .scheme = d.scheme,
                                 .api_key_id = d.api_key_id,
                                 .environment = d.environment,
                                 .description = d.description,
                                 .revoked = d.revoked,
                                 .frozen = is_frozen(p, d.id)};
    memcpy(b.id, d.id, sizeof b.id);
    p->count++;
    json_item(p->w);
    entity_to_json(&credential_brief_entity, &b, p->w);
    return OK;
}

static bool visit(void *context, const struct store_row *row)
{
    struct page *p = context;

    if (row->key.len < p->prefix.len || memcmp(row->key.ptr, p->prefix.ptr, p->prefix.len) != 0)
        return false;
    if (p->count == p->limit || p->scanned == SCAN_MAX) {
        p->more = true;
        return false;
    }
    p->scanned++;
    memcpy(p->key, row->key.ptr, row->key.len);
    p->key_len = row->key.len;
    arena_reset(p->scratch);
    p->result = put_brief(p, row) == OK ? OK : ERR_TAMPERED;
    return p->result == OK;
}

static RESULT walk(struct page *p, const struct credential_list_query *q, struct problem *why)
{
    const struct api_thread *t = api_of(p->req);
    uint8_t prefix[STORE_KEY_MAX], from[STORE_KEY_MAX + 1] = {0};
    struct writer w = writer_fixed(prefix, sizeof prefix);
    struct view name = q->prefix;
    size_t after = q->after.len / 2;

    if (name.len && name.ptr[name.len - 1] == '/')
        name.len--;
    if (row_key_path(atomic_load(&t->shared->keys), TABLE_CREDENTIAL, name, &w) != OK)
        return problem_set(why, ERR_BAD_VALUE, "?prefix", "%s", "names of A-Z a-z 0-9 . _ - with '/' between them");
    p->prefix = writer_view_of(&w);
    memcpy(from, prefix, w.len);
    if (after && (after > STORE_KEY_MAX || hex_get(q->after, from, after) != OK))
        return problem_set(why, ERR_BAD_VALUE, "?after", "%s", "it must be the \"next\" of the page before");
    TRY(store_range(t->reader, TABLE_CREDENTIAL, VIEW(from, after ? after + 1 : w.len), VIEW(NULL, 0), false,
                    SCAN_MAX + 1, visit, p));
    return p->result;
}

static RESULT put_page(struct page *p, const struct credential_list_query *q, struct problem *why)
{
    json_open(p->w, '{');
    json_name(p->w, "credentials");
    json_open(p->w, '[');
    TRY(walk(p, q, why));
    json_close(p->w, ']');
    if (p->more) {
        json_name(p->w, "next");
        writer_u8(p->w, '"');
        hex_put(p->w, VIEW(p->key, p->key_len));
        writer_u8(p->w, '"');
    }
    json_close(p->w, '}');
    return OK;
}

static enum http_outcome answer_page(struct http_request *req, const struct credential_list_query *q,
                                     struct view frozen)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    struct problem why = {0};
    struct page p = {.req = req, .w = http_body(req), .frozen = frozen, .limit = q->limit ? q->limit : LIMIT_DEFAULT};
    enum err e = arena_new(65536, 1u << 20, &scratch);

    p.scratch = scratch;
    if (e == OK)
        e = credentials_rights(req, &p.rights);
    if (e == OK)
        e = put_page(&p, q, &why);
    if (e == OK)
        return http_answer_json(req, 200);
    if (why.code == OK)
        why.code = e;
    return http_answer_problem(req, &why);
}

static enum http_outcome told_frozen(struct http_request *req, void *context, enum err error, struct view entity,
                                     const struct problem *why)
{
    struct keeper_frozen frozen = {0};

    if (error != OK)
        return http_answer_problem(req, why);
    error = entity_decode(&keeper_frozen_entity, entity, req->arena, &frozen);
    return error == OK ? answer_page(req, context, frozen.ids) : http_answer_error(req, error);
}

enum http_outcome credentials_list(struct http_request *req)
{
    struct credential_list_query *q = arena_alloc(req->arena, sizeof *q);
    struct problem why = {0};

    if (!q)
        return http_answer_error(req, ERR_NO_MEMORY);
    *q = (struct credential_list_query){0};
    if (http_request_query(req, q, &why) != OK)
        return http_answer_problem(req, &why);
    return api_call_keeper(req, KEEPER_CREDENTIALS_FROZEN, NULL, NULL, told_frozen, q);
}
