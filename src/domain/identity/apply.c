/* What is durable reaches the memory tables: after a commit and at the start; and rows that are found to be damaged
 * leave them. */
#include "domain/identity/passkeys.h"
#include "domain/identity/tables.h"

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
    struct known *k = tables_known(VIEW(s.name, s.name_len), &mark);
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
        k->roles[n].at = (uint16_t)(role.ptr - plain.ptr); /* TABLES_PLAIN_MAX is less than that */
        k->roles[n].len = (uint16_t)role.len;
        k->role_count++;
    }
}

static RESULT apply_user(struct identity *i, const struct txn_change *c, struct arena *scratch)
{
    struct user u = {0};
    TRY(entity_decode(&user_entity, c->value, scratch, &u));
    struct known *k = tables_known(u.name, c);
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
    struct known *k = tables_known(VIEW_OF(s.token_hash), c);
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

static RESULT apply_passkey(struct identity *i, const struct txn_change *c, struct arena *scratch)
{
    struct webauthn_credential p = {0};
    uint8_t hash[PASSKEY_HASH_SIZE];
    TRY(entity_decode(&webauthn_credential_entity, c->value, scratch, &p));
    passkeys_hash(p.id, hash);
    struct known *k = tables_known(VIEW_OF(hash), c);
    if (!k) {
        (void)!table_remove(i->passkeys, VIEW_OF(hash)); /* better none than one with the counter of before */
        return ERR_NO_MEMORY;
    }
    put_newer(i, i->passkeys, k);
    return OK;
}

static RESULT apply_mapping(struct identity *i, const struct txn_change *c, struct arena *scratch)
{
    struct mapping m = {0};
    char id[MAPPING_ID_LEN + 1];
    TRY(entity_decode(&mapping_entity, c->value, scratch, &m));
    mapping_id(m.match, id);
    struct known *k = tables_known(view_str(id), c);
    if (!k)
        return ERR_NO_MEMORY; /* leads nobody anywhere until the next start */
    put_newer(i, i->mappings, k);
    return OK;
}

static RESULT drop(struct table *t, const struct txn_change *c)
{
    struct seek s = {.row_key = c->key};
    table_enter();
    table_visit(t, compare_row, &s);
    table_leave();
    if (s.found)
        (void)!table_remove(t, VIEW(s.name, s.name_len)); /* somebody else was faster: gone all the same */
    return OK;
}

static RESULT apply(struct identity *i, const struct txn_change *c, struct arena *scratch, bool fresh)
{
    if (c->table == TABLE_USER)
        return c->remove ? drop_user(i, c) : apply_user(i, c, scratch);
    if (c->table == TABLE_SESSION)
        return c->remove ? drop(i->sessions, c) : apply_session(i, c, scratch, fresh);
    if (c->table == TABLE_PASSKEY)
        return c->remove ? drop(i->passkeys, c) : apply_passkey(i, c, scratch);
    if (c->table == TABLE_MAPPING)
        return c->remove ? drop(i->mappings, c) : apply_mapping(i, c, scratch);
    return roles_applied(i->roles, c);
}

RESULT identity_applied(struct identity *i, const struct txn_change *change)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    TRY(arena_new(2048, TABLES_SCRATCH, &scratch));
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
    struct ledger_load sessions = users, passkeys = users, mappings = users;
    size_t damaged_users = 0, damaged_sessions = 0, damaged_roles = 0, damaged_passkeys = 0, damaged_mappings = 0;
    sessions.table = TABLE_SESSION;
    passkeys.table = TABLE_PASSKEY;
    mappings.table = TABLE_MAPPING;
    TRY(roles_load(i->roles, reader, keys, &damaged_roles, why));
    TRY(ledger_load(reader, &users, &damaged_users, why));
    TRY(ledger_load(reader, &sessions, &damaged_sessions, why));
    TRY(ledger_load(reader, &passkeys, &damaged_passkeys, why));
    TRY(ledger_load(reader, &mappings, &damaged_mappings, why));
    *ret_damaged = damaged_roles + damaged_users + damaged_sessions + damaged_passkeys + damaged_mappings;
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

static struct table *table_of(struct identity *i, uint16_t table)
{
    return table == TABLE_USER      ? i->users
           : table == TABLE_SESSION ? i->sessions
           : table == TABLE_PASSKEY ? i->passkeys
           : table == TABLE_MAPPING ? i->mappings
                                    : NULL;
}

void identity_distrust(struct identity *i, uint16_t table, const uint8_t row[static 32])
{
    struct accused a = {.row = row};
    struct table *t = table_of(i, table);
    if (table == TABLE_ROLE)
        roles_distrust(i->roles, row);
    if (!t)
        return;
    table_enter();
    table_visit(t, is_accused, &a);
    table_leave();
    if (a.found)
        (void)!table_remove(t, VIEW(a.name, a.name_len)); /* gone already: as well */
}
