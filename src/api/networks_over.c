#include "api/networks_over.h"

#include "api/blocks.h"

#define LOOK_MAX  5000 /* networks a look: a quarter of a millisecond */
#define ARENA_MAX 65536

/* 0: nothing has surely ended yet. */
static uint64_t surely_now(struct networks_over *o, const struct clock *c)
{
    uint64_t wall = c->wall_ms(c), mono = c->mono_ms(c);
    if (!o->begun) {
        o->begun = true;
        o->begun_ms = mono;
        steady_begin(&o->clock, wall, mono);
    }
    uint64_t now = steady_now(&o->clock, wall, mono);
    return mono - o->begun_ms < NETWORKS_OVER_GRACE_MS || now < NETWORKS_OVER_GRACE_MS ? 0
                                                                                       : now - NETWORKS_OVER_GRACE_MS;
}

/* One without a row is forgotten at once: its row is gone already. */
static RESULT add(struct networks_over *o, struct api_thread *first, const struct prefix *network, uint64_t now_ms,
                  struct txn *t)
{
    const struct row_keys *keys = atomic_load(&first->shared->keys);
    struct kept kept;
    enum err e = kept_get(first->reader, keys, network, t->arena, &kept);
    if (e == ERR_NOT_FOUND)
        return blocks_refresh(first, network, t->arena);
    if (e != OK || !kept_is_over(&kept, now_ms))
        return OK; /* a damaged row is for the check in the background to name */
    TRY(kept_remove(keys, &kept, t->arena, &t->changes[t->change_count]));
    t->change_count++;
    o->networks[o->count++] = *network;
    return OK;
}

RESULT networks_over_fill(struct networks_over *o, struct api_thread *first, struct txn *t)
{
    struct networks_rule ended[NETWORKS_OVER_MAX];
    uint64_t now = surely_now(o, first->shared->clock);
    o->count = 0;
    if (now == 0)
        return ERR_NOT_FOUND;
    size_t found = networks_ended(guard_networks(first->shared->guard), now, LOOK_MAX, ended, ARRAY_LEN(ended));
    t->changes = found ? arena_alloc(t->arena, found * sizeof *t->changes) : NULL;
    if (!t->changes)
        return found ? ERR_NO_MEMORY : ERR_NOT_FOUND;
    for (size_t i = 0; i < found; i++)
        if (i == 0 || memcmp(&ended[i].network, &ended[i - 1].network, sizeof ended[i].network) != 0)
            TRY(add(o, first, &ended[i].network, now, t));
    return t->change_count ? OK : ERR_NOT_FOUND;
}

/* What can't be refreshed now for want of memory has ended all the same, and is found again. */
void networks_over_applied(struct networks_over *o, struct api_thread *first)
{
    AUTO(arena_free) struct arena *arena = NULL;
    if (arena_new(4096, ARENA_MAX, &arena) != OK)
        return;
    for (size_t i = 0; i < o->count; i++) {
        (void)!blocks_refresh(first, &o->networks[i], arena);
        arena_reset(arena);
    }
}
