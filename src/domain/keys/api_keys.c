#include "base/table.h"
#include "crypto/secmem.h"
#include "domain/keys/keys.h"

#include <pthread.h>
#include <stdatomic.h>

#define SCRATCH_SIZE (256u * 1024)
#define LOADERS      4 /* threads, also where there are fewer processors: half of it is waiting for the disk */

/* What is asked on every request, apart from the rest of the key. */
struct judged {
    uint8_t verifier[32], old_verifier[32];
    uint32_t epoch, old_epoch;
    uint64_t old_until_ms, expires_ms;
    uint8_t status, environment;
};

struct known {
    struct judged judged;
    uint64_t version;
    uint8_t commitment[32];
    uint32_t uid;
    bool has_uid;
    _Atomic uint64_t used_ms;
    struct limits limits;
    struct limits_used used;
    struct view owner; /* in plain */
    size_t len;
    uint8_t plain[]; /* the entity, encoded */
};

struct by_uid {
    char id[API_KEY_ID_LEN];
};

struct api_keys {
    struct table *keys, *uids;
    pthread_mutex_t lock; /* comparing versions and putting is one step */
};

static void forget(void *value)
{
    struct known *k = value;
    wipe(&k->judged, sizeof k->judged);
    wipe(k->plain, k->len);
}

RESULT api_keys_new(struct api_keys **ret)
{
    AUTO(api_keys_free) struct api_keys *k = calloc(1, sizeof *k);
    if (!k)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&k->lock, NULL);
    TRY(table_new(forget, &k->keys));
    TRY(table_new(NULL, &k->uids));
    *ret = TAKE(k);
    return OK;
}

void api_keys_free(struct api_keys *k)
{
    if (!k)
        return;
    table_free(k->keys);
    table_free(k->uids);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* --- into the table */

static struct known *known_new(const struct api_key *key, const struct txn_change *c)
{
    struct known *k = table_value_new(sizeof *k + c->value.len, key->id);
    if (!k)
        return NULL;
    k->judged = (struct judged){.epoch = key->pepper_epoch,
                                .old_epoch = key->old_pepper_epoch,
                                .old_until_ms = key->old_until_ms,
                                .expires_ms = key->expires_ms,
                                .status = key->status,
                                .environment = key->environment};
    memcpy(k->judged.verifier, key->verifier, sizeof k->judged.verifier);
    memcpy(k->judged.old_verifier, key->old_verifier, sizeof k->judged.old_verifier);
    k->version = c->version;
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    /* A revoked key gives its Unix user back. */
    k->has_uid = key->has_unix_uid && key->status != KEY_REVOKED;
    k->uid = key->unix_uid;
    k->limits = (struct limits){key->per_hour, key->per_day, key->burst};
    k->len = c->value.len;
    memcpy(k->plain, c->value.ptr, c->value.len);
    k->owner = VIEW(k->plain + (key->owner.len ? key->owner.ptr - c->value.ptr : 0), key->owner.len);
    return k;
}

static struct view uid_view(const uint32_t *uid)
{
    return VIEW(uid, sizeof *uid);
}

struct before {
    bool newer, had_uid;
    uint32_t uid;
    uint64_t used_ms;
};

/* What was used goes on counting. A request that is counted in this very moment may be missed. */
static struct before look_before(struct api_keys *k, struct known *key)
{
    struct before b = {.newer = true};
    table_enter();
    struct known *known = table_find(k->keys, table_key(key));
    if (known) {
        limits_carry(&key->used, &known->used);
        b = (struct before){.newer = known->version < key->version, .had_uid = known->has_uid, .uid = known->uid};
        b.used_ms = atomic_load_explicit(&known->used_ms, memory_order_relaxed);
    }
    table_leave();
    return b;
}

static bool uid_is_of(struct api_keys *k, uint32_t uid, struct view id)
{
    table_enter();
    const struct by_uid *u = table_find(k->uids, uid_view(&uid));
    bool is = u && view_eq(VIEW_OF(u->id), id);
    table_leave();
    return is;
}

static void put_key(struct api_keys *k, struct known *key, struct by_uid *uid)
{
    struct view id = table_key(key);
    struct before b = look_before(k, key);
    if (!b.newer) {
        table_value_free(k->keys, key);
        table_value_free(k->uids, uid);
        return;
    }
    uint64_t loaded = atomic_load_explicit(&key->used_ms, memory_order_relaxed);
    atomic_init(&key->used_ms, b.used_ms > loaded ? b.used_ms : loaded);
    if (b.had_uid && !(key->has_uid && key->uid == b.uid) && uid_is_of(k, b.uid, id))
        (void)!table_remove(k->uids, uid_view(&b.uid));
    table_put(k->keys, key);
    if (uid)
        table_put(k->uids, uid);
}

static RESULT apply(struct api_keys *k, const struct txn_change *c, struct arena *scratch)
{
    struct api_key key = {0};
    struct by_uid *uid = NULL;
    if (c->table != TABLE_KEY || c->remove)
        return OK;
    TRY(entity_decode(&api_key_entity, c->value, scratch, &key));
    if (key.id.len != API_KEY_ID_LEN)
        return ERR_MALFORMED;
    struct known *known = known_new(&key, c);
    if (known && known->has_uid) {
        uid = table_value_new(sizeof *uid, uid_view(&key.unix_uid));
        if (uid)
            memcpy(uid->id, key.id.ptr, sizeof uid->id);
    }
    if (!known || (known->has_uid && !uid)) { /* better no key than one with the rights of before */
        table_value_free(k->keys, known);
        (void)!table_remove(k->keys, key.id);
        return ERR_NO_MEMORY;
    }
    atomic_init(&known->used_ms, key.last_used_ms);
    pthread_mutex_lock(&k->lock);
    put_key(k, known, uid);
    pthread_mutex_unlock(&k->lock);
    return OK;
}

RESULT api_keys_applied(struct api_keys *k, const struct txn_change *change)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    TRY(arena_new(2048, SCRATCH_SIZE, &scratch));
    return apply(k, change, scratch);
}

/* --- from the store */

static RESULT take_loaded(void *context, const struct txn_change *row, struct arena *scratch)
{
    return apply(context, row, scratch);
}

/* One part of the table, for one thread. Row keys begin with a tenant and a keyed hash, which splits them evenly. */
struct part {
    struct ledger_load load;
    struct store *reader;
    uint8_t from[3], to[3];
    size_t damaged;
    struct problem why;
    enum err error;
    pthread_t thread;
    bool runs;
};

static RESULT load_range(struct part *p)
{
    AUTO(store_close) struct store *mine = NULL;
    TRY(store_share(p->reader, true, &mine));
    return ledger_load(mine, &p->load, &p->damaged, &p->why);
}

static void *load_part(void *context)
{
    struct part *p = context;
    p->error = load_range(p);
    return NULL;
}

static void start_part(struct part *p, unsigned i)
{
    p->from[2] = (uint8_t)(i * 256 / LOADERS);
    p->to[2] = (uint8_t)((i + 1) * 256 / LOADERS);
    p->load.from = i ? VIEW_OF(p->from) : VIEW(NULL, 0);
    p->load.to = i + 1 < LOADERS ? VIEW_OF(p->to) : VIEW(NULL, 0);
    p->runs = pthread_create(&p->thread, NULL, load_part, p) == 0;
    if (!p->runs)
        load_part(p);
}

RESULT api_keys_load(struct api_keys *k, struct store *reader, const struct row_keys *keys, size_t *ret_damaged,
                     struct problem *why)
{
    struct part parts[LOADERS] = {0};
    const struct part *failed = NULL;
    size_t damaged = 0;
    for (unsigned i = 0; i < LOADERS; i++) {
        parts[i].load = (struct ledger_load){.keys = keys, .table = TABLE_KEY, .take = take_loaded, .context = k};
        parts[i].reader = reader;
        start_part(&parts[i], i);
    }
    for (unsigned i = 0; i < LOADERS; i++) {
        if (parts[i].runs)
            pthread_join(parts[i].thread, NULL);
        if (!failed && parts[i].error != OK)
            failed = &parts[i];
        damaged += parts[i].damaged;
    }
    if (!failed) {
        *ret_damaged = damaged;
        return OK;
    }
    *why = failed->why;
    return failed->error;
}

/* --- rows that are found to be damaged */

struct accused {
    const struct row_keys *keys;
    const uint8_t *row;
    char id[API_KEY_ID_LEN];
    bool found;
};

static bool is_accused(void *context, void *value)
{
    struct accused *a = context;
    struct view id = table_key(value);
    uint8_t bytes[STORE_KEY_MAX], hash[32];
    struct writer key = writer_fixed(bytes, sizeof bytes);
    if (row_key_exact(a->keys, TABLE_KEY, id, &key) != OK)
        return true;
    row_hash(writer_view_of(&key), hash);
    if (memcmp(hash, a->row, sizeof hash) != 0)
        return true;
    memcpy(a->id, id.ptr, sizeof a->id);
    a->found = true;
    return false;
}

void api_keys_distrust(struct api_keys *k, const struct row_keys *keys, uint16_t table, const uint8_t row[static 32])
{
    struct accused a = {.keys = keys, .row = row};
    if (table != TABLE_KEY)
        return;
    table_enter();
    table_visit(k->keys, is_accused, &a);
    table_leave();
    if (a.found)
        (void)!table_remove(k->keys, VIEW_OF(a.id)); /* gone already: as well. Its Unix user finds no key then */
}

/* --- finding */

static RESULT copy_known(const struct known *k, struct arena *arena, struct api_key_found *ret)
{
    struct api_key_found f = {.version = k->version};
    struct view plain = {0};
    TRY(arena_copy(arena, VIEW(k->plain, k->len), &plain));
    TRY(entity_decode(&api_key_entity, plain, arena, &f.key));
    memcpy(f.commitment, k->commitment, sizeof f.commitment);
    f.key.last_used_ms = atomic_load_explicit(&k->used_ms, memory_order_relaxed);
    *ret = f;
    return OK;
}

RESULT api_keys_find(struct api_keys *k, struct view id, struct arena *arena, struct api_key_found *ret)
{
    table_enter();
    const struct known *known = table_find(k->keys, id);
    enum err e = known ? copy_known(known, arena, ret) : ERR_NOT_FOUND;
    table_leave();
    return e;
}

static RESULT usable(const struct judged *j, uint64_t now_ms)
{
    if (j->status == KEY_EXPIRED || (j->status == KEY_ACTIVE && now_ms >= j->expires_ms))
        return ERR_KEY_EXPIRED;
    return j->status == KEY_ACTIVE ? OK : ERR_KEY_DISABLED;
}

/* The same work whether the key exists or not; a second keyed hash only for a key that was rotated across a rotation
 * of the data key. */
static RESULT prove(const struct row_keys *keys, const struct judged *j, const uint8_t hash[static 32], uint64_t now_ms,
                    bool *ret_by_old)
{
    uint8_t now[32], old[32];
    bool grace = j->old_until_ms > now_ms;
    TRY(api_key_verifier(keys, j->epoch, hash, now));
    memcpy(old, now, sizeof old);
    if (grace && j->old_epoch != j->epoch)
        TRY(api_key_verifier(keys, j->old_epoch, hash, old));
    bool by_new = ct_eq(now, j->verifier, sizeof now);
    bool by_old = ct_eq(old, j->old_verifier, sizeof old);
    wipe(now, sizeof now);
    wipe(old, sizeof old);
    *ret_by_old = grace && by_old && !by_new;
    return by_new || *ret_by_old ? OK : ERR_BAD_CREDENTIALS;
}

static RESULT verify_inside(struct api_keys *k, const struct row_keys *keys, const struct api_key_parts *parts,
                            uint64_t now_ms, struct arena *arena, struct api_key_found *ret)
{
    /* All zero is nobody's HMAC. */
    struct judged nobody = {.epoch = keyring_epoch(row_keys_ring(keys)), .environment = parts->environment};
    struct known *known = table_find(k->keys, view_str(parts->id));
    const struct judged *j = known ? &known->judged : &nobody;
    bool by_old = false;
    enum err e = prove(keys, j, parts->hash, now_ms, &by_old);
    if (!known || j->environment != parts->environment)
        return ERR_BAD_CREDENTIALS;
    TRY(e);
    TRY(usable(j, now_ms));
    atomic_store_explicit(&known->used_ms, now_ms, memory_order_relaxed);
    TRY(copy_known(known, arena, ret));
    ret->by_old = by_old;
    return OK;
}

RESULT api_keys_verify(struct api_keys *k, const struct row_keys *keys, const struct api_key_parts *parts,
                       uint64_t now_ms, struct arena *arena, struct api_key_found *ret)
{
    table_enter();
    enum err e = verify_inside(k, keys, parts, now_ms, arena, ret);
    table_leave();
    return e;
}

static RESULT by_uid_inside(struct api_keys *k, uint32_t uid, uint64_t now_ms, struct arena *arena,
                            struct api_key_found *ret)
{
    const struct by_uid *u = table_find(k->uids, uid_view(&uid));
    struct known *known = u ? table_find(k->keys, VIEW_OF(u->id)) : NULL;
    if (!known)
        return ERR_NOT_FOUND;
    TRY(usable(&known->judged, now_ms));
    atomic_store_explicit(&known->used_ms, now_ms, memory_order_relaxed);
    TRY(copy_known(known, arena, ret));
    return OK;
}

RESULT api_keys_by_uid(struct api_keys *k, uint32_t uid, uint64_t now_ms, struct arena *arena,
                       struct api_key_found *ret)
{
    table_enter();
    enum err e = by_uid_inside(k, uid, now_ms, arena, ret);
    table_leave();
    return e;
}

RESULT api_keys_spend(struct api_keys *k, struct view id, uint64_t now_ms, struct limits_state *ret,
                      struct limits *ret_limits)
{
    static const enum err errors[] = {[LIMITS_WITHIN] = OK,
                                      [LIMITS_BURSTING] = ERR_RATE_LIMITED,
                                      [LIMITS_HOUR_USED] = ERR_RATE_LIMITED,
                                      [LIMITS_DAY_USED] = ERR_USAGE_EXCEEDED};
    enum err e = ERR_NOT_FOUND;
    table_enter();
    struct known *known = table_find(k->keys, id);
    if (known) {
        limits_take(&known->used, &known->limits, now_ms, ret);
        e = errors[ret->verdict];
        if (ret_limits)
            *ret_limits = known->limits;
    }
    table_leave();
    return e;
}

bool api_keys_uid_taken(struct api_keys *k, uint32_t uid)
{
    table_enter();
    bool taken = table_find(k->uids, uid_view(&uid));
    table_leave();
    return taken;
}

/* --- listing */

struct gathering {
    struct view owner, after;
    char (*ids)[API_KEY_ID_LEN];
    size_t count, room;
};

static bool gather(void *context, void *value)
{
    struct gathering *g = context;
    const struct known *k = value;
    if ((g->owner.len && !view_eq(k->owner, g->owner)) || view_cmp(table_key(value), g->after) <= 0)
        return true;
    if (g->count == g->room)
        return false; /* added meanwhile */
    memcpy(g->ids[g->count++], table_key(value).ptr, API_KEY_ID_LEN);
    return true;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, API_KEY_ID_LEN);
}

static RESULT copy_page(struct api_keys *k, const struct gathering *g, size_t limit, struct arena *arena,
                        struct entity_list *ret)
{
    size_t n = g->count < limit ? g->count : limit, used = 0;
    struct api_key *out = arena_alloc(arena, (n + 1) * sizeof *out);
    if (!out)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        struct api_key_found f;
        TRY(api_keys_find(k, VIEW_OF(g->ids[i]), arena, &f)); /* keys are never removed */
        out[used++] = f.key;
    }
    *ret = (struct entity_list){.items = out, .count = used};
    return OK;
}

RESULT api_keys_page(struct api_keys *k, const struct api_keys_range *range, struct arena *arena,
                     struct entity_list *ret)
{
    struct gathering g = {.owner = range->owner, .after = range->after, .room = table_count(k->keys)};
    g.ids = calloc(g.room + 1, sizeof *g.ids);
    if (!g.ids)
        return ERR_NO_MEMORY;
    table_enter();
    table_visit(k->keys, gather, &g);
    table_leave();
    qsort(g.ids, g.count, sizeof *g.ids, by_id);
    enum err e = copy_page(k, &g, range->limit, arena, ret);
    free(g.ids);
    return e;
}

RESULT api_keys_list(struct api_keys *k, struct view owner, struct arena *arena, struct entity_list *ret)
{
    return api_keys_page(k, &(struct api_keys_range){.owner = owner, .limit = SIZE_MAX}, arena, ret);
}

/* --- who has a role */

struct holding {
    struct view role;
    struct arena *scratch;
    struct role_holders *h;
    enum err error;
};

static bool has_role(const struct api_key *key, struct view role)
{
    for (size_t i = 0; i < key->roles.count; i++)
        if (view_eq(key->roles.items[i], role))
            return key->status != KEY_REVOKED;
    return false;
}

static bool look_at_holder(void *context, void *value)
{
    struct holding *x = context;
    const struct known *k = value;
    struct api_key key = {0};
    /* Most keys don't even contain the name, and need not be taken apart. */
    if (!memmem(k->plain, k->len, x->role.ptr, x->role.len))
        return true;
    arena_reset(x->scratch);
    x->error = entity_decode(&api_key_entity, VIEW(k->plain, k->len), x->scratch, &key);
    if (x->error == OK && has_role(&key, x->role))
        role_holders_add(x->h, "key:", table_key(value));
    return x->error == OK;
}

RESULT api_keys_holding(struct api_keys *k, struct view role, struct role_holders *h)
{
    AUTO(arena_free) struct arena *scratch = NULL;
    struct holding x = {.role = role, .h = h};
    TRY(arena_new(2048, SCRATCH_SIZE, &scratch));
    x.scratch = scratch;
    table_enter();
    table_visit(k->keys, look_at_holder, &x);
    table_leave();
    return x.error;
}
