#include "domain/keys/limits.h"

#define HOUR_MS     3600000u
#define DAY_MS      86400000u
#define HOUR_NS     3600000000000u
#define MS_NS       1000000u
#define SECOND_NS   1000000000u
#define SECONDS(ms) ((uint32_t)(((ms) + 999) / 1000))

struct taken {
    bool ok, first;
    uint32_t left;
};

/* One more than the limit stands for a refusal that was reported. */
static struct taken window_take(_Atomic uint64_t *window, uint32_t index, uint32_t limit)
{
    uint64_t old = atomic_load_explicit(window, memory_order_relaxed), next;
    struct taken t;
    do {
        uint32_t n = (uint32_t)(old >> 32) == index ? (uint32_t)old : 0;
        t.ok = limit == 0 || n < limit;
        t.first = !t.ok && n == limit;
        t.left = t.ok && limit ? limit - n - 1 : 0;
        if (n == UINT32_MAX || (!t.ok && !t.first))
            return t;
        next = ((uint64_t)index << 32) | (n + 1);
    } while (!atomic_compare_exchange_weak_explicit(window, &old, next, memory_order_relaxed, memory_order_relaxed));
    return t;
}

static void window_give(_Atomic uint64_t *window, uint32_t index)
{
    uint64_t old = atomic_load_explicit(window, memory_order_relaxed);
    while ((uint32_t)(old >> 32) == index && (uint32_t)old > 0)
        if (atomic_compare_exchange_weak_explicit(window, &old, old - 1, memory_order_relaxed, memory_order_relaxed))
            return;
}

/* How long an empty bucket takes to fill. What would take longer than a century is as good as a century. */
static uint64_t filling(uint64_t step, uint32_t burst)
{
    const uint64_t most = 100ull * 365 * DAY_MS * MS_NS;
    return step > most / burst ? most : step * burst;
}

/* Nanoseconds until there is room for one more; 0: it was taken. */
static uint64_t bucket_take(_Atomic uint64_t *due, const struct limits *l, uint64_t now)
{
    if (l->per_hour == 0 || l->burst == 0)
        return 0;
    uint64_t step = HOUR_NS / l->per_hour, full = filling(step, l->burst), next;
    uint64_t old = atomic_load_explicit(due, memory_order_relaxed);
    do {
        /* Further ahead than it can be full: the clock was set back. */
        uint64_t from = old < now || old > now + full ? now : old;
        next = from + step;
        if (next > now + full)
            return next - now - full;
    } while (!atomic_compare_exchange_weak_explicit(due, &old, next, memory_order_relaxed, memory_order_relaxed));
    return 0;
}

static void refuse(struct limits_state *s, enum limits_verdict verdict, bool first, uint32_t wait)
{
    s->verdict = verdict;
    s->first = first;
    s->wait_seconds = wait ? wait : 1;
}

void limits_take(struct limits_used *used, const struct limits *l, uint64_t now_ms, struct limits_state *ret)
{
    uint32_t hour = (uint32_t)(now_ms / HOUR_MS), day = (uint32_t)(now_ms / DAY_MS);
    struct limits_state s = {.hour_seconds = SECONDS(HOUR_MS - now_ms % HOUR_MS),
                             .day_seconds = SECONDS(DAY_MS - now_ms % DAY_MS)};
    struct taken d = window_take(&used->day, day, l->per_day);
    struct taken h = {0};
    s.left_day = d.left;
    *ret = s;
    if (!d.ok) {
        refuse(ret, LIMITS_DAY_USED, d.first, s.day_seconds);
        return;
    }
    h = window_take(&used->hour, hour, l->per_hour);
    ret->left_hour = h.left;
    if (!h.ok) {
        window_give(&used->day, day);
        refuse(ret, LIMITS_HOUR_USED, h.first, s.hour_seconds);
        return;
    }
    uint64_t wait = bucket_take(&used->due_ns, l, now_ms * MS_NS);
    if (wait) {
        window_give(&used->hour, hour);
        window_give(&used->day, day);
        refuse(ret, LIMITS_BURSTING, atomic_exchange(&used->told, hour + 1) != hour + 1,
               (uint32_t)((wait + SECOND_NS - 1) / SECOND_NS));
    }
}

static bool is_full(const _Atomic uint64_t *window, uint64_t index, uint32_t limit)
{
    uint64_t w = atomic_load_explicit(window, memory_order_relaxed);
    return limit && (w >> 32) == (uint32_t)index && (uint32_t)w >= limit;
}

bool limits_used_up(const struct limits_used *used, const struct limits *l, uint64_t now_ms)
{
    return is_full(&used->day, now_ms / DAY_MS, l->per_day) || is_full(&used->hour, now_ms / HOUR_MS, l->per_hour);
}

void limits_carry(struct limits_used *to, const struct limits_used *from)
{
    atomic_init(&to->hour, atomic_load_explicit(&from->hour, memory_order_relaxed));
    atomic_init(&to->day, atomic_load_explicit(&from->day, memory_order_relaxed));
    atomic_init(&to->due_ns, atomic_load_explicit(&from->due_ns, memory_order_relaxed));
    atomic_init(&to->told, atomic_load_explicit(&from->told, memory_order_relaxed));
}
