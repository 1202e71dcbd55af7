#include "domain/guard/networks_inside.h"

#include <assert.h>
#include <endian.h>

/* --- prefixes and keys */

struct trie *networks_trie(struct networks *n, bool six)
{
    return six ? &n->six : &n->four;
}

static trie_key key_of(const struct address *a)
{
    uint64_t half[2];
    memcpy(half, a->b, sizeof half);
    return (trie_key)be64toh(half[0]) << 64 | be64toh(half[1]);
}

trie_key networks_key(const struct prefix *p, unsigned *ret_bits)
{
    bool four = prefix_is_ipv4(p);
    *ret_bits = four ? p->bits - ADDRESS_IPV4_BITS : p->bits;
    return four ? key_of(&p->base) << ADDRESS_IPV4_BITS : key_of(&p->base);
}

struct prefix networks_prefix(const struct trie_item *i, bool six)
{
    struct prefix p = {.bits = (uint8_t)(six ? i->bits : i->bits + ADDRESS_IPV4_BITS)};
    uint64_t half[2] = {htobe64(i->hi), htobe64(i->lo)};
    if (!six) {
        half[0] = 0;
        half[1] = htobe64(i->hi >> 32 | UINT64_C(0xffff) << 32);
    }
    memcpy(p.base.b, half, sizeof half);
    return p;
}

/* --- its life */

RESULT networks_new(struct networks **ret)
{
    AUTO(networks_free) struct networks *n = calloc(1, sizeof *n);
    if (!n)
        return ERR_NO_MEMORY;
    n->max = NETWORKS_MAX;
    pthread_mutex_init(&n->lock, NULL);
    atomic_init(&n->feeds, calloc(1, sizeof(struct networks_feeds)));
    if (!atomic_load(&n->feeds))
        return ERR_NO_MEMORY;
    TRY(trie_init(&n->four));
    TRY(trie_init(&n->six));
    TRY(trie_init(&n->said_four));
    TRY(trie_init(&n->said_six));
    *ret = TAKE(n);
    return OK;
}

void networks_free(struct networks *n)
{
    if (!n)
        return;
    rcu_bin_empty(&n->bin);
    rcu_wait();
    trie_done(&n->four);
    trie_done(&n->six);
    trie_done(&n->said_four);
    trie_done(&n->said_six);
    free(atomic_load(&n->feeds));
    pthread_mutex_destroy(&n->lock);
    free(n);
}

/* A thread that waits for the lock must not be inside a section: the writer before it may wait for all to end. */
void networks_lock(struct networks *n)
{
    assert(!rcu_inside());
    pthread_mutex_lock(&n->lock);
}

void networks_unlock(struct networks *n)
{
    rcu_bin_empty(&n->bin);
    pthread_mutex_unlock(&n->lock);
}

/* --- look-up */

static bool lasts(uint64_t ends_ms, uint64_t now_ms)
{
    return ends_ms == 0 || now_ms < ends_ms;
}

/* The slot of a feed that lists it; -1 if there is none in force. */
static int feed_of(const struct trie_item *i, const struct networks_feeds *feeds, uint64_t now_ms)
{
    for (uint32_t m = i->feeds & feeds->active; m; m &= m - 1) {
        int slot = __builtin_ctz(m);
        if (lasts(feeds->slot[slot].ends_ms, now_ms))
            return slot;
    }
    return -1;
}

static bool operator_says(const struct trie_item *i, uint64_t now_ms, struct networks_rule *ret)
{
    bool now = i->operator_says != NETWORKS_UNSAID && lasts(i->operator_ends, now_ms);
    if (!now && i->configured == NETWORKS_UNSAID)
        return false;
    ret->action = now ? i->operator_says : i->configured;
    ret->origin = now ? NETWORKS_OPERATOR : NETWORKS_CONFIGURED;
    ret->ends_ms = now ? i->operator_ends : 0;
    return true;
}

static bool others_say(const struct trie_item *i, const struct networks_feeds *feeds, uint64_t now_ms,
                       struct networks_rule *ret)
{
    int slot = -1;
    if (i->automatic && lasts(i->automatic_ends, now_ms)) {
        ret->origin = NETWORKS_AUTOMATIC;
        ret->ends_ms = i->automatic_ends;
    } else if (i->feeds && (slot = feed_of(i, feeds, now_ms)) >= 0) {
        ret->origin = NETWORKS_FEED;
        ret->ends_ms = feeds->slot[slot].ends_ms;
        memcpy(ret->feed, feeds->slot[slot].name, sizeof ret->feed);
    } else {
        return false;
    }
    ret->action = NETWORKS_BLOCK;
    return true;
}

/* Of the path, the item that decides; NULL if none does. */
static const struct trie_item *decide(const struct trie_item **path, size_t count, const struct networks_feeds *feeds,
                                      uint64_t now_ms, struct networks_rule *ret)
{
    for (size_t i = count; i-- > 0;)
        if (operator_says(path[i], now_ms, ret))
            return path[i];
    for (size_t i = count; i-- > 0;)
        if (others_say(path[i], feeds, now_ms, ret))
            return path[i];
    return NULL;
}

/* Of prefixes no longer than bits. */
static void look_up(struct networks *n, bool six, trie_key key, unsigned bits, uint64_t now_ms,
                    struct networks_rule *ret)
{
    /* Only what was found is looked at: a kilobyte need not be cleared for each address. */
    const struct trie_item *path[TRIE_PATH_MAX] __attribute__((uninitialized)), *found;
    ret->action = NETWORKS_UNSAID;
    rcu_enter();
    size_t count = trie_path(networks_trie(n, six), key, path);
    while (count && path[count - 1]->bits > bits)
        count--;
    if (count) {
        found = decide(path, count, atomic_load_explicit(&n->feeds, memory_order_acquire), now_ms, ret);
        if (found)
            ret->network = networks_prefix(found, six);
    }
    rcu_leave();
}

void networks_look_up(struct networks *n, const struct address *a, uint64_t now_ms, struct networks_rule *ret)
{
    bool six = !address_is_ipv4(a);
    look_up(n, six, six ? key_of(a) : key_of(a) << ADDRESS_IPV4_BITS, TRIE_BITS, now_ms, ret);
}

void networks_look_up_network(struct networks *n, const struct prefix *p, uint64_t now_ms, struct networks_rule *ret)
{
    unsigned bits;
    trie_key key = networks_key(p, &bits);
    look_up(n, !prefix_is_ipv4(p), key, bits, now_ms, ret);
}

size_t networks_said(struct networks *n, const struct prefix *network, uint64_t now_ms,
                     struct networks_rule ret[static 2])
{
    unsigned bits;
    size_t count = 0;
    trie_key key = networks_key(network, &bits);
    rcu_enter();
    const struct trie_item *i = trie_find(networks_trie(n, !prefix_is_ipv4(network)), key, bits);
    if (i) {
        ret[0].network = ret[1].network = *network;
        count += operator_says(i, now_ms, &ret[0]);
        if (i->automatic && lasts(i->automatic_ends, now_ms)) {
            ret[count].action = NETWORKS_BLOCK;
            ret[count].origin = NETWORKS_AUTOMATIC;
            ret[count++].ends_ms = i->automatic_ends;
        }
    }
    rcu_leave();
    return count;
}

/* --- changes */

static bool is_said(const struct trie_item *i)
{
    return i->operator_says != NETWORKS_UNSAID || i->configured != NETWORKS_UNSAID || i->automatic;
}

static bool says_nothing(const struct trie_item *i)
{
    return !is_said(i) && !i->feeds;
}

/* by: 1, or -1 for one that is no more. */
static void count(struct networks_count *c, const struct trie_item *i, size_t by)
{
    c->automatic += i->automatic ? by : 0;
    c->let_in += i->operator_says == NETWORKS_ALLOW ? by : 0;
    c->kept_out += i->operator_says == NETWORKS_BLOCK ? by : 0;
    c->configured_let_in += i->configured == NETWORKS_ALLOW ? by : 0;
    c->configured_kept_out += i->configured == NETWORKS_BLOCK ? by : 0;
}

static struct trie *said_trie(struct networks *n, bool six)
{
    return six ? &n->said_six : &n->said_four;
}

RESULT networks_change(struct networks *n, bool six, const struct trie_item *old, const struct trie_item *made)
{
    struct trie *t = networks_trie(n, six);
    struct networks_count counted = n->count;
    if (old)
        count(&counted, old, (size_t)-1);
    count(&counted, made, 1);
    if (!old && says_nothing(made))
        return OK;
    if ((!old && !is_said(made) && n->four.items + n->six.items >= n->max) ||
        (made->automatic && counted.automatic > NETWORKS_AUTOMATIC_MAX))
        return ERR_LIMIT_REACHED;
    bool was_said = old && is_said(old), enters = is_said(made) && !was_said;
    if (enters)
        TRY(trie_put(said_trie(n, six), made, &n->bin));
    enum err e = says_nothing(made) ? trie_remove(t, trie_key_of(made), made->bits, &n->bin)
                                    : trie_put(t, made, &n->bin);
    if (e == OK)
        n->count = counted;
    if (e == OK ? was_said && !is_said(made) : enters)
        (void)!trie_remove(said_trie(n, six), trie_key_of(made), made->bits, &n->bin); /* without memory it stays */
    return e;
}

size_t networks_after(struct networks *n, bool six, const struct trie_item *after, struct trie_item *ret, size_t max,
                      struct trie_item *ret_last)
{
    const struct trie_item *items[NETWORKS_BATCH];
    size_t count = trie_after(said_trie(n, six), after, items, max < NETWORKS_BATCH ? max : NETWORKS_BATCH);
    for (size_t i = 0; i < count; i++) {
        const struct trie_item *now = trie_find(networks_trie(n, six), trie_key_of(items[i]), items[i]->bits);
        ret[i] = now ? *now : (struct trie_item){.hi = items[i]->hi, .lo = items[i]->lo, .bits = items[i]->bits};
    }
    if (count)
        *ret_last = *items[count - 1];
    return count;
}

/* A copy of what is said of the prefix, or an empty one. */
static const struct trie_item *copy_of(struct networks *n, const struct prefix *p, struct trie_item *ret)
{
    unsigned bits;
    trie_key key = networks_key(p, &bits);
    const struct trie_item *old = trie_find(networks_trie(n, !prefix_is_ipv4(p)), key, bits);
    *ret = old ? *old : (struct trie_item){.hi = (uint64_t)(key >> 64), .lo = (uint64_t)key, .bits = (uint8_t)bits};
    return old;
}

static void say(struct trie_item *i, const struct networks_rule *rule)
{
    if (rule->origin == NETWORKS_CONFIGURED) {
        i->configured = (uint8_t)rule->action;
    } else if (rule->origin == NETWORKS_OPERATOR) {
        i->operator_says = (uint8_t)rule->action;
        i->operator_ends = rule->ends_ms;
    } else {
        i->automatic = rule->action == NETWORKS_BLOCK;
        i->automatic_ends = rule->ends_ms;
    }
}

RESULT networks_put(struct networks *n, const struct networks_rule *rule)
{
    bool allows = rule->origin == NETWORKS_OPERATOR || rule->origin == NETWORKS_CONFIGURED;
    bool blocks = allows || rule->origin == NETWORKS_AUTOMATIC;
    bool ends = rule->origin != NETWORKS_CONFIGURED;
    if (!(rule->action == NETWORKS_BLOCK ? blocks : rule->action == NETWORKS_ALLOW && allows) ||
        (rule->ends_ms && !ends))
        return ERR_BAD_VALUE;
    struct trie_item made;
    networks_lock(n);
    const struct trie_item *old = copy_of(n, &rule->network, &made);
    say(&made, rule);
    enum err e = networks_change(n, !prefix_is_ipv4(&rule->network), old, &made);
    networks_unlock(n);
    return e;
}

RESULT networks_remove(struct networks *n, const struct prefix *network, enum networks_origin origin)
{
    struct trie_item made;
    enum err e = ERR_NOT_FOUND;
    networks_lock(n);
    const struct trie_item *old = copy_of(n, network, &made);
    const bool there[] = {[NETWORKS_OPERATOR] = made.operator_says != NETWORKS_UNSAID,
                          [NETWORKS_AUTOMATIC] = made.automatic,
                          [NETWORKS_FEED] = false,
                          [NETWORKS_CONFIGURED] = made.configured != NETWORKS_UNSAID};
    if (there[origin]) {
        say(&made, &(struct networks_rule){.origin = origin});
        e = networks_change(n, !prefix_is_ipv4(network), old, &made);
    }
    networks_unlock(n);
    return e;
}

/* --- what has ended */

/* What one of the two said of it, if that has ended. */
static bool ended_of(const struct trie_item *i, bool six, enum networks_origin origin, uint64_t now_ms,
                     struct networks_rule *ret)
{
    bool automatic = origin == NETWORKS_AUTOMATIC;
    struct networks_rule r = {.action = automatic ? NETWORKS_BLOCK : i->operator_says,
                              .origin = origin,
                              .ends_ms = automatic ? i->automatic_ends : i->operator_ends};
    if ((automatic ? !i->automatic : i->operator_says == NETWORKS_UNSAID) || lasts(r.ends_ms, now_ms))
        return false;
    r.network = networks_prefix(i, six);
    *ret = r;
    return true;
}

/* The next batch behind the place where the last look ended; 0 where a tree ends. */
static size_t look_batch(struct networks *n, uint64_t now_ms, size_t max, struct networks_rule *ret, size_t *found)
{
    static const enum networks_origin origins[] = {NETWORKS_OPERATOR, NETWORKS_AUTOMATIC};
    struct trie_item items[NETWORKS_BATCH];
    size_t count = networks_after(n, n->ended_six, n->ended_goes_on ? &n->ended_after : NULL, items, max,
                                  &n->ended_after);
    n->ended_goes_on = count > 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < ARRAY_LEN(origins); k++)
            *found += ended_of(&items[i], n->ended_six, origins[k], now_ms, &ret[*found]);
    if (!count)
        n->ended_six = !n->ended_six;
    return count;
}

size_t networks_ended(struct networks *n, uint64_t now_ms, size_t max, struct networks_rule *ret, size_t room)
{
    size_t found = 0;
    for (int ends = 0; max > 0 && ends < 2 && room - found >= 2;) {
        size_t at_once = (room - found) / 2; /* two rules of one prefix may have ended */
        networks_lock(n);
        size_t seen = look_batch(n, now_ms, max < at_once ? max : at_once, ret, &found);
        networks_unlock(n);
        max -= seen;
        ends += seen == 0;
    }
    return found;
}

struct networks_count networks_count(struct networks *n)
{
    networks_lock(n);
    struct networks_count c = n->count;
    c.prefixes = n->four.items + n->six.items;
    c.feeds = (size_t)__builtin_popcount(atomic_load(&n->feeds)->active);
    c.bytes = n->four.bytes + n->six.bytes + n->said_four.bytes + n->said_six.bytes;
    networks_unlock(n);
    return c;
}
