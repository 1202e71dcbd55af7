#include "domain/guard/trie.h"

#include <assert.h>

#define STRIDE 6u
#define ITEM   1u /* in a slot: it holds an item; else a node */

/* A tree's nodes begin at multiples of the stride from where the tree does, and have two slots at least: what has one
 * is left out. */
struct node {
    uint64_t ends;             /* bit (1 << r) - 1 + v: the prefix of r < 6 bits v ends here */
    uint64_t goes_on;          /* bit v: there is a child for the 6 bits v */
    uint64_t hi, lo;           /* the key down to here */
    uint8_t depth;             /* bits of it */
    _Atomic uintptr_t slots[]; /* those that end, then the children */
};

_Static_assert(sizeof(struct trie_item) == 40, "what a prefix costs is written in networks.h");

/* --- bits */

static unsigned ones(uint64_t v)
{
    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
}

static trie_key mask(unsigned bits)
{
    return bits ? ~(trie_key)0 << (TRIE_BITS - bits) : 0;
}

/* Leading bits that both have alike. */
static unsigned alike(trie_key a, trie_key b)
{
    trie_key x = a ^ b;
    if (x >> 64)
        return (unsigned)__builtin_clzll((uint64_t)(x >> 64));
    return (uint64_t)x ? 64 + (unsigned)__builtin_clzll((uint64_t)x) : TRIE_BITS;
}

/* The 6 bits from depth on; beyond the key's end they are zero. */
static unsigned chunk(trie_key key, unsigned depth)
{
    return (unsigned)(key << depth >> (TRIE_BITS - STRIDE));
}

static uint64_t end_bit(trie_key key, unsigned bits, unsigned depth)
{
    unsigned r = bits - depth;
    return UINT64_C(1) << ((1u << r) - 1 + (chunk(key, depth) >> (STRIDE - r)));
}

/* All prefixes that end in the node and hold what goes on with these 6 bits. */
static uint64_t ends_above(unsigned v)
{
    return UINT64_C(1) | UINT64_C(2) << (v >> 5) | UINT64_C(8) << (v >> 4) | UINT64_C(0x80) << (v >> 3) |
           UINT64_C(0x8000) << (v >> 2) | UINT64_C(0x80000000) << (v >> 1);
}

/* --- nodes and slots */

static uintptr_t load(const _Atomic uintptr_t *slot)
{
    return atomic_load_explicit(slot, memory_order_acquire);
}

static void publish(_Atomic uintptr_t *slot, uintptr_t value)
{
    atomic_store_explicit(slot, value, memory_order_release);
}

static bool is_item(uintptr_t slot)
{
    return slot & ITEM;
}

static struct trie_item *item_of(uintptr_t slot)
{
    return (struct trie_item *)(slot - ITEM);
}

static struct node *node_of(uintptr_t slot)
{
    return (struct node *)slot;
}

static trie_key node_key(const struct node *n)
{
    return (trie_key)n->hi << 64 | n->lo;
}

static size_t size_of(size_t slots)
{
    return offsetof(struct node, slots) + slots * sizeof(uintptr_t);
}

static size_t slots_of(const struct node *n)
{
    return ones(n->ends) + ones(n->goes_on);
}

static size_t end_index(const struct node *n, uint64_t bit)
{
    return ones(n->ends & (bit - 1));
}

static size_t child_index(const struct node *n, uint64_t bit)
{
    return ones(n->ends) + ones(n->goes_on & (bit - 1));
}

static struct node *node_new(struct trie *t, const struct node *like, size_t slots)
{
    struct node *n = calloc(1, size_of(slots));
    if (!n)
        return NULL;
    n->hi = like->hi;
    n->lo = like->lo;
    n->depth = like->depth;
    n->ends = like->ends;
    n->goes_on = like->goes_on;
    t->bytes += size_of(slots);
    return n;
}

static void uncount_node(struct trie *t, const struct node *n)
{
    t->bytes -= size_of(slots_of(n));
}

static void uncount_item(struct trie *t)
{
    t->bytes -= sizeof(struct trie_item);
    t->items--;
}

/* --- reading */

RESULT trie_init(struct trie *t)
{
    _Atomic uintptr_t *root = calloc(1u << TRIE_ROOT_BITS, sizeof *root);
    if (!root)
        return ERR_NO_MEMORY;
    *t = (struct trie){.root = root};
    return OK;
}

static size_t root_of(trie_key key)
{
    return (size_t)(key >> (TRIE_BITS - TRIE_ROOT_BITS));
}

static size_t path_from(uintptr_t slot, trie_key key, const struct trie_item **ret)
{
    size_t count = 0;
    while (slot && !is_item(slot)) {
        const struct node *n = node_of(slot);
        if ((key ^ node_key(n)) & mask(n->depth))
            return count;
        unsigned v = chunk(key, n->depth);
        for (uint64_t m = n->ends & ends_above(v); m; m &= m - 1)
            ret[count++] = item_of(load(&n->slots[end_index(n, m & -m)]));
        uint64_t bit = UINT64_C(1) << v;
        slot = n->goes_on & bit ? load(&n->slots[child_index(n, bit)]) : 0;
    }
    if (slot && !((key ^ trie_key_of(item_of(slot))) & mask(item_of(slot)->bits)))
        ret[count++] = item_of(slot);
    return count;
}

size_t trie_path(const struct trie *t, trie_key key, const struct trie_item *ret[static TRIE_PATH_MAX])
{
    size_t count = path_from(load(&t->top), key, ret);
    return count + path_from(load(&t->root[root_of(key)]), key, ret + count);
}

/* Where a prefix is, or would be. */
struct place {
    _Atomic uintptr_t *at, *up; /* the slot, and the one that holds its node; up NULL: at is a tree's first */
    struct node *node;          /* of at */
    uint64_t bit;               /* of at */
    bool ends;                  /* at is one of those that end in node */
};

static bool is_here(const struct node *n, trie_key key, unsigned bits)
{
    return bits >= n->depth && !((key ^ node_key(n)) & mask(n->depth));
}

/* Down to the slot of the prefix, or to the last one on its way that there is. False: that node has no slot for it yet;
 * then at is NULL. */
static bool find(struct trie *t, trie_key key, unsigned bits, struct place *ret)
{
    *ret = (struct place){.at = bits < TRIE_ROOT_BITS ? &t->top : &t->root[root_of(key)]};
    for (uintptr_t slot; (slot = load(ret->at)) && !is_item(slot);) {
        struct node *n = node_of(slot);
        if (!is_here(n, key, bits))
            return true;
        ret->up = ret->at;
        ret->node = n;
        ret->ends = bits < n->depth + STRIDE;
        ret->bit = ret->ends ? end_bit(key, bits, n->depth) : UINT64_C(1) << chunk(key, n->depth);
        ret->at = NULL;
        if (!((ret->ends ? n->ends : n->goes_on) & ret->bit))
            return false;
        ret->at = &n->slots[ret->ends ? end_index(n, ret->bit) : child_index(n, ret->bit)];
        if (ret->ends)
            return true;
    }
    return true;
}

static bool is_prefix(uintptr_t slot, trie_key key, unsigned bits)
{
    return slot && is_item(slot) && item_of(slot)->bits == bits && trie_key_of(item_of(slot)) == key;
}

const struct trie_item *trie_find(struct trie *t, trie_key key, unsigned bits)
{
    struct place p;
    uintptr_t slot = find(t, key, bits, &p) ? load(p.at) : 0;
    return is_prefix(slot, key, bits) ? item_of(slot) : NULL;
}

/* --- in order */

struct walk {
    const struct trie_item *after;
    const struct trie_item **out;
    size_t count, max;
};

static void take(struct walk *w, const struct trie_item *i)
{
    if (w->after) {
        trie_key a = trie_key_of(w->after), k = trie_key_of(i);
        if (k < a || (k == a && i->bits <= w->after->bits))
            return;
    }
    if (w->count < w->max)
        w->out[w->count++] = i;
}

static void walk_slot(struct walk *w, uintptr_t slot);

static void walk_ends(struct walk *w, const struct node *n, unsigned v)
{
    for (unsigned r = 0; r < STRIDE; r++) {
        uint64_t bit = UINT64_C(1) << ((1u << r) - 1 + (v >> (STRIDE - r)));
        bool begins_here = (v & ((1u << (STRIDE - r)) - 1)) == 0;
        if (begins_here && (n->ends & bit))
            take(w, item_of(load(&n->slots[end_index(n, bit)])));
    }
}

static void walk_node(struct walk *w, const struct node *n)
{
    for (unsigned v = 0; v < 1u << STRIDE && w->count < w->max; v++) {
        walk_ends(w, n, v);
        uint64_t bit = UINT64_C(1) << v;
        if (!(n->goes_on & bit))
            continue;
        /* From a depth of 123 on the stride reaches beyond the key; nothing has children there. */
        trie_key last = node_key(n) | (trie_key)v << (TRIE_BITS - STRIDE) >> n->depth | ~mask(n->depth + STRIDE);
        if (!w->after || last >= trie_key_of(w->after))
            walk_slot(w, load(&n->slots[child_index(n, bit)]));
    }
}

static void walk_slot(struct walk *w, uintptr_t slot)
{
    if (slot && is_item(slot))
        take(w, item_of(slot));
    else if (slot)
        walk_node(w, node_of(slot));
}

size_t trie_after(const struct trie *t, const struct trie_item *after, const struct trie_item **ret, size_t max)
{
    struct walk w = {.after = after, .out = ret, .max = max};
    bool in_top = !after || after->bits < TRIE_ROOT_BITS;
    if (in_top) {
        walk_slot(&w, load(&t->top));
        w.after = NULL;
    }
    for (size_t r = in_top ? 0 : root_of(trie_key_of(after)); r < 1u << TRIE_ROOT_BITS && w.count < max; r++)
        walk_slot(&w, load(&t->root[r]));
    return w.count;
}

/* --- writing */

/* A copy of the node with one slot more. */
static struct node *with(struct trie *t, const struct node *n, const struct place *p, uintptr_t slot)
{
    size_t count = slots_of(n), at = p->ends ? end_index(n, p->bit) : child_index(n, p->bit);
    struct node *made = node_new(t, n, count + 1);
    if (!made)
        return NULL;
    *(p->ends ? &made->ends : &made->goes_on) |= p->bit;
    for (size_t i = 0; i <= count; i++) {
        uintptr_t s = i == at ? slot : load(&n->slots[i < at ? i : i - 1]);
        atomic_store_explicit(&made->slots[i], s, memory_order_relaxed);
    }
    return made;
}

static struct node *without(struct trie *t, const struct node *n, const struct place *p)
{
    size_t count = slots_of(n) - 1, at = p->ends ? end_index(n, p->bit) : child_index(n, p->bit);
    struct node *made = node_new(t, n, count);
    if (!made)
        return NULL;
    *(p->ends ? &made->ends : &made->goes_on) &= ~p->bit;
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&made->slots[i], load(&n->slots[i < at ? i : i + 1]), memory_order_relaxed);
    return made;
}

/* A node for two slots that go different ways: an item, and an item or a node. */
static struct node *fork_of(struct trie *t, uintptr_t old, uintptr_t item)
{
    const struct trie_item *i = item_of(item);
    trie_key key = trie_key_of(i), old_key = is_item(old) ? trie_key_of(item_of(old)) : node_key(node_of(old));
    unsigned old_bits = is_item(old) ? item_of(old)->bits : node_of(old)->depth;
    unsigned common = alike(key, old_key);
    common = common < i->bits ? common : i->bits;
    common = common < old_bits ? common : old_bits;
    unsigned first = i->bits < TRIE_ROOT_BITS ? 0 : TRIE_ROOT_BITS;
    struct node like = {.depth = (uint8_t)(first + (common - first) / STRIDE * STRIDE)};
    trie_key base = key & mask(like.depth);
    like.hi = (uint64_t)(base >> 64);
    like.lo = (uint64_t)base;
    bool old_ends = is_item(old) && old_bits < like.depth + STRIDE, ends = i->bits < like.depth + STRIDE;
    uint64_t old_bit = old_ends ? end_bit(old_key, old_bits, like.depth) : UINT64_C(1) << chunk(old_key, like.depth);
    uint64_t bit = ends ? end_bit(key, i->bits, like.depth) : UINT64_C(1) << chunk(key, like.depth);
    like.ends = (old_ends ? old_bit : 0) | (ends ? bit : 0);
    like.goes_on = (old_ends ? 0 : old_bit) | (ends ? 0 : bit);
    assert(slots_of(&like) == 2);
    struct node *made = node_new(t, &like, 2);
    if (!made)
        return NULL;
    atomic_store_explicit(&made->slots[old_ends ? end_index(made, old_bit) : child_index(made, old_bit)], old,
                          memory_order_relaxed);
    atomic_store_explicit(&made->slots[ends ? end_index(made, bit) : child_index(made, bit)], item,
                          memory_order_relaxed);
    return made;
}

/* Puts the item where nothing is said of its prefix yet. */
static bool add(struct trie *t, const struct place *p, uintptr_t item, struct rcu_bin *bin)
{
    uintptr_t old = p->at ? load(p->at) : 0;
    if (p->at && !old) { /* the first of all */
        publish(p->at, item);
        return true;
    }
    struct node *made = p->at ? fork_of(t, old, item) : with(t, p->node, p, item);
    if (!made)
        return false;
    publish(p->at ? p->at : p->up, (uintptr_t)made);
    if (!p->at) {
        uncount_node(t, p->node);
        rcu_bin_put(bin, p->node);
    }
    return true;
}

RESULT trie_put(struct trie *t, const struct trie_item *item, struct rcu_bin *bin)
{
    trie_key key = trie_key_of(item);
    struct place p;
    struct trie_item *copy = malloc(sizeof *copy);
    if (!copy)
        return ERR_NO_MEMORY;
    *copy = *item;
    uintptr_t slot = (uintptr_t)copy + ITEM;
    uintptr_t old = find(t, key, item->bits, &p) ? load(p.at) : 0;
    if (is_prefix(old, key, item->bits)) {
        uncount_item(t);
        publish(p.at, slot);
        rcu_bin_put(bin, item_of(old));
    } else if (!add(t, &p, slot, bin)) {
        free(copy);
        return ERR_NO_MEMORY;
    }
    t->items++;
    t->bytes += sizeof *copy;
    return OK;
}

RESULT trie_remove(struct trie *t, trie_key key, unsigned bits, struct rcu_bin *bin)
{
    struct place p;
    uintptr_t old = find(t, key, bits, &p) ? load(p.at) : 0, left = 0;
    if (!is_prefix(old, key, bits))
        return ERR_NOT_FOUND;
    if (p.node && slots_of(p.node) == 2) { /* the other one takes the node's place */
        left = load(&p.node->slots[p.at == &p.node->slots[0]]);
    } else if (p.node) {
        left = (uintptr_t)without(t, p.node, &p);
        if (!left)
            return ERR_NO_MEMORY;
    }
    if (p.node)
        uncount_node(t, p.node);
    uncount_item(t);
    publish(p.up ? p.up : p.at, left);
    rcu_bin_put(bin, p.node);
    rcu_bin_put(bin, item_of(old));
    return OK;
}

static void free_slot(uintptr_t slot)
{
    if (!slot)
        return;
    if (is_item(slot)) {
        free(item_of(slot));
        return;
    }
    struct node *n = node_of(slot);
    for (size_t i = 0; i < slots_of(n); i++)
        free_slot(load(&n->slots[i]));
    free(n);
}

void trie_done(struct trie *t)
{
    free_slot(load(&t->top));
    for (size_t r = 0; t->root && r < 1u << TRIE_ROOT_BITS; r++)
        free_slot(load(&t->root[r]));
    free(t->root);
    *t = (struct trie){0};
}
