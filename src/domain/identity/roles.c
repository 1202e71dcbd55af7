#include "domain/identity/roles.h"

#include "base/fields.h"
#include "base/table.h"
#include "base/text.h"
#include "domain/identity/identity.h"

#include <pthread.h>
#include <stdio.h>

#define PLAIN_MAX    (16u * 1024)
#define SCRATCH_SIZE (64u * 1024)

/* --- the entity */

const char *const access_level_names[] = {"none", "read", "write", "admin", "emergency", NULL};

bool role_name_valid(struct view name)
{
    return user_name_valid(name);
}

bool role_permission_valid(struct view name)
{
    enum permission unused;
    return permission_find(name, &unused) == OK;
}

static const struct field fields[] = {
    FIELD(1, struct role_def, name, TEXT, ROLE_NAME_MAX, .flags = FIELD_REQUIRED, .min = 1, .check = role_name_valid,
          .rule = ROLE_NAME_RULE),
    FIELD(2, struct role_def, description, TEXT, ROLE_DESCRIPTION_MAX, .check = text_printable,
          .rule = "printable text"),
    FIELD(3, struct role_def, grants, TEXTS, PERMISSION_COUNT, .check = role_permission_valid, .rule = "a permission"),
    FIELD(4, struct role_def, denies, TEXTS, PERMISSION_COUNT, .check = role_permission_valid, .rule = "a permission"),
    FIELD(5, struct role_def, level, ENUM, 0, .names = access_level_names),
};
const struct entity role_def_entity = ENTITY("RoleDef", 0x0508, 1, struct role_def, fields);

static RESULT set_of(const struct text_list *names, struct permission_set *ret)
{
    struct permission_set set = {0};
    for (size_t i = 0; i < names->count; i++) {
        enum permission p;
        TRY(permission_find(names->items[i], &p));
        set.bits |= UINT32_C(1) << p;
    }
    *ret = set;
    return OK;
}

RESULT role_of_def(const struct role_def *def, struct role *ret)
{
    struct role r = {.level = def->level};
    TRY(set_of(&def->grants, &r.grants));
    TRY(set_of(&def->denies, &r.denies));
    *ret = r;
    return OK;
}

/* --- the table */

struct known {
    struct role role; /* name: of a built-in one, else NULL */
    size_t order;     /* of a built-in one */
    uint64_t version; /* 0: built in */
    uint8_t commitment[32];
    uint8_t row_key[STORE_KEY_MAX];
    size_t row_key_len, len;
    uint8_t plain[]; /* the entity, encoded; empty for a built-in one */
};

struct roles {
    struct table *table;
    pthread_mutex_t lock; /* comparing versions and putting is one step */
};

static RESULT put_builtin(struct roles *r, size_t i)
{
    struct known *k = table_value_new(sizeof *k, view_str(roles_builtin[i].name));
    if (!k)
        return ERR_NO_MEMORY;
    k->role = roles_builtin[i];
    k->order = i;
    table_put(r->table, k);
    return OK;
}

RESULT roles_new(struct roles **ret)
{
    AUTO(roles_free) struct roles *r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&r->lock, NULL);
    TRY(table_new(NULL, &r->table));
    for (size_t i = 0; i < roles_builtin_count; i++)
        TRY(put_builtin(r, i));
    *ret = TAKE(r);
    return OK;
}

void roles_free(struct roles *r)
{
    if (!r)
        return;
    table_free(r->table);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

size_t roles_defined(struct roles *r)
{
    size_t all = table_count(r->table);
    return all > roles_builtin_count ? all - roles_builtin_count : 0;
}

/* --- changes that are durable */

static struct known *known_new(const struct role_def *def, const struct txn_change *c)
{
    struct known *k = c->key.len <= STORE_KEY_MAX ? table_value_new(sizeof *k + c->value.len, def->name) : NULL;
    if (!k)
        return NULL;
    k->version = c->version;
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    memcpy(k->row_key, c->key.ptr, c->key.len);
    k->row_key_len = c->key.len;
    k->len = c->value.len;
    memcpy(k->plain, c->value.ptr, c->value.len);
    return k;
}

/* A row by the name of a built-in role has no version to beat. */
static bool is_newer(struct roles *r, const struct known *mine)
{
    table_enter();
    const struct known *k = table_find(r->table, table_key(mine));
    bool newer = !k || (k->version && k->version < mine->version);
    table_leave();
    return newer;
}

static RESULT put(struct roles *r, const struct txn_change *c, struct arena *scratch)
{
    struct role_def def = {0};
    struct role role;
    TRY(entity_decode(&role_def_entity, c->value, scratch, &def));
    TRY(role_of_def(&def, &role));
    struct known *k = known_new(&def, c);
    if (!k) { /* better nothing than what was granted before */
        (void)!table_remove(r->table, def.name);
        return ERR_NO_MEMORY;
    }
    k->role = role;
    pthread_mutex_lock(&r->lock);
    if (is_newer(r, k))
        table_put(r->table, k);
    else
        table_value_free(r->table, k);
    pthread_mutex_unlock(&r->lock);
    return OK;
}

struct seek {
    struct view row_key; /* or empty, and */
    const uint8_t *row;  /* its hash */
    char name[ROLE_NAME_MAX];
    size_t name_len;
};

static bool is_sought(void *context, void *value)
{
    struct seek *s = context;
    const struct known *k = value;
    struct view name = table_key(value), key = VIEW(k->row_key, k->row_key_len);
    uint8_t hash[32] = {0};
    if (k->version == 0 || name.len > sizeof s->name)
        return true;
    if (s->row)
        row_hash(key, hash);
    if (s->row ? memcmp(hash, s->row, sizeof hash) != 0 : !view_eq(key, s->row_key))
        return true;
    memcpy(s->name, name.ptr, name.len);
    s->name_len = name.len;
    return false;
}

static void drop(struct roles *r, struct seek *s)
{
    table_enter();
    table_visit(r->table, is_sought, s);
    table_leave();
    if (s->name_len)
        (void)!table_remove(r->table, VIEW(s->name, s->name_len)); /* gone already: as well */
}

static RESULT apply(struct roles *r, const struct txn_change *c, struct arena *scratch)
{
    struct seek s = {.row_key = c->key};
    if (c->table != TABLE_ROLE)
        return OK;
    if (!c->remove)
        return put(r, c, scratch);
    drop(r, &s);
    return OK;
}

RESULT roles_applied(struct roles *r, const struct txn_change *change)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    if (change->table != TABLE_ROLE)
        return OK;
    TRY(arena_new(2048, SCRATCH_SIZE, &scratch));
    return apply(r, change, scratch);
}

static RESULT take_loaded(void *context, const struct txn_change *row, struct arena *scratch)
{
    return apply(context, row, scratch);
}

RESULT roles_load(struct roles *r, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                  struct problem *why)
{
    struct ledger_load load = {.keys = keys, .table = TABLE_ROLE, .take = take_loaded, .context = r};
    return ledger_load(reader, &load, ret_damaged, why);
}

void roles_distrust(struct roles *r, const uint8_t row[static 32])
{
    struct seek s = {.row = row};
    drop(r, &s);
}

/* --- looking */

static RESULT names_of(struct permission_set set, struct arena *arena, struct text_list *ret)
{
    struct text_list l = {.items = arena_alloc(arena, PERMISSION_COUNT * sizeof *l.items)};
    if (!l.items)
        return ERR_NO_MEMORY;
    for (unsigned p = 0; p < PERMISSION_COUNT; p++)
        if (permission_has(set, (enum permission)p))
            l.items[l.count++] = view_str(permission_name((enum permission)p));
    *ret = l;
    return OK;
}

static RESULT copy_builtin(const struct known *k, struct arena *arena, struct role_found *ret)
{
    struct role_found f = {.role = k->role, .builtin = true};
    f.def.name = view_str(k->role.name);
    f.def.level = k->role.level;
    TRY(names_of(k->role.grants, arena, &f.def.grants));
    TRY(names_of(k->role.denies, arena, &f.def.denies));
    f.role.name = NULL;
    *ret = f;
    return OK;
}

static RESULT copy(const struct known *k, struct arena *arena, struct role_found *ret)
{
    struct role_found f = {.role = k->role, .version = k->version};
    struct view plain = {0};
    if (k->version == 0)
        return copy_builtin(k, arena, ret);
    TRY(arena_copy(arena, VIEW(k->plain, k->len), &plain));
    TRY(entity_decode_again(&role_def_entity, plain, arena, &f.def));
    memcpy(f.commitment, k->commitment, sizeof f.commitment);
    *ret = f;
    return OK;
}

RESULT roles_find(struct roles *r, struct view name, struct arena *arena, struct role_found *ret)
{
    table_enter();
    const struct known *k = table_find(r->table, name);
    enum err e = k ? copy(k, arena, ret) : ERR_NOT_FOUND;
    table_leave();
    return e;
}

struct gathering {
    struct arena *arena;
    struct role_found *items;
    size_t count, room;
    enum err error;
};

static bool gather(void *context, void *value)
{
    struct gathering *g = context;
    const struct known *k = value;
    if (k->version == 0)
        return true; /* in their own order */
    if (g->count == g->room)
        return false; /* added meanwhile */
    g->error = copy(k, g->arena, &g->items[g->count]);
    if (g->error == OK)
        g->count++;
    return g->error == OK;
}

static int by_name(const void *a, const void *b)
{
    return view_cmp(((const struct role_found *)a)->def.name, ((const struct role_found *)b)->def.name);
}

RESULT roles_list(struct roles *r, struct arena *arena, struct entity_list *ret)
{
    struct gathering g = {.arena = arena, .room = table_count(r->table)};
    g.items = arena_alloc(arena, (g.room + 1) * sizeof *g.items);
    if (!g.items)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < roles_builtin_count; i++)
        TRY(roles_find(r, view_str(roles_builtin[i].name), arena, &g.items[g.count++]));
    table_enter();
    table_visit(r->table, gather, &g);
    table_leave();
    TRY(g.error);
    qsort(g.items + roles_builtin_count, g.count - roles_builtin_count, sizeof *g.items, by_name);
    *ret = (struct entity_list){.items = g.items, .count = g.count};
    return OK;
}

size_t roles_unknown(struct roles *r, const struct text_list *names)
{
    size_t i = 0;
    table_enter();
    while (i < names->count && table_find(r->table, names->items[i]))
        i++;
    table_leave();
    return i;
}

void roles_saying(struct roles *r, const struct text_list *names, enum permission p, size_t *ret_grants,
                  size_t *ret_denies)
{
    *ret_grants = *ret_denies = names->count;
    table_enter();
    for (size_t i = names->count; i-- > 0;) {
        const struct known *k = table_find(r->table, names->items[i]);
        if (k && permission_has(k->role.grants, p))
            *ret_grants = i;
        if (k && permission_has(k->role.denies, p))
            *ret_denies = i;
    }
    table_leave();
}

static RESULT add_up(struct roles *r, const struct view *names, size_t count, struct role *sum)
{
    for (size_t i = 0; i < count; i++) {
        const struct known *k = table_find(r->table, names[i]);
        if (!k)
            return ERR_NOT_FOUND;
        sum->grants.bits |= k->role.grants.bits;
        sum->denies.bits |= k->role.denies.bits;
        sum->level = k->role.level > sum->level ? k->role.level : sum->level;
    }
    return OK;
}

RESULT roles_effective(struct roles *r, const struct view *names, size_t count, struct permission_set *ret,
                       uint8_t *ret_level)
{
    struct role sum = {0};
    table_enter();
    enum err e = add_up(r, names, count, &sum);
    table_leave();
    TRY(e);
    ret->bits = sum.grants.bits & ~sum.denies.bits;
    *ret_level = sum.level;
    return OK;
}

RESULT rights_of(struct roles *r, const struct text_list *names, uint8_t environments, struct rights *ret)
{
    struct rights rights = {.access.environments = environments};
    TRY(roles_effective(r, names->items, names->count, &rights.permissions, &rights.access.level));
    *ret = rights;
    return OK;
}

void role_holders_add(struct role_holders *h, const char *prefix, struct view name)
{
    if (h->count++ == 0)
        (void)snprintf(h->first, sizeof h->first, "%s%.*s", prefix, (int)name.len, (const char *)name.ptr);
}

/* --- changing */

static RESULT row_named(const struct row_keys *keys, struct view name, struct arena *arena, struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);
    TRY(row_key_exact(keys, TABLE_ROLE, name, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static RESULT change_of(const struct row_keys *keys, struct view name, const struct role_found *before,
                        struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_ROLE, .expect = before ? before->version : 0};
    if (before)
        memcpy(c.old_commitment, before->commitment, sizeof c.old_commitment);
    TRY(row_named(keys, name, arena, &c.key));
    *ret = c;
    return OK;
}

RESULT roles_put(const struct row_keys *keys, const struct role_def *def, const struct role_found *before,
                 struct arena *arena, struct txn_change *ret)
{
    AUTO_WRITER w = writer_new(PLAIN_MAX);
    struct txn_change c;
    TRY(change_of(keys, def->name, before, arena, &c));
    c.version = c.expect + 1;
    TRY(entity_encode(&role_def_entity, def, &w));
    TRY(arena_copy(arena, writer_view_of(&w), &c.value));
    *ret = c;
    return OK;
}

RESULT roles_remove(const struct row_keys *keys, const struct role_found *before, struct arena *arena,
                    struct txn_change *ret)
{
    struct txn_change c;
    TRY(change_of(keys, before->def.name, before, arena, &c));
    c.remove = true;
    *ret = c;
    return OK;
}
