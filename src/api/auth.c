/* Who asks: an API key, a session, an access token, or the Unix user at the other end of a local socket. Memory only; a
 * password takes longer, and is looked at when the body is there. */
#include "api/basic.h"
#include "api/cookie.h"
#include "api/failure_table.h"
#include "api/inside.h"
#include "api/keys.h"
#include "api/login.h"
#include "api/mapped.h"

#include "base/text.h"

#include <string.h>

#define BEARER "Bearer "
#define BASIC  "Basic "

static const struct row_keys *keys_of(const struct http_request *req)
{
    return atomic_load(&api_of(req)->shared->keys);
}

static RESULT printed(struct arena *arena, const char *prefix, struct view text, struct view *ret)
{
    size_t n = strlen(prefix) + text.len;
    void *name = arena_alloc(arena, n);
    struct writer w = writer_fixed(name, n);

    if (!name)
        return ERR_NO_MEMORY;
    writer_str(&w, prefix);
    writer_view(&w, text);
    *ret = writer_view_of(&w);
    return writer_done(&w);
}

/* --- API keys */

static void stand(const struct standing *s, struct api_caller *ret)
{
    struct rights r = standing_rights(s);

    ret->standing = *s;
    ret->permissions = r.permissions;
    ret->access = r.access;
}

static struct network_source source_of(const struct http_request *req)
{
    struct network_source s = {.is_unix = req->peer.is_unix, .uid = (uint32_t)req->peer.uid};

    memcpy(s.address, req->peer.address, sizeof s.address);
    return s;
}

/* The same for every way in that ends at a key. What its rules refuse does not count. */
static RESULT as_key(struct http_request *req, const struct api_key *key, struct api_entry *ret)
{
    struct network_source from = source_of(req);
    struct standing s;

    standing_of_key(api_of(req)->shared->identity, key, req->wall_ms, &s);
    if (s.broken == RULE_KEY_LOCKED)
        return ERR_KEY_LOCKED;
    if (s.broken != RULE_GRANTED)
        return s.broken == RULE_KEY_EXPIRED ? ERR_KEY_EXPIRED : ERR_KEY_DISABLED;
    stand(&s, &ret->caller);
    ret->caller.key_id = key->id;
    if (!api_key_allows(key, &from, http_request_method(req), req->path))
        return ERR_FORBIDDEN;
    return key_limits_spend(req, key->id, ret);
}

/* Unknown, wrong and suspended are refused alike: at once, with the same record behind the answer. */
static void stranger(const struct api_key_shown *shown, struct api_entry *ret)
{
    static const char *const words[] = {[API_KEY_UNKNOWN] = "unknown id",
                                        [API_KEY_WRONG] = "wrong secret",
                                        [API_KEY_SUSPENDED_NOW] = "wrong secret, once too often",
                                        [API_KEY_SUSPENDED_HERE] = "suspended"};

    if (shown->parts->environment) /* else its id says nothing to anybody */
        ret->named = ret->known;
    ret->known = (struct view){0};
    ret->detail = view_str(words[shown->why]);
    ret->event = shown->why == API_KEY_SUSPENDED_NOW ? EVENT_API_KEY_SUSPENDED : EVENT_API_KEY_INVALID;
}

static RESULT by_key(struct http_request *req, struct view text, struct api_entry *ret)
{
    struct api_thread *t = api_of(req);
    struct network_source from = source_of(req);
    struct api_key_parts parts;
    struct api_key_shown shown = {.text = text, .parts = &parts, .from = &from, .now_ms = req->wall_ms};
    struct api_key_found *found = arena_alloc(req->arena, sizeof *found);
    enum err e;

    if (!found)
        return ERR_NO_MEMORY;
    e = api_keys_verify(t->shared->api_keys, keys_of(req), &shown, req->arena, found);
    if (e == ERR_KEY_MALFORMED)
        return e;
    TRY(printed(req->arena, "key:", view_str(parts.id), &ret->known));
    if (e == ERR_BAD_CREDENTIALS)
        stranger(&shown, ret);
    ret->proven = e == OK || e == ERR_KEY_EXPIRED || e == ERR_KEY_DISABLED; /* only with the right secret */
    TRY(e);
    ret->caller.way = WAY_API_KEY;
    ret->caller.actor = ret->known;
    ret->caller.by_former = found->by_old;
    ret->caller.former_until_ms = found->by_old ? found->key.old_until_ms : 0;
    ret->key = &found->key;
    return as_key(req, &found->key, ret);
}

/* --- the Unix peer */

static RESULT peer_named(struct http_request *req, struct api_entry *ret)
{
    char uid[16];
    struct writer w = writer_fixed(uid, sizeof uid);

    writer_printf(&w, "%u", (unsigned)req->peer.uid);
    TRY(printed(req->arena, "unix:", writer_view_of(&w), &ret->known));
    ret->proven = true;
    return OK;
}

/* The key of "key:<id>". */
static RESULT mapped_key(struct http_request *req, struct view identity, struct api_key_found *ret)
{
    struct view id = VIEW(identity.ptr + 4, identity.len - 4);

    return api_keys_find(api_of(req)->shared->api_keys, id, req->arena, ret) == OK ? OK : ERR_KEY_DISABLED;
}

/* A Unix user without a key of his own may have one by his group. */
static RESULT by_group(struct http_request *req, struct api_entry *ret)
{
    struct api_key_found found;
    struct mapping m;

    TRY(mapped_group(req, &m));
    if (m.identity.len == 0)
        return OK; /* nobody in particular */
    TRY(peer_named(req, ret));
    TRY(mapped_key(req, m.identity, &found));
    ret->caller.way = WAY_PEER;
    ret->caller.actor = ret->known;
    return as_key(req, &found.key, ret);
}

static RESULT by_uid(struct http_request *req, struct api_entry *ret)
{
    struct api_thread *t = api_of(req);
    struct api_key_found found;
    enum err e = api_keys_by_uid(t->shared->api_keys, (uint32_t)req->peer.uid, req->wall_ms, req->arena, &found);

    if (e == ERR_NOT_FOUND)
        return by_group(req, ret);
    TRY(peer_named(req, ret));
    TRY(e);
    ret->caller.way = WAY_PEER;
    ret->caller.actor = ret->known;
    return as_key(req, &found.key, ret);
}

/* --- sessions */

static bool lists(const struct text_list *l, struct view text)
{
    for (size_t i = 0; i < l->count; i++)
        if (view_eq(l->items[i], text))
            return true;
    return false;
}

bool auth_asks_for_second(const struct http_request *req, const struct user *u)
{
    const struct config_mfa *rules = &api_of(req)->shared->config->mfa;

    for (size_t i = 0; i < u->roles.count; i++)
        if (lists(&rules->required_roles, u->roles.items[i]))
            return true;
    return false;
}

/* second_ms: when this session showed a second factor; 0: never, or it is no session. */
static void grant(const struct http_request *req, const struct user *u, uint64_t second_ms, struct api_caller *ret)
{
    const struct api_shared *shared = api_of(req)->shared;
    struct standing s;

    standing_of_user(identity_roles(shared->identity), u, &s);
    stand(&s, ret);
    ret->has_second = user_has_second(u);
    ret->second_ms = second_ms;
    ret->must_enrol = second_ms == 0 && auth_asks_for_second(req, u);
}

/* A session goes on with what it began with: one in a cookie with the cookie, over TLS, in the same program; so a token
 * that was taken out of a browser is of little use elsewhere, and one of the command line is no cookie. */
static bool is_same_client(const struct http_request *req, const struct session *s, bool cookie)
{
    return s->cookie == cookie && (!cookie || (req->peer.is_tls && view_eq(login_user_agent(req), s->user_agent)));
}

static bool reads(const struct http_request *req)
{
    return req->method == HTTP_GET || req->method == HTTP_HEAD || req->method == HTTP_LIST;
}

/* It works where grants are missing, not against a denial, and for as long as he may override at all. */
static void take_emergency(const struct http_request *req, const struct session *s, const struct user *u,
                           struct api_caller *ret)
{
    struct roles *roles = identity_roles(api_of(req)->shared->identity);
    struct view role;

    if (s->emergency_ms <= req->wall_ms || s->emergency_ms > req->wall_ms + EMERGENCY_MOST_S * 1000ull ||
        !permission_has(ret->permissions, PERMISSION_EMERGENCY_OVERRIDE))
        return;
    if (decide_why(roles, &u->roles, PERMISSION_SECRETS_ACCESS, RULE_NOT_GRANTED, &role) == RULE_DENIED)
        return;
    ret->emergency.level = ACCESS_EMERGENCY;
    ret->emergency.environments = environment_bit(1) | environment_bit(2) | environment_bit(3);
}

static RESULT by_session(struct http_request *req, struct view token, bool cookie, struct api_entry *ret)
{
    struct api_shared *s = api_of(req)->shared;
    struct api_caller *c = &ret->caller;
    struct session session;
    struct user user;
    uint8_t hash[32];
    AUTO_WRITER id = writer_new(80);

    TRY(session_token_hash(keys_of(req), token, hash));
    TRY(identity_session(s->identity, hash, req->wall_ms, req->arena, &session, &user));
    TRY(printed(req->arena, "user:", user.name, &c->actor));
    ret->known = c->actor;
    if (!is_same_client(req, &session, cookie))
        return ERR_UNAUTHENTICATED;
    ret->proven = true;
    if (cookie && !reads(req) && !cookie_is_own(req))
        return ERR_CROSS_SITE;
    c->way = WAY_SESSION;
    grant(req, &user, session.second_ms, c);
    take_emergency(req, &session, &user, c);
    hex_put(&id, VIEW_OF(hash));
    return arena_copy(req->arena, writer_view_of(&id), &c->session_id);
}

/* --- access tokens */

static RESULT as_user(struct http_request *req, struct view name, struct api_caller *ret)
{
    struct user_found f;

    if (identity_user(api_of(req)->shared->identity, name, req->arena, &f) != OK || f.user.state == USER_DISABLED)
        return ERR_TOKEN_REVOKED;
    grant(req, &f.user, 0, ret);
    ret->must_enrol = ret->must_enrol && !ret->has_second; /* its session showed one; without, it got none */
    return OK;
}

static RESULT as_token_key(struct http_request *req, struct view id, struct api_entry *ret)
{
    struct api_key_found f;

    if (api_keys_find(api_of(req)->shared->api_keys, id, req->arena, &f) != OK)
        return ERR_TOKEN_REVOKED;
    if (api_key_status_at(&f.key, req->wall_ms) != KEY_ACTIVE)
        return ERR_KEY_DISABLED;
    return as_key(req, &f.key, ret);
}

/* A token says who, and what he may is looked up now. Whoever shows one that has ended proves nothing by it any more.
 */
static RESULT by_token(struct http_request *req, struct view text, struct api_entry *ret)
{
    struct token_accepted *t = arena_alloc(req->arena, sizeof *t);
    struct api_caller *c = &ret->caller;
    enum err e = t ? tokens_accept(api_of(req)->shared->tokens, text, req->wall_ms, t) : ERR_NO_MEMORY;

    if (!t || e == ERR_TOKEN_INVALID || e == ERR_UNAVAILABLE)
        return e;
    ret->known = view_str(t->subject);
    TRY(e);
    ret->proven = true;
    c->way = WAY_TOKEN;
    c->actor = ret->known;
    c->token = t;
    if (view_starts(c->actor, "key:"))
        return as_token_key(req, VIEW(c->actor.ptr + 4, c->actor.len - 4), ret);
    return as_user(req, VIEW(c->actor.ptr + 5, c->actor.len - 5), c);
}

/* --- HTTP Basic */

RESULT auth_user(const struct http_request *req, const struct user *u, enum way_in way, struct api_caller *ret)
{
    if (user_has_second(u))
        return ERR_WAY_REFUSED;
    grant(req, u, 0, ret);
    ret->way = way;
    return OK;
}

static RESULT by_basic(struct http_request *req, struct view encoded, struct api_entry *ret)
{
    struct basic *b = arena_alloc(req->arena, sizeof *b);
    struct api_key_parts parts;

    if (!b)
        return ERR_NO_MEMORY;
    TRY(basic_read(req, encoded, b));
    if (!basic_is_key(b)) {
        ret->basic = b;
        return basic_check_body(req);
    }
    TRY(api_key_parse(b->password, &parts));
    return basic_names_key(b, parts.id) ? by_key(req, b->password, ret) : ERR_BAD_CREDENTIALS;
}

/* --- client certificates */

static RESULT certified_user(struct http_request *req, const struct mapping *m, struct api_caller *ret)
{
    struct view name = VIEW(m->identity.ptr + 5, m->identity.len - 5);
    struct user_found f;

    /* One who got the name later is somebody else. */
    if (identity_user(api_of(req)->shared->identity, name, req->arena, &f) != OK || f.user.state == USER_DISABLED ||
        memcmp(f.user.id, m->subject, sizeof m->subject) != 0)
        return ERR_BAD_CREDENTIALS;
    return auth_user(req, &f.user, WAY_CERTIFICATE, ret);
}

static RESULT by_certificate(struct http_request *req, const struct mapping *m, struct api_entry *ret)
{
    struct api_key_found found;

    ret->known = m->identity;
    ret->proven = true;
    ret->caller.actor = m->identity;
    if (view_starts(m->identity, "user:"))
        return certified_user(req, m, &ret->caller);
    TRY(mapped_key(req, m->identity, &found));
    ret->caller.way = WAY_CERTIFICATE;
    return as_key(req, &found.key, ret);
}

/* --- where it is shown */

/* RFC 9110 §11.1: the scheme's name in any case. */
static bool with_scheme(struct view v, const char *scheme, struct view *ret)
{
    size_t n = strlen(scheme);

    if (v.len <= n || strncasecmp((const char *)v.ptr, scheme, n) != 0)
        return false;
    *ret = VIEW(v.ptr + n, v.len - n);
    return true;
}

static RESULT shown(struct http_request *req, struct api_entry *ret)
{
    struct view authorization, key, token, cookie;
    struct mapping mapping;
    bool has = http_header(req, "Authorization", &authorization);
    bool has_key = http_header(req, "X-API-Key", &key);

    TRY(cookie_find(req, &cookie));
    TRY(mapped_certificate(req, &mapping));
    if (has + has_key + (cookie.len != 0) + (mapping.identity.len != 0) > 1)
        return ERR_BAD_REQUEST; /* which of two was meant is not ours to guess */
    if (mapping.identity.len)
        return by_certificate(req, &mapping, ret);
    if (cookie.len)
        return by_session(req, cookie, true, ret);
    if (has_key)
        return by_key(req, key, ret);
    if (!has)
        return req->peer.is_unix ? by_uid(req, ret) : OK;
    if (with_scheme(authorization, BASIC, &token))
        return by_basic(req, token, ret);
    if (!with_scheme(authorization, BEARER, &token))
        return ERR_UNAUTHENTICATED;
    if (view_starts(token, "hfs_"))
        return by_session(req, token, false, ret);
    if (view_starts(token, "eyJ")) /* a JSON object's beginning */
        return by_token(req, token, ret);
    return by_key(req, token, ret); /* it may have been issued elsewhere */
}

/* A request whose body took its time is looked at twice, and its refusal is told once. */
static bool is_named(const struct http_request *req, const struct api_entry *entry)
{
    const struct api_entry *before = req->caller;

    if (before && before->error == entry->error && view_eq(before->known, entry->known))
        return !before->quiet;
    return anonymous_names(api_of(req), entry->known, entry->error, req->wall_ms);
}

void auth_find(struct http_request *req, struct api_entry *ret)
{
    /* Read first: what changes while we look makes us look again. */
    *ret = (struct api_entry){.seen = atomic_load(&api_of(req)->shared->applied)};
    ret->error = shown(req, ret);
    if (ret->error != OK && ret->proven && ret->event == 0) /* a limit has an event, and says itself when it is quiet */
        ret->quiet = !is_named(req, ret);
    /* Whoever proved himself is named in the record of his refusal, and holds nothing. */
    if (ret->error != OK)
        ret->caller = (struct api_caller){.actor = ret->proven ? ret->known : (struct view){0}};
}
