#include "crypto/secmem.h"
#include "domain/identity/tables.h"

#include <strings.h>

#define PLAIN_MAX    (16u * 1024)
#define SCRATCH_SIZE (64u * 1024)

static void forget(void *value)
{
    struct known *k = value;
    wipe(k->plain, k->len);
}

static struct known *known_new(struct view table_name, const struct txn_change *c)
{
    struct known *k = c->key.len <= STORE_KEY_MAX ? table_value_new(sizeof *k + c->value.len, table_name) : NULL;
    if (!k)
        return NULL;
    k->version = c->version;
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    if (c->key.len)
        memcpy(k->row_key, c->key.ptr, c->key.len);
    k->row_key_len = c->key.len;
    k->len = c->value.len;
    if (c->value.len)
        memcpy(k->plain, c->value.ptr, c->value.len);
    return k;
}

static RESULT encoded(const struct entity *e, const void *object, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(PLAIN_MAX);
    TRY(entity_encode(e, object, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

/* As long as most rows are. */
static RESULT make_nobody(struct identity *i)
{
    static const char hash[] = "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    AUTO(arena_free) struct arena *arena = NULL;
    struct txn_change c = {.version = 1};
    const struct user u = {.id = {1},
                           .name = VIEW_STR("nobody"),
                           .state = USER_ACTIVE,
                           .password_hash = view_str(hash),
                           .created_ms = 1,
                           .last_login_ms = 1,
                           .password_changed_ms = 1};
    TRY(arena_new(2048, SCRATCH_SIZE, &arena));
    TRY(encoded(&user_entity, &u, arena, &c.value));
    i->nobody = known_new(u.name, &c);
    return i->nobody ? OK : ERR_NO_MEMORY;
}

RESULT identity_new(struct identity **ret)
{
    AUTO(identity_free) struct identity *i = calloc(1, sizeof *i);
    if (!i)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&i->lock, NULL);
    TRY(table_new(forget, &i->users));
    TRY(table_new(forget, &i->sessions));
    TRY(roles_new(&i->roles));
    TRY(make_nobody(i));
    *ret = TAKE(i);
    return OK;
}

void identity_free(struct identity *i)
{
    if (!i)
        return;
    if (i->users)
        table_value_free(i->users, i->nobody);
    table_free(i->users);
    table_free(i->sessions);
    roles_free(i->roles);
    pthread_mutex_destroy(&i->lock);
    free(i);
}

struct roles *identity_roles(struct identity *i)
{
    return i->roles;
}

/* --- into the tables */

static bool is_newer(struct table *t, struct view name, uint64_t version)
{
    table_enter();
    const struct known *k = table_find(t, name);
    bool newer = !k || k->version < version;
    table_leave();
    return newer;
}

/* What was counted since the row was read is not in it. A row without failures is one of a log-in, or of somebody who
 * unlocked him: there the count begins anew. */
static void carry_failures(struct table *t, struct known *k)
{
    table_enter();
    const struct known *before = table_find(t, table_key(k));
    if (before && !before->gone && k->failed) {
        k->failed = before->failed > k->failed ? before->failed : k->failed;
        k->locked_until_ms = k->locked_until_ms ? k->locked_until_ms : before->locked_until_ms;
    }
    table_leave();
}

static void put_newer(struct identity *i, struct table *t, struct known *k)
{
    pthread_mutex_lock(&i->lock);
    carry_failures(t, k);
    if (is_newer(t, table_key(k), k->version))
        table_put(t, k);
    else
        table_value_free(t, k);
    pthread_mutex_unlock(&i->lock);
}

/* A change says which row, and not whose it is. */
struct seek {
    struct view row_key;
    uint8_t name[USER_NAME_MAX];
    size_t name_len;
    bool found;
};

static bool compare_row(void *context, void *value)
{
    struct seek *s = context;
    const struct known *k = value;
    if (!view_eq(VIEW(k->row_key, k->row_key_len), s->row_key))
        return true;
    struct view name = table_key(k);
    memcpy(s->name, name.ptr, name.len);
    s->name_len = name.len;
    s->found = true;
    return false;
}

static RESULT drop_user(struct identity *i, const struct txn_change *c)
{
    const struct txn_change mark = {.version = c->expect + 1, .key = c->key};
    struct seek s = {.row_key = c->key};
    table_enter();
    table_visit(i->users, compare_row, &s);
    table_leave();
    if (!s.found)
        return OK;
    struct known *k = known_new(VIEW(s.name, s.name_len), &mark);
    if (!k) {
        (void)!table_remove(i->users, VIEW(s.name, s.name_len));
        return ERR_NO_MEMORY;
    }
    k->gone = true;
    put_newer(i, i->users, k);
    return OK;
}

/* A text of the value that k has a copy of. */
static struct view inside(const struct known *k, const struct txn_change *c, struct view text)
{
    return text.len ? VIEW(k->plain + (text.ptr - c->value.ptr), text.len) : (struct view){0};
}

static void note_roles(struct known *k, const struct user *u, struct view plain)
{
    for (size_t n = 0; n < u->roles.count && n < USER_ROLES_MAX; n++) {
        struct view role = u->roles.items[n];
        k->roles[n].at = (uint16_t)(role.ptr - plain.ptr); /* PLAIN_MAX is less than that */
        k->roles[n].len = (uint16_t)role.len;
        k->role_count++;
    }
}

static RESULT apply_user(struct identity *i, const struct txn_change *c, struct arena *scratch)
{
    struct user u = {0};
    TRY(entity_decode(&user_entity, c->value, scratch, &u));
    struct known *k = known_new(u.name, c);
    if (!k) { /* better nobody than one with the rights of before */
        (void)!table_remove(i->users, u.name);
        return ERR_NO_MEMORY;
    }
    k->email = inside(k, c, u.email);
    k->disabled = u.state == USER_DISABLED;
    k->environments = u.environments;
    note_roles(k, &u, c->value);
    k->failed = u.failed_attempts;
    k->locked_until_ms = u.state == USER_LOCKED ? u.locked_until_ms : 0;
    put_newer(i, i->users, k);
    return OK;
}

static RESULT apply_session(struct identity *i, const struct txn_change *c, struct arena *scratch, bool fresh)
{
    struct session s = {0};
    TRY(entity_decode(&session_entity, c->value, scratch, &s));
    struct known *k = known_new(VIEW_OF(s.token_hash), c);
    if (!k)
        return ERR_NO_MEMORY;
    k->name = inside(k, c, s.user);
    k->created_ms = s.created_ms;
    k->expires_ms = s.expires_ms;
    k->idle_ms = s.idle_ms;
    atomic_init(&k->used_ms, !fresh ? 0 : s.second_ms > s.created_ms ? s.second_ms : s.created_ms);
    put_newer(i, i->sessions, k);
    return OK;
}

static RESULT drop_session(struct identity *i, const struct txn_change *c)
{
    struct seek s = {.row_key = c->key};
    table_enter();
    table_visit(i->sessions, compare_row, &s);
    table_leave();
    if (s.found)
        (void)!table_remove(i->sessions, VIEW(s.name, s.name_len)); /* somebody else was faster: gone all the same */
    return OK;
}

static RESULT apply(struct identity *i, const struct txn_change *c, struct arena *scratch, bool fresh)
{
    if (c->table == TABLE_USER)
        return c->remove ? drop_user(i, c) : apply_user(i, c, scratch);
    if (c->table == TABLE_SESSION)
        return c->remove ? drop_session(i, c) : apply_session(i, c, scratch, fresh);
    return roles_applied(i->roles, c);
}

RESULT identity_applied(struct identity *i, const struct txn_change *change)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    TRY(arena_new(2048, SCRATCH_SIZE, &scratch));
    return apply(i, change, scratch, true);
}

/* --- from the store */

static RESULT take_loaded(void *context, const struct txn_change *row, struct arena *scratch)
{
    return apply(context, row, scratch, false);
}

RESULT identity_load(struct identity *i, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                     struct problem *why)
{
    struct ledger_load users = {.keys = keys, .table = TABLE_USER, .take = take_loaded, .context = i};
    struct ledger_load sessions = users;
    size_t damaged_users = 0, damaged_sessions = 0, damaged_roles = 0;
    sessions.table = TABLE_SESSION;
    TRY(roles_load(i->roles, reader, keys, &damaged_roles, why));
    TRY(ledger_load(reader, &users, &damaged_users, why));
    TRY(ledger_load(reader, &sessions, &damaged_sessions, why));
    *ret_damaged = damaged_roles + damaged_users + damaged_sessions;
    return OK;
}

/* --- rows that are found to be damaged */

struct accused {
    const uint8_t *row;
    bool found;
    uint8_t name[USER_NAME_MAX > 32 ? USER_NAME_MAX : 32];
    size_t name_len;
};

static bool is_accused(void *context, void *value)
{
    struct accused *a = context;
    const struct known *k = value;
    struct view name = table_key(value);
    uint8_t hash[32];
    row_hash(VIEW(k->row_key, k->row_key_len), hash);
    if (memcmp(hash, a->row, sizeof hash) != 0 || name.len > sizeof a->name)
        return true;
    memcpy(a->name, name.ptr, name.len);
    a->name_len = name.len;
    a->found = true;
    return false;
}

void identity_distrust(struct identity *i, uint16_t table, const uint8_t row[static 32])
{
    struct accused a = {.row = row};
    struct table *t = table == TABLE_USER ? i->users : i->sessions;
    if (table == TABLE_ROLE)
        roles_distrust(i->roles, row);
    if (table != TABLE_USER && table != TABLE_SESSION)
        return;
    table_enter();
    table_visit(t, is_accused, &a);
    table_leave();
    if (a.found)
        (void)!table_remove(t, VIEW(a.name, a.name_len)); /* gone already: as well */
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

RESULT identity_user(struct identity *i, struct view name, struct arena *arena, struct user_found *ret)
{
    struct user_found f = {0};
    table_enter();
    const struct known *k = table_find(i->users, name);
    bool known = k && !k->gone;
    enum err e = tables_copy(known ? k : i->nobody, &user_entity, arena, &f.user);
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

static RESULT named(const struct row_keys *keys, uint16_t table, struct view name, struct arena *arena,
                    struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);
    TRY(row_key_exact(keys, table, name, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT identity_put_user(const struct row_keys *keys, const struct user *user, const struct user_found *before,
                         struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_USER, .expect = before ? before->version : 0};
    c.version = c.expect + 1;
    if (before)
        memcpy(c.old_commitment, before->commitment, sizeof c.old_commitment);
    TRY(named(keys, TABLE_USER, user->name, arena, &c.key));
    TRY(encoded(&user_entity, user, arena, &c.value));
    *ret = c;
    return OK;
}

RESULT identity_put_session(const struct row_keys *keys, const struct session *s, struct arena *arena,
                            struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_SESSION, .version = 1};
    TRY(named(keys, TABLE_SESSION, VIEW_OF(s->token_hash), arena, &c.key));
    TRY(encoded(&session_entity, s, arena, &c.value));
    *ret = c;
    return OK;
}

RESULT identity_remove_user(const struct row_keys *keys, const struct user_found *before, struct arena *arena,
                            struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_USER, .remove = true, .expect = before->version};
    memcpy(c.old_commitment, before->commitment, sizeof c.old_commitment);
    TRY(named(keys, TABLE_USER, before->user.name, arena, &c.key));
    *ret = c;
    return OK;
}
