#include "domain/identity/identity.h"

#include "base/table.h"
#include "crypto/secmem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>

#define PLAIN_MAX    (16u * 1024)
#define SCRATCH_SIZE (64u * 1024)

/* What both tables keep of a row. */
struct known {
    uint64_t version;
    uint8_t commitment[32];
    uint8_t row_key[STORE_KEY_MAX];
    size_t row_key_len, len;
    struct view name;                         /* of a session's user; in plain */
    uint64_t created_ms, expires_ms, idle_ms; /* of a session */
    _Atomic uint64_t used_ms;
    struct view email;    /* a user's; in plain */
    bool disabled;        /* a user */
    bool gone;            /* his row was removed: only name and version count */
    struct rights rights; /* a user's, of his roles */
    uint8_t plain[];      /* the entity, encoded */
};

struct identity {
    struct table *users, *sessions;
    pthread_mutex_t lock;      /* comparing versions and putting is one step */
    _Atomic uint64_t first_ms; /* when a session was first looked up: what was loaded counts as used then */
};

static void forget(void *value)
{
    struct known *k = value;
    wipe(k->plain, k->len);
}

RESULT identity_new(struct identity **ret)
{
    AUTO(identity_free) struct identity *i = calloc(1, sizeof *i);
    if (!i)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&i->lock, NULL);
    TRY(table_new(forget, &i->users));
    TRY(table_new(forget, &i->sessions));
    *ret = TAKE(i);
    return OK;
}

void identity_free(struct identity *i)
{
    if (!i)
        return;
    table_free(i->users);
    table_free(i->sessions);
    pthread_mutex_destroy(&i->lock);
    free(i);
}

/* --- into the tables */

static struct known *known_new(struct view table_name, const struct txn_change *c)
{
    struct known *k = c->key.len <= STORE_KEY_MAX ? table_value_new(sizeof *k + c->value.len, table_name) : NULL;
    if (!k)
        return NULL;
    k->version = c->version;
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    memcpy(k->row_key, c->key.ptr, c->key.len);
    k->row_key_len = c->key.len;
    k->len = c->value.len;
    if (c->value.len)
        memcpy(k->plain, c->value.ptr, c->value.len);
    return k;
}

static bool is_newer(struct table *t, struct view name, uint64_t version)
{
    table_enter();
    const struct known *k = table_find(t, name);
    bool newer = !k || k->version < version;
    table_leave();
    return newer;
}

static void put_newer(struct identity *i, struct table *t, struct known *k)
{
    pthread_mutex_lock(&i->lock);
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
    (void)!rights_of(u.roles.items, u.roles.count, u.environments, &k->rights); /* an unknown role: none at all */
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
    atomic_init(&k->used_ms, fresh ? s.created_ms : 0);
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
    return OK;
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
    size_t damaged_users = 0, damaged_sessions = 0;
    sessions.table = TABLE_SESSION;
    TRY(ledger_load(reader, &users, &damaged_users, why));
    TRY(ledger_load(reader, &sessions, &damaged_sessions, why));
    *ret_damaged = damaged_users + damaged_sessions;
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
    if (table != TABLE_USER && table != TABLE_SESSION)
        return;
    table_enter();
    table_visit(t, is_accused, &a);
    table_leave();
    if (a.found)
        (void)!table_remove(t, VIEW(a.name, a.name_len)); /* gone already: as well */
}

/* --- users */

static RESULT copy_known(const struct known *k, const struct entity *e, struct arena *arena, void *ret)
{
    struct view plain = {0};
    TRY(arena_copy(arena, VIEW(k->plain, k->len), &plain));
    return entity_decode(e, plain, arena, ret);
}

RESULT identity_user(struct identity *i, struct view name, struct arena *arena, struct user_found *ret)
{
    struct user_found f = {0};
    table_enter();
    const struct known *k = table_find(i->users, name);
    enum err e = k && !k->gone ? copy_known(k, &user_entity, arena, &f.user) : ERR_NOT_FOUND;
    if (e == OK) {
        f.version = k->version;
        memcpy(f.commitment, k->commitment, sizeof f.commitment);
    }
    table_leave();
    if (e == OK)
        *ret = f;
    return e;
}

RESULT identity_user_rights(struct identity *i, struct view name, struct rights *ret)
{
    table_enter();
    const struct known *k = table_find(i->users, name);
    enum err e = !k || k->gone ? ERR_NOT_FOUND : k->disabled ? ERR_FORBIDDEN : OK;
    if (e == OK)
        *ret = k->rights;
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
        e = copy_known(p.first[n], &user_entity, arena, &users[n]);
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

static uint64_t first_use(struct identity *i, uint64_t now_ms)
{
    uint64_t first = 0;
    if (atomic_compare_exchange_strong(&i->first_ms, &first, now_ms))
        return now_ms;
    return first;
}

static uint64_t used_at(struct identity *i, const struct known *k, uint64_t now_ms)
{
    uint64_t used = atomic_load_explicit(&k->used_ms, memory_order_relaxed);
    return used ? used : first_use(i, now_ms);
}

static RESULT session_now(struct identity *i, const uint8_t token_hash[static 32], uint64_t now_ms, struct arena *arena,
                          struct session *ret)
{
    struct known *k = table_find(i->sessions, VIEW(token_hash, 32));
    if (!k)
        return ERR_UNAUTHENTICATED;
    TRY(copy_known(k, &session_entity, arena, ret));
    if (session_over(ret, used_at(i, k, now_ms), now_ms))
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

static RESULT encoded(const struct entity *e, const void *object, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(PLAIN_MAX);
    TRY(entity_encode(e, object, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

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

static RESULT removal(const struct known *k, struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_SESSION, .remove = true, .expect = k->version};
    memcpy(c.old_commitment, k->commitment, sizeof c.old_commitment);
    TRY(arena_copy(arena, VIEW(k->row_key, k->row_key_len), &c.key));
    *ret = c;
    return OK;
}

RESULT identity_remove_session(struct identity *i, const struct row_keys *keys, const uint8_t token_hash[static 32],
                               struct arena *arena, struct txn_change *ret)
{
    (void)keys; /* the table knows the row */
    table_enter();
    const struct known *k = table_find(i->sessions, VIEW(token_hash, 32));
    enum err e = k ? removal(k, arena, ret) : ERR_NOT_FOUND;
    table_leave();
    return e;
}

/* --- ending sessions */

struct one {
    struct txn_change end;
    uint64_t created_ms;
    bool over;
};

struct ending {
    struct identity *i;
    struct view user;
    bool everybody; /* only what is over, of all users */
    uint64_t now_ms;
    struct arena *arena;
    struct one *list;
    size_t count, room;
    enum err error;
};

static bool gather_session(void *context, void *value)
{
    struct ending *e = context;
    const struct known *k = value;
    const struct session lasts = {.expires_ms = k->expires_ms, .idle_ms = k->idle_ms};
    if (!e->everybody && !view_eq(k->name, e->user))
        return true;
    bool over = session_over(&lasts, used_at(e->i, k, e->now_ms), e->now_ms);
    if (e->everybody && !over)
        return true;
    if (e->count == e->room)
        return false;
    struct one *o = &e->list[e->count];
    e->error = removal(k, e->arena, &o->end);
    if (e->error != OK)
        return false;
    o->created_ms = k->created_ms;
    o->over = over;
    e->count++;
    return true;
}

/* What is over comes first, then the oldest. */
static int by_age(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    if (x->over != y->over)
        return x->over ? -1 : 1;
    return (x->created_ms > y->created_ms) - (x->created_ms < y->created_ms);
}

static RESULT choose(struct ending *e, size_t keep, struct txn_change **ret, size_t *ret_count)
{
    size_t n = 0;
    qsort(e->list, e->count, sizeof *e->list, by_age);
    struct txn_change *out = arena_alloc(e->arena, (e->count + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    while (n < e->count && (e->list[n].over || e->count - n > keep)) {
        out[n] = e->list[n].end;
        n++;
    }
    *ret = out;
    *ret_count = n;
    return OK;
}

static RESULT end_sessions(struct ending *e, size_t keep, struct txn_change **ret, size_t *ret_count)
{
    e->room = IDENTITY_ENDED_MAX;
    e->list = arena_alloc(e->arena, e->room * sizeof *e->list);
    if (!e->list)
        return ERR_NO_MEMORY;
    table_enter();
    table_visit(e->i->sessions, gather_session, e);
    table_leave();
    TRY(e->error);
    return choose(e, keep, ret, ret_count);
}

RESULT identity_end_sessions(struct identity *i, struct view user, uint64_t now_ms, size_t keep, struct arena *arena,
                             struct txn_change **ret, size_t *ret_count)
{
    struct ending e = {.i = i, .user = user, .now_ms = now_ms, .arena = arena};
    return end_sessions(&e, keep, ret, ret_count);
}

RESULT identity_end_over(struct identity *i, uint64_t now_ms, struct arena *arena, struct txn_change **ret,
                         size_t *ret_count)
{
    struct ending e = {.i = i, .everybody = true, .now_ms = now_ms, .arena = arena};
    return end_sessions(&e, 0, ret, ret_count);
}
