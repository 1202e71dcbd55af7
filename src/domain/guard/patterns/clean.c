#include "domain/guard/patterns/clean.h"

#include "base/sip.h"

#define WAYS       4 /* places where a text may be: one line of the processor's cache */
#define LINE_BYTES 64

struct clean {
    struct clean_tag sets[CLEAN_TEXTS / WAYS][WAYS]; /* first, so that each set is a line; zeros: nobody's place */
    struct sip_seed seed;
};
_Static_assert(WAYS * sizeof(struct clean_tag) == LINE_BYTES, "a set is one line");

enum err clean_new(const struct random *random, struct clean **ret)
{
    size_t size = (sizeof(struct clean) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    struct clean *c = aligned_alloc(LINE_BYTES, size);
    if (!c)
        return ERR_NO_MEMORY;
    enum err e = random->fill(random, &c->seed, sizeof c->seed);
    if (e != OK) {
        free(c);
        return e;
    }
    clean_forget(c);
    *ret = c;
    return OK;
}

void clean_free(struct clean *c)
{
    if (c)
        explicit_bzero(c, sizeof *c);
    free(c);
}

void clean_name(const struct clean *c, const struct split_field *f, struct clean_tag *ret)
{
    sip_hash128(&c->seed, (uint64_t)f->part | (uint64_t)f->source << 32, f->value, ret->w);
    ret->w[1] |= 1; /* not zeros */
}

static struct clean_tag *set_of(struct clean *c, const struct clean_tag *tag)
{
    return c->sets[tag->w[0] % (CLEAN_TEXTS / WAYS)];
}

static bool same(const struct clean_tag *a, const struct clean_tag *b)
{
    return a->w[0] == b->w[0] && a->w[1] == b->w[1];
}

/* Puts it at a place, from which the others move towards the last one. */
static void put_at(struct clean_tag *set, size_t from, size_t to, const struct clean_tag *tag)
{
    for (size_t i = from; i > to; i--)
        set[i] = set[i - 1];
    set[to] = *tag;
}

static size_t place_of(const struct clean_tag *set, const struct clean_tag *tag)
{
    size_t i = 0;
    while (i < WAYS && !same(&set[i], tag))
        i++;
    return i;
}

/* What is found moves to the first place, and newcomers begin in the middle: the first half is for those that came
 * again. */
bool clean_has(struct clean *c, const struct clean_tag *tag)
{
    struct clean_tag *set = set_of(c, tag);
    size_t i = place_of(set, tag);
    if (i == WAYS)
        return false;
    put_at(set, i, 0, tag);
    return true;
}

void clean_put(struct clean *c, const struct clean_tag *tag)
{
    struct clean_tag *set = set_of(c, tag);
    if (place_of(set, tag) == WAYS)
        put_at(set, WAYS - 1, WAYS / 2, tag);
}

void clean_forget(struct clean *c)
{
    explicit_bzero(c->sets, sizeof c->sets);
}
