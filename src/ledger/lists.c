#include "ledger/search.h"

#define AHEAD      16 /* positions fetched at once */
#define DIMENSIONS 5
#define DAYS_MAX   8192

/* One term's positions, falling. */
struct list {
    struct term term;
    uint64_t ahead[AHEAD];
    unsigned from, count;
    bool ended;
};

/* A condition: any of its lists. */
struct dimension {
    struct list *lists;
    size_t count;
};

struct lists {
    struct store *reader;
    const struct row_keys *keys;
    struct dimension dims[DIMENSIONS];
    size_t count;
};

static bool fetch_one(void *context, const struct store_row *row)
{
    struct list *l = context;
    l->ahead[l->count++] = term_position(row->key);
    return true;
}

static RESULT fetch(struct store *reader, struct list *l, uint64_t most)
{
    uint8_t from[TERM_KEY_SIZE], to[TERM_KEY_SIZE + 1] = {0};
    term_key(&l->term, most, from);
    term_key(&l->term, 0, to);
    l->from = l->count = 0;
    TRY(store_range(reader, TABLE_INDEX, VIEW_OF(from), VIEW_OF(to), false, AHEAD, fetch_one, l));
    l->ended = l->count < AHEAD;
    return OK;
}

static RESULT list_next(struct store *reader, struct list *l, uint64_t most, uint64_t *ret)
{
    while (l->from < l->count && l->ahead[l->from] > most)
        l->from++;
    if (l->from == l->count && !l->ended)
        TRY(fetch(reader, l, most));
    *ret = l->from < l->count ? l->ahead[l->from] : POSITION_NONE;
    return OK;
}

static RESULT dimension_next(struct store *reader, struct dimension *d, uint64_t most, uint64_t *ret)
{
    uint64_t best = POSITION_NONE;
    for (size_t i = 0; i < d->count; i++) {
        uint64_t at = POSITION_NONE;
        TRY(list_next(reader, &d->lists[i], most, &at));
        if (at != POSITION_NONE && (best == POSITION_NONE || at > best))
            best = at;
    }
    *ret = best;
    return OK;
}

/* Each condition in turn pulls the candidate down until all agree. */
RESULT lists_next(struct lists *l, uint64_t most, uint64_t *ret)
{
    uint64_t candidate = most;
    size_t agreed = 0;
    for (size_t i = 0; agreed < l->count; i = (i + 1) % l->count) {
        uint64_t at = POSITION_NONE;
        TRY(dimension_next(l->reader, &l->dims[i], candidate, &at));
        if (at == POSITION_NONE) {
            *ret = POSITION_NONE;
            return OK;
        }
        agreed = at == candidate ? agreed + 1 : 1;
        candidate = at;
    }
    *ret = candidate;
    return OK;
}

/* --- from a filter */

static RESULT add_dimension(struct lists *l, size_t count, struct dimension **ret)
{
    struct dimension *d = &l->dims[l->count];
    d->lists = calloc(count + 1, sizeof(*d->lists));
    if (!d->lists)
        return ERR_NO_MEMORY;
    d->count = count;
    l->count++;
    *ret = d;
    return OK;
}

static RESULT add_text(struct lists *l, const char *index, struct view text)
{
    struct dimension *d = NULL;
    if (text.len == 0)
        return OK;
    TRY(add_dimension(l, 1, &d));
    return term_of_text(l->keys, index, text, &d->lists[0].term);
}

static RESULT add_numbers(struct lists *l, const char *index, uint64_t first, uint64_t last)
{
    struct dimension *d = NULL;
    TRY(add_dimension(l, (size_t)(last - first + 1), &d));
    for (uint64_t n = first; n <= last; n++)
        TRY(term_of_number(l->keys, index, n, &d->lists[n - first].term));
    return OK;
}

struct days {
    uint64_t *days;
    size_t count;
};

static bool take_day(void *context, const struct store_row *row)
{
    struct days *d = context;
    d->days[d->count++] = term_position(row->key);
    return true;
}

static RESULT add_found_days(struct lists *l, const struct days *found)
{
    struct dimension *d = NULL;
    TRY(add_dimension(l, found->count, &d));
    for (size_t i = 0; i < found->count; i++)
        TRY(term_of_number(l->keys, "day", found->days[i], &d->lists[i].term));
    return OK;
}

/* Only days that the index knows at all: it keeps a list of them. */
static RESULT add_days(struct lists *l, uint64_t first, uint64_t last)
{
    struct term t;
    uint8_t from[TERM_KEY_SIZE], to[TERM_KEY_SIZE + 1] = {0};
    struct days found = {.days = calloc(DAYS_MAX, sizeof(*found.days))};
    if (!found.days)
        return ERR_NO_MEMORY;
    enum err e = term_of_text(l->keys, "days", VIEW(NULL, 0), &t);
    term_key(&t, last, from);
    term_key(&t, first, to);
    if (e == OK)
        e = store_range(l->reader, TABLE_INDEX, VIEW_OF(from), VIEW_OF(to), false, DAYS_MAX, take_day, &found);
    /* More days than anybody keeps: then the record's own time decides. */
    if (e == OK && found.count < DAYS_MAX)
        e = add_found_days(l, &found);
    free(found.days);
    return e;
}

static RESULT fill(struct lists *l, const struct record_filter *f)
{
    TRY(add_text(l, "actor", f->actor));
    TRY(add_text(l, "resource", f->resource));
    if (f->type)
        TRY(add_numbers(l, "type", f->type, f->type));
    if (f->least_severity > SEVERITY_LOW && f->least_severity <= SEVERITY_CRITICAL)
        TRY(add_numbers(l, "severity", f->least_severity, SEVERITY_CRITICAL));
    if (f->from_ms || f->to_ms)
        TRY(add_days(l, f->from_ms / TERM_DAY_MS, f->to_ms ? (f->to_ms - 1) / TERM_DAY_MS : UINT64_MAX / TERM_DAY_MS));
    return OK;
}

RESULT lists_new(struct store *reader, const struct row_keys *keys, const struct record_filter *filter,
                 struct lists **ret)
{
    AUTO(lists_free) struct lists *l = calloc(1, sizeof(*l));
    if (!l)
        return ERR_NO_MEMORY;
    l->reader = reader;
    l->keys = keys;
    TRY(fill(l, filter));
    *ret = TAKE(l);
    return OK;
}

bool lists_any(const struct lists *l)
{
    return l->count > 0;
}

void lists_free(struct lists *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        free(l->dims[i].lists);
    free(l);
}
