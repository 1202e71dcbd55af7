#include "domain/keys/inside.h"

struct gathering {
    const struct api_keys_range *range;
    char (*ids)[API_KEY_ID_LEN];
    size_t count, room;
};

static bool is_asked_for(const struct known *k, const struct api_keys_range *r)
{
    bool works = k->judged.status == KEY_ACTIVE && r->now_ms < k->judged.expires_ms;
    if (r->owner.len && !view_eq(k->owner, r->owner))
        return false;
    if (r->not_revoked && k->judged.status == KEY_REVOKED)
        return false;
    if (r->expires_by_ms && (!works || k->judged.expires_ms > r->expires_by_ms))
        return false;
    const struct api_key secret = {
        .status = k->judged.status, .expires_ms = k->judged.expires_ms, .created_ms = k->secret_ms};
    return !r->rotation_due || api_key_rotation_due(&secret, r->now_ms);
}

static bool gather(void *context, void *value)
{
    struct gathering *g = context;
    const struct known *k = value;
    if (!is_asked_for(k, g->range) || view_cmp(table_key(value), g->range->after) <= 0)
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
    struct gathering g = {.range = range, .room = table_count(k->keys)};
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

/* --- how many */

struct counting {
    struct view owner;
    uint64_t since_ms;
    struct api_keys_owned owned;
};

static bool count_owned(void *context, void *value)
{
    struct counting *c = context;
    const struct known *k = value;
    if (!view_eq(k->owner, c->owner))
        return true;
    c->owned.not_revoked += k->judged.status != KEY_REVOKED;
    c->owned.since += k->secret_ms >= c->since_ms;
    return true;
}

struct api_keys_owned api_keys_owned(struct api_keys *k, struct view owner, uint64_t since_ms)
{
    struct counting c = {.owner = owner, .since_ms = since_ms};
    table_enter();
    table_visit(k->keys, count_owned, &c);
    table_leave();
    return c.owned;
}

/* --- what is to be told of them */

struct noticing {
    uint64_t now_ms;
    char (*ids)[API_KEY_ID_LEN];
    size_t count, max;
};

static bool look_at_times(void *context, void *value)
{
    struct noticing *n = context;
    const struct known *k = value;
    if (api_key_notice_due(&k->times, n->now_ms) != NOTICE_NONE)
        memcpy(n->ids[n->count++], table_key(value).ptr, API_KEY_ID_LEN);
    return n->count < n->max;
}

size_t api_keys_to_notice(struct api_keys *k, uint64_t now_ms, char (*ids)[API_KEY_ID_LEN], size_t max)
{
    struct noticing n = {.now_ms = now_ms, .ids = ids, .max = max};
    table_enter();
    table_visit(k->keys, look_at_times, &n);
    table_leave();
    return n.count;
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
    x->error = entity_decode_again(&api_key_entity, VIEW(k->plain, k->len), x->scratch, &key);
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
