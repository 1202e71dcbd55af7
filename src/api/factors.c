#include "api/factors.h"

#include "api/refusal.h"
#include "api/tokens.h"
#include "base/fields.h"
#include "base/text.h"
#include "crypto/secmem.h"

static const struct field codes_fields[] = {
    FIELD_AS(1, struct factors_edit, codes, "recovery_codes", TEXTS, RECOVERY_CODES, .flags = FIELD_PRINT_ZERO,
             .doc = "Each good once, all former ones are void; shown once. None if there are unused ones already."),
};
const struct entity factors_codes_entity = ENTITY("RecoveryCodes", 0x07e7, 1, struct factors_edit, codes_fields);

RESULT factors_make_codes(struct factors_edit *e)
{
    struct login *l = &e->login;
    const struct api_shared *s = api_of(l->req)->shared;
    char texts[RECOVERY_CODES][RECOVERY_TEXT_SIZE];
    struct text_list list = {.items = arena_alloc(l->req->arena, RECOVERY_CODES * sizeof *list.items)};
    if (!list.items)
        return ERR_NO_MEMORY;
    enum err error = mfa_recovery_make(&l->user.user.mfa, s->random, people_keys(l->req), l->req->arena, texts);
    for (; list.count < RECOVERY_CODES && error == OK; list.count++)
        error = arena_copy(l->req->arena, view_str(texts[list.count]), &list.items[list.count]);
    wipe(texts, sizeof texts);
    TRY(error);
    e->codes = list;
    return OK;
}

static bool is_mine(const struct txn_change *end, const struct txn_change *mine)
{
    return mine && view_eq(end->key, mine->key);
}

RESULT factors_drop_passkeys(struct api_change *c, const struct user *before, const struct user *after)
{
    struct identity *identity = api_of(c->req)->shared->identity;
    struct passkey_found *had = NULL;
    struct txn_change gone;
    size_t count = 0;
    TRY(passkeys_of(identity, before, c->req->arena, &had, &count));
    for (size_t i = 0; i < count; i++) {
        uint8_t hash[PASSKEY_HASH_SIZE];
        passkeys_hash(had[i].passkey.id, hash);
        if (after && mfa_passkey_has(&after->mfa, hash))
            continue;
        TRY(passkeys_remove(people_keys(c->req), &had[i], c->req->arena, &gone));
        TRY(api_change_put(c, &gone));
    }
    return OK;
}

/* mine: the session that goes on, or NULL. */
static RESULT end_sessions(struct factors_edit *e, struct api_change *c, const struct txn_change *mine)
{
    struct login *l = &e->login;
    struct txn_change *ends = NULL;
    size_t count = 0;
    TRY(identity_end_sessions(api_of(l->req)->shared->identity, l->name, people_now(l->req), 0, l->req->arena, &ends,
                              &count));
    for (size_t i = 0; i < count; i++)
        if (!is_mine(&ends[i], mine))
            TRY(api_change_put(c, &ends[i]));
    return tokens_end(c, REVOKED_SUBJECT, l->actor);
}

static RESULT fill(struct factors_edit *e, struct api_change *c)
{
    struct login *l = &e->login;
    const struct record_object what = {.resource = l->actor, .detail = e->what};
    struct txn_change put, mine;
    uint8_t hash[32];
    TRY(identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &e->before));
    TRY(identity_user(api_of(l->req)->shared->identity, l->name, l->req->arena, &l->user));
    TRY(e->apply(e, c));
    TRY(factors_drop_passkeys(c, &e->before.user, &l->user.user));
    TRY(identity_put_user(people_keys(l->req), &l->user.user, &e->before, l->req->arena, &put));
    TRY(api_change_put(c, &put));
    if (e->renews) {
        TRY(hex_get(api_caller_of(l->req)->session_id, hash, sizeof hash));
        TRY(identity_renew_session(api_of(l->req)->shared->identity, hash, people_now(l->req), l->shown, l->req->arena,
                                   &mine));
        TRY(api_change_put(c, &mine));
    }
    if (e->ends_sessions)
        TRY(end_sessions(e, c, e->renews ? &mine : NULL));
    return api_change_record(c, e->event, OUTCOME_DONE, &what, (struct view){0});
}

static enum http_outcome edited(struct api_change *c)
{
    struct factors_edit *e = c->context;
    if (c->txn.result == ERR_CONFLICT && e->login.tries++ < PEOPLE_TRIES)
        return factors_commit(e); /* somebody else changed the user: looked at again */
    if (c->txn.result != OK)
        return api_change_failed(c);
    people_applied(c);
    return e->answer(e);
}

/* Counted like a wrong password: whoever has a session alone must not guess his way to a second factor, and to the
 * recovery codes that come with it. */
static enum http_outcome wrong_code(struct factors_edit *e)
{
    struct http_request *req = e->login.req;
    const struct refusal_of of = {EVENT_AUTHENTICATION_FAILED, e->login.actor, req->route->name, {0}};
    struct problem why;
    (void)!problem_set(&why, ERR_WRONG_CODE, "/code", "%s", "Look at the app, and at the clocks of phone and server.");
    login_count_failure(&e->login);
    return refusal_answer(req, &of, &why);
}

enum http_outcome factors_commit(struct factors_edit *e)
{
    struct http_request *req = e->login.req;
    struct api_change *c = NULL;
    enum err error = api_change_new(req, &c);
    if (error == OK)
        error = fill(e, c);
    if (error == ERR_BAD_CREDENTIALS)
        return wrong_code(e);
    if (error != OK)
        return http_answer_error(req, error);
    c->then = edited;
    c->context = e;
    return api_change_submit(c);
}

enum http_outcome factors_answer_empty(struct factors_edit *e)
{
    return http_answer_empty(e->login.req, 204);
}

enum http_outcome factors_answer_codes(struct factors_edit *e)
{
    return http_answer_entity(e->login.req, 200, &factors_codes_entity, e);
}

RESULT factors_own(struct factors_edit *e, struct http_request *req, uint16_t event, struct view what)
{
    TRY(login_fill(&e->login, req, people_caller_name(req), (struct view){0}));
    e->event = event;
    e->what = what;
    e->answer = factors_answer_empty;
    return OK;
}
