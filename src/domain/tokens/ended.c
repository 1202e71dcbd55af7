/* Grants and revocations in memory, as the store has them. */
#include "domain/tokens/inside.h"

#include "base/text.h"

#define SCRATCH_SIZE (64u * 1024)
#define PLAIN_MAX    4096u
#define NAME_SIZE    (1 + TOKEN_SUBJECT_MAX)

struct known_revocation {
    uint64_t version;
    uint8_t commitment[32];
    uint8_t row_key[STORE_KEY_MAX];
    size_t row_key_len;
    uint8_t kind;
    uint64_t since_ms, at_ms, until_ms;
};

struct name {
    uint8_t bytes[NAME_SIZE];
    size_t len;
};

static struct name name_of(uint8_t kind, struct view of)
{
    struct name n = {.bytes = {kind}, .len = 1 + of.len};

    if (of.len)
        memcpy(n.bytes + 1, of.ptr, of.len);
    return n;
}

/* --- judging */

static const struct known_revocation *find_revoked(struct tokens *t, uint8_t kind, struct view name)
{
    struct name n = name_of(kind, name);

    return table_find(t->revoked, VIEW(n.bytes, n.len));
}

/* Everything of this subject, or everything, that began at this time has ended. */
static bool ended_then(struct tokens *t, const char *subject, uint64_t began_ms, bool is_grant)
{
    const struct known_revocation *of = find_revoked(t, REVOKED_SUBJECT, view_str(subject));
    const struct known_revocation *all = find_revoked(t, REVOKED_ALL, (struct view){0});

    if ((of && began_ms <= of->at_ms) || began_ms <= atomic_load(&t->distrusted_ms))
        return true;
    /* A grant's beginning is the front's word, which is not worth much when this is asked for. */
    return all && began_ms <= all->at_ms && (is_grant || began_ms >= all->since_ms);
}

static bool no_grant(const uint8_t id[static 16])
{
    static const uint8_t none[16];

    return memcmp(id, none, sizeof none) == 0;
}

bool tokens_grant_lives(struct tokens *t, const struct known_grant *g, uint64_t now_ms)
{
    return g && now_ms < g->expires_ms && !find_revoked(t, REVOKED_GRANT, view_str(g->id)) &&
           !find_revoked(t, REVOKED_SESSION, view_str(g->session)) &&
           !ended_then(t, g->subject, g->place.created_ms, true);
}

bool tokens_ended(struct tokens *t, const struct token_accepted *a, uint64_t now_ms)
{
    char id[2 * TOKEN_ID_SIZE];
    struct writer w = writer_fixed(id, sizeof id);

    hex_put(&w, VIEW_OF(a->id));
    if (find_revoked(t, REVOKED_TOKEN, writer_view_of(&w)) || ended_then(t, a->subject, a->issued_ms, false))
        return true;
    if (no_grant(a->grant))
        return view_starts(view_str(a->subject), "user:"); /* a person's token always comes from a grant */
    const struct known_grant *g = table_find(t->grants, VIEW_OF(a->grant));
    return !tokens_grant_lives(t, g, now_ms) || strcmp(g->subject, a->subject) != 0;
}

/* --- into the tables */

static void distrust(struct tokens *t, uint64_t until_ms)
{
    uint64_t now = atomic_load(&t->distrusted_ms);

    while (now < until_ms && !atomic_compare_exchange_weak(&t->distrusted_ms, &now, until_ms)) {
    }
}

static uint64_t *version_in(void *value)
{
    return value; /* both structs begin with it */
}

static void put_newer(struct tokens *t, struct table *table, void *value)
{
    bool newer;

    pthread_mutex_lock(&t->lock);
    table_enter();
    uint64_t *now = version_in(table_find(table, table_key(value)));
    newer = !now || *now < *version_in(value);
    table_leave();
    if (newer)
        table_put(table, value);
    else
        table_value_free(table, value);
    pthread_mutex_unlock(&t->lock);
}

static RESULT apply_grant(struct tokens *t, const struct txn_change *c, struct arena *scratch)
{
    struct grant g = {0};
    struct known_grant *k;
    struct writer subject;

    TRY(entity_decode(&grant_entity, c->value, scratch, &g));
    k = table_value_new(sizeof *k + c->value.len, VIEW_OF(g.id));
    if (!k) { /* better none than one whose former refresh token would still be good */
        (void)!table_remove(t->grants, VIEW_OF(g.id));
        return ERR_NO_MEMORY;
    }
    k->version = c->version;
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    memcpy(k->row_key, c->key.ptr, c->key.len);
    k->row_key_len = c->key.len;
    k->place.created_ms = g.created_ms;
    memcpy(k->place.id, g.id, sizeof k->place.id);
    k->expires_ms = g.expires_ms;
    k->idle_at_ms = g.idle_ms < UINT64_MAX - g.used_ms ? g.used_ms + g.idle_ms : UINT64_MAX;
    subject = writer_fixed(k->subject, sizeof k->subject - 1);
    writer_str(&subject, "user:");
    writer_view(&subject, g.user);
    subject = writer_fixed(k->id, sizeof k->id - 1);
    hex_put(&subject, VIEW_OF(g.id));
    subject = writer_fixed(k->session, sizeof k->session - 1);
    hex_put(&subject, VIEW_OF(g.session));
    k->len = c->value.len;
    memcpy(k->plain, c->value.ptr, c->value.len);
    put_newer(t, t->grants, k);
    return OK;
}

static RESULT apply_revocation(struct tokens *t, const struct txn_change *c, struct arena *scratch)
{
    struct known_revocation *k;
    struct revocation r = {0};
    struct name n;

    TRY(entity_decode(&revocation_entity, c->value, scratch, &r));
    n = name_of(r.kind, r.name);
    k = table_value_new(sizeof *k, VIEW(n.bytes, n.len));
    if (!k) { /* it was answered for: rather too many end than one too few */
        distrust(t, r.at_ms);
        return ERR_NO_MEMORY;
    }
    *k = (struct known_revocation){.version = c->version,
                                   .kind = r.kind,
                                   .since_ms = r.since_ms,
                                   .at_ms = r.at_ms,
                                   .until_ms = r.until_ms,
                                   .row_key_len = c->key.len};
    memcpy(k->commitment, c->commitment, sizeof k->commitment);
    memcpy(k->row_key, c->key.ptr, c->key.len);
    put_newer(t, t->revoked, k);
    return OK;
}

struct seek {
    struct view row_key;
    uint8_t name[NAME_SIZE];
    size_t name_len;
};

static bool seek(void *value, const uint8_t *row_key, size_t row_key_len, struct seek *s)
{
    if (!view_eq(VIEW(row_key, row_key_len), s->row_key))
        return true;
    s->name_len = table_key(value).len;
    memcpy(s->name, table_key(value).ptr, s->name_len);
    return false;
}

static bool match_grant(void *context, void *value)
{
    const struct known_grant *k = value;

    return seek(value, k->row_key, k->row_key_len, context);
}

static bool match_revocation(void *context, void *value)
{
    const struct known_revocation *k = value;

    return seek(value, k->row_key, k->row_key_len, context);
}

/* Rows are removed when what they tell has ended by itself, or a grant to make room for another. */
static void drop(struct table *table, bool (*match)(void *context, void *value), const struct txn_change *c)
{
    struct seek s = {.row_key = c->key};

    table_enter();
    table_visit(table, match, &s);
    table_leave();
    if (s.name_len)
        (void)!table_remove(table, VIEW(s.name, s.name_len)); /* another thread was faster */
}

static RESULT apply(struct tokens *t, const struct txn_change *c, struct arena *scratch)
{
    if (!c->remove)
        return c->table == TABLE_GRANT ? apply_grant(t, c, scratch) : apply_revocation(t, c, scratch);
    if (c->table == TABLE_GRANT)
        drop(t->grants, match_grant, c);
    else
        drop(t->revoked, match_revocation, c);
    return OK;
}

RESULT tokens_applied(struct tokens *t, const struct txn_change *change)
{
    AUTO(arena_free) struct arena *scratch = NULL;

    if (change->table != TABLE_GRANT && change->table != TABLE_REVOCATION)
        return OK;
    if (arena_new(2048, SCRATCH_SIZE, &scratch) == OK)
        return apply(t, change, scratch);
    distrust(t, UINT64_MAX); /* what it was can't be looked at: none is good until the next start */
    return ERR_NO_MEMORY;
}

/* --- from the store */

struct loading {
    struct tokens *t;
    const struct row_keys *keys;
    struct arena *scratch;
    struct writer plain;
    uint16_t table;
    size_t bad[TABLE_COUNT];
    enum err error;
};

static bool load_row(void *context, const struct store_row *row)
{
    struct loading *l = context;
    struct txn_change c = {.table = l->table, .key = row->key, .version = row->version};
    enum err e;

    arena_reset(l->scratch);
    writer_reset(&l->plain);
    e = row_open(l->keys, l->table, row, &l->plain, c.commitment);
    c.value = writer_view_of(&l->plain);
    if (e == OK)
        e = apply(l->t, &c, l->scratch);
    if (e == ERR_NO_MEMORY || e == ERR_TOO_NEW)
        l->error = e;
    else if (e != OK)
        l->bad[l->table]++;
    return l->error == OK;
}

RESULT tokens_load(struct tokens *t, struct store *reader, const struct row_keys *keys, uint64_t now_ms,
                   size_t *ret_bad, struct problem *why)
{
    static const uint16_t tables[] = {TABLE_GRANT, TABLE_REVOCATION};
    struct loading l = {.t = t, .keys = keys, .plain = writer_new(STORE_VALUE_MAX)};
    AUTO(arena_free) struct arena *scratch = NULL;

    TRY(arena_new(4096, SCRATCH_SIZE, &scratch));
    l.scratch = scratch;
    for (size_t k = 0; k < ARRAY_LEN(tables) && l.error == OK; k++) {
        l.table = tables[k];
        enum err e = store_range(reader, l.table, VIEW(NULL, 0), VIEW(NULL, 0), false, SIZE_MAX, load_row, &l);
        l.error = l.error == OK ? e : l.error;
    }
    writer_free(&l.plain);
    if (l.error != OK)
        return problem_set(why, l.error, "tokens", "grants and revocations could not be read");
    /* Which token a lost revocation ended nobody knows: it may be any. */
    if (l.bad[TABLE_REVOCATION])
        distrust(t, now_ms);
    *ret_bad = l.bad[TABLE_GRANT] + l.bad[TABLE_REVOCATION];
    return OK;
}

/* --- asking for grants */

RESULT tokens_copy_grant(const struct known_grant *k, struct arena *arena, struct grant_found *ret)
{
    struct grant_found f = {.version = k->version};
    struct view plain;

    TRY(arena_copy(arena, VIEW(k->plain, k->len), &plain));
    TRY(entity_decode(&grant_entity, plain, arena, &f.grant));
    memcpy(f.commitment, k->commitment, sizeof f.commitment);
    *ret = f;
    return OK;
}

RESULT tokens_grant(struct tokens *t, const uint8_t id[static 16], uint64_t now_ms, struct arena *arena,
                    struct grant_found *ret)
{
    table_enter();
    const struct known_grant *k = table_find(t->grants, VIEW(id, 16));
    bool there = tokens_grant_lives(t, k, now_ms);
    enum err e = there ? tokens_copy_grant(k, arena, ret) : ERR_NOT_FOUND;
    table_leave();
    return e;
}

/* --- revoking */

static RESULT revocation_row(const struct row_keys *keys, uint8_t kind, struct view name, struct arena *arena,
                             struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);
    struct name n = name_of(kind, name);

    TRY(row_key_exact(keys, TABLE_REVOCATION, VIEW(n.bytes, n.len), &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

static void widen(struct revocation *r, const struct known_revocation *k)
{
    r->since_ms = k->since_ms < r->since_ms ? k->since_ms : r->since_ms;
    r->at_ms = k->at_ms > r->at_ms ? k->at_ms : r->at_ms;
    r->until_ms = k->until_ms > r->until_ms ? k->until_ms : r->until_ms;
}

RESULT tokens_revoke(struct tokens *t, const struct row_keys *keys, const struct revocation *r, struct arena *arena,
                     struct txn_change *ret)
{
    struct txn_change c = {.table = TABLE_REVOCATION};
    AUTO_WRITER w = writer_new(PLAIN_MAX);
    struct revocation wide = *r;

    if (r->name.len > TOKEN_SUBJECT_MAX)
        return ERR_TOO_LONG;
    table_enter();
    const struct known_revocation *k = find_revoked(t, r->kind, r->name);
    if (k) {
        widen(&wide, k);
        c.expect = k->version;
        memcpy(c.old_commitment, k->commitment, sizeof c.old_commitment);
    }
    table_leave();
    c.version = c.expect + 1;
    TRY(revocation_row(keys, r->kind, r->name, arena, &c.key));
    TRY(entity_encode(&revocation_entity, &wide, &w));
    TRY(arena_copy(arena, writer_view_of(&w), &c.value));
    *ret = c;
    return OK;
}

struct sweeping {
    uint64_t now_ms;
    struct arena *arena;
    struct txn_change *out;
    size_t count;
    enum err error;
};

static bool find_passed(void *context, void *value)
{
    struct sweeping *s = context;
    const struct known_revocation *k = value;
    struct txn_change *c = &s->out[s->count];

    /* Those of a subject and of all are widened and never removed: a removal could overtake the widening. */
    if (k->kind == REVOKED_SUBJECT || k->kind == REVOKED_ALL || s->now_ms < k->until_ms)
        return true;
    if (s->count == TOKENS_ENDED_MAX)
        return false;
    *c = (struct txn_change){.table = TABLE_REVOCATION, .expect = k->version, .remove = true};
    memcpy(c->old_commitment, k->commitment, sizeof c->old_commitment);
    s->error = arena_copy(s->arena, VIEW(k->row_key, k->row_key_len), &c->key);
    s->count += s->error == OK;
    return s->error == OK;
}

RESULT tokens_sweep(struct tokens *t, uint64_t now_ms, struct arena *arena, struct txn_change **ret, size_t *ret_count)
{
    struct sweeping s = {.now_ms = now_ms, .arena = arena, .out = arena_alloc(arena, TOKENS_ENDED_MAX * sizeof *s.out)};

    if (!s.out)
        return ERR_NO_MEMORY;
    table_enter();
    table_visit(t->revoked, find_passed, &s);
    table_leave();
    TRY(s.error);
    *ret = s.out;
    *ret_count = s.count;
    return s.count ? OK : ERR_NOT_FOUND;
}
