#include "base/arena.h"

#define ALIGNMENT   16
#define BLOCK_LIMIT ((size_t)256 * 1024) /* blocks double up to this size; what is larger gets a block of its own */

struct block {
    struct block *next;
    size_t used, cap;
    _Alignas(ALIGNMENT) uint8_t memory[];
};

struct arena {
    struct block *first, *now; /* a list from the first block to the one being filled */
    size_t used, max_total;    /* bytes handed out, rounded up to the alignment */
};

static struct block *block_new(size_t cap)
{
    if (cap > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *b = calloc(1, sizeof *b + cap);

    if (b)
        b->cap = cap;
    return b;
}

static void blocks_free(struct block *b)
{
    while (b) {
        struct block *next = b->next;

        explicit_bzero(b->memory, b->used);
        free(b);
        b = next;
    }
}

enum err arena_new(size_t first_block, size_t max_total, struct arena **ret)
{
    size_t cap = first_block < ALIGNMENT ? ALIGNMENT : first_block;
    struct arena *a = calloc(1, sizeof *a);

    if (!a)
        return ERR_NO_MEMORY;
    a->first = a->now = block_new(cap);
    if (!a->first) {
        free(a);
        return ERR_NO_MEMORY;
    }
    a->max_total = max_total;
    *ret = a;
    return OK;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    blocks_free(a->first);
    free(a);
}

void arena_reset(struct arena *a)
{
    blocks_free(a->first->next);
    explicit_bzero(a->first->memory, a->first->used);
    a->first->next = NULL;
    a->first->used = 0;
    a->now = a->first;
    a->used = 0;
}

static bool arena_grow(struct arena *a, size_t need)
{
    size_t cap = a->now->cap < BLOCK_LIMIT / 2 ? a->now->cap * 2 : BLOCK_LIMIT;
    struct block *b = block_new(cap < need ? need : cap);

    if (!b)
        return false;
    a->now->next = b;
    a->now = b;
    return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > a->max_total || n > SIZE_MAX - ALIGNMENT)
        return NULL;
    size_t need = n ? (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;

    /* The last allocation may take the total to max_total exactly, rounded up or not. */
    if (a->used > a->max_total - n)
        return NULL;
    if (need > a->now->cap - a->now->used && !arena_grow(a, need))
        return NULL;
    void *p = a->now->memory + a->now->used;

    a->now->used += need;
    a->used += need;
    return p;
}

char *arena_str(struct arena *a, struct view v)
{
    char *s = v.len < SIZE_MAX ? arena_alloc(a, v.len + 1) : NULL;

    if (s && v.len)
        memcpy(s, v.ptr, v.len);
    return s;
}

enum err arena_copy(struct arena *a, struct view v, struct view *ret)
{
    if (v.len == 0) {
        *ret = (struct view){0};
        return OK;
    }
    void *p = arena_alloc(a, v.len);

    if (!p)
        return ERR_NO_MEMORY;
    memcpy(p, v.ptr, v.len);
    *ret = VIEW(p, v.len);
    return OK;
}
