#include "api/keys_op.h"

#include "api/second.h"
#include "api/tokens.h"

struct api_keys *key_op_table(const struct http_request *req)
{
    return api_of(req)->shared->api_keys;
}

bool key_op_manages(const struct http_request *req)
{
    return permission_has(api_caller_of(req)->permissions, PERMISSION_USERS_MANAGE);
}

/* --- the change */

static enum http_outcome changed(struct api_change *c)
{
    struct key_work *w = c->context;
    struct key_view v;
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    if (w->event == EVENT_KEY_REACTIVATED || w->event == EVENT_KEY_ROTATED)
        api_keys_forgive(key_op_table(w->req), w->key.id);
    if (w->status == 204)
        return http_answer_empty(w->req, 204);
    enum err e = key_view_fill(&w->key, view_str(w->text), people_now(w->req), w->req->arena, &v);
    return e == OK ? http_answer_entity(w->req, w->status, &key_view_entity, &v) : http_answer_error(w->req, e);
}

/* A secret that is good no more takes along what was had by it; what is suspended must not come back with the key. */
static bool ends_tokens(const struct key_work *w)
{
    return w->event == EVENT_KEY_SUSPENDED || (w->event == EVENT_KEY_ROTATED && w->key.old_until_ms == 0);
}

/* The name, and the Unix user whose requests are the key's from now on. */
static RESULT describe(const struct key_work *w, struct view *ret)
{
    AUTO_WRITER text = writer_new(2 * API_KEY_NAME_MAX + 32);
    writer_view(&text, w->key.name);
    if (w->is_new && w->key.has_unix_uid)
        writer_printf(&text, " (unix:%u)", (unsigned)w->key.unix_uid);
    TRY(writer_done(&text));
    return arena_copy(w->req->arena, writer_view_of(&text), ret);
}

static RESULT fill(void *context, struct api_change *c)
{
    struct key_work *w = context;
    struct record_object what = {0};
    struct txn_change put;
    TRY(describe(w, &what.detail));
    TRY(people_named(w->req->arena, "key:", w->key.id, &what.resource));
    TRY(api_key_put(people_keys(w->req), &w->key, w->is_new ? NULL : &w->before, w->req->arena, &put));
    TRY(api_change_put(c, &put));
    if (ends_tokens(w))
        TRY(tokens_end(c, REVOKED_SUBJECT, what.resource));
    return api_change_record(c, w->event, OUTCOME_DONE, &what, (struct view){0});
}

enum http_outcome key_op_commit(struct key_work *w)
{
    return api_change_run(w->req, w, fill, changed);
}

RESULT key_op_keep(struct key_work *w, const struct api_key_parts *parts)
{
    const struct row_keys *keys = people_keys(w->req);
    w->key.pepper_epoch = keyring_epoch(row_keys_ring(keys));
    return api_key_verifier(keys, w->key.pepper_epoch, parts->hash, w->key.verifier);
}

/* --- one key: who may, and whether there is one */

bool key_op_may(const struct http_request *req, const struct api_key *k, unsigned who)
{
    struct view me = people_caller_name(req);
    const struct api_caller *caller = api_caller_of(req);
    return ((who & MAY_MANAGE) && key_op_manages(req)) || ((who & MAY_OWN) && me.len && view_eq(me, k->owner)) ||
           ((who & MAY_SELF) && caller->way == WAY_API_KEY && view_eq(caller->key_id, k->id));
}

bool key_op_find(struct http_request *req, unsigned who, struct api_key_found *ret, enum http_outcome *ret_outcome)
{
    struct view id = {0};
    if (!http_param(req, "id", &id) || !api_key_id_valid(id)) {
        *ret_outcome = people_problem(req, ERR_BAD_VALUE, "id", "An id has 16 letters and digits.");
        return false;
    }
    enum err e = api_keys_find(key_op_table(req), id, req->arena, ret);
    if (e == OK && key_op_may(req, &ret->key, who))
        return true;
    if (e != OK && e != ERR_NOT_FOUND)
        *ret_outcome = http_answer_error(req, e);
    else if (e == ERR_NOT_FOUND && key_op_manages(req))
        *ret_outcome = http_answer_error(req, e);
    else
        *ret_outcome = people_refuse(req, "key:", id, NULL);
    return false;
}

bool key_op_fresh(const struct http_request *req, struct view owner)
{
    struct view me = people_caller_name(req);
    return (me.len && view_eq(me, owner)) || second_fresh(req);
}

bool key_op_fresh_for(const struct http_request *req, const struct api_key *k)
{
    struct roles *roles = identity_roles(api_of(req)->shared->identity);
    struct rights r;
    bool harmless = rights_of(roles, &k->roles, 0, &r) == OK &&
                    !permission_has(r.permissions, PERMISSION_USERS_MANAGE) &&
                    !permission_has(r.permissions, PERMISSION_SYSTEM_CONFIG);
    return harmless ? key_op_fresh(req, k->owner) : second_fresh(req);
}

bool key_op_find_to_change(struct http_request *req, unsigned who, struct api_key_found *ret,
                           enum http_outcome *ret_outcome)
{
    struct api_key_found f;
    if (!key_op_find(req, who, &f, ret_outcome))
        return false;
    if (!key_op_fresh(req, f.key.owner)) {
        *ret_outcome = second_demand(req);
        return false;
    }
    *ret = f;
    return true;
}

struct key_work *key_op_work(struct http_request *req, const struct api_key_found *f, uint16_t event, unsigned status)
{
    struct key_work *w = arena_alloc(req->arena, sizeof *w);
    if (w)
        *w = (struct key_work){.req = req, .before = *f, .key = f->key, .event = event, .status = status};
    return w;
}

RESULT key_op_usage(struct http_request *req, struct view id, struct usage *ret)
{
    struct api_thread *t = api_of(req);
    return usages_read(t->shared->usages, id, t->reader, people_keys(req), people_now(req), req->arena, ret);
}
