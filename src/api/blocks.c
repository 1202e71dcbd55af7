#include "api/blocks.h"

struct walk {
    const struct api_shared *shared;
    uint64_t now_ms;
    bool (*visit)(void *context, const struct networks_rule *rule);
    void *context;
    const struct prefix *inside; /* only those; NULL: all */
};

static uint64_t now_of(const struct api_shared *s)
{
    return s->clock->wall_ms(s->clock);
}

uint64_t blocks_until(const struct networks_rule *r)
{
    return r->ends_ms ? r->ends_ms : BLOCKS_FOREVER;
}

/* What people let in counts instead of it, or comes first; where that is a part of it, the rest is kept out. */
static bool holds(const struct walk *w, const struct networks_rule *r)
{
    struct networks_rule decides;
    networks_look_up_network(guard_networks(w->shared->guard), &r->network, w->now_ms, &decides);
    return decides.action != NETWORKS_ALLOW;
}

static bool look(void *context, const struct networks_rule *r)
{
    const struct walk *w = context;
    if (r->action != NETWORKS_BLOCK || r->origin == NETWORKS_FEED || (r->ends_ms && r->ends_ms <= w->now_ms))
        return true;
    return !holds(w, r) || w->visit(w->context, r);
}

void blocks_each(const struct api_shared *s, bool (*visit)(void *context, const struct networks_rule *rule),
                 void *context)
{
    struct walk w = {.shared = s, .now_ms = now_of(s), .visit = visit, .context = context};
    networks_each(guard_networks(s->guard), look, &w);
}

/* --- changes */

static void tell(const struct api_shared *s, const struct prefix *network, uint64_t until_ms)
{
    if (s->on_block.changed)
        s->on_block.changed(s->on_block.context, network, until_ms);
}

/* Whoever is let in is not kept out by what Holdfast said of a part of that network. */
static bool look_inside(void *context, const struct networks_rule *r)
{
    const struct walk *w = context;
    if (r->origin == NETWORKS_AUTOMATIC && r->network.bits >= w->inside->bits &&
        prefix_holds(w->inside, &r->network.base))
        tell(w->shared, &r->network, 0);
    return true;
}

static void tell_let_in(const struct api_shared *s, const struct prefix *network)
{
    struct walk w = {.shared = s, .inside = network};
    tell(s, network, 0);
    if (s->on_block.changed)
        networks_each(guard_networks(s->guard), look_inside, &w);
}

RESULT blocks_begin(const struct api_shared *s, const struct kept *block)
{
    TRY(guard_note(s->guard, block));
    tell(s, &block->rule.network, blocks_until(&block->rule));
    return OK;
}

RESULT blocks_refresh(struct api_thread *t, const struct prefix *network, struct arena *arena)
{
    const struct api_shared *s = t->shared;
    struct kept kept;
    struct networks_rule decides;
    TRY(guard_refresh(s->guard, t->reader, atomic_load(&s->keys), network, arena, &kept));
    if (kept.version == 0) { /* the configuration may have a block of its own */
        networks_look_up_network(guard_networks(s->guard), network, now_of(s), &decides);
        bool same = decides.action == NETWORKS_BLOCK && decides.origin != NETWORKS_FEED &&
                    memcmp(&decides.network, network, sizeof *network) == 0;
        tell(s, network, same ? blocks_until(&decides) : 0);
    } else if (kept.rule.action == NETWORKS_BLOCK) {
        tell(s, network, blocks_until(&kept.rule));
    } else {
        tell_let_in(s, network);
    }
    return OK;
}
