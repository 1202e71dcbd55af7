#include "ledger/chain.h"

#include "base/json.h"

#define AUTHORS     2 /* keeper, signer */
#define WAITING_MAX 65536
#define GAPS_MAX    4096

/* A record that came before an earlier one of its author. */
struct waiting {
    uint64_t sequence, index;
    uint8_t hash[32], previous[32];
};

struct gap {
    uint64_t from, to; /* numbers that may be missing: from <= n < to */
};

struct chain {
    uint64_t next;
    bool hash_known;
    uint8_t hash[32]; /* of the record before next; zero before the first */
    struct waiting *waiting;
    size_t count, room;
    struct gap *gaps;
    size_t gap_count;
};

struct chains {
    struct chain of[AUTHORS];
    struct arena *arena;
};

RESULT chains_new(struct chains **ret)
{
    AUTO(chains_free) struct chains *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < AUTHORS; i++) {
        c->of[i].next = 1;
        c->of[i].hash_known = true;
    }
    TRY(arena_new(4096, 256u * 1024, &c->arena));
    *ret = TAKE(c);
    return OK;
}

void chains_free(struct chains *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < AUTHORS; i++) {
        free(c->of[i].waiting);
        free(c->of[i].gaps);
    }
    arena_free(c->arena);
    free(c);
}

/* --- declared gaps */

static const struct gap *gap_at(const struct chain *c, uint64_t sequence)
{
    for (size_t i = c->gap_count; i-- > 0;)
        if (sequence >= c->gaps[i].from && sequence < c->gaps[i].to)
            return &c->gaps[i];
    return NULL;
}

static bool begins_anew(const struct chain *c, uint64_t sequence)
{
    for (size_t i = 0; i < c->gap_count; i++)
        if (c->gaps[i].to == sequence)
            return true;
    return false;
}

static RESULT add_gap(struct chain *c, struct gap g)
{
    if (c->gap_count == GAPS_MAX)
        return ERR_LIMIT_REACHED;
    struct gap *more = realloc(c->gaps, (c->gap_count + 1) * sizeof(*more));
    if (!more)
        return ERR_NO_MEMORY;
    c->gaps = more;
    c->gaps[c->gap_count++] = g;
    return OK;
}

/* resource "author:keeper" or "author:signer", detail {"next":…,"reserved_from":…}. Anything else declares nothing. */
static RESULT learn_gap(struct chains *c, struct view what)
{
    struct record_object o;
    json_t *json = NULL;
    arena_reset(c->arena);
    if (entity_decode(&record_object_entity, what, c->arena, &o) != OK || json_read(o.detail, &json, NULL) != OK)
        return OK;
    json_int_t from = json_integer_value(json_object_get(json, "reserved_from"));
    json_int_t to = json_integer_value(json_object_get(json, "next"));
    json_decref(json);
    struct chain *chain = view_is(o.resource, "author:keeper")   ? &c->of[0]
                          : view_is(o.resource, "author:signer") ? &c->of[1]
                                                                 : NULL;
    if (!chain || from < 0 || to <= 0)
        return OK;
    return add_gap(chain, (struct gap){(uint64_t)from, (uint64_t)to});
}

/* --- the chain */

static RESULT wait_for(struct chain *c, const struct waiting *w)
{
    if (c->count == WAITING_MAX)
        return ERR_LOG_MISMATCH;
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        struct waiting *more = realloc(c->waiting, room * sizeof(*more));
        if (!more)
            return ERR_NO_MEMORY;
        c->waiting = more;
        c->room = room;
    }
    c->waiting[c->count++] = *w;
    return OK;
}

static RESULT follow(struct chain *c, const struct waiting *w)
{
    bool check = c->hash_known && !begins_anew(c, w->sequence);
    if (check && memcmp(c->hash, w->previous, sizeof(c->hash)) != 0)
        return ERR_LOG_MISMATCH;
    memcpy(c->hash, w->hash, sizeof(c->hash));
    c->hash_known = true;
    c->next++;
    return OK;
}

static const struct waiting *take_waiting(struct chain *c, struct waiting *room)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->waiting[i].sequence != c->next)
            continue;
        *room = c->waiting[i];
        c->waiting[i] = c->waiting[--c->count];
        return room;
    }
    return NULL;
}

/* What lies inside a declared gap was reserved, and some of it may have been written: nothing is waited for there. */
static void skip(struct chain *c, uint64_t to)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->count; i++)
        if (c->waiting[i].sequence >= to)
            c->waiting[kept++] = c->waiting[i];
    c->count = kept;
    c->next = to;
    c->hash_known = false;
}

static RESULT resolve(struct chain *c)
{
    while (c->count) {
        struct waiting room;
        const struct waiting *w = take_waiting(c, &room);
        const struct gap *g = w ? NULL : gap_at(c, c->next);
        if (w) {
            TRY(follow(c, w));
        } else if (g) {
            skip(c, g->to);
        } else {
            return OK;
        }
    }
    return OK;
}

RESULT chains_add(struct chains *c, const struct leaf *l, const uint8_t hash[static 32], uint64_t index,
                  struct view what)
{
    if (l->author == AUTHOR_FRONT)
        return OK;
    if (l->type == EVENT_AUTHOR_RESTARTED && l->author == AUTHOR_KEEPER)
        TRY(learn_gap(c, what));
    struct chain *chain = &c->of[l->author - AUTHOR_KEEPER];
    struct waiting w = {.sequence = l->sequence, .index = index};
    memcpy(w.hash, hash, sizeof(w.hash));
    memcpy(w.previous, l->previous, sizeof(w.previous));
    if (w.sequence < chain->next) /* from before a restart, logged after it: or it is there twice */
        return gap_at(chain, w.sequence) ? OK : ERR_LOG_MISMATCH;
    if (w.sequence == chain->next)
        TRY(follow(chain, &w));
    else
        TRY(wait_for(chain, &w));
    return resolve(chain);
}

uint64_t chains_gap(const struct chains *c, uint64_t size, uint64_t slack)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < AUTHORS; i++)
        for (size_t k = 0; k < c->of[i].count; k++) {
            uint64_t index = c->of[i].waiting[k].index;
            if (index < first && index + slack < size)
                first = index;
        }
    return first;
}
