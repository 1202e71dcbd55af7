#include "domain/keys/usage.h"

#include "base/fields.h"

#define HOUR_MS 3600000u
#define DAY_MS  86400000u
#define HALF_MS ((uint64_t)USAGE_DAYS / 2 * DAY_MS)

/* --- time */

/* Newest first: by steps to the back. */
static void shift(uint32_t *counts, size_t n, uint64_t steps)
{
    if (steps == 0)
        return;
    size_t lost = steps < n ? (size_t)steps : n;
    memmove(counts + lost, counts, (n - lost) * sizeof *counts);
    memset(counts, 0, lost * sizeof *counts);
}

static void forget(struct usage *u)
{
    memset(u->hours, 0, sizeof u->hours);
    memset(u->days, 0, sizeof u->days);
    u->endpoint_count = 0;
}

static void age_endpoints(struct usage *u, uint64_t halves)
{
    size_t kept = 0;
    for (size_t i = 0; halves && i < u->endpoint_count; i++) {
        struct usage_endpoint e = u->endpoints[i];
        e.before = halves == 1 ? e.now : 0;
        e.now = 0;
        if (e.before)
            u->endpoints[kept++] = e;
    }
    if (halves)
        u->endpoint_count = kept;
}

void usage_advance(struct usage *u, uint64_t now_ms)
{
    if (now_ms < u->at_ms) {
        if (u->at_ms - now_ms <= DAY_MS)
            return; /* what comes now counts for the newest hour */
        forget(u);
    } else {
        shift(u->hours, USAGE_HOURS, now_ms / HOUR_MS - u->at_ms / HOUR_MS);
        shift(u->days, USAGE_DAYS, now_ms / DAY_MS - u->at_ms / DAY_MS);
        age_endpoints(u, now_ms / HALF_MS - u->at_ms / HALF_MS);
    }
    u->at_ms = now_ms;
}

/* --- counting */

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static uint32_t uses(const struct usage_endpoint *e)
{
    return sum(e->now, e->before);
}

static struct usage_endpoint *find(struct usage *u, struct view name)
{
    for (size_t i = 0; i < u->endpoint_count; i++)
        if (view_eq(u->endpoints[i].name, name))
            return &u->endpoints[i];
    return NULL;
}

static struct usage_endpoint *least(struct usage *u)
{
    struct usage_endpoint *e = &u->endpoints[0];
    for (size_t i = 1; i < u->endpoint_count; i++)
        if (uses(&u->endpoints[i]) < uses(e))
            e = &u->endpoints[i];
    return e;
}

/* One that is not there yet takes over from the least used one, with its count: so what comes often is never lost among
 * what comes once (Metwally and others, "Space-Saving"). Up to USAGE_ENDPOINTS the counts are exact. */
static struct usage_endpoint *place(struct usage *u, struct view name)
{
    struct usage_endpoint *e = find(u, name);
    if (e)
        return e;
    if (u->endpoint_count < USAGE_ENDPOINTS) {
        e = &u->endpoints[u->endpoint_count++];
        *e = (struct usage_endpoint){0};
    } else {
        e = least(u);
    }
    e->name = name;
    return e;
}

void usage_count(struct usage *u, uint64_t now_ms, struct view from, struct view name)
{
    usage_advance(u, now_ms);
    u->total++;
    u->last_ms = now_ms;
    u->last_from = from;
    u->hours[0] = sum(u->hours[0], 1);
    u->days[0] = sum(u->days[0], 1);
    struct usage_endpoint *e = place(u, name);
    e->now = sum(e->now, 1);
}

/* --- two of them */

static void add_endpoint(struct usage *u, const struct usage_endpoint *more)
{
    struct usage_endpoint *e = find(u, more->name);
    if (!e && u->endpoint_count < USAGE_ENDPOINTS) {
        e = &u->endpoints[u->endpoint_count++];
        *e = (struct usage_endpoint){.name = more->name};
    }
    if (e) {
        e->now = sum(e->now, more->now);
        e->before = sum(e->before, more->before);
        return;
    }
    e = least(u);
    if (uses(e) < uses(more))
        *e = *more;
}

void usage_merge(struct usage *u, const struct usage *other)
{
    struct usage o = *other;
    uint64_t at_ms = u->at_ms > o.at_ms ? u->at_ms : o.at_ms;
    usage_advance(u, at_ms);
    usage_advance(&o, at_ms);
    u->total += o.total;
    if (o.last_ms > u->last_ms) {
        u->last_ms = o.last_ms;
        u->last_from = o.last_from;
    }
    for (size_t i = 0; i < USAGE_HOURS; i++)
        u->hours[i] = sum(u->hours[i], o.hours[i]);
    for (size_t i = 0; i < USAGE_DAYS; i++)
        u->days[i] = sum(u->days[i], o.days[i]);
    for (size_t i = 0; i < o.endpoint_count; i++)
        add_endpoint(u, &o.endpoints[i]);
}

static int by_uses(const void *a, const void *b)
{
    uint32_t x = uses(a), y = uses(b);
    return (x < y) - (x > y);
}

size_t usage_top(const struct usage *u, struct usage_endpoint ret[static USAGE_TOP])
{
    struct usage_endpoint all[USAGE_ENDPOINTS];
    size_t n = u->endpoint_count < USAGE_TOP ? u->endpoint_count : USAGE_TOP;
    memcpy(all, u->endpoints, u->endpoint_count * sizeof *all);
    qsort(all, u->endpoint_count, sizeof *all, by_uses);
    memcpy(ret, all, n * sizeof *ret);
    return n;
}
