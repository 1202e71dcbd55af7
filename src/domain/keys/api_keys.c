#include "domain/keys/inside.h"

#include "crypto/secmem.h"

#define LOADERS 4 /* threads, also where there are fewer processors: half of it is waiting for the disk */

static void forget(void *value)
{
    struct known *k = value;
    wipe(&k->judged, sizeof k->judged);
    wipe(&k->former, sizeof k->former);
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
    TRY(failures_new(random_system(), &k->failures));
    *ret = TAKE(k);
    return OK;
}

void api_keys_free(struct api_keys *k)
{
    if (!k)
        return;
    table_free(k->keys);
    table_free(k->uids);
    failures_free(k->failures);
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
                                .status = key->status,
                                .environment = key->environment,
                                .rotated = key->old_until_ms != 0,
                                .expires_ms = key->expires_ms};
    k->former = (struct former){.epoch = key->old_pepper_epoch, .until_ms = key->old_until_ms};
    memcpy(k->judged.verifier, key->verifier, sizeof k->judged.verifier);
    memcpy(k->former.verifier, key->old_verifier, sizeof k->former.verifier);
    k->version = c->version;
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    /* A revoked key gives its Unix user back. */
    k->has_uid = key->has_unix_uid && key->status != KEY_REVOKED;
    k->uid = key->unix_uid;
    k->times = api_key_times_of(key);
    k->secret_ms = api_key_secret_ms(key);
    k->limits = (struct limits){key->per_hour, key->per_day, key->burst};
    k->len = c->value.len;
    memcpy(k->plain, c->value.ptr, c->value.len);
    k->owner = VIEW(k->plain + (key->owner.len ? key->owner.ptr - c->value.ptr : 0), key->owner.len);
    return k;
}

struct before {
    bool newer, had_uid;
    uint32_t uid;
    uint64_t used_ms, failed_ms;
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
        b.failed_ms = atomic_load_explicit(&known->failed_ms, memory_order_relaxed);
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
    atomic_init(&key->failed_ms, b.failed_ms);
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
        (void)!table_remove(k->keys, VIEW_OF(a.id)); /* gone already: as well. Its Unix user stays refused */
}
