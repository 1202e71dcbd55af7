/* Rows as the memory tables keep them; how sessions go on after a second factor, and how they end: one, the oldest of a
 * user, or all that are over. */
#include "domain/identity/tables.h"

#define SESSION_BYTES_MAX 2048

struct known *tables_known(struct view table_name, const struct txn_change *c)
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

RESULT tables_encoded(const struct entity *e, const void *object, struct arena *arena, struct view *ret)
{
    AUTO_WRITER w = writer_new(TABLES_PLAIN_MAX);
    TRY(entity_encode(e, object, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT tables_named(const struct row_keys *keys, uint16_t table, struct view name, struct arena *arena,
                    struct view *ret)
{
    uint8_t bytes[STORE_KEY_MAX];
    struct writer w = writer_fixed(bytes, sizeof bytes);
    TRY(row_key_exact(keys, table, name, &w));
    return arena_copy(arena, writer_view_of(&w), ret);
}

RESULT tables_copy(const struct known *k, const struct entity *e, struct arena *arena, void *ret)
{
    struct view plain = {0};
    TRY(arena_copy(arena, VIEW(k->plain, k->len), &plain));
    return entity_decode_again(e, plain, arena, ret);
}

static uint64_t first_use(struct identity *i, uint64_t now_ms)
{
    uint64_t first = 0;
    if (atomic_compare_exchange_strong(&i->first_ms, &first, now_ms))
        return now_ms;
    return first;
}

uint64_t tables_used_at(struct identity *i, const struct known *k, uint64_t now_ms)
{
    uint64_t used = atomic_load_explicit(&k->used_ms, memory_order_relaxed);
    return used ? used : first_use(i, now_ms);
}

/* --- one */

static RESULT removal(const struct known *k, struct arena *arena, struct txn_change *ret)
{
    struct txn_change c = ledger_remove(TABLE_SESSION, k->version, k->commitment);
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

/* What becomes of a session: a second factor was shown, or emergency access begins or ends. */
struct renewal {
    uint64_t second_ms, emergency_ms;
    uint8_t shown;
    bool emergency;
};

static RESULT renewed(const struct known *k, const struct renewal *what, struct arena *arena, struct txn_change *ret)
{
    AUTO_WRITER w = writer_new(SESSION_BYTES_MAX);
    struct txn_change c = ledger_put(TABLE_SESSION, k->version, k->commitment);
    struct session s = {0};
    TRY(tables_copy(k, &session_entity, arena, &s));
    if (what->emergency)
        s.emergency_ms = what->emergency_ms;
    else
        s.second_ms = what->second_ms;
    s.shown |= what->shown;
    TRY(entity_encode(&session_entity, &s, &w));
    TRY(arena_copy(arena, VIEW(k->row_key, k->row_key_len), &c.key));
    TRY(arena_copy(arena, writer_view_of(&w), &c.value));
    *ret = c;
    return OK;
}

static RESULT renew(struct identity *i, const uint8_t token_hash[static 32], const struct renewal *what,
                    struct arena *arena, struct txn_change *ret)
{
    table_enter();
    const struct known *k = table_find(i->sessions, VIEW(token_hash, 32));
    enum err e = k ? renewed(k, what, arena, ret) : ERR_NOT_FOUND;
    table_leave();
    return e;
}

RESULT identity_renew_session(struct identity *i, const uint8_t token_hash[static 32], uint64_t now_ms, uint8_t shown,
                              struct arena *arena, struct txn_change *ret)
{
    const struct renewal what = {.second_ms = now_ms, .shown = shown};
    return renew(i, token_hash, &what, arena, ret);
}

RESULT identity_session_emergency(struct identity *i, const uint8_t token_hash[static 32], uint64_t until_ms,
                                  struct arena *arena, struct txn_change *ret)
{
    const struct renewal what = {.emergency_ms = until_ms, .emergency = true};
    return renew(i, token_hash, &what, arena, ret);
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
    bool everybody; /* of all users … */
    bool only_over; /* … what is over */
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
    bool over = session_over(&lasts, tables_used_at(e->i, k, e->now_ms), e->now_ms);
    if (e->only_over && !over)
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
    struct ending e = {.i = i, .everybody = true, .only_over = true, .now_ms = now_ms, .arena = arena};
    return end_sessions(&e, 0, ret, ret_count);
}

RESULT identity_end_all(struct identity *i, uint64_t now_ms, struct arena *arena, struct txn_change **ret,
                        size_t *ret_count)
{
    struct ending e = {.i = i, .everybody = true, .now_ms = now_ms, .arena = arena};
    return end_sessions(&e, 0, ret, ret_count);
}
