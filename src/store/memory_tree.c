/* A treap: ordered by (table, key), heaped by a hash of both, which makes its shape independent of the order of changes
 * and its depth logarithmic for keys that nobody chose with this hash in mind. */
#include "store/memory_tree.h"

#include <stdatomic.h>

struct cell { /* one row, shared by the nodes of many trees */
    atomic_uint refs;
    uint16_t table;
    uint32_t priority;
    struct store_row row; /* its bytes follow the struct */
};

struct tree {
    atomic_uint refs;
    struct cell *cell;
    struct tree *left, *right;
};

/* --- cells */

/* FNV-1a with a final mix, for nothing but balance. */
static uint32_t priority_of(uint16_t table, struct view key)
{
    uint64_t h = 0xcbf29ce484222325u ^ table;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ key.ptr[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32);
}

static struct cell *cell_new(uint16_t table, const struct store_row *row)
{
    struct cell *c = malloc(sizeof(*c) + row->key.len + row->value.len);
    if (!c)
        return NULL;
    uint8_t *key = (uint8_t *)(c + 1), *value = key + row->key.len;
    if (row->key.len)
        memcpy(key, row->key.ptr, row->key.len);
    if (row->value.len)
        memcpy(value, row->value.ptr, row->value.len);
    atomic_init(&c->refs, 1);
    c->table = table;
    c->priority = priority_of(table, row->key);
    c->row = (struct store_row){VIEW(key, row->key.len), row->version, VIEW(value, row->value.len)};
    return c;
}

static void cell_unref(struct cell *c)
{
    if (atomic_fetch_sub(&c->refs, 1) == 1)
        free(c);
}

static int order(uint16_t table, struct view key, const struct cell *c)
{
    return table != c->table ? (table < c->table ? -1 : 1) : view_cmp(key, c->row.key);
}

/* --- nodes */

struct tree *tree_ref(struct tree *t)
{
    if (t)
        atomic_fetch_add(&t->refs, 1);
    return t;
}

void tree_unref(struct tree *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    tree_unref(t->left);
    tree_unref(t->right);
    cell_unref(t->cell);
    free(t);
}

/* Takes left and right, also on failure; shares the cell. */
static RESULT node_new(struct cell *c, struct tree *left, struct tree *right, struct tree **ret)
{
    struct tree *t = malloc(sizeof(*t));
    if (!t) {
        tree_unref(left);
        tree_unref(right);
        return ERR_NO_MEMORY;
    }
    atomic_init(&t->refs, 1);
    atomic_fetch_add(&c->refs, 1);
    t->cell = c;
    t->left = left;
    t->right = right;
    *ret = t;
    return OK;
}

/* --- changes */

/* t over a child that a change made anew (fresh: nobody else knows it), turned so that the heap's order holds. */
static RESULT join(struct tree *t, struct tree *fresh, bool is_left, struct tree **ret)
{
    struct tree *other = tree_ref(is_left ? t->right : t->left);
    if (fresh->cell->priority <= t->cell->priority)
        return node_new(t->cell, is_left ? fresh : other, is_left ? other : fresh, ret);

    struct tree **inner = is_left ? &fresh->right : &fresh->left;
    struct tree *lower = NULL;
    struct tree *moved = TAKE(*inner);
    enum err e = node_new(t->cell, is_left ? moved : other, is_left ? other : moved, &lower);
    if (e != OK) {
        tree_unref(fresh);
        return e;
    }
    *inner = lower;
    *ret = fresh;
    return OK;
}

static RESULT put_cell(struct tree *t, struct cell *c, struct tree **ret)
{
    if (!t)
        return node_new(c, NULL, NULL, ret);
    int o = order(c->table, c->row.key, t->cell);
    if (o == 0)
        return node_new(c, tree_ref(t->left), tree_ref(t->right), ret);
    struct tree *fresh = NULL;
    TRY(put_cell(o < 0 ? t->left : t->right, c, &fresh));
    return join(t, fresh, o < 0, ret);
}

RESULT tree_put(struct tree *t, uint16_t table, const struct store_row *row, struct tree **ret)
{
    struct cell *c = cell_new(table, row);
    if (!c)
        return ERR_NO_MEMORY;
    enum err e = put_cell(t, c, ret);
    cell_unref(c);
    return e;
}

/* All of a is before all of b. */
static RESULT merge(struct tree *a, struct tree *b, struct tree **ret)
{
    if (!a || !b) {
        *ret = tree_ref(a ? a : b);
        return OK;
    }
    struct tree *inner = NULL;
    if (a->cell->priority > b->cell->priority) {
        TRY(merge(a->right, b, &inner));
        return node_new(a->cell, tree_ref(a->left), inner, ret);
    }
    TRY(merge(a, b->left, &inner));
    return node_new(b->cell, inner, tree_ref(b->right), ret);
}

RESULT tree_delete(struct tree *t, uint16_t table, struct view key, struct tree **ret)
{
    if (!t) {
        *ret = NULL;
        return OK;
    }
    int o = order(table, key, t->cell);
    if (o == 0)
        return merge(t->left, t->right, ret);
    struct tree *child = NULL;
    TRY(tree_delete(o < 0 ? t->left : t->right, table, key, &child));
    if (o < 0)
        return node_new(t->cell, child, tree_ref(t->right), ret);
    return node_new(t->cell, tree_ref(t->left), child, ret);
}

/* --- reads */

const struct store_row *tree_get(const struct tree *t, uint16_t table, struct view key)
{
    while (t) {
        int o = order(table, key, t->cell);
        if (o == 0)
            return &t->cell->row;
        t = o < 0 ? t->left : t->right;
    }
    return NULL;
}

/* False when it is over. */
static bool walk(const struct tree *t, const struct store_range_of *of, size_t *left)
{
    if (!t)
        return true;
    bool after_from = order(of->table, of->from, t->cell) <= 0;
    bool before_to = of->to.len ? order(of->table, of->to, t->cell) > 0 : t->cell->table <= of->table;
    const struct tree *first = of->reverse ? t->right : t->left, *second = of->reverse ? t->left : t->right;
    bool go_first = of->reverse ? before_to : after_from, go_second = of->reverse ? after_from : before_to;

    if (go_first && !walk(first, of, left))
        return false;
    if (after_from && before_to) {
        if (*left == 0)
            return false;
        --*left;
        if (!of->visit(of->context, &t->cell->row))
            return false;
    }
    return !go_second || walk(second, of, left);
}

void tree_range(const struct tree *t, const struct store_range_of *of)
{
    size_t left = of->limit;
    (void)walk(t, of, &left);
}
