/* Nothing of a proof is kept: each request with a password costs one verification in the pool, like a log-in. A cache
 * would have to forget at once what every change of a password, role or second factor ends, to save programs work that
 * an API key saves them better. */
#include "api/basic.h"

#include "api/cookie.h"
#include "api/inside.h"
#include "api/login.h"
#include "base/text.h"

#define KEY_PREFIX   "hfk_"
#define PASSWORD_MAX 1024

/* --- what is shown */

static RESULT split(struct view text, struct basic *ret)
{
    const uint8_t *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    if (!colon || !text_printable(text))
        return ERR_BAD_CREDENTIALS;
    size_t n = (size_t)(colon - text.ptr);
    struct basic b = {.name = VIEW(text.ptr, n), .password = VIEW(colon + 1, text.len - n - 1)};
    if (b.name.len == 0 || b.name.len > USER_NAME_MAX || b.password.len == 0 || b.password.len > PASSWORD_MAX)
        return ERR_BAD_CREDENTIALS;
    *ret = b;
    return OK;
}

RESULT basic_read(struct http_request *req, struct view encoded, struct basic *ret)
{
    if (!req->peer.is_tls)
        return ERR_WAY_REFUSED;
    if (cookie_is_foreign(req))
        return ERR_CROSS_SITE;
    uint8_t *bytes = arena_alloc(req->arena, encoded.len + 1);
    struct writer w = writer_fixed(bytes, encoded.len + 1);
    if (!bytes)
        return ERR_NO_MEMORY;
    if (base64_get(encoded, &w) != OK)
        return ERR_BAD_CREDENTIALS;
    return split(writer_view_of(&w), ret);
}

bool basic_is_key(const struct basic *b)
{
    return view_starts(b->password, KEY_PREFIX);
}

bool basic_names_key(const struct basic *b, const char *id)
{
    return view_is(b->name, "key") || view_is(b->name, id);
}

RESULT basic_check_body(const struct http_request *req)
{
    struct view v;
    if (http_header(req, "Transfer-Encoding", &v))
        return ERR_BODY_TOO_LARGE;
    if (!http_header(req, "Content-Length", &v))
        return OK;
    /* Digits alone: anything else was refused with the head. */
    return v.len > 5 || strtoul((const char *)v.ptr, NULL, 10) > BASIC_BODY_MAX ? ERR_BODY_TOO_LARGE : OK;
}

/* --- proving it */

/* That took a while: what lets him in is what is true now. */
static enum err let_in(struct login *l, struct api_entry *entry)
{
    struct api_shared *s = api_of(l->req)->shared;
    struct user_found now;
    entry->seen = atomic_load(&s->applied);
    entry->basic = NULL;
    entry->known = l->actor;
    entry->proven = true;
    entry->caller = (struct api_caller){.actor = l->actor};
    if (identity_user(s->identity, l->name, l->req->arena, &now) != OK || now.user.state == USER_DISABLED ||
        !view_eq(now.user.password_hash, l->user.user.password_hash))
        return ERR_BAD_CREDENTIALS;
    return auth_user(l->req, &now.user, WAY_BASIC, &entry->caller);
}

static enum http_outcome settled(struct api_change *c)
{
    struct login *l = c->context;
    struct api_entry *entry = l->req->caller;
    enum http_outcome o;
    if (!login_settled(c, &o))
        return o;
    entry->error = let_in(l, entry);
    return admit_judge(l->req);
}

/* The row is written only where there is something to say: a count that begins anew, a lock that is over, a hash that
 * cost less than one does now. */
static RESULT fill(struct login *l, struct api_change *c)
{
    const struct record_object what = {.resource = l->actor, .detail = l->how};
    struct user *u = &l->user.user;
    bool upgraded = l->task.upgraded[0] != '\0';
    if (upgraded)
        u->password_hash = view_str(l->task.upgraded);
    if (upgraded || u->failed_attempts || u->locked_until_ms) {
        user_login_succeeded(u, people_now(l->req));
        TRY(login_put_user(l, c));
    }
    return people_record_as(c, EVENT_AUTHENTICATION_SUCCESS, OUTCOME_DONE, l->actor, &what);
}

static enum http_outcome proven(struct login *l)
{
    const struct record_object what = {.resource = l->actor, .detail = l->how};
    struct api_entry *entry = l->req->caller;
    entry->caller.actor = l->actor; /* for the record, also of a refusal */
    if (user_has_second(&l->user.user))
        return api_refuse(l->req, EVENT_AUTHENTICATION_BLOCKED, &what, ERR_WAY_REFUSED, NULL);
    if (login_too_old(l))
        return login_refuse_too_old(l);
    return login_commit(l, fill, settled);
}

enum http_outcome basic_prove(struct http_request *req)
{
    const struct basic *b = ((const struct api_entry *)req->caller)->basic;
    struct login *l = arena_alloc(req->arena, sizeof *l);
    enum err e = l ? login_fill(l, req, b->name, b->password) : ERR_NO_MEMORY;
    if (e != OK)
        return http_answer_error(req, e);
    l->how = VIEW_STR("basic");
    l->proven = proven;
    return login_verify(l);
}
