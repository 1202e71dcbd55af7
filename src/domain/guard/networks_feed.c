#include "domain/guard/networks_inside.h"

#include "base/text.h"

/* A feed's prefixes carry one bit. A new version is filled in under another bit than the old one, then the two bits
 * change places in one step, then the old one is cleared: no reader sees half a feed. */
struct load {
    struct networks *n;
    uint32_t bit;
    struct networks_feed_report report;
};

/* --- slots */

static int find_slot(const struct networks_feeds *f, const char *name)
{
    for (uint32_t m = f->active; m; m &= m - 1)
        if (strcmp(f->slot[__builtin_ctz(m)].name, name) == 0)
            return __builtin_ctz(m);
    return -1;
}

static bool batch_clear(struct networks *n, bool six, uint32_t bits, const struct trie_item **items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct trie_item left = *items[i];
        left.feeds &= ~bits;
        if (left.feeds != items[i]->feeds && networks_change(n, six, items[i], &left) != OK)
            return false;
    }
    return true;
}

static bool tree_clear(struct networks *n, bool six, uint32_t bits)
{
    const struct trie_item *items[NETWORKS_BATCH];
    struct trie_item last = {0};
    bool good = true;
    for (size_t count = 1, round = 0; good && count > 0; round++) {
        networks_lock(n);
        count = trie_after(networks_trie(n, six), round ? &last : NULL, items, NETWORKS_BATCH);
        if (count)
            last = *items[count - 1];
        good = batch_clear(n, six, bits, items, count);
        networks_unlock(n);
    }
    return good;
}

/* Takes the bits off all prefixes. What memory did not suffice for is tried again with the next feed. */
static void clear(struct networks *n, uint32_t bits)
{
    networks_lock(n);
    n->taken &= ~bits;
    n->soiled |= bits;
    bits = n->soiled;
    networks_unlock(n);
    if (!bits || !tree_clear(n, false, bits) || !tree_clear(n, true, bits))
        return;
    networks_lock(n);
    n->soiled &= ~bits;
    networks_unlock(n);
}

static RESULT take_slot(struct networks *n, const char *name, uint32_t *ret_bit)
{
    enum err e = ERR_LIMIT_REACHED;
    networks_lock(n);
    const struct networks_feeds *f = atomic_load(&n->feeds);
    uint32_t free_slots = ~(n->taken | n->soiled);
    bool room = find_slot(f, name) >= 0 || (unsigned)__builtin_popcount(f->active) < NETWORKS_FEEDS_MAX;
    if (free_slots && room) {
        *ret_bit = free_slots & -free_slots;
        n->taken |= *ret_bit;
        e = OK;
    }
    networks_unlock(n);
    return e;
}

/* In force from here on: bit under this name, instead of what was there under it. bit 0: nothing. */
static RESULT put_in_force(struct networks *n, const char *name, uint32_t bit, uint64_t ends_ms, uint32_t *ret_old)
{
    struct networks_feeds *made = malloc(sizeof *made);
    if (!made)
        return ERR_NO_MEMORY;
    networks_lock(n);
    struct networks_feeds *before = atomic_load(&n->feeds);
    *made = *before;
    int old = find_slot(before, name);
    *ret_old = old < 0 ? 0 : UINT32_C(1) << old;
    made->active = (made->active & ~*ret_old) | bit;
    if (bit) {
        int slot = __builtin_ctz(bit);
        (void)snprintf(made->slot[slot].name, sizeof made->slot[slot].name, "%s", name);
        made->slot[slot].ends_ms = ends_ms;
    }
    atomic_store_explicit(&n->feeds, made, memory_order_release);
    rcu_bin_put(&n->bin, before);
    networks_unlock(n);
    return OK;
}

/* --- lines */

static size_t run_of(struct view v, size_t from, const char *bytes, size_t count, bool inside)
{
    while (from < v.len && (memchr(bytes, v.ptr[from], count) != NULL) == inside)
        from++;
    return from;
}

static struct view token_of(struct view line)
{
    size_t from = run_of(line, 0, " \t", 2, true), to = run_of(line, from, " \t\r,;#", 6, false);
    return VIEW(line.ptr + from, to - from);
}

/* A line of nothing but blanks, or one that begins with ';' or '#'. */
static bool is_comment(struct view line, struct view token)
{
    size_t at = (size_t)(token.ptr - line.ptr);
    return token.len == 0 && (at == line.len || line.ptr[at] == '\r' || line.ptr[at] == ';' || line.ptr[at] == '#');
}

static bool is_long_enough(const struct prefix *p)
{
    unsigned shortest = prefix_is_ipv4(p) ? ADDRESS_IPV4_BITS + NETWORKS_FEED_BITS4 : NETWORKS_FEED_BITS6;
    return p->bits >= shortest;
}

static RESULT list(struct load *l, const struct prefix *p)
{
    bool six = !prefix_is_ipv4(p);
    unsigned bits;
    trie_key key = networks_key(p, &bits);
    const struct trie_item *old = trie_find(networks_trie(l->n, six), key, bits);
    struct trie_item made = {.hi = (uint64_t)(key >> 64), .lo = (uint64_t)key, .bits = (uint8_t)bits};
    if (old && (old->feeds & l->bit))
        return OK;
    if (old)
        made = *old;
    made.feeds |= l->bit;
    TRY(networks_change(l->n, six, old, &made));
    l->report.prefixes++;
    return OK;
}

static RESULT read_line(struct load *l, struct view line, size_t number)
{
    struct view token = token_of(line);
    struct prefix p;
    if (is_comment(line, token))
        return OK;
    if (prefix_parse(token, &p, NULL) == OK && is_long_enough(&p))
        return list(l, &p);
    if (l->report.bad++ == 0)
        l->report.first_bad = number;
    return OK;
}

static RESULT read_lines(struct load *l, struct view text)
{
    enum err e = OK;
    size_t number = 0;
    while (text.len && e == OK) {
        networks_lock(l->n);
        for (size_t i = 0; i < NETWORKS_BATCH && text.len && e == OK; i++) {
            const uint8_t *end = memchr(text.ptr, '\n', text.len);
            size_t len = end ? (size_t)(end - text.ptr) : text.len;
            e = read_line(l, VIEW(text.ptr, len), ++number);
            len += end != NULL;
            text = VIEW(text.ptr + len, text.len - len);
        }
        networks_unlock(l->n);
    }
    return e;
}

/* --- whole feeds */

static RESULT fill(struct load *l, struct view text, struct problem *why)
{
    enum err e = read_lines(l, text);
    const struct networks_feed_report *r = &l->report;
    if (e != OK)
        return problem_set(why, e, "", "The feed was not taken; %zu prefixes had found room.", r->prefixes);
    if (r->bad && r->bad >= r->prefixes)
        return problem_set(why, ERR_MALFORMED, "",
                           "This is no list of networks: %zu lines are none, the first is line %zu.", r->bad,
                           r->first_bad);
    return OK;
}

static RESULT check_name(const char *name, struct problem *why)
{
    struct view v = view_str(name);
    if (v.len == 0 || v.len > NETWORKS_FEED_NAME_MAX || !text_printable(v))
        return problem_set(why, ERR_BAD_VALUE, "", "A feed's name has 1 to %u printable bytes.",
                           NETWORKS_FEED_NAME_MAX);
    return OK;
}

RESULT networks_feed_load(struct networks *n, const char *name, struct view text, uint64_t ends_ms,
                          struct networks_feed_report *ret, struct problem *why)
{
    struct load l = {.n = n};
    uint32_t old = 0;
    TRY(check_name(name, why));
    if (n->soiled)
        clear(n, 0);
    if (take_slot(n, name, &l.bit) != OK)
        return problem_set(why, ERR_LIMIT_REACHED, "", "There are %u feeds already.", NETWORKS_FEEDS_MAX);
    enum err e = fill(&l, text, why);
    if (e == OK) {
        rcu_synchronise(); /* nobody holds prefixes from before the new bit */
        e = put_in_force(n, name, l.bit, ends_ms, &old);
        if (e != OK)
            (void)!problem_set(why, e, "", "The feed was not taken.");
    }
    if (e == OK)
        rcu_synchronise(); /* nobody goes by the old bit */
    if (e != OK || old)
        clear(n, e == OK ? old : l.bit);
    if (e == OK)
        *ret = l.report;
    return e;
}

RESULT networks_feed_drop(struct networks *n, const char *name)
{
    uint32_t old;
    TRY(put_in_force(n, name, 0, 0, &old));
    if (!old)
        return ERR_NOT_FOUND;
    clear(n, old);
    return OK;
}
