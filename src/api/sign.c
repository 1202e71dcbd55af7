/* Signing for bots (SGN-1): the request goes to the signer as it came, and what the signer made of it is answered once
 * its record is durable. Who may ask is decided here; what may be signed is not. */
#include "api/sign.h"
#include "api/credentials.h"
#include "api/routes.h"

#include "base/json.h"

#define SIGN_BODY ((size_t)256 * 1024)

struct signing {
    struct http_request *req;
    struct refusal_of of;
    struct signer_sign q;
    uint8_t environment; /* the credential's */
    bool loaded;         /* the signer was given the credential once: that must do */
    struct sign_answer answer;
    struct problem why; /* of a refusal */
};

/* --- who may ask */

static bool has_any(const struct api_caller *c, const enum permission *any, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (permission_has(c->permissions, any[i]))
            return true;
    return false;
}

RESULT sign_may(const struct api_caller *c, const struct credential_rights *rights, struct view path, bool dry_run,
                struct problem *why)
{
    /* For a key: what it may sign is said by the credentials it names and by their policies. */
    static const enum permission trading[] = {PERMISSION_MEV_API, PERMISSION_MEV_EXECUTE, PERMISSION_ORDERS_PLACE};
    static const enum permission looking[] = {PERMISSION_MEV_VIEW, PERMISSION_MEV_EXECUTE, PERMISSION_ORDERS_PLACE,
                                              PERMISSION_SYSTEM_CONFIG, PERMISSION_SECRETS_ACCESS};

    if (rights->is_key && !credentials_named(rights, path))
        return problem_set(why, ERR_FORBIDDEN, "/credential", "%s", "this API key does not name the credential");
    if (rights->is_key)
        return has_any(c, trading, ARRAY_LEN(trading))
                   ? OK
                   : problem_set(why, ERR_FORBIDDEN, "", "%s", "signing needs mev:api, mev:execute or orders:place");
    if (permission_has(c->permissions, PERMISSION_MEV_EXECUTE) || (dry_run && has_any(c, looking, ARRAY_LEN(looking))))
        return OK;
    return problem_set(why, ERR_FORBIDDEN, dry_run ? "" : "/dry_run", "%s",
                       dry_run ? "a dry run needs mev:view, mev:execute, orders:place, system:config or secrets:access"
                               : "people without mev:execute may make a dry run only");
}

RESULT sign_may_here(const struct credential_rights *rights, uint8_t environment, struct problem *why)
{
    if (rights->signs_in & environment_bit(environment))
        return OK;
    return problem_set(why, ERR_FORBIDDEN, "/credential", "%s",
                       rights->is_key
                           ? "there is no such credential in this key's environment, or its owner has no grant there"
                           : "there is no such credential in the environments that are granted to you");
}

/* --- the answer */

enum err sign_code(struct view decision)
{
    for (int e = 1; e < ERR_COUNT; e++)
        if (view_is(decision, err_code((enum err)e)))
            return (enum err)e;
    return ERR_INTERNAL;
}

static RESULT put_headers(const struct signer_signed *s, struct arena *arena, struct view *ret)
{
    const struct signer_header *h = s->headers.items;
    AUTO_WRITER w = writer_new(16384);
    char name[65];

    json_open(&w, '{');
    for (size_t i = 0; i < s->headers.count; i++) {
        TRY(view_to_str(h[i].name, name, sizeof name));
        json_text(&w, name, h[i].value);
    }
    json_close(&w, '}');
    TRY(writer_done(&w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* One copy of the whole message, which is gone when this turn is. */
static RESULT take_answer(struct signing *s, struct view entity, struct signer_signed *ret)
{
    struct arena *arena = s->req->arena;
    struct view kept;

    TRY(arena_copy(arena, entity, &kept));
    TRY(entity_decode(&signer_signed_entity, kept, arena, ret));
    s->answer = (struct sign_answer){.method = ret->method,
                                     .url = ret->url,
                                     .body = ret->body,
                                     .signature = ret->signature,
                                     .nonce = ret->nonce,
                                     .timestamp_ms = ret->timestamp_ms,
                                     .dry_run = ret->dry_run,
                                     .decision = ret->decision,
                                     .rule = ret->rule,
                                     .sentence = ret->sentence};
    return ret->headers.count ? put_headers(ret, arena, &s->answer.headers) : OK;
}

static enum http_outcome answer(const struct signing *s)
{
    struct problem why = {0};
    char rule[sizeof why.where];

    if (view_is(s->answer.decision, "ok") || s->answer.dry_run)
        return http_answer_entity(s->req, 200, &sign_answer_entity, &s->answer);
    if (view_to_str(s->answer.rule, rule, sizeof rule) != OK)
        rule[0] = '\0';
    (void)!problem_set(&why, sign_code(s->answer.decision), rule, "%.*s", (int)s->answer.sentence.len,
                       (const char *)s->answer.sentence.ptr);
    return http_answer_problem(s->req, &why);
}

static enum http_outcome recorded(struct api_change *c)
{
    return c->txn.result == OK ? answer(c->context) : api_change_failed(c);
}

static RESULT log_answer(struct signing *s, const struct signer_signed *signed_, struct api_change **ret)
{
    TRY(api_change_new(s->req, ret));
    (*ret)->then = recorded;
    (*ret)->context = s;
    return api_change_authored(*ret, signed_->authored);
}

/* --- the signer */

static enum http_outcome ask(struct signing *s);

static enum http_outcome loaded(struct http_request *req, void *context, enum err error, struct view entity,
                                const struct problem *why)
{
    struct signing *s = context;

    (void)req, (void)entity;
    return error == OK ? ask(s) : refusal_answer(s->req, &s->of, why);
}

static void take_known(struct signing *s, const struct credential_known *known)
{
    memcpy(s->q.id, known->id, sizeof s->q.id);
    s->environment = known->environment;
}

/* The row of this name, and whose it is. */
static RESULT find_row(struct signing *s, struct credential_row *ret)
{
    const struct api_thread *t = api_of(s->req);
    struct credential_cache *cache = credentials_cache(t->shared);
    struct credential_descriptor d;

    TRY(credential_row_get(t->reader, atomic_load(&t->shared->keys), s->q.path, s->req->arena, ret));
    TRY(entity_decode(&credential_descriptor_entity, ret->descriptor, s->req->arena, &d));
    struct credential_known known = {.environment = d.environment};
    memcpy(known.id, d.id, sizeof known.id);
    if (cache)
        credential_cache_put(cache, s->q.path, &known);
    take_known(s, &known);
    return OK;
}

static enum http_outcome refuse_row(struct signing *s, enum err e)
{
    return refusal_code(s->req, &s->of, e,
                        e == ERR_TAMPERED ? "the stored credential was altered, moved or put back" : "");
}

static enum http_outcome load(struct signing *s)
{
    struct credential_row row;
    struct signer_load q;
    enum err e = find_row(s, &row);

    if (e != OK)
        return refuse_row(s, e);
    s->loaded = true;
    q = (struct signer_load){row.descriptor, row.sealed};
    return api_call_signer(s->req, SIGNER_LOAD, &signer_load_entity, &q, loaded, s);
}

/* Loaded a moment ago, and gone already: somebody is changing it. */
static enum http_outcome refuse_changing(struct http_request *req)
{
    struct problem why = {0};

    (void)!problem_set(&why, ERR_UNAVAILABLE, "/credential", "%s", "the credential is being changed");
    api_retry_after(req, 1);
    return http_answer_problem(req, &why);
}

static enum http_outcome signed_or_not(struct http_request *req, void *context, enum err error, struct view entity,
                                       const struct problem *why)
{
    struct signing *s = context;
    struct signer_signed out;
    struct api_change *c;

    if (error == ERR_NOT_FOUND)
        return s->loaded ? refuse_changing(req) : load(s);
    if (error == ERR_TIMEOUT)
        error = ERR_OUTCOME_UNKNOWN; /* a nonce may be used up */
    if (error != OK)
        return error == ERR_OUTCOME_UNKNOWN ? http_answer_error(req, error) : http_answer_problem(req, why);
    error = take_answer(s, entity, &out);
    if (error == OK && out.authored.len == 0 && out.dry_run)
        return answer(s);
    if (error == OK)
        error = log_answer(s, &out, &c);
    if (error == OK)
        return api_change_submit(c);
    atomic_store(&api_of(req)->shared->health.look_for_lost, true);
    return http_answer_error(req, error);
}

static enum http_outcome ask(struct signing *s)
{
    return api_call_signer(s->req, SIGNER_SIGN, &signer_sign_entity, &s->q, signed_or_not, s);
}

/* --- the request */

/* An object as it came, or the text inside a text: for clients that would write an object anew. */
RESULT sign_params(struct view json, struct arena *arena, struct view *ret, struct problem *why)
{
    __attribute__((cleanup(json_decref_auto))) json_t *list = NULL;
    AUTO_WRITER w = writer_new(json.len + 2);
    const json_t *text;
    size_t end;

    *ret = json;
    if (json.len == 0 || json.ptr[0] != '"')
        return OK;
    writer_u8(&w, '[');
    writer_view(&w, json);
    writer_u8(&w, ']');
    TRY(json_read(writer_view_of(&w), &list, NULL));
    text = json_array_get(list, 0);
    TRY(arena_copy(arena, VIEW(json_string_value(text), json_string_length(text)), ret));
    if (json_scan(*ret, &end) != OK || end != ret->len)
        return problem_set(why, ERR_BAD_JSON, "/params", "%s", "the text in it is not one JSON value");
    return OK;
}

static RESULT fill(const struct http_request *req, const struct sign_wanted *w, struct signer_sign *q,
                   struct problem *why)
{
    *q = (struct signer_sign){.path = w->credential,
                              .scheme = w->scheme,
                              .method = w->method,
                              .host = w->host,
                              .request_path = w->path,
                              .query = w->query,
                              .body = w->body,
                              .network = w->network,
                              .vault_address = w->vault_address,
                              .multi_sig_user = w->multi_sig_user,
                              .outer_signer = w->outer_signer,
                              .frame_id = w->frame_id,
                              .has_expires_after = w->expires_after != 0,
                              .expires_after = w->expires_after,
                              .nonce = w->nonce,
                              .recv_window_ms = w->recv_window_ms,
                              .dry_run = w->dry_run,
                              .bot = api_caller_of(req)->actor,
                              .proof_nonce = w->proof_nonce,
                              .proof_time_ms = w->proof_time_ms,
                              .proof = w->proof};
    enum err e = sign_params(w->params, req->arena, &q->params, why);
    if (e == OK)
        e = api_who(req, w->reason, &q->who);
    if (e != OK && why->code == OK)
        why->code = e;
    return e;
}

static RESULT begin(struct http_request *req, const struct sign_wanted *w, struct signing **ret, struct problem *why)
{
    struct refusal_of of = {.type = EVENT_SIGNING_REFUSED, .what = req->route->name, .reason = w->reason};
    struct signing *s = arena_alloc(req->arena, sizeof *s);

    if (!s || refusal_resource(req, "credential:", w->credential, &of.resource) != OK) {
        why->code = ERR_NO_MEMORY;
        return ERR_NO_MEMORY;
    }
    s->req = req;
    s->of = of;
    *ret = s;
    return fill(req, w, &s->q, why);
}

static enum http_outcome sign(struct http_request *req)
{
    struct credential_cache *cache = credentials_cache(api_of(req)->shared);
    struct credential_rights rights = {0};
    struct sign_wanted w = {0};
    struct problem why = {0};
    struct credential_known known;
    struct credential_row row;
    struct signing *s;
    enum err e;

    if (http_request_entity(req, &w, &why) != OK || begin(req, &w, &s, &why) != OK)
        return http_answer_problem(req, &why);
    e = credentials_rights(req, &rights);
    if (e != OK)
        return http_answer_error(req, e);
    if (sign_may(api_caller_of(req), &rights, w.credential, w.dry_run, &why) != OK)
        return refusal_answer(req, &s->of, &why);
    if (cache && credential_cache_get(cache, w.credential, &known))
        take_known(s, &known);
    else
        e = find_row(s, &row);
    if (e != OK && (rights.sees_all || e != ERR_NOT_FOUND))
        return refuse_row(s, e);
    return sign_may_here(&rights, s->environment, &why) == OK ? ask(s) : refusal_answer(req, &s->of, &why);
}

static const struct route rows[] = {
    ROUTE(
        HTTP_POST, "/api/v1/sign", PERMISSION_AUTHENTICATED, sign, .name = "sign", .tag = "signing", .ways = WAYS_ALL,
        .summary = "Have a request judged and signed. An API key must name the credential, be for its environment, and "
                   "hold mev:api, mev:execute or orders:place.",
        .event = EVENT_REQUEST_SIGNED, .request = &sign_wanted_entity, .response = &sign_answer_entity,
        .body_limit = SIGN_BODY),
};
const struct route_table sign_routes = {rows, ARRAY_LEN(rows)};
