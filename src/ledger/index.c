/* The indexing thread: derives the blind indexes behind the commit. */
#include "ledger/inside.h"
#include "ledger/terms.h"

#define BATCH         1024
#define TERMS_MAX     6144 /* rows of a batch: commits wait meanwhile */
#define LAG_MAX       4096 /* beyond it, indexing does not wait for a quiet moment */
#define POLL_MS       25
#define ARENA_MAX     ((size_t)64 << 20)
#define STATE_VERSION 1

/* --- position */

static RESULT position_key(const struct row_keys *k, uint8_t out[static META_KEY_SIZE])
{
    struct writer w = writer_fixed(out, META_KEY_SIZE);
    return row_key_exact(k, TABLE_META, VIEW_STR("index"), &w);
}

static RESULT decode(struct view plain, struct index_state *s)
{
    struct reader r = reader_new(plain);
    uint8_t version = 0;
    TRY(reader_u8(&r, &version));
    TRY(reader_u64(&r, &s->position));
    for (size_t i = 0; i < ARRAY_LEN(s->rows.limb); i++)
        TRY(reader_u64(&r, &s->rows.limb[i]));
    return version == STATE_VERSION ? reader_end(&r) : ERR_TAMPERED;
}

RESULT index_get(const struct row_keys *k, struct store *store, struct index_state *ret)
{
    uint8_t key[META_KEY_SIZE], plain[64], unused[32];
    struct store_row row;
    struct index_state s = {0};
    struct writer w = writer_fixed(plain, sizeof(plain));
    AUTO(arena_free) struct arena *arena = NULL;
    TRY(arena_new(512, 64u * 1024, &arena));
    TRY(position_key(k, key));
    enum err e = store_get(store, TABLE_META, VIEW_OF(key), arena, &row);
    if (e == ERR_NOT_FOUND) {
        *ret = s;
        return OK;
    }
    TRY(e);
    if (row_open(k, TABLE_META, &row, &w, unused) != OK || decode(writer_view_of(&w), &s) != OK)
        return ERR_TAMPERED;
    s.version = row.version;
    *ret = s;
    return OK;
}

/* --- a batch */

struct job {
    struct ledger *l;
    struct store *reader;
    struct row_keys *keys;
    struct arena *arena, *record_arena;
    struct subject_reader subjects;
    struct index_state state;
    struct store_change *changes;
    size_t count, room;
    uint64_t end;      /* the batch ends before this record */
    uint64_t last_day; /* + 1; 0 = none yet */
    enum err result;
};

static RESULT add_key(struct job *j, const struct term *t, uint64_t position)
{
    static const uint8_t none[32];
    uint8_t *key = arena_alloc(j->arena, TERM_KEY_SIZE);
    if (!key)
        return ERR_NO_MEMORY;
    term_key(t, position, key);
    j->changes[j->count++] = (struct store_change){
        .op = STORE_PUT, .table = TABLE_INDEX, .key = VIEW(key, TERM_KEY_SIZE), .expect = STORE_ANY, .version = 1};
    row_set_add(j->keys, &j->state.rows, TABLE_INDEX, VIEW(key, TERM_KEY_SIZE), 1, none);
    return OK;
}

static bool found(void *context, const struct store_row *row)
{
    (void)row;
    *(bool *)context = true;
    return false;
}

/* A day is listed once: whether it is already is asked of the store and of this batch. */
static RESULT add_day(struct job *j, uint64_t day)
{
    struct term t;
    uint8_t from[TERM_KEY_SIZE], to[TERM_KEY_SIZE + 1] = {0};
    bool known = j->last_day == day + 1;
    if (known)
        return OK;
    TRY(term_of_text(j->keys, "days", VIEW(NULL, 0), &t));
    term_key(&t, day, from);
    memcpy(to, from, sizeof(from));
    for (size_t i = 0; i < j->count && !known; i++)
        known = view_eq(j->changes[i].key, VIEW_OF(from));
    if (!known)
        TRY(store_range(j->reader, TABLE_INDEX, VIEW_OF(from), VIEW_OF(to), false, 1, found, &known));
    j->last_day = day + 1;
    return known ? OK : add_key(j, &t, day);
}

static RESULT add_number(struct job *j, const char *index, uint64_t n, uint64_t position)
{
    struct term t;
    TRY(term_of_number(j->keys, index, n, &t));
    return add_key(j, &t, position);
}

static RESULT add_text(struct job *j, const char *index, struct view text, uint64_t position)
{
    struct term t;
    if (text.len == 0)
        return OK;
    TRY(term_of_text(j->keys, index, text, &t));
    return add_key(j, &t, position);
}

static RESULT add_things(struct job *j, const struct record_object *what, uint64_t position)
{
    struct view things[RECORD_THINGS_MAX];
    size_t n = record_things(what, things);
    TRY(add_text(j, "resource", things[0], position));
    for (size_t i = 1; i < n; i++)
        if (!view_eq(things[i], things[0]))
            TRY(add_text(j, "resource", things[i], position));
    return OK;
}

static RESULT add_record(struct job *j, const struct record_view *r)
{
    uint64_t day = r->leaf.time_ms / TERM_DAY_MS;
    TRY(add_number(j, "type", r->leaf.type, r->index));
    TRY(add_number(j, "severity", r->leaf.severity, r->index));
    TRY(add_number(j, "day", day, r->index));
    TRY(add_day(j, day));
    TRY(add_text(j, "actor", r->who.actor, r->index));
    return add_things(j, &r->what, r->index);
}

static bool visit(void *context, const struct store_row *row)
{
    struct job *j = context;
    struct record_view r;
    if (j->room - j->count < TERMS_OF_EACH) {
        j->end = log_index(row->key);
        return false;
    }
    arena_reset(j->record_arena);
    enum err e = record_open(&j->subjects, row, j->record_arena, &r);
    if (e == OK)
        e = add_record(j, &r);
    /* One that was tampered with is told by whoever reads it; the others must still be found. */
    j->result = e == ERR_TAMPERED ? OK : e;
    if (j->result == OK)
        j->state.position++;
    return j->result == OK;
}

static int by_key(const void *a, const void *b)
{
    const struct store_change *x = a, *y = b;
    return view_cmp(x->key, y->key);
}

static RESULT add_position(struct job *j)
{
    uint8_t *key = arena_alloc(j->arena, META_KEY_SIZE), *value = arena_alloc(j->arena, 256);
    uint8_t plain[64], unused[32];
    struct writer p = writer_fixed(plain, sizeof(plain)), w = writer_fixed(value, 256);
    if (!key || !value)
        return ERR_NO_MEMORY;
    writer_u8(&p, STATE_VERSION);
    writer_u64(&p, j->state.position);
    for (size_t i = 0; i < ARRAY_LEN(j->state.rows.limb); i++)
        writer_u64(&p, j->state.rows.limb[i]);
    TRY(position_key(j->keys, key));
    TRY(row_seal(j->keys, TABLE_META, VIEW(key, META_KEY_SIZE), j->state.version + 1, writer_view_of(&p),
                 j->l->config.random, &w, unused));
    j->changes[j->count++] = (struct store_change){.op = STORE_PUT,
                                                   .table = TABLE_META,
                                                   .key = VIEW(key, META_KEY_SIZE),
                                                   .expect = STORE_ANY,
                                                   .version = j->state.version + 1,
                                                   .value = writer_view_of(&w)};
    return OK;
}

static RESULT index_batch(struct job *j)
{
    uint8_t from[LOG_KEY_SIZE], to[LOG_KEY_SIZE];
    TRY(index_get(j->keys, j->reader, &j->state));
    uint64_t first = j->state.position;
    j->end = j->l->size;
    if (j->end - first > BATCH)
        j->end = first + BATCH;
    log_key(first, from);
    log_key(j->end, to);
    j->room = TERMS_OF_EACH * (size_t)(j->end - first);
    if (j->room > TERMS_MAX)
        j->room = TERMS_MAX;
    j->changes = arena_alloc(j->arena, (j->room + 1) * sizeof(*j->changes));
    if (!j->changes)
        return ERR_NO_MEMORY;
    TRY(store_range(j->reader, TABLE_LOG, VIEW_OF(from), VIEW_OF(to), false, BATCH, visit, j));
    TRY(j->result);
    j->state.position = j->end; /* over records that were deleted, too */
    qsort(j->changes, j->count, sizeof(*j->changes), by_key);
    TRY(add_position(j));
    TRY(commit_aside(j->l, j->changes, j->count));
    j->l->indexed = j->end;
    return OK;
}

/* --- from zero */

static bool visit_old(void *context, const struct store_row *row)
{
    struct job *j = context;
    struct view key = {0};
    j->result = arena_copy(j->arena, row->key, &key);
    if (j->result != OK)
        return false;
    j->changes[j->count++] = (struct store_change){
        .op = STORE_DELETE, .table = TABLE_INDEX, .key = key, .expect = STORE_ANY};
    return true;
}

/* The position goes first, so that searches read the log itself until the index is back. */
static RESULT drop_index(struct job *j)
{
    struct index_state old;
    j->changes = arena_alloc(j->arena, (BATCH + 1) * sizeof(*j->changes));
    if (!j->changes)
        return ERR_NO_MEMORY;
    if (index_get(j->keys, j->reader, &old) == OK)
        j->state.version = old.version;
    else
        j->state.version++; /* it does not open: any higher version will do */
    TRY(add_position(j));
    TRY(commit_aside(j->l, j->changes, j->count));
    j->l->indexed = 0;
    do {
        j->count = 0;
        TRY(store_range(j->reader, TABLE_INDEX, VIEW(NULL, 0), VIEW(NULL, 0), false, BATCH, visit_old, j));
        TRY(j->result);
        TRY(commit_aside(j->l, j->changes, j->count));
    } while (j->count == BATCH && !j->l->stopping);
    return j->l->stopping ? ERR_UNAVAILABLE : OK;
}

void ledger_reindex(struct ledger *l)
{
    l->reindex = true;
}

/* --- the thread */

typedef enum err (*job_fn)(struct job *j);

static RESULT run_job(struct ledger *l, struct store *reader, job_fn fn)
{
    struct job j = {.l = l, .reader = reader};
    pthread_mutex_lock(&l->index_lock); /* before the keys: see index_await_old_keys */
    j.keys = ledger_keys(l);
    j.subjects = (struct subject_reader){.store = reader, .keys = j.keys};
    enum err e = arena_new(256u * 1024, ARENA_MAX, &j.arena);
    if (e == OK)
        e = arena_new(8192, 4u << 20, &j.record_arena);
    if (e == OK)
        e = arena_new(1024, 64u * 1024, &j.subjects.scratch);
    if (e == OK)
        e = fn(&j);
    pthread_mutex_unlock(&l->index_lock);
    subject_reader_done(&j.subjects);
    arena_free(j.record_arena);
    arena_free(j.arena);
    row_keys_free(j.keys);
    return e;
}

void index_await_old_keys(struct ledger *l)
{
    pthread_mutex_lock(&l->index_lock);
    pthread_mutex_unlock(&l->index_lock);
}

static uint64_t now_ms(void)
{
    return clock_system()->mono_ms(clock_system());
}

/* Drops the index if asked to, or adds a batch. Returns how long to rest. */
static unsigned turn(struct ledger *l, struct store *reader, bool busy)
{
    uint64_t begin = now_ms();
    bool drop = l->reindex;
    if (!drop && l->size == l->indexed)
        return POLL_MS;
    if (!drop && busy && l->size - l->indexed < LAG_MAX)
        return POLL_MS;
    enum err e = run_job(l, reader, drop ? drop_index : index_batch);
    if (e == ERR_TAMPERED)
        l->reindex = true;
    else if (drop && e == OK)
        l->reindex = false;
    if (e != OK)
        return 10 * POLL_MS;
    /* While there is load, most of the time belongs to the commits. */
    return busy ? POLL_MS + 3 * (unsigned)(now_ms() - begin) : 0;
}

void *index_thread(void *ledger)
{
    struct ledger *l = ledger;
    AUTO(store_close) struct store *reader = NULL;
    uint64_t commits = l->stat_commits;
    background_wait(l);
    while (!l->stopping) {
        if (!reader && ledger_reader(l, &reader) != OK) {
            background_sleep(l, 10 * POLL_MS);
            continue;
        }
        uint64_t seen = l->stat_commits;
        unsigned rest = turn(l, reader, seen != commits);
        commits = seen;
        if (rest)
            background_sleep(l, rest);
    }
    return NULL;
}
