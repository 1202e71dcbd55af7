#include "ledger/search.h"

#include "ledger/inside.h"

#define LIMIT_MAX     1000
#define LIMIT_DEFAULT 100
#define SCAN_STEP     128

struct search {
    struct store *reader;
    const struct record_filter *filter;
    bool (*visit)(void *context, const struct record_view *r);
    void *context;
    struct problem *why;
    struct subject_reader subjects;
    struct tile_cache *tiles;
    struct arena *arena;
    size_t left;      /* of the limit */
    bool ended;       /* enough, or visit said so */
    uint64_t last;    /* the last record that was shown */
    uint64_t scanned; /* everything from here up was looked at */
    size_t seen;
    enum err result;
};

static bool names(const struct record_object *what, struct view resource)
{
    struct view things[RECORD_THINGS_MAX];
    size_t n = record_things(what, things);
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found |= view_eq(things[i], resource);
    return found;
}

static bool passes(const struct record_filter *f, const struct record_view *r)
{
    const struct leaf *l = &r->leaf;
    if ((f->type && l->type != f->type) || l->severity < f->least_severity)
        return false;
    if (l->time_ms < f->from_ms || (f->to_ms && l->time_ms >= f->to_ms))
        return false;
    if (f->actor.len && !view_eq(f->actor, r->who.actor))
        return false;
    return f->resource.len == 0 || names(&r->what, f->resource);
}

static RESULT tampered(struct search *s, uint64_t index)
{
    char where[64];
    struct writer w = writer_fixed(where, sizeof(where) - 1);
    writer_printf(&w, "record %llu", (unsigned long long)index);
    where[w.len] = '\0';
    return problem_set(s->why, ERR_TAMPERED, where, "record %llu was altered, replaced or removed",
                       (unsigned long long)index);
}

static RESULT show(struct search *s, const struct store_row *row)
{
    struct record_view r;
    enum err e = record_open(&s->subjects, row, s->arena, &r);
    if (e == OK && passes(s->filter, &r)) {
        e = tile_holds(s->reader, s->tiles, &r);
        if (e == OK) {
            s->last = r.index;
            s->left--;
            s->ended = !s->visit(s->context, &r) || s->left == 0;
        }
    }
    return e == ERR_TAMPERED ? tampered(s, log_index(row->key)) : e;
}

/* --- what the index does not know yet, or need not */

static bool visit_scanned(void *context, const struct store_row *row)
{
    struct search *s = context;
    arena_reset(s->arena);
    uint64_t index = log_index(row->key);
    s->result = index == s->scanned - 1 ? show(s, row) : tampered(s, s->scanned - 1);
    s->scanned = index;
    s->seen++;
    return s->result == OK && !s->ended;
}

static RESULT scan(struct search *s, uint64_t end, uint64_t first)
{
    s->scanned = end;
    while (s->scanned > first && !s->ended) {
        uint8_t from[LOG_KEY_SIZE], to[LOG_KEY_SIZE];
        log_key(first, from);
        log_key(s->scanned, to);
        s->seen = 0;
        TRY(store_range(s->reader, TABLE_LOG, VIEW_OF(from), VIEW_OF(to), true, SCAN_STEP, visit_scanned, s));
        TRY(s->result);
        if (s->seen == 0)
            return tampered(s, s->scanned - 1);
    }
    return OK;
}

/* --- through the index */

static RESULT show_at(struct search *s, uint64_t index)
{
    uint8_t key[LOG_KEY_SIZE];
    struct store_row row;
    arena_reset(s->arena);
    log_key(index, key);
    enum err e = store_get(s->reader, TABLE_LOG, VIEW_OF(key), s->arena, &row);
    if (e == ERR_NOT_FOUND)
        return tampered(s, index);
    TRY(e);
    return show(s, &row);
}

static RESULT look_up(struct search *s, struct lists *lists, uint64_t end)
{
    while (end > 0 && !s->ended) {
        uint64_t at = POSITION_NONE;
        TRY(lists_next(lists, end - 1, &at));
        if (at == POSITION_NONE)
            return OK;
        TRY(show_at(s, at));
        end = at;
    }
    return OK;
}

/* --- both */

static bool take_index(void *context, const struct store_row *row)
{
    *(uint64_t *)context = log_index(row->key) + 1;
    return false;
}

static RESULT search(struct search *s)
{
    AUTO(lists_free) struct lists *lists = NULL;
    struct index_state index;
    uint64_t end = 0;
    /* The position is read before the lists: what is indexed meanwhile is scanned as well as listed, never neither. */
    enum err e = index_get(s->subjects.keys, s->reader, &index);
    if (e == ERR_TAMPERED)
        index.position = 0;
    else
        TRY(e);
    TRY(lists_new(s->reader, s->subjects.keys, s->filter, &lists));
    TRY(store_range(s->reader, TABLE_LOG, VIEW(NULL, 0), VIEW(NULL, 0), true, 1, take_index, &end));
    if (s->filter->before && s->filter->before < end)
        end = s->filter->before;
    uint64_t listed = lists_any(lists) ? index.position : 0;
    TRY(scan(s, end, listed < end ? listed : end));
    return s->ended ? OK : look_up(s, lists, lists_any(lists) && listed < end ? listed : lists_any(lists) ? end : 0);
}

static RESULT prepare(struct search *s, size_t limit)
{
    s->left = limit == 0 ? LIMIT_DEFAULT : limit < LIMIT_MAX ? limit : LIMIT_MAX;
    s->tiles = calloc(1, sizeof(*s->tiles));
    if (!s->tiles)
        return ERR_NO_MEMORY;
    TRY(arena_new(16384, 8u << 20, &s->arena));
    return arena_new(1024, 64u * 1024, &s->subjects.scratch);
}

RESULT query_search(struct store *reader, const struct row_keys *keys, const struct record_filter *filter,
                    bool (*visit)(void *context, const struct record_view *r), void *context, uint64_t *ret_next,
                    struct problem *why)
{
    struct search s = {.reader = reader,
                       .filter = filter,
                       .visit = visit,
                       .context = context,
                       .why = why,
                       .subjects = {.store = reader, .keys = keys}};
    enum err e = prepare(&s, filter->limit);
    if (e == OK)
        e = search(&s);
    subject_reader_done(&s.subjects);
    arena_free(s.arena);
    free(s.tiles);
    TRY(e);
    *ret_next = s.ended ? s.last : 0;
    return OK;
}
