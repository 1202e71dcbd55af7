/* Sessions as lists, page by page. */
#include "domain/identity/tables.h"

struct paging {
    struct identity *i;
    const struct sessions_range *range;
    const struct known **first; /* the smallest ids so far, in order */
    size_t count;
};

static bool is_over(struct identity *i, const struct known *k, uint64_t now_ms)
{
    const struct session lasts = {.expires_ms = k->expires_ms, .idle_ms = k->idle_ms};

    return session_over(&lasts, tables_used_at(i, k, now_ms), now_ms);
}

static bool is_wanted(const struct paging *p, const struct known *k, struct view hash)
{
    const struct sessions_range *r = p->range;

    return (r->user.len == 0 || view_eq(k->name, r->user)) &&
           view_cmp(VIEW(hash.ptr, SESSION_ID_SIZE), VIEW(r->after, SESSION_ID_SIZE)) > 0 &&
           !is_over(p->i, k, r->now_ms);
}

static bool page_session(void *context, void *value)
{
    struct paging *p = context;
    const struct known *k = value;
    struct view hash = table_key(value);
    size_t at = p->count;

    if (!is_wanted(p, k, hash) || (at == p->range->limit && view_cmp(hash, table_key(p->first[at - 1])) > 0))
        return true;
    at -= at == p->range->limit; /* the last one has to go */
    p->count = at + 1;
    while (at > 0 && view_cmp(hash, table_key(p->first[at - 1])) < 0) {
        p->first[at] = p->first[at - 1];
        at--;
    }
    p->first[at] = k;
    return true;
}

static RESULT copy_page(const struct paging *p, struct arena *arena, struct session_seen *out)
{
    for (size_t n = 0; n < p->count; n++) {
        TRY(tables_copy(p->first[n], &session_entity, arena, &out[n].session));
        out[n].used_ms = tables_used_at(p->i, p->first[n], p->range->now_ms);
    }
    return OK;
}

RESULT identity_sessions_page(struct identity *i, const struct sessions_range *range, struct arena *arena,
                              struct session_seen **ret, size_t *ret_count)
{
    struct paging p = {.i = i, .range = range};
    struct session_seen *out = arena_alloc(arena, (range->limit + 1) * sizeof *out);

    p.first = arena_alloc(arena, (range->limit + 1) * sizeof(struct known *));
    if (!out || !p.first || range->limit == 0)
        return range->limit ? ERR_NO_MEMORY : ERR_OUT_OF_RANGE;
    table_enter();
    table_visit(i->sessions, page_session, &p);
    enum err e = copy_page(&p, arena, out);
    table_leave();
    TRY(e);
    *ret = out;
    *ret_count = p.count;
    return OK;
}

struct seeking {
    const uint8_t *id;
    struct arena *arena;
    struct session *ret;
    enum err error;
};

static bool is_sought(void *context, void *value)
{
    struct seeking *s = context;

    if (memcmp(table_key(value).ptr, s->id, SESSION_ID_SIZE) != 0)
        return true;
    s->error = tables_copy(value, &session_entity, s->arena, s->ret);
    return false;
}

RESULT identity_session_by_id(struct identity *i, const uint8_t id[static SESSION_ID_SIZE], struct arena *arena,
                              struct session *ret)
{
    struct session found = {0};
    struct seeking s = {.id = id, .arena = arena, .ret = &found, .error = ERR_NOT_FOUND};

    table_enter();
    table_visit(i->sessions, is_sought, &s);
    table_leave();
    TRY(s.error);
    *ret = found;
    return OK;
}

struct emergency {
    struct identity *i;
    const struct sessions_emergency *of;
    struct arena *arena;
    bool found;
    enum err error;
};

static bool look_for_emergency(void *context, void *value)
{
    struct emergency *e = context;
    const struct known *k = value;
    struct session s = {0};

    if (!view_eq(k->name, e->of->user) || is_over(e->i, k, e->of->now_ms))
        return true;
    e->error = tables_copy(k, &session_entity, e->arena, &s);
    e->found = e->error == OK && s.emergency_ms > e->of->now_ms && s.emergency_ms <= e->of->latest_ms;
    return e->error == OK && !e->found;
}

RESULT identity_in_emergency(struct identity *i, const struct sessions_emergency *of, struct arena *arena, bool *ret)
{
    struct emergency e = {.i = i, .of = of, .arena = arena};

    table_enter();
    table_visit(i->sessions, look_for_emergency, &e);
    table_leave();
    TRY(e.error);
    *ret = e.found;
    return OK;
}

/* --- where those are who may do something */

struct sources {
    struct identity *i;
    struct arena *scratch;
    enum permission may;
    uint64_t now_ms;
    void (*visit)(void *context, struct view source);
    void *context;
};

static bool look_where(void *context, void *value)
{
    const struct sources *s = context;
    const struct known *k = value;
    struct session session;
    struct rights has;

    if (is_over(s->i, k, s->now_ms) || identity_user_rights(s->i, k->name, &has) != OK ||
        !permission_has(has.permissions, s->may))
        return true;
    if (tables_copy(k, &session_entity, s->scratch, &session) == OK)
        s->visit(s->context, session.source);
    arena_reset(s->scratch);
    return true;
}

void identity_session_sources(struct identity *i, enum permission may, uint64_t now_ms, struct arena *scratch,
                              void (*visit)(void *context, struct view source), void *context)
{
    struct sources s = {i, scratch, may, now_ms, visit, context};

    table_enter();
    table_visit(i->sessions, look_where, &s);
    table_leave();
}
