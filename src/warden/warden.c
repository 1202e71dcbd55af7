#include "warden/warden.h"

#include <stdlib.h>

#define PART_ARENA   65536u
#define ELEMENTS_MAX (16u << 20) /* bytes of one set's text */

/* A restore whose parts are coming in. */
struct restore {
    bool begun;
    struct writer hosts[SETS_NETWORKS4]; /* elements of the sets that are not kept here */
    size_t host_count;
    struct sets_networks *networks;
    struct warden_restored told;
};

struct warden {
    const struct clock *clock;
    struct table *table;
    struct limits limits;
    struct budget each, networks_each, restores;
    struct sets_networks *networks;
    struct restore restore;
    bool restored;
    struct arena *arena;
};

RESULT warden_new(const struct config_guard *config, const struct clock *clock, struct table *table,
                  struct warden **ret, struct problem *why)
{
    AUTO(warden_free) struct warden *w = calloc(1, sizeof *w);
    if (!w)
        return ERR_NO_MEMORY;
    w->clock = clock;
    w->table = table;
    w->each = budget_new(WARDEN_PER_SECOND, WARDEN_BURST);
    w->networks_each = budget_new(WARDEN_NETWORKS_PER_SEC, WARDEN_NETWORKS_BURST);
    w->restores = budget_new(WARDEN_RESTORES_PER_SEC, WARDEN_RESTORES_BURST);
    w->networks = calloc(1, sizeof *w->networks);
    w->restore.networks = calloc(1, sizeof *w->restore.networks);
    if (!w->networks || !w->restore.networks)
        return ERR_NO_MEMORY;
    TRY(arena_new(PART_ARENA, 4 * PART_ARENA, &w->arena));
    TRY(limits_init(&w->limits, config, why));
    *ret = TAKE(w);
    return OK;
}

static void forget(struct restore *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->hosts); i++)
        writer_free(&r->hosts[i]);
    r->host_count = 0;
    r->begun = false;
    r->told = (struct warden_restored){0};
}

void warden_free(struct warden *w)
{
    if (!w)
        return;
    forget(&w->restore);
    free(w->restore.networks);
    free(w->networks);
    arena_free(w->arena);
    free(w);
}

static uint64_t now_of(const struct warden *w)
{
    return w->clock->mono_ms(w->clock);
}

/* --- what a message says */

static RESULT read_block(struct warden *w, const struct warden_block *from, struct sets_block *ret)
{
    *ret = (struct sets_block){.ends_ms = UINT64_MAX};
    memcpy(ret->network.base.b, from->base, sizeof from->base);
    ret->network.bits = from->bits;
    if (from->seconds)
        ret->ends_ms = now_of(w) + from->seconds * UINT64_C(1000);
    return limits_check(&w->limits, &ret->network);
}

static RESULT decode_block(struct warden *w, struct view body, struct sets_block *ret)
{
    struct warden_block q = {0};
    TRY(entity_decode(&warden_block_entity, body, w->arena, &q));
    TRY(read_block(w, &q, ret));
    return w->restored ? OK : ERR_CONFLICT;
}

/* --- one more, one less */

static RESULT write_set(struct warden *w, enum sets_which set, struct problem *why)
{
    AUTO_WRITER elements = writer_new(ELEMENTS_MAX);
    (void)sets_put(w->networks, set, now_of(w), &elements);
    TRY(writer_done(&elements));
    return table_fill(w->table, set, writer_view_of(&elements), why);
}

static RESULT take_budget(struct warden *w, enum sets_which set)
{
    uint64_t now = now_of(w);
    bool left = budget_take(&w->each, now) && (set < SETS_NETWORKS4 || budget_take(&w->networks_each, now));
    return left ? OK : ERR_BUSY;
}

static RESULT on_block(struct warden *w, struct view body, struct writer *ret, struct problem *why)
{
    struct sets_block one;
    uint8_t text[128];
    struct writer element = writer_fixed(text, sizeof text);
    char address[ADDRESS_TEXT_SIZE];
    (void)ret;
    TRY(decode_block(w, body, &one));
    enum sets_which set = sets_of(&one.network);
    TRY(take_budget(w, set));
    if (set >= SETS_NETWORKS4) {
        TRY(sets_add(w->networks, &one));
        return write_set(w, set, why);
    }
    sets_put_element(&one, now_of(w), &element);
    TRY(writer_done(&element));
    address_format(&one.network.base, address);
    return table_add(w->table, set, writer_view_of(&element), address, why);
}

static RESULT on_unblock(struct warden *w, struct view body, struct writer *ret, struct problem *why)
{
    struct sets_block one;
    char address[ADDRESS_TEXT_SIZE];
    (void)ret;
    TRY(decode_block(w, body, &one));
    enum sets_which set = sets_of(&one.network);
    TRY(take_budget(w, set));
    if (set >= SETS_NETWORKS4)
        return sets_remove(w->networks, &one.network) ? write_set(w, set, why) : OK;
    address_format(&one.network.base, address);
    enum err e = table_take(w->table, set, address, why);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* --- all at once */

static RESULT on_begin(struct warden *w, struct view body, struct writer *ret, struct problem *why)
{
    (void)ret, (void)why;
    if (body.len > 0)
        return ERR_MALFORMED;
    forget(&w->restore);
    if (!budget_take(&w->restores, now_of(w)))
        return ERR_BUSY;
    for (size_t i = 0; i < ARRAY_LEN(w->restore.hosts); i++)
        w->restore.hosts[i] = writer_new(ELEMENTS_MAX);
    w->restore.networks->count = 0;
    w->restore.begun = true;
    return OK;
}

static RESULT collect(struct warden *w, const struct sets_block *one)
{
    struct restore *r = &w->restore;
    enum sets_which set = sets_of(&one->network);
    if (set >= SETS_NETWORKS4)
        return sets_add(r->networks, one);
    if (r->host_count == WARDEN_HOSTS_MAX)
        return ERR_LIMIT_REACHED;
    writer_str(&r->hosts[set], r->hosts[set].len ? ", " : "");
    sets_put_element(one, now_of(w), &r->hosts[set]);
    TRY(writer_done(&r->hosts[set]));
    r->host_count++;
    return OK;
}

static RESULT collect_part(struct warden *w, struct view body)
{
    struct warden_part part = {0};
    struct restore *r = &w->restore;
    TRY(entity_decode(&warden_part_entity, body, w->arena, &part));
    const struct warden_block *blocks = part.blocks.items;
    for (size_t i = 0; i < part.blocks.count; i++) {
        struct sets_block one;
        enum err e = read_block(w, &blocks[i], &one);
        if (e == OK)
            e = collect(w, &one);
        if (e == ERR_NO_MEMORY || e == ERR_TOO_LONG)
            return e;
        *(e == OK ? &r->told.taken : e == ERR_LIMIT_REACHED ? &r->told.beyond : &r->told.refused) += 1;
    }
    return OK;
}

static RESULT on_part(struct warden *w, struct view body, struct writer *ret, struct problem *why)
{
    (void)ret, (void)why;
    if (!w->restore.begun)
        return ERR_CONFLICT;
    enum err e = collect_part(w, body);
    if (e != OK)
        forget(&w->restore); /* half of it must not come into force */
    return e;
}

static RESULT replace(struct warden *w, struct problem *why)
{
    struct restore *r = &w->restore;
    AUTO_WRITER four = writer_new(ELEMENTS_MAX), six = writer_new(ELEMENTS_MAX);
    struct view elements[SETS_COUNT];
    (void)sets_put(r->networks, SETS_NETWORKS4, now_of(w), &four);
    (void)sets_put(r->networks, SETS_NETWORKS6, now_of(w), &six);
    TRY(writer_done(&four));
    TRY(writer_done(&six));
    for (size_t i = 0; i < ARRAY_LEN(r->hosts); i++)
        elements[i] = writer_view_of(&r->hosts[i]);
    elements[SETS_NETWORKS4] = writer_view_of(&four);
    elements[SETS_NETWORKS6] = writer_view_of(&six);
    return table_replace(w->table, elements, why);
}

static RESULT on_end(struct warden *w, struct view body, struct writer *ret, struct problem *why)
{
    struct warden_restored told = w->restore.told;
    if (body.len > 0)
        return ERR_MALFORMED;
    if (!w->restore.begun)
        return ERR_CONFLICT;
    enum err e = replace(w, why);
    if (e == OK) {
        struct sets_networks *former = w->networks;
        w->networks = w->restore.networks;
        w->restore.networks = former;
        w->restored = true;
        e = entity_encode(&warden_restored_entity, &told, ret);
    }
    forget(&w->restore);
    return e;
}

/* --- messages */

static const struct {
    uint16_t type;
    RESULT (*handle)(struct warden *w, struct view body, struct writer *ret, struct problem *why);
} handlers[] = {
    {WARDEN_RESTORE_BEGIN, on_begin}, {WARDEN_RESTORE_PART, on_part}, {WARDEN_RESTORE_END, on_end},
    {WARDEN_BLOCK, on_block},         {WARDEN_UNBLOCK, on_unblock},
};

RESULT warden_message(struct warden *w, uint16_t type, struct view body, struct writer *ret, struct problem *why)
{
    enum err e = ERR_MALFORMED;
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i].type == type)
            e = handlers[i].handle(w, body, ret, why);
    arena_reset(w->arena);
    return e;
}

RESULT warden_tick(struct warden *w, struct problem *why)
{
    unsigned ended = sets_expire(w->networks, now_of(w));
    for (enum sets_which set = SETS_NETWORKS4; set < SETS_COUNT; set++)
        if (ended & (1u << set))
            TRY(write_set(w, set, why));
    return OK;
}
