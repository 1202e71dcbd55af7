#include "crypto/secmem.h"
#include "domain/identity/tables.h"

#include <strings.h>

static void forget(void *value)
{
    struct known *k = value;
    wipe(k->plain, k->len);
}

/* As long as most rows are. */
static RESULT make_nobody(bool enrolled, struct known **ret)
{
    static const char hash[] = "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    AUTO(arena_free) struct arena *arena = NULL;
    struct txn_change c = {.version = 1};
    static const uint8_t passkey[PASSKEY_HASH_SIZE] = {1};
    struct user u = {.id = {1},
                     .name = VIEW_STR("nobody"),
                     .state = USER_ACTIVE,
                     .password_hash = view_str(hash),
                     .created_ms = 1,
                     .last_login_ms = 1,
                     .password_changed_ms = 1};
    TRY(arena_new(2048, TABLES_SCRATCH, &arena));
    if (enrolled)
        TRY(mfa_passkey_add(&u.mfa, passkey, arena));
    TRY(tables_encoded(&user_entity, &u, arena, &c.value));
    *ret = tables_known(u.name, &c);
    return *ret ? OK : ERR_NO_MEMORY;
}

RESULT identity_new(struct identity **ret)
{
    AUTO(identity_free) struct identity *i = calloc(1, sizeof *i);
    if (!i)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&i->lock, NULL);
    TRY(table_new(forget, &i->users));
    TRY(table_new(forget, &i->sessions));
    TRY(table_new(forget, &i->passkeys));
    TRY(table_new(forget, &i->mappings));
    TRY(roles_new(&i->roles));
    TRY(make_nobody(false, &i->nobody));
    TRY(make_nobody(true, &i->enrolled));
    TRY(passkeys_nobodys(&i->no_passkey));
    *ret = TAKE(i);
    return OK;
}

void identity_free(struct identity *i)
{
    if (!i)
        return;
    if (i->users) {
        table_value_free(i->users, i->nobody);
        table_value_free(i->users, i->enrolled);
    }
    if (i->passkeys)
        table_value_free(i->passkeys, i->no_passkey);
    table_free(i->users);
    table_free(i->sessions);
    table_free(i->passkeys);
    table_free(i->mappings);
    roles_free(i->roles);
    pthread_mutex_destroy(&i->lock);
    free(i);
}

struct roles *identity_roles(struct identity *i)
{
    return i->roles;
}

/* --- users */

/* What was counted is ahead of the row. */
static void overlay(const struct known *k, struct user *u)
{
    uint64_t until = k->locked_until_ms;
    u->failed_attempts = k->failed;
    if (u->state == USER_DISABLED || until == 0)
        return;
    u->state = USER_LOCKED;
    u->locked_until_ms = until;
}

enum login_count identity_login_failed(struct identity *i, struct view name, const struct config_passwords *rules,
                                       uint64_t now_ms)
{
    enum login_count count = LOGIN_SHUT;
    pthread_mutex_lock(&i->lock);
    table_enter();
    struct known *k = table_find(i->users, name);
    struct user u = {.state = USER_ACTIVE};
    if (k && !k->gone && !k->disabled) {
        overlay(k, &u);
        if (user_may_login(&u, now_ms))
            count = user_login_failed(&u, rules, now_ms) ? LOGIN_LOCKED : LOGIN_COUNTED;
        if (count != LOGIN_SHUT) {
            k->failed = u.failed_attempts;
            k->locked_until_ms = u.locked_until_ms;
        }
    }
    table_leave();
    pthread_mutex_unlock(&i->lock);
    return count;
}

static RESULT find_user(struct identity *i, struct view name, const struct known *nobody, struct arena *arena,
                        struct user_found *ret)
{
    struct user_found f = {0};
    table_enter();
    const struct known *k = table_find(i->users, name);
    bool known = k && !k->gone;
    enum err e = tables_copy(known ? k : nobody, &user_entity, arena, &f.user);
    if (!known)
        e = ERR_NOT_FOUND;
    if (e == OK) {
        overlay(k, &f.user);
        f.version = k->version;
        memcpy(f.commitment, k->commitment, sizeof f.commitment);
    }
    table_leave();
    if (e == OK)
        *ret = f;
    return e;
}

RESULT identity_user(struct identity *i, struct view name, struct arena *arena, struct user_found *ret)
{
    return find_user(i, name, i->nobody, arena, ret);
}

RESULT identity_enrolled(struct identity *i, struct view name, struct arena *arena, struct user_found *ret)
{
    return find_user(i, name, i->enrolled, arena, ret);
}

static size_t roles_of(const struct known *k, struct view names[static USER_ROLES_MAX])
{
    for (size_t n = 0; n < k->role_count; n++)
        names[n] = VIEW(k->plain + k->roles[n].at, k->roles[n].len);
    return k->role_count;
}

/* A role that is not there any more: none at all. */
static struct rights rights_now(struct identity *i, const struct known *k)
{
    struct view names[USER_ROLES_MAX];
    struct rights r = {0};
    const struct text_list list = {.items = names, .count = roles_of(k, names)};
    (void)!rights_of(i->roles, &list, k->environments, &r);
    return r;
}

struct holding {
    struct identity *i;
    struct view role;
    struct role_holders *h;
};

static bool look_at_holder(void *context, void *value)
{
    struct holding *x = context;
    struct view names[USER_ROLES_MAX];
    size_t count = roles_of(value, names), n = 0;
    while (n < count && !view_eq(names[n], x->role))
        n++;
    if (n == count)
        return true;
    struct rights r = rights_now(x->i, value);
    x->h->configures = x->h->configures || permission_has(r.permissions, PERMISSION_SYSTEM_CONFIG);
    role_holders_add(x->h, "user:", table_key(value));
    return true;
}

void identity_holding(struct identity *i, struct view role, struct role_holders *h)
{
    struct holding x = {i, role, h};
    table_enter();
    table_visit(i->users, look_at_holder, &x);
    table_leave();
}

RESULT identity_user_rights(struct identity *i, struct view name, struct rights *ret)
{
    table_enter();
    const struct known *k = table_find(i->users, name);
    enum err e = !k || k->gone ? ERR_NOT_FOUND : k->disabled ? ERR_FORBIDDEN : OK;
    if (e == OK)
        *ret = rights_now(i, k);
    table_leave();
    return e;
}

struct paging {
    const struct users_range *range;
    const struct known **first; /* the smallest names so far, in order */
    size_t count;
};

static bool starts_in_any_case(struct view text, struct view prefix)
{
    return prefix.len == 0 ||
           (prefix.len <= text.len && strncasecmp((const char *)text.ptr, (const char *)prefix.ptr, prefix.len) == 0);
}

static bool page_user(void *context, void *value)
{
    struct paging *p = context;
    const struct known *k = value;
    struct view name = table_key(value);
    bool wanted = !k->gone && view_cmp(name, p->range->after) > 0 &&
                  (starts_in_any_case(name, p->range->prefix) || starts_in_any_case(k->email, p->range->prefix));
    size_t at = p->count;
    if (!wanted || (at == p->range->limit && view_cmp(name, table_key(p->first[at - 1])) > 0))
        return true;
    at -= at == p->range->limit; /* the last one has to go */
    p->count = at + 1;
    while (at > 0 && view_cmp(name, table_key(p->first[at - 1])) < 0) {
        p->first[at] = p->first[at - 1];
        at--;
    }
    p->first[at] = k;
    return true;
}

RESULT identity_users_page(struct identity *i, const struct users_range *range, struct arena *arena,
                           struct entity_list *ret)
{
    struct paging p = {.range = range, .first = arena_alloc(arena, (range->limit + 1) * sizeof(struct known *))};
    struct user *users = arena_alloc(arena, (range->limit + 1) * sizeof *users);
    enum err e = OK;
    if (!p.first || !users || range->limit == 0)
        return range->limit ? ERR_NO_MEMORY : ERR_OUT_OF_RANGE;
    table_enter();
    table_visit(i->users, page_user, &p);
    for (size_t n = 0; n < p.count && e == OK; n++)
        e = tables_copy(p.first[n], &user_entity, arena, &users[n]);
    table_leave();
    TRY(e);
    *ret = (struct entity_list){.items = users, .count = p.count};
    return OK;
}

uint64_t identity_user_gone(struct identity *i, struct view name)
{
    table_enter();
    const struct known *k = table_find(i->users, name);
    uint64_t version = k && k->gone ? k->version : 0;
    table_leave();
    return version;
}

/* --- sessions */

static RESULT session_now(struct identity *i, const uint8_t token_hash[static 32], uint64_t now_ms, struct arena *arena,
                          struct session *ret)
{
    struct known *k = table_find(i->sessions, VIEW(token_hash, 32));
    if (!k)
        return ERR_UNAUTHENTICATED;
    TRY(tables_copy(k, &session_entity, arena, ret));
    if (session_over(ret, tables_used_at(i, k, now_ms), now_ms))
        return ERR_TOKEN_EXPIRED;
    atomic_store_explicit(&k->used_ms, now_ms, memory_order_relaxed);
    return OK;
}

RESULT identity_session(struct identity *i, const uint8_t token_hash[static 32], uint64_t now_ms, struct arena *arena,
                        struct session *ret_session, struct user *ret_user)
{
    struct session s = {0};
    struct user_found u;
    table_enter();
    enum err e = session_now(i, token_hash, now_ms, arena, &s);
    table_leave();
    TRY(e);
    if (identity_user(i, s.user, arena, &u) != OK || u.user.state == USER_DISABLED)
        return ERR_UNAUTHENTICATED;
    *ret_session = s;
    *ret_user = u.user;
    return OK;
}

/* --- changes */

RESULT identity_put_user(const struct row_keys *keys, const struct user *user, const struct user_found *before,
                         struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_put(TABLE_USER, before ? before->version : 0, before ? before->commitment : NULL);
    TRY(tables_named(keys, TABLE_USER, user->name, arena, &c.key));
    TRY(tables_encoded(&user_entity, user, arena, &c.value));
    *ret = c;
    return OK;
}

RESULT identity_put_session(const struct row_keys *keys, const struct session *s, struct arena *arena,
                            struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_SESSION, .version = 1};
    TRY(tables_named(keys, TABLE_SESSION, VIEW_OF(s->token_hash), arena, &c.key));
    TRY(tables_encoded(&session_entity, s, arena, &c.value));
    *ret = c;
    return OK;
}

RESULT identity_remove_user(const struct row_keys *keys, const struct user_found *before, struct arena *arena,
                            struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_USER, before->version, before->commitment);
    TRY(tables_named(keys, TABLE_USER, before->user.name, arena, &c.key));
    *ret = c;
    return OK;
}
