#include "domain/guard/geo.h"

#include "base/rcu.h"

#include <stdatomic.h>

/* What is in force, with its file. Does not change once it is published. */
struct base {
    struct mmdb db;
    uint64_t loaded_ms;
    size_t size;
    uint8_t *file;
};

struct geo {
    struct base *_Atomic base;
};

RESULT geo_new(struct geo **ret)
{
    struct geo *g = calloc(1, sizeof *g);
    if (!g)
        return ERR_NO_MEMORY;
    *ret = g;
    return OK;
}

static void base_free(struct base *b)
{
    if (!b)
        return;
    mmdb_close(&b->db);
    free(b->file);
    free(b);
}

void geo_free(struct geo *g)
{
    if (!g)
        return;
    base_free(atomic_load(&g->base));
    free(g);
}

/* --- loading */

static void put_in_force(struct geo *g, struct base *b)
{
    struct base *before = atomic_exchange_explicit(&g->base, b, memory_order_acq_rel);
    if (before)
        rcu_synchronise(); /* nobody reads it any more */
    base_free(before);
}

RESULT geo_load(struct geo *g, uint8_t *bytes, size_t len, uint64_t now_ms, struct problem *why)
{
    struct base *b = calloc(1, sizeof *b);
    if (!b) {
        free(bytes);
        return ERR_NO_MEMORY;
    }
    *b = (struct base){.loaded_ms = now_ms, .size = len, .file = bytes};
    enum err e = mmdb_open(VIEW(bytes, len), &b->db, why);
    if (e == OK)
        put_in_force(g, b);
    else
        base_free(b);
    return e;
}

void geo_status(struct geo *g, struct geo_status *ret)
{
    struct geo_status s = {0};
    rcu_enter();
    const struct base *b = atomic_load_explicit(&g->base, memory_order_acquire);
    if (b) {
        s.loaded = true;
        s.built_ms = b->db.built_ms;
        s.loaded_ms = b->loaded_ms;
        s.bytes = b->size;
        memcpy(s.type, b->db.type, sizeof s.type);
    }
    rcu_leave();
    *ret = s;
}

/* --- the rule */

static size_t index_of(const uint8_t *code)
{
    return (size_t)(code[0] - 'A') * 26 + (size_t)(code[1] - 'A');
}

RESULT geo_countries_add(struct geo_countries *c, struct view code)
{
    if (code.len != 2 || code.ptr[0] < 'A' || code.ptr[0] > 'Z' || code.ptr[1] < 'A' || code.ptr[1] > 'Z')
        return ERR_MALFORMED;
    size_t i = index_of(code.ptr);
    c->bits[i / 64] |= UINT64_C(1) << (i % 64);
    return OK;
}

bool geo_countries_have(const struct geo_countries *c, const char code[static MMDB_COUNTRY_SIZE])
{
    size_t i = index_of((const uint8_t *)code);
    return c->bits[i / 64] >> (i % 64) & 1;
}

bool geo_is_old(const struct geo_rule *rule, uint64_t built_ms, uint64_t now_ms)
{
    return rule->max_age_ms && now_ms > built_ms && now_ms - built_ms > rule->max_age_ms;
}

static enum geo_reason look(const struct base *b, const struct geo_rule *rule, const struct address *a, uint64_t now_ms,
                            char country[static MMDB_COUNTRY_SIZE])
{
    if (!b)
        return GEO_NONE;
    if (geo_is_old(rule, b->db.built_ms, now_ms))
        return GEO_OLD;
    if (mmdb_country(&b->db, a, country) != OK)
        return GEO_UNKNOWN;
    return geo_countries_have(&rule->countries, country) ? GEO_LISTED : GEO_UNLISTED;
}

void geo_judge(struct geo *g, const struct geo_rule *rule, const struct address *a, uint64_t now_ms,
               struct geo_answer *ret)
{
    struct geo_answer r = {0};
    rcu_enter();
    r.reason = look(atomic_load_explicit(&g->base, memory_order_acquire), rule, a, now_ms, r.country);
    rcu_leave();
    const bool in[] = {[GEO_LISTED] = rule->only,
                       [GEO_UNLISTED] = !rule->only,
                       [GEO_UNKNOWN] = !rule->only,
                       [GEO_NONE] = !rule->closed,
                       [GEO_OLD] = !rule->closed};
    r.let_in = in[r.reason];
    *ret = r;
}
