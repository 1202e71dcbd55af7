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
    pthread_mutex_init(&n->lock, NULL);
    atomic_init(&n->feeds, calloc(1, sizeof(struct networks_feeds)));
    if (!atomic_load(&n->feeds))
        return ERR_NO_MEMORY;
    TRY(trie_init(&n->four));
    TRY(trie_init(&n->six));
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
    if (i->operator_says == NETWORKS_UNSAID || !lasts(i->operator_ends, now_ms))
        return false;
    ret->action = i->operator_says;
    ret->origin = NETWORKS_OPERATOR;
    ret->ends_ms = i->operator_ends;
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

void networks_look_up(struct networks *n, const struct address *a, uint64_t now_ms, struct networks_rule *ret)
{
    /* Only what was found is looked at: a kilobyte need not be cleared for each address. */
    const struct trie_item *path[TRIE_PATH_MAX] __attribute__((uninitialized)), *found;
    bool six = !address_is_ipv4(a);
    trie_key key = six ? key_of(a) : key_of(a) << ADDRESS_IPV4_BITS;
    ret->action = NETWORKS_UNSAID;
    rcu_enter();
    size_t count = trie_path(networks_trie(n, six), key, path);
    if (count) {
        found = decide(path, count, atomic_load_explicit(&n->feeds, memory_order_acquire), now_ms, ret);
        if (found)
            ret->network = networks_prefix(found, six);
    }
    rcu_leave();
}

/* --- changes */

static bool says_nothing(const struct trie_item *i)
{
    return i->operator_says == NETWORKS_UNSAID && !i->automatic && !i->feeds;
}

RESULT networks_change(struct networks *n, bool six, const struct trie_item *old, const struct trie_item *made)
{
    struct trie *t = networks_trie(n, six);
    bool was_automatic = old && old->automatic;
    size_t automatic = n->automatic + made->automatic - was_automatic;
    if (!old && says_nothing(made))
        return OK;
    if ((!old && n->four.items + n->six.items >= NETWORKS_MAX) ||
        (made->automatic && automatic > NETWORKS_AUTOMATIC_MAX))
        return ERR_LIMIT_REACHED;
    if (says_nothing(made))
        TRY(trie_remove(t, trie_key_of(made), made->bits, &n->bin));
    else
        TRY(trie_put(t, made, &n->bin));
    n->automatic = automatic;
    return OK;
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
    if (rule->origin == NETWORKS_OPERATOR) {
        i->operator_says = (uint8_t)rule->action;
        i->operator_ends = rule->ends_ms;
    } else {
        i->automatic = rule->action == NETWORKS_BLOCK;
        i->automatic_ends = rule->ends_ms;
    }
}

RESULT networks_put(struct networks *n, const struct networks_rule *rule)
{
    bool good = rule->origin == NETWORKS_OPERATOR
                    ? rule->action == NETWORKS_ALLOW || rule->action == NETWORKS_BLOCK
                    : rule->origin == NETWORKS_AUTOMATIC && rule->action == NETWORKS_BLOCK;
    if (!good)
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
    bool there = origin == NETWORKS_OPERATOR ? made.operator_says != NETWORKS_UNSAID
                                             : origin == NETWORKS_AUTOMATIC && made.automatic;
    if (there) {
        say(&made, &(struct networks_rule){.origin = origin});
        e = networks_change(n, !prefix_is_ipv4(network), old, &made);
    }
    networks_unlock(n);
    return e;
}

RESULT networks_put_defaults(struct networks *n)
{
    static const char *const inside[] = {"127.0.0.0/8",    "10.0.0.0/8", "172.16.0.0/12",
                                         "192.168.0.0/16", "::1",        "fc00::/7"};
    struct networks_rule rule = {.action = NETWORKS_ALLOW, .origin = NETWORKS_OPERATOR};
    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        TRY(prefix_parse(view_str(inside[i]), &rule.network, NULL));
        TRY(networks_put(n, &rule));
    }
    return OK;
}

/* --- the sweep */

static bool sweep_one(struct networks *n, bool six, const struct trie_item *i, uint64_t now_ms)
{
    struct trie_item left = *i;
    if (!lasts(i->operator_ends, now_ms))
        left.operator_says = NETWORKS_UNSAID, left.operator_ends = 0;
    if (!lasts(i->automatic_ends, now_ms))
        left.automatic = false, left.automatic_ends = 0;
    bool ended = left.operator_says != i->operator_says || left.automatic != i->automatic;
    return ended && networks_change(n, six, i, &left) == OK; /* without memory the next round tries again */
}

/* The next batch behind the place where the sweep is; 0 where a tree ends. */
static size_t sweep_batch(struct networks *n, uint64_t now_ms, size_t max, size_t *ret_out)
{
    const struct trie_item *items[NETWORKS_BATCH];
    size_t out = 0, count = trie_after(networks_trie(n, n->swept_six), n->sweeping ? &n->swept : NULL, items,
                                       max < NETWORKS_BATCH ? max : NETWORKS_BATCH);
    n->sweeping = count > 0;
    if (count)
        n->swept = *items[count - 1];
    for (size_t i = 0; i < count; i++)
        out += sweep_one(n, n->swept_six, items[i], now_ms);
    if (!count)
        n->swept_six = !n->swept_six;
    *ret_out += out;
    return count;
}

size_t networks_sweep(struct networks *n, uint64_t now_ms, size_t max)
{
    size_t out = 0;
    for (int ends = 0; max > 0 && ends < 2;) {
        networks_lock(n);
        size_t seen = sweep_batch(n, now_ms, max, &out);
        networks_unlock(n);
        max -= seen;
        ends += seen == 0;
    }
    return out;
}

struct networks_count networks_count(struct networks *n)
{
    networks_lock(n);
    struct networks_count c = {.prefixes = n->four.items + n->six.items,
                               .automatic = n->automatic,
                               .feeds = (size_t)__builtin_popcount(atomic_load(&n->feeds)->active),
                               .bytes = n->four.bytes + n->six.bytes};
    networks_unlock(n);
    return c;
}
